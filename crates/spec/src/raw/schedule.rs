//! `training.schedule`: how the learning rate moves over a round.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the learning rate moves over a round.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Schedule {
    /// It stays as it is.
    Constant(Constant),
    /// A linear rise, then half a cosine down.
    Cosine(Cosine),
    /// A linear rise, then the first part of a cosine, without its flat end: FixMatch's schedule.
    CosineArc(CosineArc),
    /// PyTorch's OneCycleLR: up from 1/25 of the rate, then down to almost 0.
    OneCycle(OneCycle),
    /// PyTorch's StepLR: down by a factor after every so many steps.
    Step(Fall),
    /// A linear rise, then TensorFlow's exponential decay: Noisy Student's schedule.
    Exponential(Exponential),
}

/// A constant learning rate: nothing to set.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Constant {}

/// A linear rise, then half a cosine down.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cosine {
    /// Steps of the rise, fewer than the round has.
    pub(crate) warmup: u32,
    /// The share of the rate that is left at the end.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) floor: f64,
}

/// A linear rise, then the first part of a cosine: `lr * cos(pi * half_turns * k / K)` in step k of K.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CosineArc {
    /// Steps of the rise, fewer than the round has.
    pub(crate) warmup: u32,
    /// How far the cosine goes, in half turns. 0.4375 is FixMatch's 7/16; 0.5 ends at 0.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 0.5))]
    pub(crate) half_turns: f64,
}

impl Default for CosineArc {
    fn default() -> Self {
        CosineArc { warmup: 0, half_turns: 0.4375 }
    }
}

/// Up, then down again.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OneCycle {
    /// The share of the steps that rises.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) warmup: f64,
}

impl Default for OneCycle {
    fn default() -> Self {
        OneCycle { warmup: 0.25 }
    }
}

/// Down by a factor after every so many steps.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StepSchedule")]
pub(crate) struct Fall {
    /// Steps between two falls.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(crate) every: u32,
    /// What the rate is multiplied by.
    #[serde(default = "Fall::gamma")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub(crate) gamma: f64,
}

impl Fall {
    fn gamma() -> f64 {
        0.1
    }
}

/// A linear rise, then `lr * decay^(k / every)` in step k, counted from the start of the round.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exponential {
    /// Steps of the rise, fewer than the round has.
    #[serde(default)]
    pub(crate) warmup: u32,
    /// Steps between two falls, which need not be whole: Noisy Student's are 2.4 epochs apart.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1_000_000_000))]
    pub(crate) every: f64,
    /// What the rate is multiplied by.
    #[serde(default = "Exponential::decay")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub(crate) decay: f64,
    /// Whether it falls all at once every so many steps, and not a little in each.
    #[serde(default = "Exponential::staircase")]
    pub(crate) staircase: bool,
}

impl Exponential {
    fn decay() -> f64 {
        0.97
    }

    fn staircase() -> bool {
        true
    }
}
