//! `report.json`: what a run did, for people and for machines.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use millstream_data::write_atomically;
use millstream_dataflow::{Calibration, Evaluation, Precision, RoundStats};
use serde::{Deserialize, Serialize};

use crate::error::ClusterError;
use crate::stages::Stages;

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
    /// Unlabelled records that it learned from without any selected label, by its own word or its teacher's.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unlabelled: u64,
    /// The share of the pseudo-labels that are right, where the truth is known.
    pub selection_precision: Option<f64>,
    /// All figures of the validation split, as the model itself has them; none where there is no such split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Evaluation>,
    /// What calibrating the model came to, where the plan asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationReport>,
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
    /// Where that time went, stage by stage; none in reports from before it was measured, and of a round of a single step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Stages>,
    /// Seconds that the whole round took, passes over test and unlabelled images included.
    pub seconds: f64,
    /// Bad records that first showed in this round.
    pub dead_letters: u64,
    /// What this round's model, as a teacher, gave to the next round: counts by class, thresholds, churn.
    pub labels: Option<RoundStats>,
}

/// The temperature of a round's model, and what it does.
///
/// Its figures on the validation split flatter it a little: the temperature was fitted to these very records. Those on the test
/// split do not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationReport {
    /// The temperature, 0.05 to 20; above 1 the model was too sure.
    pub temperature: f64,
    /// Expected calibration error on the validation split without the temperature, 0 to 1.
    pub ece_before: f64,
    /// The same at the temperature.
    pub ece_after: f64,
    /// Mean negative log-likelihood on the validation split without the temperature, in nats.
    pub loss_before: f64,
    /// The same at the temperature.
    pub loss_after: f64,
    /// Expected calibration error on the test split at the temperature; without it it is in the round's `test`.
    pub test_ece_after: Option<f64>,
    /// Mean negative log-likelihood on the test split at the temperature.
    pub test_loss_after: Option<f64>,
    /// How right the labels of the validation split are that selection would take, with a 95 % interval.
    pub precision: Precision,
}

impl CalibrationReport {
    /// The figures of a calibration, beside those of the validation split without it.
    pub(crate) fn new(calibration: &Calibration, before: &Evaluation) -> Option<Self> {
        let after = Evaluation::new(&calibration.validation, &[])?;
        let test = Evaluation::new(&calibration.test, &[]);
        Some(CalibrationReport {
            temperature: calibration.temperature.get(),
            ece_before: before.ece,
            ece_after: after.ece,
            loss_before: before.loss,
            loss_after: after.loss,
            test_ece_after: test.as_ref().map(|test| test.ece),
            test_loss_after: test.as_ref().map(|test| test.loss),
            precision: calibration.precision,
        })
    }
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
    /// Training nodes: float sums depend on it.
    #[serde(default = "one")]
    pub ranks: usize,
    /// Cores that the system reports.
    pub cores: usize,
}

/// What reports from before there could be several say.
fn one() -> usize {
    1
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

/// The report of a run, if it has one.
///
/// # Errors
/// [`ClusterError::Read`] if it cannot be read or understood.
pub fn read_report(run: &Path) -> Result<Option<Report>, ClusterError> {
    let path = run.join("report.json");
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| no_report(&path, &error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ClusterError::read(&path, error)),
    }
}

fn no_report(path: &Path, error: &serde_json::Error) -> ClusterError {
    let says = match error.is_data() {
        true => format!("it is the report of something else than a run, or of another version ({error})"),
        false => format!("it is damaged ({error}); whatever made the run writes it anew with `--resume`"),
    };
    ClusterError::read(path, std::io::Error::other(says))
}

/// What a round did not do is not told, so that the seals of older commits hold.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round as commits had it before there was a validation split.
    const OLD: &str = r#"{"round":0,"model":"smallnet(8)","model_hash":"00","labelled":40,"pseudo_labelled":0,"pseudo_copies":0,"selection_precision":null,"test_accuracy":0.5,"test_total":2,"steps":3,"loss":1.5,"images_per_second":2.0,"data_wait":0.25,"seconds":1.0,"dead_letters":0,"labels":null}"#;

    #[test]
    fn an_old_round_is_read_and_its_text_stays() {
        let round: RoundReport = serde_json::from_str(OLD).unwrap();
        assert_eq!((&round.validation, &round.calibration, &round.stages), (&None, &None, &None));
        assert_eq!(serde_json::to_string(&round).unwrap(), OLD, "or the seals of old commits would break");
    }
}
