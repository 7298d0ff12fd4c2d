//! What the stream tells the process around it.

use std::sync::Arc;

use millstream_data::{DeadLetter, LabelRow};
use millstream_labels::{Precision, RoundStats, Temperature};
use serde::{Deserialize, Serialize};

use crate::schedule::Pass;
use crate::tally::Tally;
use crate::trainer::{ModelHash, StepMetrics};

/// News from the stream: of batches as soon as the training node is through with them, of all else in the order in which worker 0
/// learns of it.
#[derive(Clone, Debug)]
pub enum Event {
    /// A training step ended.
    Stepped {
        /// The round.
        round: u32,
        /// The step within the round, from 0.
        step: u32,
        /// The epoch on labelled images, from 0.
        epoch: u32,
        /// Images in its batch.
        images: u32,
        /// Its figures.
        metrics: StepMetrics,
        /// What it took.
        time: StepTime,
    },
    /// A batch came back of which the model was only asked.
    Predicted {
        /// The round.
        round: u32,
        /// In which pass; never that of training.
        pass: Pass,
        /// Images in it.
        images: u32,
    },
    /// A record is bad. Told once for each key.
    Dead(DeadLetter),
    /// A round is complete on every worker: nothing more can come for it.
    Round(Box<RoundResult>),
}

/// Where events go. Called on worker threads: it must not block for long.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;

/// All that one round produced.
#[derive(Clone, Debug, Default)]
pub struct RoundResult {
    /// The round.
    pub round: u32,
    /// How training went; none if the job did not train.
    pub trained: Option<Trained>,
    /// The count over the validation split.
    pub validation: Tally,
    /// The count over the test split.
    pub test: Tally,
    /// The temperature that its labels were brought to, if they were.
    pub calibration: Option<Calibration>,
    /// What the teacher of this round said of each unlabelled record, by record number.
    pub labels: Vec<LabelRow>,
    /// What the label book made of it.
    pub selection: Option<RoundStats>,
}

/// Where the time of a training step went, on the clock of the training thread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepTime {
    /// Seconds that the training node waited for the batch; 0 for the first of a round.
    pub waited: f64,
    /// Whether the batch was there when the training node asked for it.
    pub ready: bool,
    /// Seconds of the step itself.
    pub seconds: f64,
}

/// The training part of a round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// The hash of the model file.
    pub model: ModelHash,
    /// Optimisation steps.
    pub steps: u32,
    /// Images that went through training, since the round began or was taken up again.
    pub images: u64,
    /// Seconds from the first step's start to the last step's end.
    pub seconds: f64,
    /// Seconds of these that the training node waited for batches.
    pub waited: f64,
    /// Mean loss of the last tenth of the steps.
    pub loss: f64,
}

/// What calibration made of a round's model.
///
/// The counts over the validation split are flattering, since the temperature was fitted to these very records; those over the
/// test split are not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The temperature.
    pub temperature: Temperature,
    /// The count over the validation split at this temperature.
    pub validation: Tally,
    /// The count over the test split at this temperature.
    pub test: Tally,
    /// How right the labels of the validation split are that selection would take.
    pub precision: Precision,
}
