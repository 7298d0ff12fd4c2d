//! libjpeg-turbo, behind the C functions of `jpeg.c`.

use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::ptr::NonNull;

// Brings the library into the link.
use turbojpeg_sys as _;

/// Name and version of the JPEG library. It is always built with its SIMD code, or the build fails.
pub const JPEG_LIBRARY: &str = concat!("libjpeg-turbo ", env!("JPEG_LIBRARY_VERSION"), " with SIMD");

/// What the header says. Mirrored in `jpeg.c`.
#[repr(C)]
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) components: u32,
    /// Bits of a sample.
    pub(super) precision: u32,
    /// Luma columns for each column of the coarsest component, 1 to 4.
    pub(super) sampling: u32,
    /// 1 for a lossless JPEG, which is decoded whole and unscaled or not at all.
    pub(super) lossless: u32,
    /// 1 for a progressive JPEG.
    pub(super) progressive: u32,
    /// Where the data of the first scan begin.
    pub(super) scan: usize,
}

/// What to decode, in pixels of the scaled image. Mirrored in `jpeg.c`.
#[repr(C)]
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Region {
    /// Scale, 1 to 8 eighths.
    pub(super) eighths: u32,
    /// 1 (gray), 3 (RGB) or 4 (CMYK as stored).
    pub(super) channels: u32,
    /// First column; the first one of a column of blocks.
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Why libjpeg-turbo gave up.
#[derive(Debug)]
pub(super) enum Failure {
    /// In its own words.
    Broken(String),
    Memory,
}

/// The C side's state; only ever behind a pointer.
#[repr(C)]
struct State {
    _opaque: [u8; 0],
}

// SAFETY: the signatures are those of `jpeg.c`.
#[allow(unsafe_code)]
unsafe extern "C" {
    fn millstream_jpeg_new() -> *mut State;
    fn millstream_jpeg_free(state: *mut State);
    fn millstream_jpeg_message(state: *const State) -> *const c_char;
    fn millstream_jpeg_truncated(state: *const State) -> c_int;
    fn millstream_jpeg_damaged(state: *const State) -> c_int;
    fn millstream_jpeg_open(
        state: *mut State,
        bytes: *const u8,
        length: usize,
        memory: u64,
        header: *mut Header,
    ) -> c_int;
    fn millstream_jpeg_read(state: *mut State, region: *const Region, pixels: *mut u8) -> c_int;
}

/// A decompressor that is used for one image after another.
pub(super) struct Decompressor(NonNull<State>);

// SAFETY: the state holds no thread's data, and nothing else points to it.
#[allow(unsafe_code)]
unsafe impl Send for Decompressor {}

impl Drop for Decompressor {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: made by `millstream_jpeg_new` and freed only here.
        unsafe { millstream_jpeg_free(self.0.as_ptr()) }
    }
}

impl Decompressor {
    #[allow(unsafe_code)]
    pub(super) fn new() -> Result<Self, Failure> {
        // SAFETY: takes nothing; null if there is no memory.
        NonNull::new(unsafe { millstream_jpeg_new() }).map(Self).ok_or(Failure::Memory)
    }

    /// Reads the header. `memory` bounds what libjpeg keeps of an image that it can only decode as a whole.
    #[allow(unsafe_code)]
    pub(super) fn open<'a>(&'a mut self, bytes: &'a [u8], memory: u64) -> Result<Started<'a>, Failure> {
        let mut header = Header::default();
        // SAFETY: `Started` borrows the bytes, which C reads from until it is gone.
        let code =
            unsafe { millstream_jpeg_open(self.0.as_ptr(), bytes.as_ptr(), bytes.len(), memory, &raw mut header) };
        self.check(code)?;
        Ok(Started { decompressor: self, header, bytes: PhantomData })
    }

    #[allow(unsafe_code)]
    fn check(&self, code: c_int) -> Result<(), Failure> {
        match code {
            0 => Ok(()),
            2 => Err(Failure::Memory),
            _ => Err(Failure::Broken(self.message())),
        }
    }

    #[allow(unsafe_code)]
    fn message(&self) -> String {
        // SAFETY: a C string inside of the state, copied before anything writes to it again.
        let message = unsafe { CStr::from_ptr(millstream_jpeg_message(self.0.as_ptr())) };
        message.to_string_lossy().into_owned()
    }
}

/// What libjpeg covered up.
pub(super) struct Flaws {
    /// The data ended before the region did.
    pub(super) ended_early: bool,
    /// What else did not fit, in libjpeg's words.
    pub(super) damage: Option<String>,
}

/// An image whose header was read.
pub(super) struct Started<'a> {
    decompressor: &'a mut Decompressor,
    header: Header,
    bytes: PhantomData<&'a [u8]>,
}

impl Started<'_> {
    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Decodes a region of the scaled image. The result has `region.width * region.height * region.channels` bytes.
    #[allow(unsafe_code)]
    pub(super) fn read(self, region: &Region, pixels: &mut Vec<u8>) -> Result<Flaws, Failure> {
        pixels.resize(region.width as usize * region.height as usize * region.channels as usize, 0);
        let state = self.decompressor.0.as_ptr();
        // SAFETY: the buffer has the size of the region, and C writes no other; a region outside of the image is an
        // error there.
        let code = unsafe { millstream_jpeg_read(state, region, pixels.as_mut_ptr()) };
        self.decompressor.check(code)?;
        // SAFETY: plain reads of the state.
        let (ended_early, damaged) =
            unsafe { (millstream_jpeg_truncated(state) != 0, millstream_jpeg_damaged(state) != 0) };
        Ok(Flaws { ended_early, damage: damaged.then(|| self.decompressor.message()) })
    }
}
