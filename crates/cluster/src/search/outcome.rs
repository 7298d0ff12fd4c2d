//! What a search found: `search.json`.

use std::cmp::Ordering;
use std::io::Write;
use std::path::Path;

use millstream_data::write_atomically;
use millstream_spec::{Plan, SearchPlan};
use serde::{Deserialize, Serialize};

use super::candidates::{Candidate, Settings};
use super::machine::Scores;
use crate::error::ClusterError;

/// The results of a search. Nothing in it depends on when or how fast it was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// The name of the pipeline.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// What was tried.
    pub axes: Vec<SearchAxis>,
    /// Settings of every trial, as after `--set`.
    pub set: Settings,
    /// Folds of the labelled images.
    pub folds: u32,
    /// How many of them were held out, one after the other.
    pub held_out: u32,
    /// All combinations, the best first. That is the one with the highest accuracy among those that came furthest; of equal ones the
    /// first in the order of the combinations.
    pub tried: Vec<Tried>,
}

/// A setting that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchAxis {
    /// Its keys, with dots between.
    pub path: String,
    /// The values that were tried, as YAML: numbers in ascending order, all else as listed.
    pub values: Vec<String>,
}

/// A combination of settings, and how it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// Its place in the order of the combinations, from 0.
    pub number: usize,
    /// Its settings, as after `--set`; none for the pipeline as it is written.
    pub settings: Settings,
    /// Whether it is the pipeline as it is written.
    pub as_written: bool,
    /// The last rung of halving that it came to, from 0.
    pub rung: u32,
    /// Steps of all rounds together that its trials had there.
    pub steps: u64,
    /// Images of the held-out folds, all together.
    pub images: u64,
    /// The share of them that was told right, 0 to 1; none if a trial failed.
    pub accuracy: Option<f64>,
    /// The standard error of that share as one of independent images, sqrt(p (1 - p) / n). What separates two combinations is less
    /// uncertain, since both were measured on the same images.
    pub standard_error: Option<f64>,
    /// The share of each fold; none where the trial failed.
    pub folds: Vec<Option<f64>>,
    /// Why trials failed.
    pub failures: Vec<String>,
}

impl Tried {
    /// How a combination did on a rung where trials have this share of their steps.
    pub(super) fn new(candidate: &Candidate, rung: u32, share: f64, scores: &Scores) -> Self {
        let of_candidate = (candidate.number, 0)..=(candidate.number, u32::MAX);
        let scores: Vec<_> = scores.range(of_candidate).map(|(_, score)| score).collect();
        let rounds = || scores.iter().filter_map(|score| score.as_ref().ok());
        let images: u64 = rounds().map(|round| round.test_total).sum();
        let correct: f64 = rounds().map(|round| (round.test_accuracy * round.test_total as f64).round()).sum();
        let failures: Vec<String> = scores.iter().filter_map(|score| score.as_ref().err().cloned()).collect();
        let accuracy = (failures.is_empty() && images > 0).then(|| correct / images as f64);
        let steps = |plan: Plan| plan.rounds.iter().map(|round| u64::from(round.training.steps)).sum();
        Tried {
            number: candidate.number,
            settings: candidate.settings.clone(),
            as_written: candidate.as_written,
            rung,
            steps: steps(candidate.plan.clone().shortened(share)),
            images,
            accuracy,
            standard_error: accuracy.map(|p| (p * (1.0 - p) / images as f64).sqrt()),
            folds: scores.iter().map(|score| score.as_ref().ok().map(|round| round.test_accuracy)).collect(),
            failures,
        }
    }

    /// The better one comes first.
    pub(super) fn rank(&self, other: &Tried) -> Ordering {
        let accuracy = |tried: &Tried| tried.accuracy.unwrap_or(-1.0);
        let further = other.rung.cmp(&self.rung);
        further.then(accuracy(other).total_cmp(&accuracy(self))).then(self.number.cmp(&other.number))
    }

    /// The value of a setting, if it has one of its own.
    pub fn value(&self, path: &str) -> Option<&str> {
        self.settings.iter().find(|(key, _)| key == path).map(|(_, value)| value.as_str())
    }
}

impl Search {
    pub(super) fn new(plan: &Plan, wanted: &SearchPlan, mut tried: Vec<Tried>) -> Self {
        tried.sort_by(Tried::rank);
        let axes = wanted.over.iter().map(|(path, _)| SearchAxis { path: path.clone(), values: values(path, &tried) });
        Search {
            name: plan.name.clone(),
            seed: plan.seed,
            axes: axes.collect(),
            set: wanted.set.clone(),
            folds: wanted.folds,
            held_out: wanted.held_out,
            tried,
        }
    }

    /// The combination that did best; none if all failed.
    pub fn winner(&self) -> Option<&Tried> {
        self.tried.first().filter(|tried| tried.accuracy.is_some())
    }

    /// The pipeline as it is written.
    pub fn as_written(&self) -> Option<&Tried> {
        self.tried.iter().find(|tried| tried.as_written)
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), ClusterError> {
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        Ok(write_atomically(path, |file| file.write_all(&text))?)
    }
}

/// The values of a setting that were tried, numbers in ascending order and before all else, others as they came.
fn values(path: &str, tried: &[Tried]) -> Vec<String> {
    let mut by_number: Vec<&Tried> = tried.iter().collect();
    by_number.sort_by_key(|tried| tried.number);
    let mut values: Vec<String> = Vec::new();
    for value in by_number.into_iter().filter_map(|tried| tried.value(path)) {
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }
    let number = |value: &String| value.parse::<f64>().unwrap_or(f64::INFINITY);
    values.sort_by(|a, b| number(a).total_cmp(&number(b)));
    values
}
