//! Augmentation policies: steps that draw their ops from a table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Fill;

/// A few ops drawn at random.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RandAugment {
    /// Whose ops, scale and sampling. One magnitude means something else in each.
    pub(crate) variant: Variant,
    /// Ops drawn for each image (N).
    #[schemars(range(min = 0, max = 64))]
    pub(crate) ops: u32,
    /// Their strength (M): a whole number of 0 to `bins` - 1 for torchvision and dali, 0 to 100 for timm and timm-inc
    /// (where more than 10 is cut to 10) and for tf, 0 to 10 for fixmatch.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub(crate) magnitude: f64,
    /// Standard deviation of the strength from op to op (timm's mstd), only for timm and timm-inc: 0 unless given.
    /// Above 100 the strength is uniform from 0 to `magnitude`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub(crate) deviation: Option<f64>,
    /// Number of strengths, only for torchvision and dali: 31 unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1001))]
    pub(crate) bins: Option<u32>,
    /// Probability of each drawn op to be applied. Without it: 0.5 for timm and timm-inc, else 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) p: Option<f64>,
    /// Value of what comes in from outside. Without it: 0 for torchvision; the mean of `stream.normalize` for timm and
    /// timm-inc; 128 for the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fill: Option<Fill>,
}

impl Default for RandAugment {
    fn default() -> Self {
        let (deviation, bins, p, fill) = (None, None, None, None);
        RandAugment { variant: Variant::Torchvision, ops: 2, magnitude: 9.0, deviation, bins, p, fill }
    }
}

/// The families of RandAugment.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Variant {
    /// torchvision's RandAugment: 14 ops, nearest sampling.
    Torchvision,
    /// timm's `rand-mM-nN`: 15 ops, each applied with probability `p`.
    Timm,
    /// timm's `rand-mM-nN-inc1`: a larger magnitude is always the stronger change.
    TimmInc,
    /// The TPU code of EfficientNet and Noisy Student: 16 ops with cutout, level M / 10 without an upper bound.
    Tf,
    /// NVIDIA DALI's `rand_augment`: 14 ops, bilinear sampling.
    Dali,
    /// The ImageNet code of FixMatch: the ops of `tf` and identity, level M / 10.
    Fixmatch,
}

/// One op at a strength drawn for each image.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TrivialAugmentWide {
    /// Number of strengths.
    #[schemars(range(min = 2, max = 1001))]
    pub(crate) bins: u32,
    /// Value of what comes in from outside.
    pub(crate) fill: Fill,
}

impl Default for TrivialAugmentWide {
    fn default() -> Self {
        TrivialAugmentWide { bins: 31, fill: Fill::default() }
    }
}

/// One of 25 learned pairs of ops.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AutoAugment {
    /// What it was learned on.
    pub(crate) policy: LearnedPolicy,
    /// Value of what comes in from outside.
    pub(crate) fill: Fill,
}

/// The learned policies of AutoAugment.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LearnedPolicy {
    /// Learned on ImageNet.
    #[default]
    ImageNet,
    /// Learned on CIFAR-10.
    Cifar10,
    /// Learned on SVHN.
    Svhn,
}

/// The image mixed with itself after chains of ops.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AugMix {
    /// Strength of the ops.
    #[schemars(range(min = 1, max = 10))]
    pub(crate) severity: u32,
    /// Number of chains.
    #[schemars(range(min = 1, max = 10))]
    pub(crate) width: u32,
    /// Ops in a chain. Without it 1 to 3, drawn for each chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub(crate) depth: Option<u32>,
    /// Parameter of the Dirichlet and Beta distributions that weigh the chains.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) alpha: f64,
    /// Whether brightness, colour, contrast and sharpness are among the ops. Not for tests on ImageNet-C.
    pub(crate) all_ops: bool,
    /// Value of what comes in from outside.
    pub(crate) fill: Fill,
}

impl Default for AugMix {
    fn default() -> Self {
        AugMix { severity: 3, width: 3, depth: None, alpha: 1.0, all_ops: true, fill: Fill::default() }
    }
}
