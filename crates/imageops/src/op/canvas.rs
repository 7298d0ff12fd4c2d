//! The pixels that an op works on, wherever they lie.

use crate::Image;

/// An image whose pixels are borrowed: 8 bits a channel, rows from the top, channels interleaved (HWC).
pub(crate) struct Canvas<'a> {
    /// Width in pixels, at least 1.
    pub(crate) width: u32,
    /// Height in pixels, at least 1.
    pub(crate) height: u32,
    /// 1 (gray) or 3 (RGB).
    pub(crate) channels: u8,
    /// `width * height * channels` bytes.
    pub(crate) pixels: &'a mut [u8],
}

impl Canvas<'_> {
    /// Bytes of one row.
    pub(crate) fn stride(&self) -> usize {
        self.width as usize * usize::from(self.channels)
    }

    /// The fill value of one pixel, a byte a channel.
    pub(crate) fn paint<'f>(&self, fill: &'f crate::Fill) -> &'f [u8] {
        &fill[..usize::from(self.channels).min(fill.len())]
    }
}

impl Image {
    /// The image as a canvas.
    pub(crate) fn canvas(&mut self) -> Canvas<'_> {
        Canvas { width: self.width, height: self.height, channels: self.channels, pixels: &mut self.pixels }
    }
}

/// Repeats a pixel over a run of bytes.
pub(crate) fn flood(bytes: &mut [u8], pixel: &[u8]) {
    match pixel {
        [first, rest @ ..] if rest.iter().all(|value| value == first) => bytes.fill(*first),
        _ => bytes.chunks_exact_mut(pixel.len().max(1)).for_each(|place| place.copy_from_slice(pixel)),
    }
}
