//! `training.optimizer`, `training.clip`, `training.schedule` and `training.ema`.

use super::rounds::Round;
use crate::diagnostic::Code;
use crate::plan::{ClipPlan, EmaPlan, OptimizerPlan, SchedulePlan};
use crate::raw::{self, OrOff, Schedule};

impl Round<'_, '_> {
    pub(super) fn optimizer(&mut self) -> OptimizerPlan {
        let default = raw::Optimizer::Sgd(raw::Sgd::default());
        let raw = self.setting("optimizer", |training| &training.optimizer).0.unwrap_or(&default);
        let betas = |[first, second]: [raw::Share; 2]| [first.0, second.0];
        match *raw {
            raw::Optimizer::Sgd(raw::Sgd { lr, momentum, nesterov, weight_decay }) => {
                self.look_ahead("sgd", momentum, nesterov);
                OptimizerPlan::Sgd { lr, momentum, nesterov, weight_decay }
            }
            raw::Optimizer::Adamw(raw::Adamw { lr, betas: shares, eps, weight_decay }) => {
                OptimizerPlan::AdamW { lr, betas: betas(shares), eps, weight_decay }
            }
            raw::Optimizer::Rmsprop(raw::Rmsprop { lr, decay, momentum, eps, weight_decay }) => {
                OptimizerPlan::RmsProp { lr, decay, momentum, eps, weight_decay }
            }
            raw::Optimizer::Lars(raw::Lars { lr, momentum, nesterov, weight_decay, trust, eps }) => {
                self.look_ahead("lars", momentum, nesterov);
                OptimizerPlan::Lars { lr, momentum, nesterov, weight_decay, trust, eps }
            }
            raw::Optimizer::Lamb(raw::Lamb { lr, betas: shares, eps, weight_decay }) => {
                OptimizerPlan::Lamb { lr, betas: betas(shares), eps, weight_decay }
            }
        }
    }

    fn look_ahead(&mut self, kind: &str, momentum: f64, nesterov: bool) {
        if nesterov && momentum == 0.0 {
            let (_, path) = self.setting("optimizer", |training| &training.optimizer);
            let path = path.key(kind).key("momentum");
            let help = "raise the momentum, or write `nesterov: false`";
            self.checker.error(&path, Code::Conflict, "Nesterov's look-ahead needs a momentum above 0", help);
        }
    }

    pub(super) fn clip(&self) -> Option<ClipPlan> {
        match *self.setting("clip", |training| &training.clip).0? {
            raw::Clip::Off => None,
            raw::Clip::Norm(most) => Some(ClipPlan::Norm(most)),
            raw::Clip::Value(most) => Some(ClipPlan::Value(most)),
        }
    }

    pub(super) fn ema(&self) -> Option<EmaPlan> {
        match self.setting("ema", |training| &training.ema).0? {
            OrOff::On(raw) => Some(EmaPlan { decay: raw.0.decay, warmup: raw.0.warmup }),
            OrOff::Off => None,
        }
    }

    pub(super) fn schedule(&mut self, steps: u32) -> SchedulePlan {
        let default = Schedule::OneCycle(raw::OneCycle::default());
        match *self.setting("schedule", |training| &training.schedule).0.unwrap_or(&default) {
            Schedule::Constant(_) => SchedulePlan::Constant,
            Schedule::Cosine(raw::Cosine { warmup, floor }) => {
                self.rise("cosine", warmup, steps);
                SchedulePlan::Cosine { warmup, floor }
            }
            Schedule::CosineArc(raw::CosineArc { warmup, half_turns }) => {
                self.rise("cosine_arc", warmup, steps);
                SchedulePlan::CosineArc { warmup, half_turns }
            }
            Schedule::OneCycle(raw::OneCycle { warmup }) => SchedulePlan::OneCycle { warmup },
            Schedule::Step(raw::Fall { every, gamma }) => SchedulePlan::Step { every, gamma },
            Schedule::Exponential(raw::Exponential { warmup, every, decay, staircase }) => {
                self.rise("exponential", warmup, steps);
                SchedulePlan::Exponential { warmup, every, decay, staircase }
            }
        }
    }

    /// A rise ends before the round does.
    fn rise(&mut self, kind: &str, warmup: u32, steps: u32) {
        let (given, steps_path) = self.setting("steps", |training| &training.steps);
        let known = given.is_some() && self.checker.sound(&steps_path);
        if warmup >= steps && known {
            let message =
                format!("a warm-up of {warmup} steps leaves nothing of the {steps} steps of round {}", self.number);
            let help = "make the warm-up shorter, or the round longer";
            let (_, path) = self.setting("schedule", |training| &training.schedule);
            self.checker.error(&path.key(kind).key("warmup"), Code::Conflict, message, help);
        }
    }
}
