//! What a session and a round are told: plain values, and their ranges.

use std::path::PathBuf;

use millstream_data::Shape;
use serde::{Deserialize, Serialize};

use crate::{Device, ModelKind, TrainError, Transfer};

/// How gradients become updates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum OptimizerKind {
    /// Stochastic gradient descent with momentum, in PyTorch's form.
    Sgd {
        /// The highest learning rate of the schedule, above 0.
        lr: f64,
        /// Share of the last update that is kept, in `[0, 1)`.
        momentum: f64,
        /// Nesterov's look-ahead; needs momentum.
        nesterov: bool,
        /// Weight decay, at least 0. Norms and biases are never decayed.
        weight_decay: f64,
    },
}

/// How the learning rate moves over the steps of a round. Momentum stays as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleKind {
    /// Always the same.
    Constant,
    /// A linear rise, then half a cosine down to 0.
    Cosine {
        /// Steps of the rise.
        warmup: u32,
    },
    /// PyTorch's `OneCycleLR` with cosine annealing: from 1/25 up to the full rate, then down to 1/250,000.
    OneCycle {
        /// The share of the steps that rises, in `[0, 1]`.
        warmup: f64,
    },
}

/// One round of training.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundConfig {
    /// The model to train.
    pub model: ModelKind,
    /// A file of weights to start from: safetensors or a state dict of PyTorch, of any program; none: fresh ones.
    pub weights: Option<PathBuf>,
    /// What of the model trains, and how fast.
    pub transfer: Transfer,
    /// Whether each view of a record is the same image whenever it comes, so that what a frozen body makes of it may be
    /// kept.
    pub features_keep: bool,
    /// Optimisation steps of the round, above 0.
    pub steps: u32,
    /// How gradients become updates.
    pub optimizer: OptimizerKind,
    /// How the learning rate moves.
    pub schedule: ScheduleKind,
    /// The share of a hard label that is spread evenly over all classes, in `[0, 1)`.
    pub label_smoothing: f64,
    /// The decay of the averaged weights that predict and are saved, in `(0, 1)`; none: the trained weights themselves.
    pub ema: Option<f64>,
    /// The weight of the unlabelled mean in the loss, at least 0. With mu unlabelled images for each labelled
    /// one, mu gives every image the same weight.
    pub unlabelled_weight: f64,
}

/// What holds for all rounds of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionConfig {
    /// The seed of initial weights and dropout.
    pub seed: u64,
    /// Class names; the index is the class. At least two.
    pub classes: Vec<String>,
    /// The shape of every image.
    pub shape: Shape,
    /// Mean of each channel, of pixels scaled to `[0, 1]`.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, of pixels scaled to `[0, 1]`; above 0.
    pub std: Vec<f32>,
    /// Where to train.
    pub device: Device,
    /// libtorch's threads within an operation. Float sums depend on it.
    pub threads: u32,
}

/// Refuses a value outside its range, not-a-number included.
pub(crate) fn require(
    ok: bool,
    setting: &'static str,
    value: impl ToString,
    why: &'static str,
) -> Result<(), TrainError> {
    if ok { Ok(()) } else { Err(TrainError::Setting { setting, value: value.to_string(), why }) }
}

impl RoundConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the first setting that is out of range.
    pub fn check(&self) -> Result<(), TrainError> {
        let share = 0.0..1.0;
        require(self.steps > 0, "steps", self.steps, "a round needs at least one step")?;
        require(share.contains(&self.label_smoothing), "label_smoothing", self.label_smoothing, "it lies in [0, 1)")?;
        let weight = self.unlabelled_weight;
        require(weight.is_finite() && weight >= 0.0, "unlabelled_weight", weight, "it is a number of at least 0")?;
        if let Some(decay) = self.ema {
            require(decay > 0.0 && decay < 1.0, "ema", decay, "it lies between 0 and 1; leave it out for no average")?;
        }
        self.model.check()?;
        self.transfer.check()?;
        self.optimizer.check()?;
        self.schedule.check(self.steps)
    }
}

impl OptimizerKind {
    fn check(&self) -> Result<(), TrainError> {
        let OptimizerKind::Sgd { lr, momentum, nesterov, weight_decay } = *self;
        require(lr.is_finite() && lr > 0.0, "lr", lr, "a learning rate is a number above 0")?;
        require((0.0..1.0).contains(&momentum), "momentum", momentum, "it lies in [0, 1)")?;
        require(!nesterov || momentum > 0.0, "nesterov", nesterov, "it needs a momentum above 0")?;
        let decay = weight_decay;
        require(decay.is_finite() && decay >= 0.0, "weight_decay", decay, "it is a number of at least 0")
    }
}

impl ScheduleKind {
    fn check(&self, steps: u32) -> Result<(), TrainError> {
        match *self {
            ScheduleKind::Constant => Ok(()),
            ScheduleKind::Cosine { warmup } => {
                require(warmup < steps, "warmup", warmup, "the rise must be shorter than the round's steps")
            }
            ScheduleKind::OneCycle { warmup } => {
                require((0.0..=1.0).contains(&warmup), "warmup", warmup, "it is a share of the steps, in [0, 1]")
            }
        }
    }
}

impl SessionConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the first setting that is out of range.
    pub fn check(&self) -> Result<(), TrainError> {
        let channels = usize::from(self.shape.channels);
        let sides = self.shape.height.min(self.shape.width);
        require(self.classes.len() >= 2, "classes", self.classes.len(), "a classifier needs at least two classes")?;
        require(sides > 0 && channels > 0, "size", format!("{:?}", self.shape), "no side may be 0")?;
        let (mean, std) = (format!("{:?}", self.mean), format!("{:?}", self.std));
        require(self.mean.len() == channels, "mean", &mean, "it needs one number a channel")?;
        require(self.std.len() == channels, "std", &std, "it needs one number a channel")?;
        require(self.mean.iter().all(|mean| mean.is_finite()), "mean", &mean, "every number must be finite")?;
        let positive = |std: &f32| std.is_finite() && *std > 0.0;
        require(self.std.iter().all(positive), "std", &std, "every number must be above 0")?;
        let threads = self.threads;
        require((1..=1024).contains(&threads), "threads", threads, "libtorch takes 1 to 1024 threads")
    }
}
