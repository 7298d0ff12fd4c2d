//! From encoded bytes to pixels.

mod jpeg;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use crate::{Image, ImageError};

/// How large a decoded image may be: encoded bytes come from anywhere, and a few hundred of them can ask for gigabytes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels (width x height).
    pub pixels: u64,
    /// Most bytes that the decoder may allocate.
    pub memory: u64,
}

impl Default for Limits {
    /// 178,956,970 pixels, where Pillow refuses too, and 1 GiB.
    fn default() -> Self {
        Self { pixels: 178_956_970, memory: 1 << 30 }
    }
}

/// Decodes an image of any supported format into gray (`channels` 1) or RGB (3).
///
/// As Pillow's `exif_transpose` and `convert` do: the EXIF orientation is applied, alpha is dropped, gray is ITU-R
/// 601-2 luma. Values of 16 bits are scaled to 8, of an animation the first frame is taken. A JPEG that stops before
/// its end marker is broken, however much of it could be shown.
///
/// # Errors
/// [`ImageError::UnknownFormat`], [`ImageError::Broken`] or [`ImageError::TooLarge`]; [`ImageError::Argument`] for
/// another number of channels.
pub fn decode(bytes: &[u8], channels: u8, limits: &Limits) -> Result<Image, ImageError> {
    if !matches!(channels, 1 | 3) {
        return Err(crate::op::refuse("decode", "channels", channels.to_string(), "1 (gray) or 3 (RGB)"));
    }
    let format = image::guess_format(bytes).map_err(|_| unknown(bytes))?;
    if format == ImageFormat::Jpeg && !jpeg::is_complete(bytes) {
        return Err(broken(format, "truncated: the end marker is missing".to_string()));
    }
    // The decoders are other people's code fed with anybody's bytes: a panic in one costs the record, not the worker.
    let decoded = catch_unwind(AssertUnwindSafe(|| read(bytes, format, limits)));
    let decoded = decoded.unwrap_or_else(|_| Err(broken(format, "the decoder panicked".to_string())))?;
    flatten(decoded, channels)
}

fn read(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<DynamicImage, ImageError> {
    let failed = |error: image::ImageError| match error {
        image::ImageError::Limits(_) => too_large("it decodes to more than that".to_string(), limits),
        error => broken(format, error.to_string()),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(limits.memory);
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.pixels || decoder.total_bytes() > limits.memory {
        return Err(too_large(format!("{width}x{height} pixels"), limits));
    }
    // Orientation is a courtesy: a file whose EXIF block cannot be read is shown as it lies.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(failed)?;
    decoded.apply_orientation(orientation);
    Ok(decoded)
}

fn flatten(decoded: DynamicImage, channels: u8) -> Result<Image, ImageError> {
    let (width, height) = (decoded.width(), decoded.height());
    let image = match decoded.color().has_color() {
        false => Image::from_pixels(width, height, 1, decoded.into_luma8().into_raw())?,
        true => Image::from_pixels(width, height, 3, decoded.into_rgb8().into_raw())?,
    };
    Ok(image.to_channels(channels))
}

fn unknown(bytes: &[u8]) -> ImageError {
    let head: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
    ImageError::UnknownFormat { head: if head.is_empty() { "none".to_string() } else { head.join(" ") } }
}

fn broken(format: ImageFormat, reason: String) -> ImageError {
    let format = format.extensions_str().first().map_or_else(|| format!("{format:?}"), |e| e.to_uppercase());
    ImageError::Broken { format, reason }
}

fn too_large(found: String, limits: &Limits) -> ImageError {
    ImageError::TooLarge { found, limit: format!("{} pixels and {} bytes", limits.pixels, limits.memory) }
}

#[cfg(test)]
mod tests;
