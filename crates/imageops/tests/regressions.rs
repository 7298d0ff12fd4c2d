//! The bodies of the fuzz targets on fixed inputs: what fuzzing has found once, the seeds, and some random bytes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use millstream_imageops::{Rng, SampleKey};

#[path = "../fuzz/src/decode.rs"]
mod decode;
#[path = "../fuzz/src/ops.rs"]
mod ops;

/// The system's allocator, which remembers the largest request: a file of a few bytes must not ask for gigabytes, even if
/// the system would give them.
struct Watched;

#[global_allocator]
static ALLOCATOR: Watched = Watched;
static LARGEST: AtomicUsize = AtomicUsize::new(0);

/// Many times as much as any image here needs.
const MUCH: usize = 64 << 20;

#[allow(unsafe_code)]
// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The files in a folder of the crate, by name.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.display().to_string(), std::fs::read(path).unwrap())
    };
    let mut files: Vec<_> = folder.read_dir().unwrap().map(read).collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files
}

/// Runs a body on each file. The name is all that says which one failed.
#[allow(clippy::print_stdout)]
fn check_all(folder: &str, check: fn(&[u8])) {
    for (name, bytes) in files(folder) {
        println!("{name}");
        check(&bytes);
        let largest = LARGEST.load(Ordering::Relaxed);
        assert!(largest < MUCH, "{name}: asked for {largest} bytes at once");
    }
}

#[test]
fn what_was_found_in_decode_stays_found() {
    check_all("fuzz/regressions/decode", decode::check);
}

#[test]
fn what_was_found_in_ops_stays_found() {
    check_all("fuzz/regressions/ops", ops::check);
}

#[test]
fn parts_of_every_kind_of_file_are_those_of_the_whole() {
    for folder in ["golden/decode", "fuzz/seeds/decode"] {
        check_all(folder, decode::check);
    }
}

#[test]
fn random_views_give_what_their_ops_give_one_by_one() {
    let mut rng = Rng::new(&SampleKey { seed: 5, round: 0, epoch: 0, key: 0, copy: 0, view: 0 }, 0);
    for _ in 0..2000 {
        let length = rng.range(400);
        let input: Vec<u8> = (0..length).map(|_| rng.range(256) as u8).collect();
        ops::check(&input);
    }
}
