//! What a search found: `search.json`.

use std::cmp::Ordering;
use std::io::Write;
use std::path::Path;

use millstream_data::write_atomically;
use millstream_spec::{Criterion, Definition, Plan, SearchPlan};
use serde::{Deserialize, Serialize};

use super::candidates::{Candidate, Settings, of_trials};
use super::machine::{Score, Scores};
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
    /// Settings of every trial, as after `--set`: those of the pipeline's `search.set`, then those of the command line. Of several of one setting the
    /// last counts.
    pub set: Settings,
    /// Folds of the labelled images.
    pub folds: u32,
    /// How many of them were held out, one after the other.
    pub held_out: u32,
    /// What combinations were compared by.
    pub by: Criterion,
    /// All combinations, the best first. That is the best by the criterion among those that came furthest; of equal ones the
    /// pipeline as it is written, then the first in the order of the combinations.
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
    /// Its settings, as after `--set`; of the pipeline as it is written those that it says.
    pub settings: Settings,
    /// Whether it is the pipeline as it is written.
    pub as_written: bool,
    /// The last rung of halving that it came to, from 0.
    pub rung: u32,
    /// Steps of all rounds together that its trials had there.
    pub steps: u64,
    /// Images of the held-out folds, all together.
    pub images: u64,
    /// The share of these images that was told right, 0 to 1; none if a trial failed.
    pub accuracy: Option<f64>,
    /// The standard error of the accuracy as a share of n independent images of which k were told right: sqrt(p (1 - p) / n) with Laplace's
    /// p = (k + 1) / (n + 2), since all of a few images are no certainty. What separates two combinations is less uncertain, as both were measured
    /// on the same images: see [`Search::behind`].
    pub standard_error: Option<f64>,
    /// The mean negative log-likelihood of the right classes of these images, in nats; none if a trial failed or it is not finite.
    pub loss: Option<f64>,
    /// The figures of each fold; none where the trial failed.
    pub folds: Vec<Option<OnFold>>,
    /// The run of each fold: the name of its directory beside the others.
    pub runs: Vec<String>,
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
    /// The mean negative log-likelihood of their right classes, in nats; none if it is not finite.
    pub loss: Option<f64>,
}

/// How much worse a combination is than the best one, by the criterion: so much less accuracy, or so many nats more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Behind {
    /// The difference, at least 0 but for rounding.
    pub difference: f64,
    /// Its standard error.
    pub error: f64,
}

impl Behind {
    /// Whether the difference is within its standard error.
    pub fn ties(&self) -> bool {
        self.difference <= self.error
    }
}

impl OnFold {
    fn new(round: &RoundReport) -> Self {
        OnFold { images: round.test_total, accuracy: round.test_accuracy, loss: loss_of(round) }
    }

    fn cost(&self, by: Criterion) -> Option<f64> {
        cost(by, Some(self.accuracy), self.loss)
    }
}

/// That of a share of independent images.
pub(super) fn standard_error(correct: f64, images: f64) -> f64 {
    let p = (correct + 1.0) / (images + 2.0);
    (p * (1.0 - p) / images).sqrt()
}

/// The loss of a round on its test images, where it is finite.
pub(super) fn loss_of(round: &RoundReport) -> Option<f64> {
    round.test.as_ref().map(|test| test.loss).filter(|loss| loss.is_finite())
}

/// The figure to minimise.
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
        let scores: Vec<&Score> = scores.range(of_candidate).map(|(_, score)| score).collect();
        let folds: Vec<_> = scores.iter().map(|score| score.round.as_ref().ok().map(OnFold::new)).collect();
        let images: u64 = folds.iter().flatten().map(|fold| fold.images).sum();
        let correct: f64 = folds.iter().flatten().map(|fold| (fold.accuracy * fold.images as f64).round()).sum();
        let loss: Option<f64> = folds.iter().flatten().map(|fold| Some(fold.loss? * fold.images as f64)).sum();
        let failures: Vec<String> = scores.iter().filter_map(|score| score.round.as_ref().err().cloned()).collect();
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
            standard_error: accuracy.map(|_| standard_error(correct, images as f64)),
            loss: loss.filter(|_| told).map(|loss| loss / images as f64),
            folds,
            runs: scores.iter().map(|score| score.run.clone()).collect(),
            failures,
        }
    }

    /// The better one comes first; what failed is last, however far it came.
    pub(super) fn rank(&self, other: &Tried, by: Criterion) -> Ordering {
        let failed = |tried: &Tried| tried.cost(by).is_none();
        let cost = |tried: &Tried| tried.cost(by).unwrap_or(f64::INFINITY);
        failed(self)
            .cmp(&failed(other))
            .then(other.rung.cmp(&self.rung))
            .then(cost(self).total_cmp(&cost(other)))
            .then(other.as_written.cmp(&self.as_written))
            .then(self.number.cmp(&other.number))
    }

    /// Whether its figure by this criterion is known.
    pub(super) fn counts(&self, by: Criterion) -> bool {
        self.cost(by).is_some()
    }

    fn cost(&self, by: Criterion) -> Option<f64> {
        cost(by, self.accuracy, self.loss)
    }

    /// The value of a setting; none where the pipeline as it is written leaves it to the default.
    pub fn value(&self, path: &str) -> Option<&str> {
        self.settings.iter().find(|(key, _)| key == path).map(|(_, value)| value.as_str())
    }
}

impl Search {
    pub(super) fn new(plan: &Plan, wanted: &SearchPlan, definition: &Definition, mut tried: Vec<Tried>) -> Self {
        tried.sort_by(|one, other| one.rank(other, wanted.by));
        for one in tried.iter_mut().filter(|one| one.as_written && one.settings.is_empty()) {
            let said = wanted.over.iter().map(|(path, _)| Some((path.clone(), definition.value(path)?)));
            one.settings = said.flatten().collect();
        }
        let axes = wanted.over.iter().map(|(path, _)| SearchAxis { path: path.clone(), values: values(path, &tried) });
        let mut set = of_trials(wanted, definition);
        set.retain(|(path, _)| path.split('.').next() != Some("search"));
        Search {
            name: plan.name.clone(),
            seed: plan.seed,
            axes: axes.collect(),
            set,
            folds: wanted.folds,
            held_out: wanted.held_out,
            by: wanted.by,
            tried,
        }
    }

    /// The combination that did best; none if all failed.
    pub fn winner(&self) -> Option<&Tried> {
        self.tried.first().filter(|tried| tried.counts(self.by))
    }

    /// The pipeline as it is written.
    pub fn as_written(&self) -> Option<&Tried> {
        self.tried.iter().find(|tried| tried.as_written)
    }

    /// All that came as far as the winner, and did not fail.
    pub fn finalists(&self) -> impl Iterator<Item = &Tried> {
        let furthest = self.winner().map(|winner| winner.rung);
        self.tried.iter().filter(move |tried| Some(tried.rung) == furthest && tried.counts(self.by))
    }

    /// How good a finalist is: from 0, the worst of them, to 1, the best. None of what is no finalist.
    pub fn standing(&self, one: &Tried) -> Option<f64> {
        // They come in order.
        let (winner, last) = (self.winner()?, self.finalists().last()?);
        let own = one.cost(self.by).filter(|_| one.rung == winner.rung)?;
        let (best, worst) = (winner.cost(self.by)?, last.cost(self.by)?);
        Some(if best < worst { (worst - own) / (worst - best) } else { 1.0 })
    }

    /// How much worse than the winner a finalist is. Both were measured on the same images, so what counts is by how much the differences on
    /// the folds differ: the variance of their mean is (1/n + 1/(folds - 1)) times theirs, for n folds that were held out, because the models of
    /// different folds learned from the same images for the most part (Nadeau and Bengio, Inference for the Generalization Error, 2003, section
    /// 5). Folds are taken as equally large. Of one fold it is the error of two accuracies that have nothing to do with each other, which is too
    /// large; none by loss.
    pub fn behind(&self, one: &Tried) -> Option<Behind> {
        let winner = self.winner()?;
        let pairs = one.folds.iter().zip(&winner.folds);
        let differences: Option<Vec<f64>> =
            pairs.map(|(own, best)| Some((*own)?.cost(self.by)? - (*best)?.cost(self.by)?)).collect();
        let differences = differences.filter(|_| one.rung == winner.rung)?;
        let count = differences.len() as f64;
        let difference = differences.iter().sum::<f64>() / count;
        if differences.len() < 2 {
            let error = winner.standard_error?.hypot(one.standard_error?);
            return (self.by == Criterion::Accuracy).then_some(Behind { difference, error });
        }
        let variance = differences.iter().map(|one| (one - difference).powi(2)).sum::<f64>() / (count - 1.0);
        let error = (variance * (1.0 / count + 1.0 / f64::from(self.folds - 1))).sqrt();
        Some(Behind { difference, error })
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
