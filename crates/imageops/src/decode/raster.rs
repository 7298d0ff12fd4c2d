//! Every format but JPEG, through the `image` crate. The whole image is decoded, whatever part is wanted.

use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageFormat, ImageReader};

use super::{Limits, Options, Placed, Spot, Truncated, broken, channels, exif, too_large};
use crate::{Image, ImageError};

/// An image whose header was read.
pub(super) struct Opened<'a> {
    decoder: Box<dyn ImageDecoder + 'a>,
    format: ImageFormat,
    size: (u32, u32),
    orientation: Orientation,
    options: &'a Options,
}

impl<'a> Opened<'a> {
    pub(super) fn new(bytes: &'a [u8], format: ImageFormat, options: &'a Options) -> Result<Self, ImageError> {
        guard(format, || Self::open(bytes, format, options))
    }

    fn open(bytes: &'a [u8], format: ImageFormat, options: &'a Options) -> Result<Self, ImageError> {
        let limits = &options.limits;
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut allowed = image::Limits::default();
        allowed.max_alloc = Some(limits.memory);
        reader.limits(allowed);
        let mut decoder = reader.into_decoder().map_err(|error| failed(error, format, limits))?;
        let size = decoder.dimensions();
        limits.check(size.0, size.1, u32::from(decoder.color_type().bytes_per_pixel()))?;
        let orientation = match format {
            ImageFormat::WebP => exif::of_webp(bytes),
            _ => decoder.orientation().unwrap_or(Orientation::NoTransforms),
        };
        Ok(Self { decoder: Box::new(decoder), format, size, orientation, options })
    }

    pub(super) fn format(&self) -> ImageFormat {
        self.format
    }

    /// As stored, (width, height).
    pub(super) fn size(&self) -> (u32, u32) {
        self.size
    }

    pub(super) fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// Decodes all of it, as it is stored.
    pub(super) fn read(self, channels: u8, spot: Option<Spot<'_>>, image: &mut Image) -> Result<Placed, ImageError> {
        let (format, size) = (self.format, self.size);
        let whole = [0, 0, size.0, size.1, 8];
        match spot.and_then(|spot| spot.get(whole, channels)) {
            Some(kept) => image.assign(size.0, size.1, channels, &kept.pixels),
            None => {
                guard(format, AssertUnwindSafe(|| self.decode(image)))?;
                (image.width, image.height) = size;
                channels::convert(image, channels);
                spot.iter().for_each(|spot| spot.put(whole, channels, image));
            }
        }
        Ok(Placed { left: 0, top: 0, width: size.0, height: size.1, scale: (1, 1) })
    }

    fn decode(self, image: &mut Image) -> Result<(), ImageError> {
        let color = self.decoder.color_type();
        let pixels = u64::from(self.size.0) * u64::from(self.size.1);
        let bytes = pixels * u64::from(color.bytes_per_pixel());
        image.pixels.clear();
        image.pixels.resize(bytes as usize, 0);
        match self.decoder.read_image(&mut image.pixels) {
            Err(error) if !is_kept(&error, self.options) => Err(failed(error, self.format, &self.options.limits)),
            _ => flatten(image, color),
        }
    }
}

/// The rows that came before the end of the file are in the buffer where the decoder writes them there one by one
/// (PNG, BMP); other formats show black.
fn is_kept(error: &image::ImageError, options: &Options) -> bool {
    let truncated = matches!(error, image::ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof);
    truncated && options.truncated == Truncated::Keep
}

/// The decoders are other people's code fed with anybody's bytes: a panic in one costs the record, not the worker.
fn guard<T>(format: ImageFormat, body: impl FnOnce() -> Result<T, ImageError>) -> Result<T, ImageError> {
    let done = catch_unwind(AssertUnwindSafe(body));
    done.unwrap_or_else(|_| Err(broken(&name(format), "the decoder panicked".to_string())))
}

fn failed(error: image::ImageError, format: ImageFormat, limits: &Limits) -> ImageError {
    match error {
        image::ImageError::Limits(_) => too_large("it decodes to more than that".to_string(), limits),
        error => broken(&name(format), error.to_string()),
    }
}

/// What a format is called: PNG, WEBP.
pub(super) fn name(format: ImageFormat) -> String {
    format.extensions_str().first().map_or_else(|| format!("{format:?}"), |e| e.to_uppercase())
}

/// Gray or RGB of 8 bits out of what the decoder gave, as Pillow converts it: alpha is dropped; 16 bits lose the lower
/// 8, but plain gray of 16 bits is cut off at 255; floats are taken as 0 to 1.
fn flatten(image: &mut Image, color: ColorType) -> Result<(), ImageError> {
    let pixels = &mut image.pixels;
    let high = |p: &[u8], i: usize| (u16::from_ne_bytes([p[2 * i], p[2 * i + 1]]) >> 8) as u8;
    let cut = |p: &[u8]| u16::from_ne_bytes([p[0], p[1]]).min(255) as u8;
    let float = |p: &[u8], i: usize| {
        let value = f32::from_ne_bytes([p[4 * i], p[4 * i + 1], p[4 * i + 2], p[4 * i + 3]]);
        (value * 255.0 + 0.5) as u8
    };
    match color {
        ColorType::L8 | ColorType::Rgb8 => {}
        ColorType::La8 => channels::shrink(pixels, 2, |p| [p[0]]),
        ColorType::Rgba8 => channels::shrink(pixels, 4, |p| [p[0], p[1], p[2]]),
        ColorType::L16 => channels::shrink(pixels, 2, |p| [cut(p)]),
        ColorType::La16 => channels::shrink(pixels, 4, |p| [high(p, 0)]),
        ColorType::Rgb16 => channels::shrink(pixels, 6, |p| [0, 1, 2].map(|i| high(p, i))),
        ColorType::Rgba16 => channels::shrink(pixels, 8, |p| [0, 1, 2].map(|i| high(p, i))),
        ColorType::Rgb32F => channels::shrink(pixels, 12, |p| [0, 1, 2].map(|i| float(p, i))),
        ColorType::Rgba32F => channels::shrink(pixels, 16, |p| [0, 1, 2].map(|i| float(p, i))),
        other => return Err(broken("image", format!("pixels of the kind {other:?} are not supported"))),
    }
    image.channels = if color.has_color() { 3 } else { 1 };
    Ok(())
}
