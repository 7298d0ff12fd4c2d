//! The section `stream`, and the steps of a view.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

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
}

impl Stream {
    fn eval_batch() -> u32 {
        256
    }
}

/// The side of an image in pixels.
#[derive(Copy, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Side(#[schemars(range(min = 1, max = 65535))] pub(crate) u32);

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

/// One step of a view: a kind of step, or the name of an op with its argument.
#[derive(Debug)]
pub(crate) enum Step {
    /// A step of its own kind.
    Kind(Kind),
    /// An op that is always applied.
    Op(Op),
}

impl JsonSchema for Step {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }

    /// The alternatives of both, in one list.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Kind::json_schema(generator);
        let ops = Op::json_schema(generator);
        if let (Some(kinds), Some(ops)) = (schema.get_mut("oneOf"), ops.get("oneOf"))
            && let (Some(kinds), Some(ops)) = (kinds.as_array_mut(), ops.as_array())
        {
            kinds.extend(ops.iter().cloned());
        }
        schema.insert("description".to_string(), "One step of a view.".into());
        schema
    }
}

impl<'de> Deserialize<'de> for Step {
    /// The one key says which of the two it is.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let name = value.as_object().and_then(|object| object.keys().next());
        let step = match name {
            Some(name) if Kind::NAMES.contains(&name.as_str()) => Kind::deserialize(value).map(Step::Kind),
            _ => Op::deserialize(value).map(Step::Op),
        };
        step.map_err(de::Error::custom)
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Step::Kind(kind) => kind.serialize(serializer),
            Step::Op(op) => op.serialize(serializer),
        }
    }
}

/// The steps that are more than an op.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Resizes to exactly this size.
    Resize(Resize),
    /// Resizes so that the shorter side has this many pixels; the aspect ratio stays.
    ResizeShort(ResizeShort),
    /// Cuts out a random area and resizes it (torchvision's RandomResizedCrop).
    RandomResizedCrop(RandomResizedCrop),
    /// Cuts out the middle. Where the image is smaller the rest is black.
    CenterCrop(CenterCrop),
    /// Pads all sides, then cuts out the old size at a random place (the CIFAR recipe).
    PadCrop(PadCrop),
    /// Mirrors at random.
    Flip(Flip),
    /// Rotates, shears and shifts at random, all at once, about the centre.
    Affine(Affine),
    /// RandAugment: a few ops drawn at random, with torchvision's 14 ops and its scale.
    Randaugment(RandAugment),
    /// An op that is applied with a probability.
    Apply(Apply),
}

impl Kind {
    const NAMES: [&str; 9] = [
        "resize",
        "resize_short",
        "random_resized_crop",
        "center_crop",
        "pad_crop",
        "flip",
        "affine",
        "randaugment",
        "apply",
    ];
}

/// How a resize computes a pixel.
#[derive(Copy, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Filter {
    /// The one source pixel in the middle.
    Nearest,
    /// Triangle filter.
    #[default]
    Bilinear,
    /// Cubic filter.
    Bicubic,
    /// Lanczos filter with three lobes.
    Lanczos,
}

/// Resizes to exactly this size.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resize {
    /// Height and width in pixels. Without it: `stream.size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<[Side; 2]>,
    /// How to resample.
    #[serde(default)]
    pub(crate) filter: Filter,
}

/// Resizes so that the shorter side has this many pixels.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResizeShort {
    /// The shorter side in pixels. Without it: the shorter side of `stream.size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<Side>,
    /// How to resample.
    #[serde(default)]
    pub(crate) filter: Filter,
}

/// Cuts out a random area and resizes it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RandomResizedCrop {
    /// Smallest and largest share of the image's area.
    #[serde(default = "RandomResizedCrop::scale")]
    #[schemars(inner(range(min = 0.0001, max = 1.0)))]
    pub(crate) scale: [f64; 2],
    /// Smallest and largest width / height.
    #[serde(default = "RandomResizedCrop::ratio")]
    #[schemars(inner(range(min = 0.01, max = 100.0)))]
    pub(crate) ratio: [f64; 2],
    /// Height and width of the result in pixels. Without it: `stream.size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<[Side; 2]>,
    /// How to resample.
    #[serde(default)]
    pub(crate) filter: Filter,
}

impl RandomResizedCrop {
    fn scale() -> [f64; 2] {
        [0.08, 1.0]
    }

    fn ratio() -> [f64; 2] {
        [0.75, 1.3333]
    }
}

/// Cuts out the middle.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CenterCrop {
    /// Height and width in pixels. Without it: `stream.size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<[Side; 2]>,
}

/// Pads all sides, then cuts out the old size at a random place.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PadCrop {
    /// Padding on each side, in pixels.
    #[serde(default = "PadCrop::pad")]
    #[schemars(range(min = 0, max = 32767))]
    pub(crate) pad: u32,
    /// Value of the padding: 0 black, 255 white.
    #[serde(default)]
    #[schemars(range(min = 0, max = 255))]
    pub(crate) fill: u8,
}

impl PadCrop {
    fn pad() -> u32 {
        4
    }
}

/// Mirrors at random.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flip {
    /// The probability.
    #[serde(default = "Flip::p")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) p: f64,
    /// Left-right or top-bottom.
    #[serde(default)]
    pub(crate) direction: Direction,
}

impl Flip {
    fn p() -> f64 {
        0.5
    }
}

/// Left-right or top-bottom.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// Left-right.
    #[default]
    Horizontal,
    /// Top-bottom.
    Vertical,
}

/// Rotates, shears and shifts at random, all at once. Each is drawn evenly between minus and plus its number.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Affine {
    /// Largest rotation in degrees.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 180.0))]
    pub(crate) degrees: f64,
    /// Largest shear as a tangent, for each axis.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 2.0))]
    pub(crate) shear: f64,
    /// Largest shift in pixels, for each axis.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 65535.0))]
    pub(crate) translate: f64,
    /// Value of what comes in from outside: 0 black, 255 white.
    #[serde(default)]
    #[schemars(range(min = 0, max = 255))]
    pub(crate) fill: u8,
}

/// A few ops drawn at random.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RandAugment {
    /// Ops drawn for each image (N).
    #[schemars(range(min = 0, max = 64))]
    pub(crate) ops: u32,
    /// Their strength (M), from 0 to `bins` - 1.
    #[schemars(range(min = 0, max = 1000))]
    pub(crate) magnitude: u32,
    /// Number of strengths.
    #[schemars(range(min = 2, max = 1001))]
    pub(crate) bins: u32,
    /// Value of what comes in from outside: 0 black, 255 white.
    #[schemars(range(min = 0, max = 255))]
    pub(crate) fill: u8,
}

impl Default for RandAugment {
    fn default() -> Self {
        RandAugment { ops: 2, magnitude: 9, bins: 31, fill: 0 }
    }
}

/// An op that is applied with a probability.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Apply {
    /// The op.
    pub(crate) op: Op,
    /// The probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) p: f64,
}

/// A fixed image operator. What comes in from outside is black.
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
    TranslateX(#[schemars(range(min = -65535, max = 65535))] i32),
    /// Moves by this many pixels down.
    TranslateY(#[schemars(range(min = -65535, max = 65535))] i32),
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
    /// Mirrors left-right.
    FlipHorizontal(Nothing),
    /// Mirrors top-bottom.
    FlipVertical(Nothing),
}

/// An op without an argument: nothing to set.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}
