//! Steps that change colours, blur, add noise or erase, each by a random amount.

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

use super::{Fill, Shorthand};

/// Brightness, contrast, saturation and hue in random order.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ColorJitter {
    /// The factor is uniform from 1 - this (at least 0) to 1 + this; 0 leaves it out.
    #[schemars(range(min = 0.0, max = 99.0))]
    pub(crate) brightness: f64,
    /// As `brightness`.
    #[schemars(range(min = 0.0, max = 99.0))]
    pub(crate) contrast: f64,
    /// As `brightness`.
    #[schemars(range(min = 0.0, max = 99.0))]
    pub(crate) saturation: f64,
    /// The turn is uniform between minus and plus this share of the colour circle.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub(crate) hue: f64,
}

/// Blurs at random.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GaussianBlur {
    /// Smallest and largest radius, the standard deviation in pixels.
    #[schemars(inner(range(min = 0.0, max = 100.0)))]
    pub(crate) sigma: [f64; 2],
    /// The probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) p: f64,
}

impl Default for GaussianBlur {
    fn default() -> Self {
        GaussianBlur { sigma: [0.1, 2.0], p: 0.5 }
    }
}

impl Shorthand for GaussianBlur {
    fn number() -> Schema {
        json_schema!({ "description": "A fixed radius, always.", "type": "number", "minimum": 0, "maximum": 100 })
    }

    fn of(number: f64) -> Self {
        GaussianBlur { sigma: [number, number], p: 1.0 }
    }
}

/// Adds normal noise.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GaussianNoise {
    /// Standard deviation on the scale of 0 to 255.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub(crate) sigma: f64,
    /// The probability.
    #[serde(default = "always")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) p: f64,
}

/// Erases a square about a random pixel.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cutout {
    /// Side of the square in pixels.
    #[schemars(range(min = 1, max = 65535))]
    pub(crate) size: u32,
    /// The probability.
    #[serde(default = "always")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) p: f64,
    /// Value of the square.
    #[serde(default)]
    pub(crate) fill: Fill,
}

impl Shorthand for Cutout {
    fn number() -> Schema {
        json_schema!({ "description": "Side in pixels.", "type": "integer", "minimum": 1, "maximum": 65535 })
    }

    fn of(number: f64) -> Self {
        Cutout { size: number as u32, p: always(), fill: Fill::default() }
    }
}

/// The probability of what is always done.
fn always() -> f64 {
    1.0
}

/// Erases a random area.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RandomErasing {
    /// The probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) p: f64,
    /// Smallest and largest share of the image's area.
    #[schemars(inner(range(min = 0.0001, max = 1.0)))]
    pub(crate) scale: [f64; 2],
    /// Smallest and largest height / width.
    #[schemars(inner(range(min = 0.01, max = 100.0)))]
    pub(crate) ratio: [f64; 2],
    /// Noise in each value rather than `fill`.
    pub(crate) noise: bool,
    /// Value of the area without noise.
    pub(crate) fill: Fill,
}

impl Default for RandomErasing {
    fn default() -> Self {
        RandomErasing { p: 0.5, scale: [0.02, 0.33], ratio: [0.3, 3.3], noise: false, fill: Fill::default() }
    }
}
