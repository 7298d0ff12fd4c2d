//! From pixels to encoded bytes: PNG for what must stay as it is, JPEG for what must be small.

mod jpeg;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use crate::op::refuse;
use crate::{Image, ImageError};

/// Encodes an image as PNG, gray or RGB of 8 bits: decoding gives back the same pixels.
///
/// # Errors
/// [`ImageError::Shape`] if the image's fields do not fit together, [`ImageError::Encode`] if the encoder gives up.
pub fn encode_png(image: &Image) -> Result<Vec<u8>, ImageError> {
    image.check()?;
    let color = if image.channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let mut bytes = Vec::new();
    let done = PngEncoder::new(&mut bytes).write_image(&image.pixels, image.width, image.height, color);
    done.map_err(|error| failed("PNG", error.to_string()))?;
    Ok(bytes)
}

/// Encodes an image as baseline JPEG, gray or RGB; colour has full resolution. `quality` is libjpeg's, 1 to 100.
///
/// # Errors
/// Those of [`encode_png`] (a JPEG has at most 65500 pixels a side), and [`ImageError::Argument`] for another quality.
pub fn encode_jpeg(image: &Image, quality: u8) -> Result<Vec<u8>, ImageError> {
    if !(1..=100).contains(&quality) {
        return Err(refuse("encode", "quality", quality.to_string(), "1 to 100"));
    }
    image.check()?;
    jpeg::compress(image, quality).map_err(|reason| failed("JPEG", reason))
}

fn failed(format: &'static str, reason: String) -> ImageError {
    ImageError::Encode { format, reason }
}

#[cfg(test)]
mod tests;
