//! The op table: every operator with its argument in it and no randomness left.
//!
//! Ops follow Pillow: angles are counter-clockwise degrees, shear is a tangent, factors are those of `ImageEnhance`.
//! One file a family; a new op is a variant here, one line in `run`, and its range in `check`.

mod crop;
mod enhance;
mod flip;
mod histogram;
mod point;
mod resize;
mod warp;

use serde::Serialize;

use crate::pixels::check_size;
use crate::scratch::{self, Scratch};
use crate::{Image, ImageError, MAX_SIDE};

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
    /// Weighted mean of the sixteen pixels around (cubic with a = -0.5).
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

/// Applies one op in place; `fill` is the value of pixels that come in from outside, in every channel.
///
/// # Errors
/// [`ImageError::Shape`] if the image's fields do not fit together, [`ImageError::Argument`] if the op's argument is
/// out of range.
pub fn apply(op: &Op, image: &mut Image, fill: u8) -> Result<(), ImageError> {
    image.check()?;
    op.check("op")?;
    scratch::with(|scratch| run(op, image, fill, scratch))
}

/// One line an op: what the table says, done to the pixels. Arguments and image have been checked.
pub(crate) fn run(op: &Op, image: &mut Image, fill: u8, scratch: &mut Scratch) -> Result<(), ImageError> {
    match *op {
        Op::Identity => {}
        Op::AutoContrast => histogram::auto_contrast(image),
        Op::Equalize => histogram::equalize(image),
        Op::Invert => point::invert(image),
        Op::Rotate { degrees, .. } => warp::rotate(image, degrees, fill, scratch),
        Op::ShearX { tangent, .. } => warp::shear_x(image, tangent, fill, scratch),
        Op::ShearY { tangent, .. } => warp::shear_y(image, tangent, fill, scratch),
        Op::TranslateX { pixels, .. } => crop::shift(image, pixels as i32, 0, fill, scratch),
        Op::TranslateY { pixels, .. } => crop::shift(image, 0, pixels as i32, fill, scratch),
        Op::Brightness(factor) => enhance::brightness(image, factor),
        Op::Color(factor) => enhance::color(image, factor),
        Op::Contrast(factor) => enhance::contrast(image, factor),
        Op::Sharpness(factor) => enhance::sharpness(image, factor, scratch),
        Op::Posterize(bits) => point::posterize(image, bits),
        Op::Solarize(threshold) => point::solarize(image, threshold),
        Op::FlipHorizontal => flip::horizontal(image),
        Op::FlipVertical => flip::vertical(image),
        Op::Affine { degrees, shear_x, shear_y, translate_x, translate_y, sampling } => {
            let matrix = warp::affine(image, degrees, [shear_x, shear_y], [translate_x, translate_y]);
            warp::warp(image, &matrix, sampling, fill, scratch);
        }
        Op::Crop(area) => crop::crop(image, area, fill, scratch),
        Op::Resize { area, height, width, filter } => resize::resize(image, area, (width, height), filter, scratch)?,
        _ => {}
    }
    Ok(())
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
            Op::AugMix { .. } => "augmix",
            Op::FlipHorizontal => "flip_horizontal",
            Op::FlipVertical => "flip_vertical",
            Op::Affine { .. } => "affine",
            Op::Crop(_) => "crop",
            Op::Resize { .. } => "resize",
        }
    }

    /// (width, height) after the op.
    pub(crate) fn size_after(&self, size: (u32, u32)) -> (u32, u32) {
        match *self {
            Op::Crop(area) => (area.width, area.height),
            Op::Resize { width, height, .. } => (width, height),
            _ => size,
        }
    }

    /// Refuses an argument out of range. The ranges keep all later arithmetic far from overflow. `place` says whose
    /// argument it is.
    pub(crate) fn check(&self, place: &str) -> Result<(), ImageError> {
        let within = |value: f32, low: f32, high: f32, allowed| {
            let good = value >= low && value <= high;
            good.then_some(()).ok_or_else(|| refuse(place, self.name(), value.to_string(), allowed))
        };
        let side = MAX_SIDE as f32;
        match *self {
            Op::Rotate { degrees, .. } => within(degrees, -360.0, 360.0, DEGREES),
            Op::ShearX { tangent, .. } | Op::ShearY { tangent, .. } => within(tangent, -10.0, 10.0, SHEAR),
            Op::TranslateX { pixels, .. } | Op::TranslateY { pixels, .. } => within(pixels, -side, side, SHIFT),
            Op::Brightness(f) | Op::Color(f) | Op::Contrast(f) | Op::Sharpness(f) => within(f, 0.0, 100.0, "0 to 100"),
            Op::Posterize(bits) => within(f32::from(bits), 0.0, 8.0, "0 to 8 bits"),
            Op::Solarize(threshold) => within(threshold, 0.0, 256.0, "0 to 256"),
            Op::Affine { degrees, shear_x, shear_y, translate_x, translate_y, sampling: _ } => {
                within(degrees, -360.0, 360.0, DEGREES)?;
                within(shear_x, -10.0, 10.0, SHEAR)?;
                within(shear_y, -10.0, 10.0, SHEAR)?;
                within(translate_x, -side, side, SHIFT)?;
                within(translate_y, -side, side, SHIFT)
            }
            Op::Crop(area) => area.check(place, self.name()),
            Op::Resize { area, height, width, .. } => {
                area.map_or(Ok(()), |area| area.check(place, self.name()))?;
                check_target(place, self.name(), width, height)
            }
            _ => Ok(()),
        }
    }
}

const DEGREES: &str = "-360 to 360 degrees";
const SHEAR: &str = "a tangent of -10 to 10";
const SHIFT: &str = "-65535 to 65535 pixels";

impl Area {
    fn check(&self, place: &str, name: &str) -> Result<(), ImageError> {
        let reach = MAX_SIDE as i32;
        let near = (-reach..=reach).contains(&self.left) && (-reach..=reach).contains(&self.top);
        if near {
            return check_target(place, name, self.width, self.height);
        }
        Err(refuse(place, name, format!("at {},{}", self.left, self.top), SHIFT))
    }
}

/// Refuses a result of no pixels or of too many.
pub(crate) fn check_target(place: &str, name: &str, width: u32, height: u32) -> Result<(), ImageError> {
    if check_size(width, height) {
        return Ok(());
    }
    Err(refuse(place, name, format!("{width}x{height}"), "1 to 65535 pixels a side and at most 2^28 in all"))
}

/// The error for an argument out of range.
pub(crate) fn refuse(place: &str, name: &str, found: String, allowed: &'static str) -> ImageError {
    ImageError::Argument { what: format!("{place}: {name}"), found, allowed }
}

#[cfg(test)]
mod tests;
