//! The steps of a view.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::{Apply, AugMix, AutoAugment, Brief, ColorJitter, Cutout, Fill, GaussianBlur, GaussianNoise, Op};
use super::{RandAugment, RandomErasing, Side, TrivialAugmentWide};
use crate::schema::kind;

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

    /// The alternatives of both, in one list. Where both know a name the step is meant, which can say more.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Kind::json_schema(generator);
        let ops = Op::json_schema(generator);
        if let (Some(kinds), Some(ops)) = (schema.get_mut("oneOf"), ops.get("oneOf"))
            && let (Some(kinds), Some(ops)) = (kinds.as_array_mut(), ops.as_array())
        {
            let known = |op: &&Value| kind(op).is_some_and(|(name, _)| Kind::NAMES.contains(&name));
            kinds.extend(ops.iter().filter(|op| !known(op)).cloned());
        }
        schema.insert("description".to_string(), "One step of a view.".into());
        schema
    }
}

impl<'de> Deserialize<'de> for Step {
    /// The one key says which of the two it is.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
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
    /// One of five crops: the corners and the middle, by the number of the view. With `count: 5` a view has all of them; a
    /// single view, as in `eval`, has the top-left one.
    FiveCrop(FiveCrop),
    /// Pads all sides, then cuts out the old size at a random place (the CIFAR recipe).
    PadCrop(PadCrop),
    /// Mirrors at random.
    Flip(Flip),
    /// Rotates, shears and shifts at random, all at once, about the centre.
    Affine(Affine),
    /// RandAugment: a few ops drawn at random, all at one strength.
    Randaugment(RandAugment),
    /// TrivialAugmentWide: one op at a strength drawn for each image, as in torchvision.
    TrivialAugmentWide(TrivialAugmentWide),
    /// AutoAugment: one of 25 learned pairs of ops, as in torchvision.
    AutoAugment(AutoAugment),
    /// AugMix: the image mixed with itself after chains of ops, as in torchvision.
    Augmix(AugMix),
    /// Brightness, contrast, saturation and hue in random order, each by a random amount (torchvision's ColorJitter).
    ColorJitter(ColorJitter),
    /// Blurs at random; a number alone is a fixed radius.
    GaussianBlur(Brief<GaussianBlur>),
    /// Adds normal noise.
    GaussianNoise(GaussianNoise),
    /// Erases a square about a random pixel; a number alone is its side.
    Cutout(Brief<Cutout>),
    /// Erases a random area (torchvision's RandomErasing).
    RandomErasing(RandomErasing),
    /// An op that is applied with a probability.
    Apply(Apply),
}

impl Kind {
    const NAMES: [&str; 18] = [
        "resize",
        "resize_short",
        "random_resized_crop",
        "center_crop",
        "five_crop",
        "pad_crop",
        "flip",
        "affine",
        "randaugment",
        "trivial_augment_wide",
        "auto_augment",
        "augmix",
        "color_jitter",
        "gaussian_blur",
        "gaussian_noise",
        "cutout",
        "random_erasing",
        "apply",
    ];

    /// The key that says which it is.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Kind::Resize(_) => "resize",
            Kind::ResizeShort(_) => "resize_short",
            Kind::RandomResizedCrop(_) => "random_resized_crop",
            Kind::CenterCrop(_) => "center_crop",
            Kind::FiveCrop(_) => "five_crop",
            Kind::PadCrop(_) => "pad_crop",
            Kind::Flip(_) => "flip",
            Kind::Affine(_) => "affine",
            Kind::Randaugment(_) => "randaugment",
            Kind::TrivialAugmentWide(_) => "trivial_augment_wide",
            Kind::AutoAugment(_) => "auto_augment",
            Kind::Augmix(_) => "augmix",
            Kind::ColorJitter(_) => "color_jitter",
            Kind::GaussianBlur(_) => "gaussian_blur",
            Kind::GaussianNoise(_) => "gaussian_noise",
            Kind::Cutout(_) => "cutout",
            Kind::RandomErasing(_) => "random_erasing",
            Kind::Apply(_) => "apply",
        }
    }
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

/// One of five crops, by the number of the view.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FiveCrop {
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
    /// Value of the padding.
    #[serde(default)]
    pub(crate) fill: Fill,
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
    /// How to read between pixels.
    #[serde(default)]
    pub(crate) sampling: Sampling,
    /// Value of what comes in from outside.
    #[serde(default)]
    pub(crate) fill: Fill,
}

/// How to read between pixels.
#[derive(Copy, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sampling {
    /// The pixel that covers the place.
    Nearest,
    /// Weighted mean of the four pixels around.
    #[default]
    Bilinear,
    /// Weighted mean of the sixteen pixels around.
    Bicubic,
}
