//! The renderer: from an encoded image to a sample, with the buffers that stay from one to the next.
//!
//! The view's random choices come first, so that it is known what will be cut out before anything is decoded. Only that
//! is decoded; the last change of size writes into the caller's buffer, and the ops after it work there.

mod stroke;

use std::time::{Duration, Instant};

use stroke::{Placed, Stroke};

use crate::decode::{Decoder, Options, Shelf};
use crate::op::{self, Canvas, check_target};
use crate::pixels::check_pixels;
use crate::resample::Resampler;
use crate::scratch::Scratch;
use crate::{Fill, Image, ImageError, Op, SampleKey, View};

/// Width and height in pixels.
type Size = (u32, u32);

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

/// Turns pictures into samples, one after the other.
///
/// Once its buffers have grown to the size of the images, it allocates nothing (the decoders of formats other than JPEG
/// do).
#[derive(Default)]
pub struct Renderer {
    options: Options,
    shelf: Option<Shelf>,
    decoder: Decoder,
    work: Workshop,
    ops: Vec<(Op, Fill)>,
    decoding: Duration,
}

impl Renderer {
    /// A renderer that decodes so.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    /// Takes decoded images from this shelf, and puts them there: those of a record are found by the key of its samples. What is
    /// rendered stays the same.
    #[must_use]
    pub fn sharing(self, shelf: Option<Shelf>) -> Self {
        Self { shelf, ..self }
    }

    /// Decodes a whole image file into `image`, gray (1) or RGB (3).
    ///
    /// # Errors
    /// Those of [`decode`](crate::decode()).
    pub fn decode(&mut self, bytes: &[u8], channels: u8, image: &mut Image) -> Result<(), ImageError> {
        self.decode_at(None, bytes, channels, image)
    }

    /// Decodes the image of a record, which the shelf may have, in the same way.
    ///
    /// # Errors
    /// Those of [`decode`](crate::decode()).
    pub fn decode_record(
        &mut self,
        bytes: &[u8],
        channels: u8,
        record: u128,
        image: &mut Image,
    ) -> Result<(), ImageError> {
        self.decode_at(Some(record), bytes, channels, image)
    }

    /// How long it has decoded since this was last asked. Pixels that come as such take none.
    pub fn take_decoding(&mut self) -> Duration {
        std::mem::take(&mut self.decoding)
    }

    fn decode_at(
        &mut self,
        record: Option<u128>,
        bytes: &[u8],
        channels: u8,
        image: &mut Image,
    ) -> Result<(), ImageError> {
        let begun = Instant::now();
        let spot = self.shelf.as_ref().zip(record).map(|(shelf, record)| shelf.spot(record));
        let done = self.decoder.decode(bytes, channels, &self.options, spot, image);
        self.decoding += begun.elapsed();
        done
    }

    /// Renders one sample into `out`, height x width x channels bytes (HWC). After the last step the image is resized
    /// (bilinear) to the view's shape if it does not have it.
    ///
    /// # Errors
    /// Those of [`decode`](crate::decode()); [`ImageError::Shape`] if the fields of the picture do not fit together or
    /// `out` has another length than [`View::bytes`].
    pub fn render(
        &mut self,
        view: &View,
        picture: Picture<'_>,
        sample: &SampleKey,
        out: &mut [u8],
    ) -> Result<(), ImageError> {
        view.check_output(out.len())?;
        self.render_to(view, picture, sample, |_, _| Ok(out))
    }

    /// Renders several views of one picture, each as [`Renderer::render`] does it alone. A JPEG is decoded for each view, no
    /// larger than that needs; other formats, which are always decoded whole, are decoded once.
    ///
    /// # Errors
    /// Those of [`Renderer::render`]; what is in the buffers then is anything.
    pub fn render_each(
        &mut self,
        picture: Picture<'_>,
        sample: &SampleKey,
        views: &mut [(&View, &mut [u8])],
    ) -> Result<(), ImageError> {
        let mut whole = Image::default();
        let picture = match picture {
            Picture::Encoded(bytes) if views.len() > 1 && !Decoder::scales(bytes) => {
                let channels = views.iter().map(|(view, _)| view.channels()).max().unwrap_or(1);
                self.decode(bytes, channels, &mut whole)?;
                whole.picture()
            }
            picture => picture,
        };
        views.iter_mut().try_for_each(|(view, out)| self.render(view, picture, sample, out))
    }

    /// Renders one sample of whatever size the steps give; of a view with a fixed shape it has that.
    ///
    /// # Errors
    /// Those of [`Renderer::render`].
    pub fn render_image(
        &mut self,
        view: &View,
        picture: Picture<'_>,
        sample: &SampleKey,
        image: &mut Image,
    ) -> Result<(), ImageError> {
        self.render_to(view, picture, sample, |width, height| {
            check_target("view", "result", width, height)?;
            image.reshape(width, height, view.channels());
            Ok(&mut image.pixels[..])
        })
    }

    /// Applies one op to an image; its argument and the image have been checked.
    pub(crate) fn apply(&mut self, op: &Op, image: &mut Image, fill: Fill) -> Result<(), ImageError> {
        if op.keeps_size() {
            op::run([(op, fill)], &mut image.canvas(), &mut self.work.scratch);
            return Ok(());
        }
        let (width, height) = op.size_after((image.width, image.height));
        std::mem::swap(&mut self.work.image, image);
        image.reshape(width, height, self.work.image.channels);
        let placed = Placed::whole((self.work.image.width, self.work.image.height));
        self.work.run(&[(op.clone(), fill)], None, placed, &mut image.pixels)
    }

    /// The ops of the last sample, in order, each with the value of what comes in from outside. A coin that fell on the other
    /// side leaves none.
    #[must_use]
    pub fn last_ops(&self) -> &[(Op, Fill)] {
        &self.ops
    }

    /// `target` gives the buffer for a sample of that width and height.
    fn render_to<'out>(
        &mut self,
        view: &View,
        picture: Picture<'_>,
        sample: &SampleKey,
        target: impl FnOnce(u32, u32) -> Result<&'out mut [u8], ImageError>,
    ) -> Result<(), ImageError> {
        let Self { options, shelf, decoder, work, ops, decoding } = self;
        let channels = view.channels();
        let choose = |size: Size| {
            view.choose(size, sample, ops);
            let (width, height) = ops.iter().fold(size, |size, (op, _)| op.size_after(size));
            target(width, height)
        };
        match picture {
            Picture::Encoded(bytes) => {
                let begun = Instant::now();
                let opened = decoder.open(bytes, options)?;
                let size = (opened.width(), opened.height());
                let out = choose(size)?;
                let wanted = stroke::wanted(ops, size)?;
                let spot = shelf.as_ref().map(|shelf| shelf.spot(sample.key));
                let placed = opened.read(channels, &wanted, spot, &mut work.image)?;
                *decoding += begun.elapsed();
                work.run(ops, None, Placed::of(&placed, size), out)
            }
            Picture::Pixels { width, height, channels: own, pixels } => {
                check_pixels(width, height, own, pixels.len())?;
                let out = choose((width, height))?;
                let whole = Placed::whole((width, height));
                if own == channels {
                    let borrowed = Borrowed { width, height, channels, pixels };
                    return work.run(ops, Some(borrowed), whole, out);
                }
                work.image.assign(width, height, own, pixels);
                work.image.convert(channels);
                work.run(ops, None, whole, out)
            }
        }
    }
}

/// Pixels that lie with somebody else.
#[derive(Copy, Clone)]
struct Borrowed<'a> {
    width: u32,
    height: u32,
    channels: u8,
    pixels: &'a [u8],
}

/// Where ops are run.
#[derive(Default)]
struct Workshop {
    /// The image at hand.
    image: Image,
    /// What the next change of size makes of it.
    spare: Image,
    resampler: Resampler,
    scratch: Scratch,
}

impl Workshop {
    /// Runs ops on the borrowed pixels, or on `self.image` if there are none. `placed` says what part of the picture
    /// they are.
    fn run(
        &mut self,
        ops: &[(Op, Fill)],
        mut borrowed: Option<Borrowed<'_>>,
        mut placed: Placed,
        out: &mut [u8],
    ) -> Result<(), ImageError> {
        self.scratch.trim();
        let mut rest = ops;
        while let Some(before) = rest.iter().position(|(op, _)| !op.keeps_size()) {
            if before > 0 {
                self.own(borrowed.take());
                op::run(with_fill(&rest[..before]), &mut self.image.canvas(), &mut self.scratch);
            }
            let (stroke, used) = Stroke::of(&rest[before..], placed.size)?;
            rest = &rest[before + used..];
            let (width, height) = stroke.size();
            if rest.iter().all(|(op, _)| op.keeps_size()) {
                self.stroke(&stroke, borrowed, &placed, out)?;
                let channels = borrowed.map_or(self.image.channels, |borrowed| borrowed.channels);
                op::run(with_fill(rest), &mut Canvas { width, height, channels, pixels: out }, &mut self.scratch);
                return Ok(());
            }
            self.enlarge(&stroke, borrowed, &placed)?;
            (borrowed, placed) = (None, Placed::whole((width, height)));
        }
        let pixels = borrowed.map_or(&self.image.pixels[..], |borrowed| borrowed.pixels);
        out.copy_from_slice(pixels);
        let channels = borrowed.map_or(self.image.channels, |borrowed| borrowed.channels);
        let (width, height) = placed.size;
        op::run(with_fill(rest), &mut Canvas { width, height, channels, pixels: out }, &mut self.scratch);
        Ok(())
    }

    /// Copies borrowed pixels, so that ops may change them.
    fn own(&mut self, borrowed: Option<Borrowed<'_>>) {
        if let Some(Borrowed { width, height, channels, pixels }) = borrowed {
            self.image.assign(width, height, channels, pixels);
        }
    }

    /// Makes the result of a stroke that is not the last one the image at hand.
    fn enlarge(&mut self, stroke: &Stroke, borrowed: Option<Borrowed<'_>>, placed: &Placed) -> Result<(), ImageError> {
        let (width, height) = stroke.size();
        let channels = borrowed.map_or(self.image.channels, |borrowed| borrowed.channels);
        let mut next = std::mem::take(&mut self.spare);
        next.reshape(width, height, channels);
        let done = self.stroke(stroke, borrowed, placed, &mut next.pixels);
        self.spare = std::mem::replace(&mut self.image, next);
        done
    }

    fn stroke(
        &mut self,
        stroke: &Stroke,
        borrowed: Option<Borrowed<'_>>,
        placed: &Placed,
        out: &mut [u8],
    ) -> Result<(), ImageError> {
        let Image { width, height, channels, ref pixels } = self.image;
        let source = borrowed.unwrap_or(Borrowed { width, height, channels, pixels });
        stroke.run(source, placed, &mut self.resampler, out)
    }
}

/// Ops with their fill values, as [`op::run`] takes them.
fn with_fill(ops: &[(Op, Fill)]) -> impl Iterator<Item = (&Op, Fill)> {
    ops.iter().map(|(op, fill)| (op, *fill))
}

#[cfg(test)]
mod tests;
