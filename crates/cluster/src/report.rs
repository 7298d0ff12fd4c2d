//! `report.json`: what a run did, for people and for machines.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use millstream_data::write_atomically;
use millstream_dataflow::{Evaluation, RoundStats};
use serde::{Deserialize, Serialize};

use crate::error::ClusterError;

/// One row of the table of rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundReport {
    /// The round, from 0.
    pub round: u32,
    /// The model that was trained, as the pipeline names it.
    pub model: String,
    /// blake3 of the model file, in hex.
    pub model_hash: String,
    /// Records with human labels that it learned from.
    pub labelled: u64,
    /// Distinct records with pseudo-labels that it learned from.
    pub pseudo_labelled: u64,
    /// The same counted with the copies that balancing made.
    pub pseudo_copies: u64,
    /// The share of these pseudo-labels that are right, where the truth is known.
    pub selection_precision: Option<f64>,
    /// The share of the test split that the model gets right.
    pub test_accuracy: f64,
    /// Records of the test split that were counted.
    pub test_total: u64,
    /// All figures of the test split; none if nothing was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Evaluation>,
    /// Optimisation steps.
    pub steps: u32,
    /// Mean loss over the last tenth of the steps; none when it is not a number.
    pub loss: Option<f64>,
    /// Training images a second, from the first step's start to the last step's end.
    pub images_per_second: f64,
    /// The share of that time in which the training node waited for batches.
    pub data_wait: f64,
    /// Seconds that the whole round took, passes over test and unlabelled images included.
    pub seconds: f64,
    /// Bad records that first showed in this round.
    pub dead_letters: u64,
    /// What this round's model, as a teacher, gave to the next round: counts by class, thresholds, churn.
    pub labels: Option<RoundStats>,
}

/// The machine and the settings that do not change the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of Millstream.
    pub millstream: String,
    /// Version of libtorch.
    pub libtorch: String,
    /// The device of the training node.
    pub device: String,
    /// Intra-operation threads of libtorch (part of the plan).
    pub threads: u32,
    /// Worker threads a process.
    pub workers: usize,
    /// Processes.
    pub processes: usize,
    /// Cores that the system reports.
    pub cores: usize,
}

/// The report of a run, complete or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The name of the pipeline.
    pub name: String,
    /// The seed.
    pub seed: u64,
    /// The hash of plan and data, in hex.
    pub plan_hash: String,
    /// Whether all rounds are done.
    pub complete: bool,
    /// Where and how it ran.
    pub environment: Environment,
    /// Records in each split.
    pub splits: BTreeMap<String, u64>,
    /// The rounds so far.
    pub rounds: Vec<RoundReport>,
    /// Distinct bad records.
    pub dead_letters: u64,
}

impl Report {
    /// Writes `report.json` into a run directory.
    pub(crate) fn write(&self, run: &Path) -> Result<(), ClusterError> {
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        write_atomically(&run.join("report.json"), |file| file.write_all(&text)).map_err(ClusterError::Data)
    }
}
