//! What the stream tells the process around it.

use std::sync::Arc;

use millstream_data::{DeadLetter, LabelRow};
use millstream_labels::RoundStats;
use serde::{Deserialize, Serialize};

use crate::trainer::{ModelHash, StepMetrics};

/// News from the stream, in the order in which worker 0 learns of it.
#[derive(Clone, Debug)]
pub enum Event {
    /// A training step ended.
    Stepped {
        /// The round.
        round: u32,
        /// The step within the round, from 0.
        step: u32,
        /// Its figures.
        metrics: StepMetrics,
    },
    /// A batch of the test or labelling pass came back.
    Predicted {
        /// The round.
        round: u32,
        /// Whether it was the labelling pass (else the test pass).
        labelling: bool,
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
    /// The count over the test split.
    pub test: Tally,
    /// What the teacher of this round said of each unlabelled record, by record number.
    pub labels: Vec<LabelRow>,
    /// What the label book made of it.
    pub selection: Option<RoundStats>,
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

/// Right answers among answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Records whose most probable class is their label.
    pub correct: u64,
    /// Records that were counted.
    pub total: u64,
}

impl Tally {
    /// The share of right answers, 0 when nothing was counted.
    pub fn accuracy(&self) -> f64 {
        if self.total == 0 { 0.0 } else { self.correct as f64 / self.total as f64 }
    }
}
