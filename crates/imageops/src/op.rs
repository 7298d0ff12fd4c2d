//! The op table: every operator with its argument in it and no randomness left.
//!
//! Ops follow Pillow: angles are counter-clockwise degrees, shear is a tangent, factors are those of `ImageEnhance`.
//! One file a family; a new op is a variant here, one line in `run`, and its range in `check`.

use crate::{Image, ImageError};

/// How a resize computes a pixel. All but `Nearest` are antialiased when they shrink, as in Pillow.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
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
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sampling {
    /// The pixel that covers the place.
    Nearest,
    /// Weighted mean of the four pixels around.
    Bilinear,
}

/// A rectangle of pixels. It may reach over the edges of an image: what lies outside has the fill value.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
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

/// An operator with its argument.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Op {
    /// Leaves the image as it is.
    Identity,
    /// Stretches each channel so that its darkest value is 0 and its brightest 255.
    AutoContrast,
    /// Flattens the histogram of each channel.
    Equalize,
    /// 255 - value.
    Invert,
    /// Rotates counter-clockwise by this many degrees about the centre, nearest sampling, same size.
    Rotate(f32),
    /// Reads row `y` shifted by `tangent * y` pixels to the right, nearest sampling; the top row stays.
    ShearX(f32),
    /// Reads column `x` shifted by `tangent * x` pixels down, nearest sampling; the left column stays.
    ShearY(f32),
    /// Moves the image this many pixels to the right.
    TranslateX(i32),
    /// Moves the image this many pixels down.
    TranslateY(i32),
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
    todo!()
}
