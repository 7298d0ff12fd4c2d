//! The sections `training` and `rounds`: what a round says, else what all rounds say, else the default.

use super::{Checker, steps};
use crate::diagnostic::Code;
use crate::plan::{ModelPlan, OptimizerPlan, RoundPlan, SchedulePlan, StreamPlan, TargetsPlan, TrainingPlan};
use crate::raw;
use crate::yaml::Path;

/// Most images of a batch.
pub(super) const MOST_ROWS: u64 = 1 << 20;

pub(super) fn rounds(
    checker: &mut Checker<'_>,
    common: &raw::Training,
    raw: &[raw::Round],
    stream: &StreamPlan,
) -> Vec<RoundPlan> {
    let rounds = raw.iter().enumerate();
    let mut plan = |(number, raw)| {
        let mut round = Round { checker, number, common, raw, stream };
        RoundPlan { model: round.model(), training: round.training() }
    };
    rounds.map(&mut plan).collect()
}

/// One round with all that it depends on.
struct Round<'a, 'c> {
    checker: &'a mut Checker<'c>,
    number: usize,
    common: &'a raw::Training,
    raw: &'a raw::Round,
    stream: &'a StreamPlan,
}

impl<'a> Round<'a, '_> {
    fn path(&self) -> Path {
        Path::of(&["rounds"]).item(self.number)
    }

    /// A setting and where it is written; `None` if it is the default.
    fn setting<T>(&self, key: &str, get: impl Fn(&'a raw::Training) -> &'a Option<T>) -> (Option<&'a T>, Path) {
        match get(&self.raw.training) {
            Some(own) => (Some(own), self.path().key("training").key(key)),
            None => (get(self.common).as_ref(), Path::of(&["training", key])),
        }
    }

    fn model(&mut self) -> ModelPlan {
        let (plan, name, least) = match &self.raw.model {
            raw::Model::Smallnet(raw) => {
                (ModelPlan::SmallNet { width: raw.width, dropout: raw.dropout }, "smallnet", 8)
            }
            raw::Model::Alexnet(raw) => (ModelPlan::AlexNet { dropout: raw.dropout }, "alexnet", 63),
        };
        let StreamPlan { height, width, .. } = *self.stream;
        if height.min(width) < least && self.checker.untouched(&Path::of(&["stream", "size"])) {
            let message = format!(
                "{name} needs images of at least {least} pixels a side, but `stream.size` is [{height}, {width}]"
            );
            let help = "enlarge `stream.size` (images are resized to it), or take another model";
            self.checker.error(&self.path().key("model").key(name), Code::Conflict, message, help);
        }
        plan
    }

    fn training(&mut self) -> TrainingPlan {
        let steps = self.steps();
        let (batch, batch_path) = self.setting("batch", |training| &training.batch);
        let batch = batch.copied().unwrap_or(64);
        let (ratio, _) = self.setting("unlabelled_ratio", |training| &training.unlabelled_ratio);
        let unlabelled_ratio = ratio.copied().unwrap_or(3);
        let rows = u64::from(batch) * (u64::from(unlabelled_ratio) + 1);
        if rows > MOST_ROWS {
            let message =
                format!("{batch} labelled and {unlabelled_ratio} times as many unlabelled images are {rows} in a step");
            self.checker.error(
                &batch_path,
                Code::OutOfRange,
                message,
                format!("a step has at most {MOST_ROWS} images"),
            );
        }
        TrainingPlan {
            steps,
            batch,
            unlabelled_ratio,
            augment: self.augment(),
            optimizer: self.optimizer(),
            schedule: self.schedule(steps),
            label_smoothing: self
                .setting("label_smoothing", |training| &training.label_smoothing)
                .0
                .copied()
                .unwrap_or(0.0),
            ema: match self.setting("ema", |training| &training.ema).0 {
                Some(raw::Ema::Decay(decay)) => Some(*decay),
                Some(raw::Ema::Off) | None => None,
            },
            targets: match self.setting("targets", |training| &training.targets).0 {
                Some(raw::Targets::Soft(raw)) => TargetsPlan::Soft { temperature: raw.temperature },
                Some(raw::Targets::Hard) | None => TargetsPlan::Hard,
            },
        }
    }

    fn steps(&mut self) -> u32 {
        let (steps, path) = self.setting("steps", |training| &training.steps);
        let steps = steps.copied();
        if steps.is_none() && self.checker.sound(&path) && self.checker.sound(&self.path().key("training").key("steps"))
        {
            let message = format!("nothing says how many steps round {} trains", self.number);
            let help = "give `training: { steps: ... }` for all rounds, or in each round";
            self.checker.error(&self.path(), Code::Missing, message, help);
        }
        steps.unwrap_or(1)
    }

    fn augment(&mut self) -> Vec<crate::plan::StepPlan> {
        let size = (self.stream.height, self.stream.width);
        let path = match self.raw.training.augment {
            Some(_) => self.path().key("training").key("augment"),
            None => Path::of(&["training", "augment"]),
        };
        let raw = self.raw.training.augment.as_ref().or(self.common.augment.as_ref());
        raw.map_or(Vec::new(), |raw| steps::view(self.checker, &path, raw, size))
    }

    fn optimizer(&mut self) -> OptimizerPlan {
        let default = raw::Optimizer::Sgd(raw::Sgd::default());
        let (raw, path) = self.setting("optimizer", |training| &training.optimizer);
        let raw::Optimizer::Sgd(sgd) = raw.unwrap_or(&default);
        let raw::Sgd { lr, momentum, nesterov, weight_decay } = *sgd;
        if nesterov && momentum == 0.0 {
            let help = "raise the momentum, or write `nesterov: false`";
            let path = path.key("sgd").key("momentum");
            self.checker.error(&path, Code::Conflict, "Nesterov's look-ahead needs a momentum above 0", help);
        }
        OptimizerPlan::Sgd { lr, momentum, nesterov, weight_decay }
    }

    fn schedule(&mut self, steps: u32) -> SchedulePlan {
        let default = raw::Schedule::OneCycle(raw::OneCycle::default());
        let (raw, path) = self.setting("schedule", |training| &training.schedule);
        let plan = match raw.unwrap_or(&default) {
            raw::Schedule::Constant(_) => SchedulePlan::Constant,
            raw::Schedule::Cosine(raw) => SchedulePlan::Cosine { warmup: raw.warmup },
            raw::Schedule::OneCycle(raw) => SchedulePlan::OneCycle { warmup: raw.warmup },
        };
        let (given, steps_path) = self.setting("steps", |training| &training.steps);
        let known = given.is_some() && self.checker.sound(&steps_path);
        if let SchedulePlan::Cosine { warmup } = plan
            && warmup >= steps
            && known
        {
            let message =
                format!("a warm-up of {warmup} steps leaves nothing of the {steps} steps of round {}", self.number);
            let help = "make the warm-up shorter, or the round longer";
            self.checker.error(&path.key("cosine").key("warmup"), Code::Conflict, message, help);
        }
        plan
    }
}
