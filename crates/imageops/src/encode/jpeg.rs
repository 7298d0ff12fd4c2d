//! JPEG through libjpeg-turbo's own interface, which reports errors by return values.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::NonNull;

use turbojpeg_sys::{
    TJINIT_TJINIT_COMPRESS, TJPARAM_TJPARAM_NOREALLOC, TJPARAM_TJPARAM_QUALITY, TJPARAM_TJPARAM_SUBSAMP,
    TJPF_TJPF_GRAY, TJPF_TJPF_RGB, TJSAMP_TJSAMP_444, TJSAMP_TJSAMP_GRAY, tj3Compress8, tj3Destroy, tj3GetErrorStr,
    tj3Init, tj3JPEGBufSize, tj3Set,
};

use crate::Image;

/// The bytes of a JPEG file, or why there is none. The fields of the image fit together.
pub(super) fn compress(image: &Image, quality: u8) -> Result<Vec<u8>, String> {
    let (format, sampling) = match image.channels {
        1 => (TJPF_TJPF_GRAY, TJSAMP_TJSAMP_GRAY),
        _ => (TJPF_TJPF_RGB, TJSAMP_TJSAMP_444),
    };
    let compressor = Compressor::new()?;
    compressor.set(TJPARAM_TJPARAM_QUALITY as c_int, c_int::from(quality))?;
    compressor.set(TJPARAM_TJPARAM_SUBSAMP as c_int, sampling)?;
    // The result goes into a buffer of ours, which is large enough for the worst case.
    compressor.set(TJPARAM_TJPARAM_NOREALLOC as c_int, 1)?;
    compressor.compress(image, format, sampling)
}

/// libjpeg-turbo's state.
struct Compressor(NonNull<c_void>);

impl Drop for Compressor {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: made by `tj3Init` and freed only here.
        unsafe { tj3Destroy(self.0.as_ptr()) }
    }
}

impl Compressor {
    #[allow(unsafe_code)]
    fn new() -> Result<Self, String> {
        // SAFETY: takes no pointer; null if there is no memory.
        let state = unsafe { tj3Init(TJINIT_TJINIT_COMPRESS as c_int) };
        NonNull::new(state).map(Self).ok_or_else(|| "no memory left".to_owned())
    }

    #[allow(unsafe_code)]
    fn set(&self, parameter: c_int, value: c_int) -> Result<(), String> {
        // SAFETY: the state is alive; unknown parameters and values are errors.
        let code = unsafe { tj3Set(self.0.as_ptr(), parameter, value) };
        self.check(code)
    }

    #[allow(unsafe_code)]
    fn compress(&self, image: &Image, format: c_int, sampling: c_int) -> Result<Vec<u8>, String> {
        let (width, height) = (image.width as c_int, image.height as c_int);
        // SAFETY: a pure function; 0 for sizes that no JPEG has.
        let mut length = unsafe { tj3JPEGBufSize(width, height, sampling) };
        let mut bytes = vec![0; length as usize];
        let mut start = bytes.as_mut_ptr();
        // SAFETY: the pixels are `width * height` of that format without gaps (pitch 0), as `Image::check` saw. The
        // library may write `length` bytes and, told not to reallocate, leaves the buffer where it is.
        let code = unsafe {
            let (state, pixels) = (self.0.as_ptr(), image.pixels.as_ptr());
            tj3Compress8(state, pixels, width, 0, height, format, &raw mut start, &raw mut length)
        };
        self.check(code)?;
        bytes.truncate(length as usize);
        Ok(bytes)
    }

    #[allow(unsafe_code)]
    fn check(&self, code: c_int) -> Result<(), String> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: a C string inside of the state, copied before anything writes to it again.
        let message = unsafe { CStr::from_ptr(tj3GetErrorStr(self.0.as_ptr())) };
        Err(message.to_string_lossy().into_owned())
    }
}
