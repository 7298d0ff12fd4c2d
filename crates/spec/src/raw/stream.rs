//! The section `stream`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Side, Step};

/// The shape that every image gets on its way to the model.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stream {
    /// Height and width of every image, in pixels: `[28, 28]`.
    pub(crate) size: [Side; 2],
    /// Gray or colour. Images of the other kind are converted.
    pub(crate) channels: Channels,
    /// What is subtracted from pixels scaled to 0..1, and what they are then divided by: one number a channel. Without
    /// it both are 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) normalize: Option<Normalize>,
    /// The steps of the view that models are tested and label with. None may be random. An image that has another size
    /// after the last one is resized to `size`.
    #[serde(default)]
    pub(crate) eval: Vec<Step>,
    /// Images in a batch of that view.
    #[serde(default = "Stream::eval_batch")]
    #[schemars(range(min = 1, max = 65536))]
    pub(crate) eval_batch: u32,
    /// How image files are read.
    #[serde(default)]
    pub(crate) decode: Decode,
}

impl Stream {
    fn eval_batch() -> u32 {
        256
    }
}

/// Gray or colour.
#[derive(Copy, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Channels {
    /// One channel.
    Gray,
    /// Three channels: red, green, blue.
    Rgb,
}

/// What is subtracted from pixels, and what they are then divided by.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Normalize {
    /// The mean of each channel, of pixels scaled to 0..1.
    #[schemars(inner(range(min = -1000.0, max = 1000.0)))]
    pub(crate) mean: Vec<f64>,
    /// The standard deviation of each channel, of pixels scaled to 0..1.
    #[schemars(inner(range(min = 0.000001, max = 1000.0)))]
    pub(crate) std: Vec<f64>,
}

/// How image files are read.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Decode {
    /// What becomes of an image file that ends too early.
    pub(crate) truncated: Truncated,
    /// Whether a JPEG may be decoded at a half, a quarter or an eighth of its size where the steps shrink it anyway.
    pub(crate) scale: Scale,
    /// Most pixels of an image file. One that claims more is broken.
    #[schemars(range(min = 1, max = 268_435_456))]
    pub(crate) max_pixels: u64,
}

impl Default for Decode {
    /// The limit is the one at which Pillow refuses an image.
    fn default() -> Self {
        Decode { truncated: Truncated::Refuse, scale: Scale::Auto, max_pixels: 178_956_970 }
    }
}

/// What becomes of an image file that ends too early.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Truncated {
    /// It is broken, and counts against `max_bad`.
    Refuse,
    /// What is there is used; the rest is what the decoder fills in.
    Keep,
}

/// Whether images may be decoded at a fraction of their size.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scale {
    /// Where a step shrinks them further anyway.
    Auto,
    /// Never: always the whole image.
    Never,
}
