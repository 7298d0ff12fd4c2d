//! The sections `training` and `rounds`: what a round says, else what all rounds say, else the default.

use millstream_imageops::{Mixing, Per};

use super::Checker;
use super::model::model;
use super::steps::Defaults;
use super::stream::defaults;
use super::transfer;
use crate::diagnostic::Code;
use crate::plan::{ModelPlan, RoundPlan, StreamPlan, TargetsPlan, TrainingPlan, UnlabelledPlan};
use crate::raw::{self, OrOff};
use crate::yaml::Path;

/// Most images of a step.
pub(super) const MOST_IMAGES: u64 = 1 << 20;

pub(super) fn rounds(
    checker: &mut Checker<'_>,
    common: &raw::Training,
    raw: &[raw::Round],
    stream: &StreamPlan,
) -> Vec<RoundPlan> {
    let (alone, rounds) = (raw.len() == 1, raw.iter().enumerate());
    let mut plan = |(number, raw)| {
        let mut round = Round { checker, number, common, raw, alone, stream };
        RoundPlan { model: round.model(), weights: round.weights(), training: round.training() }
    };
    let rounds: Vec<RoundPlan> = rounds.map(&mut plan).collect();
    transfer::successions(checker, &rounds);
    rounds
}

/// One round with all that it depends on.
pub(super) struct Round<'a, 'c> {
    pub(super) checker: &'a mut Checker<'c>,
    pub(super) number: usize,
    pub(super) common: &'a raw::Training,
    pub(super) raw: &'a raw::Round,
    /// Whether it is the only one.
    pub(super) alone: bool,
    stream: &'a StreamPlan,
}

impl<'a> Round<'a, '_> {
    pub(super) fn path(&self) -> Path {
        Path::of(&["rounds"]).item(self.number)
    }

    /// A setting and where it is written; `None` if it is the default.
    pub(super) fn setting<T>(
        &self,
        key: &str,
        get: impl Fn(&'a raw::Training) -> &'a Option<T>,
    ) -> (Option<&'a T>, Path) {
        match get(&self.raw.training) {
            Some(own) => (Some(own), self.path().key("training").key(key)),
            None => (get(self.common).as_ref(), Path::of(&["training", key])),
        }
    }

    fn model(&mut self) -> ModelPlan {
        let (plan, least) = model(&self.raw.model);
        let name = plan.name;
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

    /// What the steps of this round take from the stream.
    pub(super) fn defaults(&self) -> Defaults {
        defaults(self.stream)
    }

    fn training(&mut self) -> TrainingPlan {
        let steps = self.steps();
        let (batch, _) = self.setting("batch", |training| &training.batch);
        let (ratio, _) = self.setting("unlabelled_ratio", |training| &training.unlabelled_ratio);
        let unlabelled_ratio = ratio.copied().unwrap_or(3);
        let unlabelled = self.unlabelled();
        let plan = TrainingPlan {
            steps,
            batch: batch.copied().unwrap_or(64),
            unlabelled_ratio,
            views: self.views(unlabelled_ratio > 0 && (self.number > 0 || unlabelled != UnlabelledPlan::Selected)),
            mix: self.mix(),
            optimizer: self.optimizer(),
            schedule: self.schedule(steps),
            clip: self.clip(),
            accumulate: self.setting("accumulate", |training| &training.accumulate).0.copied().unwrap_or(1),
            sync_batch_norm: self
                .setting("sync_batch_norm", |training| &training.sync_batch_norm)
                .0
                .copied()
                .unwrap_or(false),
            label_smoothing: self
                .setting("label_smoothing", |training| &training.label_smoothing)
                .0
                .copied()
                .unwrap_or(0.0),
            ema: self.ema(),
            unlabelled,
            targets: self.targets(),
            distill: self.distill(),
            transfer: self.transfer(),
        };
        self.word(&plan);
        self.images(&plan);
        plan
    }

    fn targets(&self) -> TargetsPlan {
        match self.setting("targets", |training| &training.targets).0 {
            Some(raw::Targets::Soft(raw)) => TargetsPlan::Soft { temperature: raw.temperature },
            Some(raw::Targets::Distill(raw)) => TargetsPlan::Distill { temperature: raw.temperature },
            Some(raw::Targets::Hard) | None => TargetsPlan::Hard,
        }
    }

    /// A step has only so many images.
    fn images(&mut self, plan: &TrainingPlan) {
        let images = plan.images();
        if images <= MOST_IMAGES {
            return;
        }
        let (_, path) = self.setting("batch", |training| &training.batch);
        let TrainingPlan { batch, unlabelled_ratio, .. } = plan;
        let views = match plan.views.iter().map(|view| view.count).sum() {
            1 => String::new(),
            views => format!(", in {views} views,"),
        };
        let message = format!(
            "{batch} labelled and {unlabelled_ratio} times as many unlabelled images{views} are {images} in a step"
        );
        self.checker.error(&path, Code::OutOfRange, message, format!("a step has at most {MOST_IMAGES} images"));
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

    fn mix(&mut self) -> Option<Mixing> {
        let (Some(OrOff::On(raw)), path) = self.setting("mix", |training| &training.mix) else {
            return None;
        };
        let [cutmix, mixup, p, switch] = [raw.cutmix, raw.mixup, raw.p, raw.switch].map(|number| number as f32);
        if cutmix == 0.0 && mixup == 0.0 && self.checker.untouched(&path) {
            let message = "`mix` mixes nothing: both `cutmix` and `mixup` are 0";
            let help = "give an alpha, such as `cutmix: 1.0` or `mixup: 0.2`, or write `mix: off`";
            self.checker.key_error(&path, Code::Missing, message, help);
        }
        let per = match raw.per {
            raw::Per::Batch => Per::Batch,
            raw::Per::Element => Per::Element,
        };
        Some(Mixing { cutmix, mixup, p, switch, per })
    }
}
