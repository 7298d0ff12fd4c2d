//! Schedules of the learning rate and their settings.

use serde::{Deserialize, Serialize};

use super::{above_zero, require};
use crate::TrainError;

/// How the learning rate moves over the steps of a round. Momentum stays as it is. A rise is linear, and its last step has the
/// full rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleKind {
    /// Always the same.
    Constant,
    /// A linear rise, then half a cosine down.
    Cosine {
        /// Steps of the rise, fewer than the round has.
        warmup: u32,
        /// Share of the full rate that is left at the end, in `[0, 1]`.
        floor: f64,
    },
    /// A linear rise, then the first part of a cosine: after it `rate * cos(pi * half_turns * k / steps)`, which is FixMatch's
    /// schedule for 7/16.
    CosineArc {
        /// Steps of the rise, fewer than the round has.
        warmup: u32,
        /// How far the cosine goes, in half turns; in `(0, 0.5]`, where 0.5 ends at 0.
        half_turns: f64,
    },
    /// PyTorch's `OneCycleLR` with cosine annealing: from 1/25 up to the full rate, then down to 1/250,000.
    OneCycle {
        /// The share of the steps that rises, in `[0, 1]`.
        warmup: f64,
    },
    /// PyTorch's `StepLR`: times `gamma` after every so many steps.
    Step {
        /// Steps between two falls, at least 1.
        every: u32,
        /// What the rate is multiplied by, in `(0, 1]`.
        gamma: f64,
    },
    /// TensorFlow's `exponential_decay`: `rate * decay^(step / every)`, after a linear rise. Steps are counted from the start
    /// of the round, rise included.
    Exponential {
        /// Steps of the rise, fewer than the round has.
        warmup: u32,
        /// Steps between two falls, above 0; need not be whole.
        every: f64,
        /// What the rate is multiplied by, in `(0, 1]`.
        decay: f64,
        /// Whether it falls all at once every so many steps, and not a little at each.
        staircase: bool,
    },
}

impl ScheduleKind {
    pub(super) fn check(&self, steps: u32) -> Result<(), TrainError> {
        let shorter =
            |warmup| require(warmup < steps, "warmup", warmup, "the rise must be shorter than the round's steps");
        let share = 0.0..=1.0;
        match *self {
            ScheduleKind::Constant => Ok(()),
            ScheduleKind::Cosine { warmup, floor } => {
                shorter(warmup)?;
                require(share.contains(&floor), "floor", floor, "it is a share of the rate, in [0, 1]")
            }
            ScheduleKind::CosineArc { warmup, half_turns } => {
                shorter(warmup)?;
                require(half_turns > 0.0 && half_turns <= 0.5, "half_turns", half_turns, "it lies above 0, up to 0.5")
            }
            ScheduleKind::OneCycle { warmup } => {
                require(share.contains(&warmup), "warmup", warmup, "it is a share of the steps, in [0, 1]")
            }
            ScheduleKind::Step { every, gamma } => {
                require(every > 0, "every", every, "it is at least one step")?;
                fall("gamma", gamma)
            }
            ScheduleKind::Exponential { warmup, every, decay, .. } => {
                shorter(warmup)?;
                above_zero("every", every)?;
                fall("decay", decay)
            }
        }
    }
}

fn fall(setting: &'static str, factor: f64) -> Result<(), TrainError> {
    require(factor > 0.0 && factor <= 1.0, setting, factor, "it lies above 0, up to 1")
}
