//! What a search found: `search.json`.

use std::cmp::Ordering;
use std::io::Write;
use std::path::Path;

use millstream_data::write_atomically;
use millstream_spec::{Criterion, Plan, SearchPlan};
use serde::{Deserialize, Serialize};

use super::candidates::{Candidate, Settings};
use super::machine::Scores;
use crate::error::ClusterError;
use crate::report::RoundReport;

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
    /// What combinations were compared by.
    pub by: Criterion,
    /// All combinations, the best first. That is the best by the criterion among those that came furthest; of equal ones the
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
    /// The mean negative log-likelihood of their classes, in nats; none if a trial failed or it is not a number.
    pub loss: Option<f64>,
    /// The figures of each fold; none where the trial failed.
    pub folds: Vec<Option<OnFold>>,
    /// Why trials failed.
    pub failures: Vec<String>,
}

/// How the model of a trial did on the fold that was held out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnFold {
    /// Images of the fold.
    pub images: u64,
    /// The share of them that was told right, 0 to 1.
    pub accuracy: f64,
    /// The mean negative log-likelihood of their classes, in nats; none if it is not a number.
    pub loss: Option<f64>,
}

impl OnFold {
    fn new(round: &RoundReport) -> Self {
        let loss = round.test.as_ref().map(|test| test.loss).filter(|loss| loss.is_finite());
        OnFold { images: round.test_total, accuracy: round.test_accuracy, loss }
    }

    fn cost(&self, by: Criterion) -> Option<f64> {
        cost(by, Some(self.accuracy), self.loss)
    }
}

/// What is to be small by a criterion.
fn cost(by: Criterion, accuracy: Option<f64>, loss: Option<f64>) -> Option<f64> {
    match by {
        Criterion::Accuracy => accuracy.map(|accuracy| -accuracy),
        Criterion::Loss => loss,
    }
}

impl Tried {
    /// How a combination did on a rung where trials have this share of their steps.
    pub(super) fn new(candidate: &Candidate, rung: u32, share: f64, scores: &Scores) -> Self {
        let of_candidate = (candidate.number, 0)..=(candidate.number, u32::MAX);
        let scores: Vec<_> = scores.range(of_candidate).map(|(_, score)| score).collect();
        let folds: Vec<_> = scores.iter().map(|score| score.as_ref().ok().map(OnFold::new)).collect();
        let images: u64 = folds.iter().flatten().map(|fold| fold.images).sum();
        let correct: f64 = folds.iter().flatten().map(|fold| (fold.accuracy * fold.images as f64).round()).sum();
        let loss: Option<f64> = folds.iter().flatten().map(|fold| Some(fold.loss? * fold.images as f64)).sum();
        let failures: Vec<String> = scores.iter().filter_map(|score| score.as_ref().err().cloned()).collect();
        let told = failures.is_empty() && images > 0;
        let accuracy = told.then(|| correct / images as f64);
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
            loss: loss.filter(|_| told).map(|loss| loss / images as f64),
            folds,
            failures,
        }
    }

    /// The better one comes first.
    pub(super) fn rank(&self, other: &Tried, by: Criterion) -> Ordering {
        let cost = |tried: &Tried| tried.cost(by).unwrap_or(f64::INFINITY);
        let further = other.rung.cmp(&self.rung);
        further.then(cost(self).total_cmp(&cost(other))).then(self.number.cmp(&other.number))
    }

    fn cost(&self, by: Criterion) -> Option<f64> {
        cost(by, self.accuracy, self.loss)
    }

    /// Whether what separates it from the best one, the mean of the differences on each fold, is within its standard error. None if
    /// there are too few folds to tell.
    pub fn ties(&self, best: &Tried, by: Criterion) -> Option<bool> {
        let pairs = self.folds.iter().zip(&best.folds);
        let differences: Option<Vec<f64>> =
            pairs.map(|(own, best)| Some((*own)?.cost(by)? - (*best)?.cost(by)?)).collect();
        let differences = differences.filter(|differences| differences.len() > 1)?;
        let count = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / count;
        let variance = differences.iter().map(|difference| (difference - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Some(mean <= (variance / count).sqrt())
    }

    /// The value of a setting, if it has one of its own.
    pub fn value(&self, path: &str) -> Option<&str> {
        self.settings.iter().find(|(key, _)| key == path).map(|(_, value)| value.as_str())
    }
}

impl Search {
    pub(super) fn new(plan: &Plan, wanted: &SearchPlan, mut tried: Vec<Tried>) -> Self {
        tried.sort_by(|one, other| one.rank(other, wanted.by));
        let axes = wanted.over.iter().map(|(path, _)| SearchAxis { path: path.clone(), values: values(path, &tried) });
        Search {
            name: plan.name.clone(),
            seed: plan.seed,
            axes: axes.collect(),
            set: wanted.set.clone(),
            folds: wanted.folds,
            held_out: wanted.held_out,
            by: wanted.by,
            tried,
        }
    }

    /// The combination that did best; none if all failed.
    pub fn winner(&self) -> Option<&Tried> {
        self.tried.first().filter(|tried| tried.cost(self.by).is_some())
    }

    /// The others that came as far as the winner.
    pub fn rivals(&self) -> impl Iterator<Item = &Tried> {
        let furthest = self.tried.first().map_or(0, |tried| tried.rung);
        self.tried.iter().skip(1).filter(move |tried| tried.rung == furthest)
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
