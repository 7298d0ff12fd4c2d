//! Ends a process whose threads may be computing.

/// Ends the process at once, with this exit code. What an exit would do first is left out: libtorch takes down what is its own then, and
/// threads that still compute would crash, so that the process would end by a signal.
#[allow(unsafe_code)]
pub fn leave(code: u8) -> ! {
    // SAFETY: it never comes back, and nothing in the process runs after it.
    unsafe { libc::_exit(i32::from(code)) }
}
