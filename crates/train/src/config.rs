//! What a session and a round are told: plain values, and their ranges.

mod optimizer;
mod schedule;
mod unlabelled;

use std::path::PathBuf;

use millstream_data::Shape;
use serde::{Deserialize, Serialize};
use tch::Kind;

pub use optimizer::OptimizerKind;
pub use schedule::ScheduleKind;
pub use unlabelled::{ConsistencyConfig, Mapping, TeacherConfig, Threshold};

use crate::{Device, ModelKind, TrainError, Transfer};

/// How large gradients are made smaller before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// All gradients together to at most this L2 norm, above 0.
    Norm(f64),
    /// Each number to at most this from 0, above 0.
    Value(f64),
}

/// Averaged weights, which predict and are saved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmaConfig {
    /// The share of the average that stays at an update, in `(0, 1)`.
    pub decay: f64,
    /// Whether update `t`, from 0, keeps at most `1 - (1 + t)^(-2/3)`: the average forgets the fresh weights soon.
    pub warmup: bool,
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
    /// How gradients are clipped; none: not at all.
    pub clip: Option<Clip>,
    /// In how many equal parts, one after the other, the rows of a batch go through the model; at least 1. Gradients are those
    /// of the whole batch; batch norms see the parts.
    pub accumulate: u32,
    /// Whether batch norms take their statistics over the images of all sessions that train together, as PyTorch's `SyncBatchNorm`; else each
    /// over those of its own session. Of no effect where a session is alone. Sessions of one process must have no dropout or drop path then.
    pub sync_batch_norm: bool,
    /// The averaged weights that predict and are saved; none: the trained weights themselves.
    pub ema: Option<EmaConfig>,
    /// The weight of the unlabelled mean in the loss, at least 0. With mu unlabelled images for each labelled
    /// one, mu gives every image the same weight. With `consistency`, that has a weight of its own.
    pub unlabelled_weight: f64,
    /// The temperature of soft pseudo-labels at which students are compared with them: the loss is then `T^2 KL`; none: the
    /// cross-entropy with them as they are.
    pub distilled: Option<f64>,
    /// How unlabelled images teach that have no target; none: all rows have one.
    pub consistency: Option<ConsistencyConfig>,
    /// A model that is asked about each batch, if there is one.
    pub teacher: Option<TeacherConfig>,
}

/// The numbers that convolutions and linear layers compute with (Micikevicius et al. 2018, "Mixed Precision Training"). Weights and
/// their updates, the statistics of norms, logits and the loss are float32 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    Float32,
    /// 16 bits with the range of 32 (Kalamkar et al. 2019): several times faster on GPUs, and on CPUs that multiply such matrices (AMX);
    /// slower on others.
    BFloat16,
}

impl Precision {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Precision::Float32 => Kind::Float,
            Precision::BFloat16 => Kind::BFloat16,
        }
    }
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
    /// What the model computes with.
    pub precision: Precision,
    /// Whether a GPU uses kernels that give the same bits each time. They are slower; the CPU's always do.
    pub deterministic: bool,
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

fn above_zero(setting: &'static str, value: f64) -> Result<(), TrainError> {
    require(value.is_finite() && value > 0.0, setting, value, "it is a number above 0")
}

/// In `[0, 1)`.
fn share(setting: &'static str, value: f64) -> Result<(), TrainError> {
    require((0.0..1.0).contains(&value), setting, value, "it lies in [0, 1)")
}

impl RoundConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the first setting that is out of range.
    pub fn check(&self) -> Result<(), TrainError> {
        require(self.steps > 0, "steps", self.steps, "a round needs at least one step")?;
        share("label_smoothing", self.label_smoothing)?;
        let weight = self.unlabelled_weight;
        require(weight.is_finite() && weight >= 0.0, "unlabelled_weight", weight, "it is a number of at least 0")?;
        if let Some(Clip::Norm(most) | Clip::Value(most)) = self.clip {
            above_zero("clip", most)?;
        }
        require(self.accumulate > 0, "accumulate", self.accumulate, "a batch has at least one part")?;
        if let Some(EmaConfig { decay, .. }) = self.ema {
            require(decay > 0.0 && decay < 1.0, "ema", decay, "it lies between 0 and 1; leave it out for no average")?;
        }
        self.distilled.map_or(Ok(()), |temperature| above_zero("temperature", temperature))?;
        self.consistency.as_ref().map_or(Ok(()), ConsistencyConfig::check)?;
        self.teacher.as_ref().map_or(Ok(()), TeacherConfig::check)?;
        self.model.check()?;
        self.transfer.check()?;
        self.optimizer.check()?;
        self.schedule.check(self.steps)
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
