//! The search for the best settings, as a checked definition has it.

use serde::{Deserialize, Serialize};

use super::Plan;

/// What a search tries, and how.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchPlan {
    /// Settings that are tried, each by its keys with dots between, in the order of these.
    pub over: Vec<(String, AxisPlan)>,
    /// Settings of every trial, as after `--set`: keys with dots between, and YAML.
    pub set: Vec<(String, String)>,
    /// How many combinations are drawn at random; all of them are tried if none.
    pub trials: Option<u32>,
    /// Successive halving, if wanted.
    pub halving: Option<HalvingPlan>,
    /// Folds that the labelled images are cut into, at least 2.
    pub folds: u32,
    /// How many of them are held out, one after the other: 1 to `folds`.
    pub held_out: u32,
    /// What combinations are compared by.
    pub by: Criterion,
    /// Rounds of a trial; all if none.
    pub rounds: Option<u32>,
}

/// What combinations are compared by, on the images that are held out.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// The share that the model tells right; more is better.
    Accuracy,
    /// The mean negative log-likelihood of the right classes, in nats; less is better.
    Loss,
}

/// The values of a setting that are tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AxisPlan {
    /// These, as YAML.
    Values(Vec<String>),
    /// Any of a range.
    Range(RangePlan),
}

/// Numbers that values are drawn from.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct RangePlan {
    /// The smallest.
    pub from: f64,
    /// The largest, above the smallest.
    pub to: f64,
    /// Whether they are drawn evenly in their logarithm; then all are above 0.
    pub log: bool,
    /// Whether only whole numbers are meant.
    pub whole: bool,
}

/// Successive halving (Jamieson and Talwalkar 2016): all combinations are trained for a few steps, only the best of them for more.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HalvingPlan {
    /// Of so many combinations one goes on to the next rung, and is trained there with so many times the steps; at least 2.
    pub eta: u32,
    /// Rungs, at least 2. On the last one trials have all of their steps.
    pub rungs: u32,
}

/// A fold of the labelled images that takes the place of the test images.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoldPlan {
    /// Which, from 0.
    pub fold: u32,
    /// Of how many.
    pub folds: u32,
}

impl Plan {
    /// The plan without this fold of its labelled images, and tested on it: nothing of its test images is seen.
    #[must_use]
    pub fn holding_out(mut self, fold: u32, folds: u32) -> Plan {
        self.data.held_out = Some(FoldPlan { fold, folds });
        self
    }

    /// The plan with this share of the steps of each round, at least one.
    #[must_use]
    pub fn shortened(mut self, share: f64) -> Plan {
        for round in &mut self.rounds {
            round.training.steps = ((f64::from(round.training.steps) * share).round() as u32).max(1);
        }
        self
    }
}
