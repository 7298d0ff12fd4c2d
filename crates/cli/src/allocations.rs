//! How this program asks for memory: counted for `bench stream`, of few heaps, and kept.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// The system's allocator with a counter before it. Libraries written in C have their own way to the system.
struct Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What glibc gives back to the system at the end of its heap: nothing, up to so many bytes.
const KEPT: i32 = i32::MAX;
/// How many large blocks may come from the system each time and go back there.
const MAPPED: i32 = 0;

/// Tells glibc how to keep heaps.
///
/// As many as cores, where it would make eight times as many: buffers wander from the thread that fills them to the one that is done
/// with them, and leave holes in each of the heaps. And memory that is free stays: what a step gives back, the next one wants
/// again, and the kernel takes as long to hand out its pages as the model to compute (EfficientNet-Lite0, 64 images: half of the time).
///
/// Where models work on several threads there is one heap: of any but the first a block may have 64 MiB at most, and activations are
/// larger.
#[cfg(target_env = "gnu")]
pub(crate) fn keep_heaps(of_models: bool) {
    let heaps = if of_models { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
    let settings = [
        (libc::M_ARENA_MAX, i32::try_from(heaps).unwrap_or(i32::MAX)),
        (libc::M_TRIM_THRESHOLD, KEPT),
        (libc::M_MMAP_MAX, MAPPED),
    ];
    for (name, value) in settings {
        // SAFETY: sets a number in the allocator, before there are other threads. If it is refused, all stays as it was.
        #[allow(unsafe_code)]
        unsafe {
            libc::mallopt(name, value);
        }
    }
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn keep_heaps() {}

/// Allocations and enlargements so far.
pub(crate) fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

// SAFETY: every call is handed on to the system's allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}
