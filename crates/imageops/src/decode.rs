//! From encoded bytes to pixels.
//!
//! JPEG is decoded by libjpeg-turbo, which can decode only a part and only at a smaller scale; the other formats by the
//! `image` crate, whole. Colours and orientation come out as Pillow's `exif_transpose` and `convert` have them.

mod channels;
mod exif;
mod jpeg;
mod library;
mod orient;
mod raster;
mod shelf;

use image::ImageFormat;

use crate::op::{self, Area};
use crate::pixels::check_size;
use crate::{Image, ImageError};
pub use library::JPEG_LIBRARY;
pub use shelf::Shelf;
pub(crate) use shelf::Spot;

/// Larger buffers are given back after use: one huge image must not hold its memory for the rest of the run.
const KEEP: usize = 64 << 20;

/// How large a decoded image may be: encoded bytes come from anywhere, and a few hundred of them can ask for gigabytes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels (width x height) of the whole image.
    pub pixels: u64,
    /// Most bytes that the decoded image may take, and that the decoder may allocate beside it.
    pub memory: u64,
}

impl Default for Limits {
    /// 178,956,970 pixels, where Pillow refuses too, and 1 GiB.
    fn default() -> Self {
        Self { pixels: 178_956_970, memory: 1 << 30 }
    }
}

impl Limits {
    fn check(&self, width: u32, height: u32, bytes_per_pixel: u32) -> Result<(), ImageError> {
        let pixels = u64::from(width) * u64::from(height);
        let memory = pixels.saturating_mul(u64::from(bytes_per_pixel.max(3)));
        match check_size(width, height) && pixels <= self.pixels && memory <= self.memory {
            true => Ok(()),
            false => Err(too_large(format!("{width}x{height} pixels"), self)),
        }
    }
}

/// What to do with a file that ends before its image does.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Truncated {
    /// It is broken.
    #[default]
    Refuse,
    /// What is there is used: the rest of a JPEG is as libjpeg fills it, of a PNG or BMP black. Other formats are
    /// broken all the same. So is a file without a whole header.
    Keep,
}

/// How to decode.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How large an image may be.
    pub limits: Limits,
    /// What to do with a file that ends early.
    pub truncated: Truncated,
    /// Whether a JPEG may be decoded smaller where [`Wanted::least`] allows it.
    pub scale: bool,
    /// Whether a JPEG whose data are damaged in what is decoded is broken; else it is shown as far as libjpeg can.
    pub intact: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { limits: Limits::default(), truncated: Truncated::Refuse, scale: true, intact: false }
    }
}

/// The part of an image to decode.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Wholly inside the upright image.
    pub(crate) area: Area,
    /// (width, height): the area may come scaled down as long as it stays at least this large. `None`: no scaling.
    pub(crate) least: Option<(u32, u32)>,
}

/// Where decoded pixels lie: they are the part that begins at (`left`, `top`) of the upright image scaled by `scale`,
/// which is `width` x `height` then.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// First column.
    pub(crate) left: u32,
    /// First row.
    pub(crate) top: u32,
    /// Width of the whole scaled image.
    pub(crate) width: u32,
    /// Height of the whole scaled image.
    pub(crate) height: u32,
    /// Numerator and denominator: (1, 1), or for a JPEG that was scaled (1, 2) or (1, 4).
    pub(crate) scale: (u32, u32),
}

/// Decodes one image after another, with the same buffers.
#[derive(Default)]
pub(crate) struct Decoder {
    jpeg: Option<library::Decompressor>,
    spare: Vec<u8>,
}

impl Decoder {
    /// A decoder without buffers yet.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Whether an image of this format may be decoded in part or smaller.
    pub(crate) fn scales(bytes: &[u8]) -> bool {
        image::guess_format(bytes).is_ok_and(|format| format == ImageFormat::Jpeg)
    }

    /// Reads the header. Nothing is decoded yet.
    ///
    /// # Errors
    /// [`ImageError::UnknownFormat`], [`ImageError::Broken`] or [`ImageError::TooLarge`].
    pub(crate) fn open<'a>(&'a mut self, bytes: &'a [u8], options: &'a Options) -> Result<Opened<'a>, ImageError> {
        if self.spare.capacity() > KEEP {
            self.spare = Vec::new();
        }
        let (source, orientation) = match image::guess_format(bytes).map_err(|_| unknown(bytes))? {
            ImageFormat::Jpeg => {
                let opened = jpeg::Opened::new(&mut self.jpeg, bytes, options)?;
                (Source::Jpeg(opened), exif::of_jpeg(bytes))
            }
            format => {
                let opened = raster::Opened::new(bytes, format, options)?;
                let orientation = opened.orientation();
                (Source::Raster(opened), orientation)
            }
        };
        Ok(Opened { source, turn: orientation.into(), scale: options.scale, spare: &mut self.spare })
    }

    /// Decodes a whole image at full size, as [`Opened::read`] does.
    ///
    /// # Errors
    /// Those of [`Decoder::open`] and [`Opened::read`].
    pub(crate) fn decode(
        &mut self,
        bytes: &[u8],
        channels: u8,
        options: &Options,
        spot: Option<Spot<'_>>,
        image: &mut Image,
    ) -> Result<(), ImageError> {
        let opened = self.open(bytes, options)?;
        let everything = opened.everything();
        opened.read(channels, &everything, spot, image)?;
        Ok(())
    }
}

enum Source<'a> {
    Jpeg(jpeg::Opened<'a>),
    Raster(raster::Opened<'a>),
}

/// An image whose header was read.
pub(crate) struct Opened<'a> {
    source: Source<'a>,
    turn: orient::Turn,
    scale: bool,
    spare: &'a mut Vec<u8>,
}

impl Opened<'_> {
    /// Width of the whole upright image in pixels, at full size.
    #[must_use]
    pub(crate) fn width(&self) -> u32 {
        self.size().0
    }

    /// Height of the whole upright image in pixels, at full size.
    #[must_use]
    pub(crate) fn height(&self) -> u32 {
        self.size().1
    }

    /// The whole image at full size.
    pub(crate) fn everything(&self) -> Wanted {
        let (width, height) = self.size();
        Wanted { area: Area { left: 0, top: 0, width, height }, least: None }
    }

    fn stored_size(&self) -> (u32, u32) {
        match &self.source {
            Source::Jpeg(jpeg) => jpeg.size(),
            Source::Raster(raster) => raster.size(),
        }
    }

    fn size(&self) -> (u32, u32) {
        self.turn.size(self.stored_size())
    }

    /// Decodes the wanted area, or more, into `image`, whose buffer is reused, as gray (`channels` 1) or RGB (3), upright.
    /// The returned place says which part it is. Pixels that are not scaled are the same whatever area is wanted. The
    /// result is the same with and without a `spot` where the decoded image is kept.
    ///
    /// As Pillow's `exif_transpose` and `convert("RGB")` do: the EXIF orientation is applied, alpha is dropped, of 16 bits
    /// the upper 8 are taken (plain gray of 16 bits is cut off at 255), of an animation the first frame. Gray is ITU-R
    /// 601-2 luma of RGB. A JPEG whose data are damaged is shown as far as libjpeg can ([`Options::intact`]), only one that ends early is
    /// broken ([`Truncated`]).
    ///
    /// # Errors
    /// [`ImageError::Broken`] or [`ImageError::TooLarge`]; [`ImageError::Argument`] for another number of channels or an
    /// area that is not inside. `image` holds garbage then.
    pub(crate) fn read(
        self,
        channels: u8,
        wanted: &Wanted,
        spot: Option<Spot<'_>>,
        image: &mut Image,
    ) -> Result<Placed, ImageError> {
        let size = self.size();
        check_arguments(channels, wanted.area, size)?;
        let area = self.turn.stored(wanted.area, size);
        let stored = self.stored_size();
        let least = wanted.least.filter(|_| self.scale && self.may_scale(stored)).map(|least| self.turn.size(least));
        let mut placed = match self.source {
            Source::Jpeg(jpeg) => jpeg.read(channels, (area, least), spot, image, self.spare)?,
            Source::Raster(raster) => raster.read(channels, spot, image)?,
        };
        self.turn.apply(image, &mut placed, self.spare);
        Ok(placed)
    }

    /// The last pixel of a scaled row may stand for fewer pixels than the others. Mirrored it would come first, and all
    /// others would be shifted by a fraction of a pixel.
    fn may_scale(&self, (width, height): (u32, u32)) -> bool {
        self.turn.is_none() || (width.is_multiple_of(jpeg::COARSEST) && height.is_multiple_of(jpeg::COARSEST))
    }
}

fn check_arguments(channels: u8, area: Area, (width, height): (u32, u32)) -> Result<(), ImageError> {
    if !matches!(channels, 1 | 3) {
        return Err(op::refuse("decode", "channels", channels.to_string(), "1 (gray) or 3 (RGB)"));
    }
    let inside = |start: i32, length: u32, whole: u32| {
        start >= 0 && length > 0 && i64::from(start) + i64::from(length) <= i64::from(whole)
    };
    if inside(area.left, area.width, width) && inside(area.top, area.height, height) {
        return Ok(());
    }
    let found = format!("{}x{} at {},{} of {width}x{height}", area.width, area.height, area.left, area.top);
    Err(op::refuse("decode", "area", found, "inside of the image"))
}

/// Decodes a whole image of any supported format at full size, as [`Opened::read`] does. A [`Decoder`] reuses its buffers.
///
/// # Errors
/// Those of [`Decoder::open`] and [`Opened::read`].
pub fn decode(bytes: &[u8], channels: u8, options: &Options) -> Result<Image, ImageError> {
    let mut image = Image::default();
    Decoder::new().decode(bytes, channels, options, None, &mut image)?;
    Ok(image)
}

/// What the header of an image file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The format, in capitals: JPEG, PNG, WEBP.
    pub format: String,
    /// Width of the upright image, in pixels.
    pub width: u32,
    /// Height of the upright image, in pixels.
    pub height: u32,
}

/// Reads the header of an image of any supported format and decodes nothing.
///
/// # Errors
/// Those of [`Decoder::open`]: a header that is read says nothing of damage further on.
pub fn header(bytes: &[u8], options: &Options) -> Result<Header, ImageError> {
    let mut decoder = Decoder::new();
    let opened = decoder.open(bytes, options)?;
    let format = match &opened.source {
        Source::Jpeg(_) => "JPEG".to_string(),
        Source::Raster(raster) => raster::name(raster.format()),
    };
    Ok(Header { format, width: opened.width(), height: opened.height() })
}

fn unknown(bytes: &[u8]) -> ImageError {
    let head: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
    ImageError::UnknownFormat { head: if head.is_empty() { "none".to_string() } else { head.join(" ") } }
}

fn broken(format: &str, reason: String) -> ImageError {
    ImageError::Broken { format: format.to_string(), reason }
}

fn too_large(found: String, limits: &Limits) -> ImageError {
    ImageError::TooLarge { found, limit: format!("{} pixels and {} bytes", limits.pixels, limits.memory) }
}

#[cfg(test)]
mod tests;
