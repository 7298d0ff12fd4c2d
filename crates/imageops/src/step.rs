//! The steps of a view, as the user writes them: with ranges and probabilities, before any random choice.

mod check;
mod resolve;

use crate::op::{Filter, Op};

/// One step of a [`View`](crate::View).
#[derive(Clone, Debug, PartialEq)]
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
    /// Pads all four sides, then cuts out the old size at a random place (the CIFAR recipe).
    PadCrop {
        /// Padding on each side in pixels.
        pad: u32,
        /// Value of the padding.
        fill: u8,
    },
    /// Mirrors with probability `p`.
    RandomFlip {
        /// Left-right if true, else top-bottom.
        horizontal: bool,
        /// Probability in [0, 1].
        p: f32,
    },
    /// Rotates, shears and shifts at once about the centre, bilinear. Rotation is uniform in +/-`degrees`; shear and shift are
    /// drawn for each axis on its own, uniform in +/-`shear` and +/-`translate`.
    RandomAffine {
        /// Largest rotation in degrees, 0 to 180.
        degrees: f32,
        /// Largest shear as a tangent, 0 to 2.
        shear: f32,
        /// Largest shift in pixels.
        translate: f32,
        /// Value of what comes in from outside.
        fill: u8,
    },
    /// RandAugment with torchvision's 14 ops and scale, nearest sampling.
    RandAugment {
        /// How many ops are drawn, with replacement.
        ops: u32,
        /// Magnitude, 0 to `bins - 1`.
        magnitude: u32,
        /// Number of magnitudes, 31 in torchvision.
        bins: u32,
        /// Value of what comes in from outside.
        fill: u8,
    },
    /// A fixed op, applied with probability `p`; outside is black.
    Apply {
        /// The op.
        op: Op,
        /// Probability in [0, 1].
        p: f32,
    },
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
            Step::PadCrop { .. } => "pad_crop",
            Step::RandomFlip { .. } => "flip",
            Step::RandomAffine { .. } => "affine",
            Step::RandAugment { .. } => "randaugment",
            Step::Apply { op, .. } => op.name(),
        }
    }
}
