//! libtorch's CUDA part, which one binary loads where it is there.

use std::error::Error;
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LAZY};

/// Loads `libtorch_cuda.so`, which registers itself with libtorch; once a process. It must happen before anything else asks libtorch
/// about CUDA, because libtorch remembers its first answer.
///
/// # Errors
/// Why it cannot be loaded, and what to do.
pub fn load() -> Result<(), String> {
    static CUDA: OnceLock<Result<Library, String>> = OnceLock::new();
    CUDA.get_or_init(open).as_ref().map(drop).map_err(Clone::clone)
}

#[allow(unsafe_code, reason = "loading a library runs its initialisers; no safe form exists")]
fn open() -> Result<Library, String> {
    // SAFETY: the library is the part of the libtorch we run on that was split off from it. Its initialisers
    // register kernels with libtorch and touch nothing of ours; it stays loaded until the process ends.
    unsafe { Library::open(Some("libtorch_cuda.so"), RTLD_LAZY | RTLD_GLOBAL) }.map_err(|error| {
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        format!("{cause} (`scripts/bootstrap --cuda` fetches libtorch's CUDA parts)")
    })
}
