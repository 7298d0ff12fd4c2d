//! What can go wrong on a training node, by meaning.

use std::path::PathBuf;

use millstream_c10d::C10Error;
use tch::TchError;

/// Why a training node cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting lies outside its range.
    #[error("the setting `{setting}` cannot be {value}: {why}")]
    Setting {
        /// The setting, in the words of the pipeline's YAML.
        setting: &'static str,
        /// The value that was given.
        value: String,
        /// The range, and what to do.
        why: &'static str,
    },
    /// There is no such model, or it has no such setting.
    #[error("{0}")]
    Model(String),
    /// The images are too small for the poolings of the model.
    #[error(
        "{model} cannot take images of {height}x{width}: each side must have at least {minimum} pixels; \
         enlarge the stream's size or choose a smaller model"
    )]
    ImageTooSmall {
        /// Name of the model.
        model: &'static str,
        /// Height of the images, in pixels.
        height: u32,
        /// Width of the images, in pixels.
        width: u32,
        /// The least side that the model takes, in pixels.
        minimum: u32,
    },
    /// A batch does not fit the session or contradicts itself.
    #[error("a batch does not fit the model: {0}")]
    Batch(String),
    /// A step or prediction was asked for while there is no model to do it with.
    #[error("{asked} was asked for before a round began: call `begin` first")]
    NoRound {
        /// What was asked for.
        asked: &'static str,
    },
    /// The loss is no longer a number.
    #[error(
        "training diverged in round {round} at step {step}: the loss is {loss}; \
         lower the learning rate or lengthen its warm-up"
    )]
    Diverged {
        /// The round.
        round: u32,
        /// The step within the round.
        step: u32,
        /// The loss: infinite or not a number.
        loss: f64,
    },
    /// A pattern of tensor names is of none.
    #[error("the pattern `{pattern}` of `{setting}` is of no tensor that trains; there are {names}")]
    Pattern {
        /// The setting, in the words of the pipeline's YAML.
        setting: &'static str,
        /// The pattern.
        pattern: String,
        /// Some names that there are.
        names: String,
    },
    /// Given tensors are not those of the model.
    #[error("the weights are not those of the model: {0}")]
    Tensors(String),
    /// Given tensors are not the state of the optimizer.
    #[error("the state is not that of the optimizer: {0}")]
    Optimizer(String),
    /// A model file could not be read or written.
    #[error("cannot {doing} the model file {}: {source}", path.display())]
    File {
        /// `read` or `write`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file is not a model of ours, or is damaged.
    #[error("{} is not a usable model file: {reason}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What was found, what was expected, what to do.
        reason: String,
    },
    /// The asked-for device is not there.
    #[error("CUDA was asked for but cannot be used: {reason}; use `--device auto` or `--device cpu`")]
    NoCuda {
        /// Why CUDA cannot be used.
        reason: String,
    },
    /// libtorch refused.
    #[error("libtorch failed while {doing}: {reason}")]
    Torch {
        /// What was being done.
        doing: &'static str,
        /// The first line of what libtorch said: the rest is a C++ stack.
        reason: String,
    },
}

/// Says what was being done when libtorch refused.
pub(crate) trait While<T> {
    /// Turns libtorch's error into ours, with `doing` (as in "while running the model").
    fn during(self, doing: &'static str) -> Result<T, TrainError>;
}

impl<T> While<T> for Result<T, TchError> {
    fn during(self, doing: &'static str) -> Result<T, TrainError> {
        self.map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().next().unwrap_or("no reason given").to_owned();
            TrainError::Torch { doing, reason }
        })
    }
}

impl From<C10Error> for TrainError {
    fn from(C10Error { doing, reason }: C10Error) -> TrainError {
        TrainError::Torch { doing, reason }
    }
}
