//! The functions of `shim.cpp`, and their failures as values.

use std::ffi::{CStr, c_char, c_int};

/// What libtorch refused, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("libtorch failed while {doing}: {reason}")]
pub struct C10Error {
    /// What was asked of it.
    pub doing: &'static str,
    /// What it said.
    pub reason: String,
}

#[allow(unsafe_code, reason = "functions of our own C++, which catch every exception")]
unsafe extern "C" {
    fn millstream_deterministic(on: c_int, error: *mut c_char, room: usize) -> c_int;
    fn millstream_stream_new(device: i8, id: *mut i64, error: *mut c_char, room: usize) -> c_int;
    fn millstream_stream_exchange(device: i8, id: i64, before: *mut i64, error: *mut c_char, room: usize) -> c_int;
    fn millstream_stream_join(device: i8, id: i64, error: *mut c_char, room: usize) -> c_int;
}

/// Room for what libtorch says of an error.
const ROOM: usize = 1024;

/// Calls a function that says 0, or another number and why in the buffer.
pub(crate) fn call(doing: &'static str, function: impl FnOnce(*mut c_char, usize) -> c_int) -> Result<(), C10Error> {
    let mut error = [0u8; ROOM];
    if function(error.as_mut_ptr().cast(), error.len()) == 0 {
        return Ok(());
    }
    let reason = CStr::from_bytes_until_nul(&error).map(|text| text.to_string_lossy().into_owned());
    let reason = reason.unwrap_or_default().lines().next().unwrap_or_default().to_owned();
    Err(C10Error { doing, reason })
}

/// Whether kernels give the same bits each time, where libtorch has such (it warns where it has not); in the whole process.
///
/// # Errors
/// What libtorch says.
#[allow(unsafe_code, reason = "calls C++")]
pub fn deterministic(on: bool) -> Result<(), C10Error> {
    // SAFETY: sets flags of libtorch; `call` gives a buffer of the size that it says.
    call("asking for deterministic kernels", |error, room| unsafe { millstream_deterministic(on.into(), error, room) })
}

#[allow(unsafe_code, reason = "calls C++")]
pub(crate) fn stream_new(device: i8) -> Result<i64, C10Error> {
    let mut id = 0;
    // SAFETY: `id` outlives the call; `call` gives a buffer of the size that it says.
    call("making a stream", |error, room| unsafe { millstream_stream_new(device, &raw mut id, error, room) })?;
    Ok(id)
}

#[allow(unsafe_code, reason = "calls C++")]
pub(crate) fn stream_exchange(device: i8, id: i64) -> Result<i64, C10Error> {
    let mut before = 0;
    // SAFETY: `id` came from libtorch and its pool never gives streams back; `before` outlives the call.
    call("changing the stream", |error, room| unsafe {
        millstream_stream_exchange(device, id, &raw mut before, error, room)
    })?;
    Ok(before)
}

#[allow(unsafe_code, reason = "calls C++")]
pub(crate) fn stream_join(device: i8, id: i64) -> Result<(), C10Error> {
    // SAFETY: `id` came from libtorch and its pool never gives streams back.
    call("waiting for a stream", |error, room| unsafe { millstream_stream_join(device, id, error, room) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_can_be_asked_to_be_deterministic_without_a_gpu() {
        assert_eq!(deterministic(true), Ok(()));
        assert_eq!(deterministic(false), Ok(()));
    }

    #[test]
    fn what_libtorch_throws_is_a_value_with_its_words() {
        // The CUDA part is not loaded here: c10 has nobody to ask.
        let error = stream_new(0).unwrap_err();
        assert_eq!(error.doing, "making a stream");
        assert!(!error.reason.is_empty() && !error.reason.contains('\n'), "{error}");
    }
}
