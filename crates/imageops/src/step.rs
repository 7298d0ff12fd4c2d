//! The steps of a view, as the user writes them: with ranges and probabilities, before any random choice.

mod check;
mod resolve;

use serde::Serialize;

use crate::op::{Fill, Filter, Op, Sampling};

/// One step of a [`View`](crate::View).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Resizes to exactly this size, in pixels.
    Resize {
        /// Height in pixels.
        height: u32,
        /// Width in pixels.
        width: u32,
        /// How to resample.
        filter: Filter,
    },
    /// Resizes so that the shorter side is `size` pixels and the aspect ratio stays (torchvision's `Resize(int)`).
    ResizeShort {
        /// The shorter side, in pixels.
        size: u32,
        /// How to resample.
        filter: Filter,
    },
    /// A random area of the image, resized (torchvision's `RandomResizedCrop`): up to ten draws of an area share and an
    /// aspect ratio, then the largest centred area whose ratio is allowed.
    RandomResizedCrop {
        /// Smallest and largest share of the area, in (0, 1].
        scale: (f32, f32),
        /// Smallest and largest width / height, drawn evenly in the logarithm.
        ratio: (f32, f32),
        /// Height of the result in pixels.
        height: u32,
        /// Width of the result in pixels.
        width: u32,
        /// How to resample.
        filter: Filter,
    },
    /// Cuts out the middle. Where the image is smaller the rest is black.
    CenterCrop {
        /// Height in pixels.
        height: u32,
        /// Width in pixels.
        width: u32,
    },
    /// One of five crops: top-left, top-right, bottom-left, bottom-right, middle, by the number of the sample's view
    /// ([`SampleKey::view`](crate::SampleKey), modulo 5). Where the image is smaller the rest is black.
    FiveCrop {
        /// Height in pixels.
        height: u32,
        /// Width in pixels.
        width: u32,
    },
    /// Pads all four sides, then cuts out the old size at a random place (the CIFAR recipe).
    PadCrop {
        /// Padding on each side in pixels.
        pad: u32,
        /// Value of the padding.
        fill: Fill,
    },
    /// Mirrors with probability `p`.
    RandomFlip {
        /// Left-right if true, else top-bottom.
        horizontal: bool,
        /// Probability in [0, 1].
        p: f32,
    },
    /// Rotates, shears and shifts at once about the centre. Rotation is uniform in +/-`degrees`; shear and shift are
    /// drawn for each axis on its own, uniform in +/-`shear` and +/-`translate`.
    RandomAffine {
        /// Largest rotation in degrees, 0 to 180.
        degrees: f32,
        /// Largest shear as a tangent, 0 to 2.
        shear: f32,
        /// Largest shift in pixels.
        translate: f32,
        /// How to read between pixels.
        sampling: Sampling,
        /// Value of what comes in from outside.
        fill: Fill,
    },
    /// RandAugment: `ops` ops drawn with replacement, all at one magnitude.
    RandAugment {
        /// Whose list of ops, scale and sampling.
        variant: Variant,
        /// How many ops are drawn, 0 to 64.
        ops: u32,
        /// Magnitude: a whole number of 0 to `bins - 1` (torchvision, dali); 0 to 100, where more than 10 is cut to 10
        /// (timm); 0 to 100, where M / 10 is the level and nothing is cut (tf); 0 to 10, where M / 10 is the level (fixmatch).
        magnitude: f32,
        /// Standard deviation of the magnitude from op to op (timm's `mstd`); above 100 the magnitude is uniform in
        /// 0..=magnitude. 0 in the other variants, which have no such thing.
        deviation: f32,
        /// Number of magnitudes (torchvision, dali), 2 to 1001; the others ignore it.
        bins: u32,
        /// Probability of each drawn op to be applied, in [0, 1]; timm 0.5, the others 1.
        p: f32,
        /// Value of what comes in from outside.
        fill: Fill,
    },
    /// TrivialAugmentWide (Mueller, Hutter 2021): one op at a magnitude drawn for each image, as in torchvision.
    TrivialAugmentWide {
        /// Number of magnitudes, 31 in torchvision.
        bins: u32,
        /// Value of what comes in from outside.
        fill: Fill,
    },
    /// AutoAugment (Cubuk et al. 2019): one of 25 learned pairs of ops, as in torchvision.
    AutoAugment {
        /// Which learned policy.
        policy: LearnedPolicy,
        /// Value of what comes in from outside.
        fill: Fill,
    },
    /// AugMix (Hendrycks et al. 2020), as in torchvision.
    AugMix {
        /// Strength, 1 to 10; 3 in torchvision.
        severity: u32,
        /// Number of chains, 1 to 10; 3 in torchvision.
        width: u32,
        /// Ops in a chain, 1 to 10; drawn from 1 to 3 for each chain if none (torchvision's -1).
        depth: Option<u32>,
        /// Parameter of the Dirichlet and Beta distributions of the weights, above 0; 1 in torchvision.
        alpha: f32,
        /// Whether brightness, colour, contrast and sharpness are among the ops (not for tests on ImageNet-C).
        all_ops: bool,
        /// Value of what comes in from outside.
        fill: Fill,
    },
    /// torchvision's `ColorJitter`: brightness, contrast, saturation and hue in random order, each by a random amount.
    ColorJitter {
        /// The factor is uniform in `max(0, 1 - b) ..= 1 + b`; 0 leaves it out.
        brightness: f32,
        /// As brightness.
        contrast: f32,
        /// As brightness.
        saturation: f32,
        /// The turn is uniform in +/- this share of the colour circle, 0 to 0.5.
        hue: f32,
    },
    /// Blurs with probability `p` by a radius uniform in `sigma`.
    RandomBlur {
        /// Smallest and largest standard deviation in pixels.
        sigma: (f32, f32),
        /// Probability in [0, 1].
        p: f32,
    },
    /// Adds normal noise with probability `p`.
    RandomNoise {
        /// Standard deviation on the scale of 0..=255.
        sigma: f32,
        /// Probability in [0, 1].
        p: f32,
    },
    /// Cutout (DeVries, Taylor 2017): erases a square about a random pixel, cut at the edges, with probability `p`.
    Cutout {
        /// Side of the square in pixels.
        size: u32,
        /// Value of the square.
        fill: Fill,
        /// Probability in [0, 1].
        p: f32,
    },
    /// Random erasing (Zhong et al. 2020) as torchvision's `RandomErasing`: up to ten draws of an area share and an aspect
    /// ratio that lie wholly inside; if none fits, nothing is erased.
    RandomErasing {
        /// Smallest and largest share of the area; torchvision (0.02, 0.33).
        scale: (f32, f32),
        /// Smallest and largest height / width, drawn evenly in the logarithm; torchvision (0.3, 3.3).
        ratio: (f32, f32),
        /// Noise in each value rather than the fill value.
        noise: bool,
        /// Value of the area without noise.
        fill: Fill,
        /// Probability in [0, 1]; torchvision 0.5.
        p: f32,
    },
    /// A fixed op, applied with probability `p`.
    Apply {
        /// The op.
        op: Op,
        /// Value of what comes in from outside.
        fill: Fill,
        /// Probability in [0, 1].
        p: f32,
    },
}

/// The families of RandAugment. One magnitude means something else in each.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// torchvision's `RandAugment`: 14 ops, magnitude 0 to `bins - 1`, nearest sampling.
    Torchvision,
    /// timm's `rand-mM-nN`: 15 ops, each applied with probability `p`, random bilinear or bicubic sampling.
    Timm,
    /// timm's `rand-mM-nN-inc1`: as timm, but a larger magnitude is always the stronger change.
    TimmInc,
    /// The TPU code of EfficientNet and Noisy Student: 16 ops with cutout, level M / 10 without an upper bound.
    Tf,
    /// NVIDIA DALI's `rand_augment`: 14 ops, bilinear sampling, absolute scale of 224 pixels made relative.
    Dali,
    /// The ImageNet code of FixMatch: the 16 ops of `tf` and identity, levels 0 to 1.
    Fixmatch,
}

/// The learned policies of AutoAugment.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LearnedPolicy {
    /// Learned on ImageNet.
    ImageNet,
    /// Learned on CIFAR-10.
    Cifar10,
    /// Learned on SVHN.
    Svhn,
}

impl Step {
    /// Name of the step as it is written in a pipeline.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Step::Resize { .. } => "resize",
            Step::ResizeShort { .. } => "resize_short",
            Step::RandomResizedCrop { .. } => "random_resized_crop",
            Step::CenterCrop { .. } => "center_crop",
            Step::FiveCrop { .. } => "five_crop",
            Step::PadCrop { .. } => "pad_crop",
            Step::RandomFlip { .. } => "flip",
            Step::RandomAffine { .. } => "affine",
            Step::RandAugment { .. } => "randaugment",
            Step::TrivialAugmentWide { .. } => "trivial_augment_wide",
            Step::AutoAugment { .. } => "auto_augment",
            Step::AugMix { .. } => "augmix",
            Step::ColorJitter { .. } => "color_jitter",
            Step::RandomBlur { .. } => "gaussian_blur",
            Step::RandomNoise { .. } => "gaussian_noise",
            Step::Cutout { .. } => "cutout",
            Step::RandomErasing { .. } => "random_erasing",
            Step::Apply { op, .. } => op.name(),
        }
    }

    /// Whether two samples of one image may differ.
    #[must_use]
    pub fn is_random(&self) -> bool {
        match self {
            Step::Resize { .. } | Step::ResizeShort { .. } | Step::CenterCrop { .. } | Step::FiveCrop { .. } => false,
            Step::Apply { p, .. } => *p > 0.0 && *p < 1.0,
            _ => true,
        }
    }
}
