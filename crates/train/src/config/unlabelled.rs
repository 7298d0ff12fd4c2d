//! How images without human labels teach.

use std::path::PathBuf;

use super::{above_zero, require};
use crate::TrainError;

/// How sure the model must be of an unlabelled image for its word to count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// Equally sure of all classes, in `[0, 1]`.
    Fixed(f64),
    /// FlexMatch: less sure of classes that it has learnt less of.
    Flexible {
        /// The highest threshold, in `(0, 1]`.
        tau: f64,
        /// Whether thresholds start low, while there are many images that the model has never been sure of.
        warmup: bool,
        /// From a class's share of what the best class has learnt to its share of `tau`.
        mapping: Mapping,
    },
}

/// A growing function of [0, 1] onto itself (FlexMatch, section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// `x / (2 - x)`.
    Convex,
    /// `x`.
    Linear,
    /// `ln(x + 1) / ln 2`.
    Concave,
}

/// Learning from unlabelled images by the model's own word on them.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsistencyConfig {
    /// The view that the model is asked about, whose word then holds for all other views of the image; none: each view is asked
    /// about itself.
    pub weak: Option<u8>,
    /// How sure it must be.
    pub threshold: Threshold,
    /// The weight of the mean over all unlabelled rows beside the mean over the labelled ones, at least 0.
    pub weight: f64,
    /// The shares of the round in which the weight is 0 before, and whole after; in [0, 1], the second not below the first.
    pub ramp: [f64; 2],
    /// The temperature of soft targets, above 0; none: the likeliest class.
    pub soft: Option<f64>,
    /// How many unlabelled images there are.
    pub images: u64,
    /// Whether the averaged weights are asked, if there are any, with their running statistics.
    pub mean_teacher: bool,
}

/// A model whose word is learnt while it stays as it is: `task CE + weight T^2 KL` (Hinton et al. 2015).
#[derive(Clone, Debug, PartialEq)]
pub struct TeacherConfig {
    /// A model file of a Millstream run, of the same classes and channels.
    pub path: PathBuf,
    /// The temperature T at which student and teacher are compared, above 0.
    pub temperature: f64,
    /// What the labels weigh, at least 0.
    pub task: f64,
    /// What the teacher weighs, at least 0.
    pub weight: f64,
}

impl ConsistencyConfig {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        let (tau, least) = match self.threshold {
            Threshold::Fixed(tau) => (tau, 0.0),
            Threshold::Flexible { tau, .. } => (tau, f64::MIN_POSITIVE),
        };
        require((least..=1.0).contains(&tau), "threshold", tau, "it is a probability")?;
        weight("weight", self.weight)?;
        let [from, to] = self.ramp;
        require(0.0 <= from && from <= to && to <= 1.0, "ramp", from, "it is two growing shares of the round")?;
        self.soft.map_or(Ok(()), |temperature| above_zero("temperature", temperature))
    }
}

impl TeacherConfig {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        above_zero("temperature", self.temperature)?;
        weight("task", self.task)?;
        weight("weight", self.weight)
    }
}

fn weight(setting: &'static str, value: f64) -> Result<(), TrainError> {
    require(value.is_finite() && value >= 0.0, setting, value, "it is a number of at least 0")
}
