//! The renderer: what a worker keeps from image to image.

use crate::decode::{Limits, decode};
use crate::{Image, ImageError, SampleKey, View};

/// How images are decoded.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How large an image may be.
    pub limits: Limits,
}

/// An image as a source has it.
#[derive(Copy, Clone, Debug)]
pub enum Picture<'a> {
    /// A whole image file.
    Encoded(&'a [u8]),
    /// Pixels, HWC.
    Pixels {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// 1 for gray, 3 for RGB.
        channels: u8,
        /// `width * height * channels` bytes.
        pixels: &'a [u8],
    },
}

/// Turns pictures into samples.
#[derive(Debug)]
pub struct Renderer {
    options: Options,
}

impl Renderer {
    /// A renderer that decodes so.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Decodes a whole image file, gray (1) or RGB (3), into `image`.
    ///
    /// # Errors
    /// Those of [`decode`].
    pub fn decode(&mut self, bytes: &[u8], channels: u8, image: &mut Image) -> Result<(), ImageError> {
        *image = decode(bytes, channels, &self.options.limits)?;
        Ok(())
    }

    /// Renders one sample into `out`.
    ///
    /// # Errors
    /// Those of [`decode`] and [`View::render`].
    pub fn render(
        &mut self,
        view: &View,
        picture: Picture<'_>,
        sample: &SampleKey,
        out: &mut [u8],
    ) -> Result<(), ImageError> {
        let image = match picture {
            Picture::Encoded(bytes) => decode(bytes, view.channels(), &self.options.limits)?,
            Picture::Pixels { width, height, channels, pixels } => {
                Image::from_pixels(width, height, channels, pixels.to_vec())?
            }
        };
        view.render(image, sample, out)
    }
}
