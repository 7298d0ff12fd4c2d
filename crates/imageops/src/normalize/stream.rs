//! Stores that go round the caches.

/// Copies floats past the caches. What is larger than the caches leaves them before anybody reads it, and by the usual way
/// each line would be fetched from memory only to be written over. [`finish`] must follow before another thread reads.
#[cfg(target_arch = "x86_64")]
pub(super) fn copy(to: &mut [f32], from: &[f32]) {
    use std::arch::x86_64::{_mm_loadu_ps, _mm_stream_ps};

    let head = to.as_ptr().align_offset(16).min(to.len());
    let (from_head, from) = from.split_at(head);
    let (to_head, to) = to.split_at_mut(head);
    to_head.copy_from_slice(from_head);
    let (from_middle, from_tail) = from.as_chunks::<4>();
    let (to_middle, to_tail) = to.as_chunks_mut::<4>();
    for (from, to) in from_middle.iter().zip(to_middle) {
        // SAFETY: SSE2 belongs to the architecture; the target is of four floats and aligned to 16 bytes.
        #[allow(unsafe_code)]
        unsafe {
            _mm_stream_ps(to.as_mut_ptr(), _mm_loadu_ps(from.as_ptr()));
        }
    }
    to_tail.copy_from_slice(from_tail);
}

/// Orders all stores of [`copy`] before what this thread does next.
#[cfg(target_arch = "x86_64")]
pub(super) fn finish() {
    // SAFETY: SSE belongs to the architecture.
    #[allow(unsafe_code)]
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn copy(to: &mut [f32], from: &[f32]) {
    to.copy_from_slice(from);
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn finish() {}
