//! The decoded image that every op works on.

use crate::{ImageError, Picture};

/// Longest side of an image, in pixels.
pub const MAX_SIDE: u32 = 65_535;

/// Most pixels that an image may have (2^28, 16384 x 16384).
pub const MAX_PIXELS: u64 = 1 << 28;

/// A decoded image: 8 bits a channel, rows from the top, channels interleaved (HWC).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Width in pixels, 1 to [`MAX_SIDE`].
    pub width: u32,
    /// Height in pixels, 1 to [`MAX_SIDE`].
    pub height: u32,
    /// 1 (gray) or 3 (RGB).
    pub channels: u8,
    /// `width * height * channels` bytes.
    pub pixels: Vec<u8>,
}

impl Image {
    /// Takes pixels as they are (HWC).
    ///
    /// # Errors
    /// [`ImageError::Shape`] if the sizes are out of range or do not match the number of bytes.
    pub fn from_pixels(width: u32, height: u32, channels: u8, pixels: Vec<u8>) -> Result<Self, ImageError> {
        let image = Self { width, height, channels, pixels };
        image.check()?;
        Ok(image)
    }

    /// The image as a source has it.
    #[must_use]
    pub fn picture(&self) -> Picture<'_> {
        Picture::Pixels { width: self.width, height: self.height, channels: self.channels, pixels: &self.pixels }
    }

    /// Whether the public fields fit together; every op relies on it.
    pub(crate) fn check(&self) -> Result<(), ImageError> {
        check_pixels(self.width, self.height, self.channels, self.pixels.len())
    }

    /// Converts between gray and RGB; any other channel count leaves the image as it is.
    ///
    /// Gray is ITU-R 601-2 luma in fixed point as Pillow computes it: `(19595 R + 38470 G + 7471 B + 2^15) >> 16`.
    /// RGB from gray repeats the value.
    #[must_use]
    pub fn to_channels(mut self, channels: u8) -> Self {
        self.convert(channels);
        self
    }

    /// As [`Image::to_channels`], in place.
    pub(crate) fn convert(&mut self, channels: u8) {
        let count = self.width as usize * self.height as usize;
        match (self.channels, channels) {
            (3, 1) => {
                for i in 0..count {
                    self.pixels[i] = luma(self.pixels[3 * i], self.pixels[3 * i + 1], self.pixels[3 * i + 2]);
                }
                self.pixels.truncate(count);
            }
            (1, 3) => {
                self.pixels.resize(3 * count, 0);
                for i in (0..count).rev() {
                    let value = self.pixels[i];
                    self.pixels[3 * i..3 * i + 3].fill(value);
                }
            }
            _ => return,
        }
        self.channels = channels;
    }

    /// Gives the image a size; what it shows then is anything.
    pub(crate) fn reshape(&mut self, width: u32, height: u32, channels: u8) {
        self.pixels.resize(width as usize * height as usize * usize::from(channels), 0);
        (self.width, self.height, self.channels) = (width, height, channels);
    }

    /// Makes the image a copy of these pixels, which fit its fields.
    pub(crate) fn assign(&mut self, width: u32, height: u32, channels: u8, pixels: &[u8]) {
        self.pixels.clear();
        self.pixels.extend_from_slice(pixels);
        (self.width, self.height, self.channels) = (width, height, channels);
    }
}

/// Whether an image of this size may have so many bytes.
pub(crate) fn check_pixels(width: u32, height: u32, channels: u8, length: usize) -> Result<(), ImageError> {
    let expected = u64::from(width) * u64::from(height) * u64::from(channels);
    let found = length as u64;
    if check_size(width, height) && matches!(channels, 1 | 3) && expected == found {
        return Ok(());
    }
    Err(ImageError::Shape { width, height, channels, expected, found })
}

/// Whether an image may have these sides.
pub(crate) fn check_size(width: u32, height: u32) -> bool {
    let side = 1..=MAX_SIDE;
    side.contains(&width) && side.contains(&height) && u64::from(width) * u64::from(height) <= MAX_PIXELS
}

/// Pillow's gray value of an RGB pixel.
#[inline]
pub(crate) fn luma(r: u8, g: u8, b: u8) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16) as u8
}

/// The gray value of each RGB pixel.
pub(crate) fn luma_of(pixels: &[u8], gray: &mut [u8]) {
    for (value, pixel) in gray.iter_mut().zip(pixels.as_chunks::<3>().0) {
        *value = luma(pixel[0], pixel[1], pixel[2]);
    }
}
