//! The op table: every operator with its argument in it and no randomness left.
//!
//! Ops follow Pillow: angles are counter-clockwise degrees, shear is a tangent, factors are those of `ImageEnhance`.
//! One file a family; a new op is a variant here, one line in `run_one` (or in `point`, if it is a table), and its range in
//! `check`.

mod augmix;
mod blur;
mod canvas;
mod check;
mod crop;
mod display;
mod enhance;
mod flip;
mod histogram;
mod hue;
mod lookup;
mod noise;
mod point;
mod sample;
mod simd;
mod warp;

use serde::Serialize;

pub(crate) use canvas::Canvas;
pub(crate) use check::{check_target, refuse};
pub(crate) use crop::{crop_into, overlap};
use point::Curves;

use crate::scratch::Scratch;
use crate::{Image, ImageError, Renderer};

/// How a resize computes a pixel. All but `Nearest` are antialiased when they shrink, as in Pillow.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The one source pixel in the middle.
    Nearest,
    /// Triangle filter.
    Bilinear,
    /// Cubic filter with a = -0.5.
    Bicubic,
    /// Lanczos filter with three lobes.
    Lanczos,
}

/// How a geometric op reads between pixels.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// The pixel that covers the place.
    Nearest,
    /// Weighted mean of the four pixels around.
    Bilinear,
    /// Weighted mean of the sixteen pixels around (cubic with a = -1, as in Pillow's transform; its resize has -0.5).
    Bicubic,
}

/// A rectangle of pixels. It may reach over the edges of an image: what lies outside has the fill value.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Area {
    /// First column.
    pub left: i32,
    /// First row.
    pub top: i32,
    /// Columns, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
}

/// The value of pixels that come in from outside, by channel. A gray image takes the first.
pub type Fill = [u8; 3];

/// What an erased area is filled with.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Erasure {
    /// The fill value.
    Fill,
    /// Independent noise in each value, normal with mean 127.5 and standard deviation 63.75, cut to 0..=255.
    Noise {
        /// Where its random numbers start.
        seed: u64,
    },
}

/// An operator with its argument.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Leaves the image as it is.
    Identity,
    /// Stretches each channel so that its darkest value is 0 and its brightest 255.
    AutoContrast,
    /// Flattens the histogram of each channel.
    Equalize,
    /// 255 - value.
    Invert,
    /// Rotates about the centre, same size.
    Rotate {
        /// Counter-clockwise, in degrees.
        degrees: f32,
        /// How to read between pixels.
        sampling: Sampling,
    },
    /// Reads row `y` shifted by `tangent * y` pixels to the right; the top row stays.
    ShearX {
        /// Shear as a tangent.
        tangent: f32,
        /// How to read between pixels.
        sampling: Sampling,
    },
    /// Reads column `x` shifted by `tangent * x` pixels down; the left column stays.
    ShearY {
        /// Shear as a tangent.
        tangent: f32,
        /// How to read between pixels.
        sampling: Sampling,
    },
    /// Moves the image to the right.
    TranslateX {
        /// How far, in pixels.
        pixels: f32,
        /// How to read between pixels.
        sampling: Sampling,
    },
    /// Moves the image down.
    TranslateY {
        /// How far, in pixels.
        pixels: f32,
        /// How to read between pixels.
        sampling: Sampling,
    },
    /// Blends with black: 0 is black, 1 the image.
    Brightness(f32),
    /// Blends with the gray image: 0 is gray, 1 the image.
    Color(f32),
    /// Blends with the mean gray value: 0 is flat, 1 the image.
    Contrast(f32),
    /// Blends with the smoothed image: 0 is smooth, 1 the image, 2 sharpened.
    Sharpness(f32),
    /// Keeps this many upper bits of each value, 0 to 8.
    Posterize(u8),
    /// Inverts values at or above this threshold.
    Solarize(f32),
    /// Adds to the values below a threshold, cut to 0..=255.
    SolarizeAdd {
        /// What is added, -255 to 255.
        add: i16,
        /// Values from this one on stay; 128 in the papers.
        threshold: u8,
    },
    /// Turns the hue by this share of the colour circle, -0.5 to 0.5 (torchvision's `adjust_hue` on a Pillow image: through
    /// Pillow's HSV with 8 bits a channel). A gray image stays.
    Hue(f32),
    /// Makes all channels the gray value (ITU-R 601-2 luma).
    Grayscale,
    /// Pillow's `GaussianBlur` of this radius (its standard deviation in pixels), 0 to 100.
    GaussianBlur(f32),
    /// Adds normal noise to each value.
    GaussianNoise {
        /// Standard deviation on the scale of 0..=255.
        sigma: f32,
        /// Where its random numbers start.
        seed: u64,
    },
    /// Erases an area, as far as it lies in the image.
    Erase {
        /// What is erased.
        area: Area,
        /// What comes in its place.
        with: Erasure,
    },
    /// Mirrors left-right.
    FlipHorizontal,
    /// Mirrors top-bottom.
    FlipVertical,
    /// Rotates, shears and moves at once: the result at `p` shows the source at `S R (p - centre - translate) + centre` with
    /// `R` the rotation by `degrees` and `S = [[1, shear_x], [shear_y, 1]]`.
    Affine {
        /// Counter-clockwise rotation in degrees.
        degrees: f32,
        /// Shear along x as a tangent.
        shear_x: f32,
        /// Shear along y as a tangent.
        shear_y: f32,
        /// Pixels to the right.
        translate_x: f32,
        /// Pixels down.
        translate_y: f32,
        /// How to read between pixels.
        sampling: Sampling,
    },
    /// AugMix (Hendrycks et al. 2020): `keep` times the image plus `1 - keep` times the weighted mean of the image after
    /// each chain of ops, as torchvision's `AugMix` computes it.
    AugMix {
        /// Share of the image itself, 0 to 1.
        keep: f32,
        /// The chains with their weights, which sum to 1. No op in them changes the size.
        chains: Vec<(f32, Vec<Op>)>,
    },
    /// Cuts out an area.
    Crop(Area),
    /// Resizes an area (the whole image if none) to this size.
    Resize {
        /// The source area, cut to the image.
        area: Option<Area>,
        /// Height of the result in pixels.
        height: u32,
        /// Width of the result in pixels.
        width: u32,
        /// How to resample.
        filter: Filter,
    },
}

/// Applies one op; `fill` is the value of pixels that come in from outside.
///
/// # Errors
/// [`ImageError::Shape`] if the image's fields do not fit together, [`ImageError::Argument`] if the op's argument is
/// out of range.
pub fn apply(op: &Op, image: &mut Image, fill: Fill) -> Result<(), ImageError> {
    image.check()?;
    op.check("op")?;
    Renderer::default().apply(op, image, fill)
}

/// Runs ops that keep the size, in order. Consecutive ops that work value by value become one pass.
pub(crate) fn run<'a>(ops: impl IntoIterator<Item = (&'a Op, Fill)>, canvas: &mut Canvas<'_>, scratch: &mut Scratch) {
    let mut curves = Curves::new();
    for (op, fill) in ops {
        if !curves.take(op, canvas) {
            run_one(op, canvas, fill, scratch);
        }
    }
    curves.settle(canvas);
}

/// One line an op that is no table.
fn run_one(op: &Op, canvas: &mut Canvas<'_>, fill: Fill, scratch: &mut Scratch) {
    match *op {
        Op::Rotate { degrees, sampling } => {
            let matrix = warp::affine(canvas, degrees, [0.0; 2], [0.0; 2]);
            warp::warp(canvas, &matrix, sampling, fill, scratch);
        }
        Op::ShearX { tangent, sampling } => warp::shear_x(canvas, tangent, sampling, fill, scratch),
        Op::ShearY { tangent, sampling } => warp::shear_y(canvas, tangent, sampling, fill, scratch),
        Op::TranslateX { pixels, sampling } => warp::translate(canvas, [pixels, 0.0], sampling, fill, scratch),
        Op::TranslateY { pixels, sampling } => warp::translate(canvas, [0.0, pixels], sampling, fill, scratch),
        Op::Affine { degrees, shear_x, shear_y, translate_x, translate_y, sampling } => {
            let matrix = warp::affine(canvas, degrees, [shear_x, shear_y], [translate_x, translate_y]);
            warp::warp(canvas, &matrix, sampling, fill, scratch);
        }
        Op::Color(factor) => enhance::color(canvas, factor),
        Op::Sharpness(factor) => enhance::sharpness(canvas, factor, scratch),
        Op::Hue(share) => hue::turn(canvas, share),
        Op::Grayscale => enhance::grayscale(canvas),
        Op::GaussianBlur(radius) => blur::gaussian(canvas, radius, scratch),
        Op::GaussianNoise { sigma, seed } => noise::add(canvas, sigma, seed),
        Op::Erase { area, with } => noise::erase(canvas, area, with, fill),
        Op::FlipHorizontal => flip::horizontal(canvas),
        Op::FlipVertical => flip::vertical(canvas),
        Op::AugMix { keep, ref chains } => augmix::mix(canvas, keep, chains, fill, scratch),
        // Tables are done before, and changes of size by the renderer.
        _ => {}
    }
}

impl Op {
    /// Name of the op as it is written in a pipeline.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Op::Identity => "identity",
            Op::AutoContrast => "auto_contrast",
            Op::Equalize => "equalize",
            Op::Invert => "invert",
            Op::Rotate { .. } => "rotate",
            Op::ShearX { .. } => "shear_x",
            Op::ShearY { .. } => "shear_y",
            Op::TranslateX { .. } => "translate_x",
            Op::TranslateY { .. } => "translate_y",
            Op::Brightness(_) => "brightness",
            Op::Color(_) => "color",
            Op::Contrast(_) => "contrast",
            Op::Sharpness(_) => "sharpness",
            Op::Posterize(_) => "posterize",
            Op::Solarize(_) => "solarize",
            Op::SolarizeAdd { .. } => "solarize_add",
            Op::Hue(_) => "hue",
            Op::Grayscale => "grayscale",
            Op::GaussianBlur(_) => "gaussian_blur",
            Op::GaussianNoise { .. } => "gaussian_noise",
            Op::Erase { .. } => "erase",
            Op::FlipHorizontal => "flip_horizontal",
            Op::FlipVertical => "flip_vertical",
            Op::Affine { .. } => "affine",
            Op::AugMix { .. } => "augmix",
            Op::Crop(_) => "crop",
            Op::Resize { .. } => "resize",
        }
    }

    /// Whether the result has the size of the image.
    pub(crate) fn keeps_size(&self) -> bool {
        !matches!(self, Op::Crop(_) | Op::Resize { .. })
    }

    /// (width, height) after the op.
    pub(crate) fn size_after(&self, size: (u32, u32)) -> (u32, u32) {
        match *self {
            Op::Crop(area) => (area.width, area.height),
            Op::Resize { width, height, .. } => (width, height),
            _ => size,
        }
    }
}

#[cfg(test)]
mod tests;
