//! Ops with fixed arguments, and the step that applies one with a probability.

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

use super::{Brief, Fill, Shorthand, Side};

/// An op that is applied with a probability.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Apply {
    /// The op.
    pub(crate) op: Op,
    /// The probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) p: f64,
    /// Value of what comes in from outside, and of what is erased.
    #[serde(default)]
    pub(crate) fill: Fill,
}

/// A fixed image operator. Where `apply` gives no `fill`, what comes in from outside and what is erased is black.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Op {
    /// Leaves the image as it is.
    Identity(Nothing),
    /// Stretches each channel to the full range.
    AutoContrast(Nothing),
    /// Flattens the histogram of each channel.
    Equalize(Nothing),
    /// 255 - value.
    Invert(Nothing),
    /// Rotates by this many degrees, counter-clockwise.
    Rotate(#[schemars(range(min = -360.0, max = 360.0))] f64),
    /// Shears along x by this tangent.
    ShearX(#[schemars(range(min = -10.0, max = 10.0))] f64),
    /// Shears along y by this tangent.
    ShearY(#[schemars(range(min = -10.0, max = 10.0))] f64),
    /// Moves by this many pixels to the right.
    TranslateX(#[schemars(range(min = -65535.0, max = 65535.0))] f64),
    /// Moves by this many pixels down.
    TranslateY(#[schemars(range(min = -65535.0, max = 65535.0))] f64),
    /// Blends with black: 0 is black, 1 the image.
    Brightness(#[schemars(range(min = 0.0, max = 100.0))] f64),
    /// Blends with gray: 0 is gray, 1 the image.
    Color(#[schemars(range(min = 0.0, max = 100.0))] f64),
    /// Blends with the mean gray: 0 is flat, 1 the image.
    Contrast(#[schemars(range(min = 0.0, max = 100.0))] f64),
    /// Blends with the smoothed image: 0 is smooth, 1 the image, 2 sharpened.
    Sharpness(#[schemars(range(min = 0.0, max = 100.0))] f64),
    /// Keeps this many upper bits of each value.
    Posterize(#[schemars(range(min = 0, max = 8))] u8),
    /// Inverts values at or above this.
    Solarize(#[schemars(range(min = 0.0, max = 256.0))] f64),
    /// Adds to the values below a threshold; a number alone is what is added.
    SolarizeAdd(Brief<SolarizeAdd>),
    /// Turns the hue by this share of the colour circle.
    Hue(#[schemars(range(min = -0.5, max = 0.5))] f64),
    /// Makes all channels the gray value.
    Grayscale(Nothing),
    /// Blurs by this radius, the standard deviation in pixels.
    GaussianBlur(#[schemars(range(min = 0.0, max = 100.0))] f64),
    /// Erases an area, as far as it lies in the image.
    Erase(Area),
    /// Cuts out an area. Where it reaches over the edges it is filled.
    Crop(Area),
    /// Mirrors left-right.
    FlipHorizontal(Nothing),
    /// Mirrors top-bottom.
    FlipVertical(Nothing),
}

/// An op without an argument: nothing to set.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Adds to the values below a threshold, cut to 0..255.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SolarizeAdd {
    /// What is added.
    #[schemars(range(min = -255, max = 255))]
    pub(crate) add: i16,
    /// Values from this one on stay.
    #[serde(default = "SolarizeAdd::threshold")]
    #[schemars(range(min = 0, max = 255))]
    pub(crate) threshold: u8,
}

impl SolarizeAdd {
    fn threshold() -> u8 {
        128
    }
}

impl Shorthand for SolarizeAdd {
    fn number() -> Schema {
        json_schema!({ "description": "What is added.", "type": "integer", "minimum": -255, "maximum": 255 })
    }

    fn of(number: f64) -> Self {
        SolarizeAdd { add: number as i16, threshold: Self::threshold() }
    }
}

/// A rectangle of pixels.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Area {
    /// First column.
    #[schemars(range(min = -65535, max = 65535))]
    pub(crate) left: i32,
    /// First row.
    #[schemars(range(min = -65535, max = 65535))]
    pub(crate) top: i32,
    /// Columns.
    pub(crate) width: Side,
    /// Rows.
    pub(crate) height: Side,
}
