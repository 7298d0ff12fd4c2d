//! What is told to the journal, and the lines that it makes of that.

use serde::{Deserialize, Serialize};

/// One optimisation step, as the training node reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// The round, from 0.
    pub round: u32,
    /// The epoch on labelled images, from 0.
    pub epoch: u32,
    /// The step within the round, from 0.
    pub step: u32,
    /// Images in its batch.
    pub images: u32,
    /// Mean loss of the batch, in nats.
    pub loss: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// Images with human labels in its batch.
    pub labelled: u32,
    /// How many of them the model took for what they are, before the update.
    pub labelled_correct: u32,
    /// Unlabelled images that the model was asked about, to learn from its own word.
    pub asked: u32,
    /// How many of them it was sure enough of.
    pub accepted: u32,
    /// Seconds that the training node waited for the batch.
    pub waited: f64,
    /// Seconds of the step itself.
    pub seconds: f64,
}

/// The figures of one round's model over a split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Records that were counted.
    pub total: u64,
    /// Top-1 accuracy, 0 to 1.
    pub accuracy: f64,
    /// Top-5 accuracy, 0 to 1; none where there are at most five classes.
    pub top5: Option<f64>,
    /// Mean negative log-likelihood, in nats.
    pub loss: f64,
    /// Expected calibration error, 0 to 1.
    pub ece: f64,
    /// The same at the temperature that the model was given, if it was.
    pub calibrated: Option<Calibrated>,
    /// Equal bins of the confidence from 0 to 1, the least confident first.
    pub bins: Vec<Bin>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// Records for each pair of true and predicted class that came up.
    pub confusion: Vec<((u32, u32), u64)>,
}

/// What the temperature of a model makes of its figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibrated {
    /// The temperature; above 1 for a model that was too sure.
    pub temperature: f64,
    /// Mean negative log-likelihood at it, in nats.
    pub loss: f64,
    /// Expected calibration error at it, 0 to 1.
    pub ece: f64,
}

/// The answers whose confidence lies in one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// How many there are.
    pub total: u64,
    /// Their mean confidence, 0 to 1.
    pub confidence: f64,
    /// The share of right ones, 0 to 1.
    pub accuracy: f64,
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "pass", rename_all = "lowercase")]
pub(crate) enum Line {
    Train(Training),
    Validation(Scores),
    Test(Scores),
}

impl Line {
    /// Round and step within it that the line tells of; a round is tested after all of its steps.
    pub(crate) fn at(&self) -> (u32, u32) {
        match self {
            Line::Train(training) => (training.round, training.step),
            Line::Validation(scores) | Line::Test(scores) => (scores.round, u32::MAX),
        }
    }
}

/// Training over an interval of steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Training {
    pub(crate) round: u32,
    pub(crate) epoch: u32,
    /// The last step of the interval, within the round, from 0.
    pub(crate) step: u32,
    /// Steps of the run that were then done, those of earlier rounds included.
    pub(crate) global_step: u64,
    /// Mean over the images; none if there were none.
    pub(crate) loss: Option<f64>,
    /// Of the last step.
    pub(crate) learning_rate: f64,
    /// Over the images with human labels; none if there were none.
    pub(crate) accuracy: Option<f64>,
    /// Of the unlabelled images that the model was asked about, the share that it was sure enough of; none if it was asked about none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accepted: Option<f64>,
    pub(crate) images_per_second: f64,
    /// Seconds that the training node waited for batches.
    pub(crate) data_wait_seconds: f64,
    /// Seconds of the steps themselves.
    pub(crate) step_seconds: f64,
}

impl Training {
    /// The share of the time in which the training node waited for batches.
    pub(crate) fn data_wait_share(&self) -> f64 {
        quotient(self.data_wait_seconds, self.data_wait_seconds + self.step_seconds).unwrap_or(0.0)
    }
}

/// The model of a round over a split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scores {
    pub(crate) round: u32,
    pub(crate) global_step: u64,
    pub(crate) total: u64,
    pub(crate) accuracy: f64,
    pub(crate) top5: Option<f64>,
    pub(crate) loss: f64,
    pub(crate) ece: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) calibrated: Option<Calibrated>,
}

/// `a / b`, where that is a number.
pub(crate) fn quotient(a: f64, b: f64) -> Option<f64> {
    Some(a / b).filter(|share| share.is_finite())
}
