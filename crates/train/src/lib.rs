//! Training nodes on libtorch: models, losses, optimizers, schedules and the session that runs them.
//!
//! A [`Session`] is one training node. It trains a fresh model each round, one batch a step, answers with the
//! probabilities of the un-noised model, and keeps models as safetensors files. This is the only crate that
//! knows libtorch, and it knows neither the stream nor the pipeline's YAML.
//!
//! What holds here:
//! - Equal batches in equal order give equal models, bit for bit, on one machine with one number of threads.
//!   Random numbers (initial weights, dropout) are a function of seed, round and step, never of what ran before.
//! - A libtorch exception is a [`TrainError`], never a panic.
//! - libtorch's CUDA part is loaded at run time, so that one binary serves machines with and without a GPU.

mod config;
mod consistency;
mod device;
mod ema;
mod error;
mod gradients;
mod input;
mod kind;
mod leave;
mod loss;
mod mixing;
mod model;
mod optim;
mod parallel;
mod predict;
mod random;
mod ridge;
mod schedule;
mod session;
mod snapshot;
mod teacher;
mod transfer;
mod upload;
mod weights;

pub use config::{
    Clip, ConsistencyConfig, EmaConfig, Mapping, OptimizerKind, Precision, RoundConfig, ScheduleKind, SessionConfig,
    TeacherConfig, Threshold,
};
pub use device::{Device, Environment, probe, resolved};
pub use error::TrainError;
pub use kind::{EfficientNetSize, ModelKind, ModelSettings, ResNetDepth, VggDepth};
pub use leave::leave;
pub use model::ModelSize;
pub use predict::{Crop, Predictions};
pub use ridge::{Fitted, Ridge};
pub use schedule::learning_rate;
pub use session::{Session, StepMetrics};
pub use snapshot::{Snapshot, read_note};
pub use transfer::{Change, Freeze, Loaded, RateGroup, Rates, Reshaped, Transfer};
