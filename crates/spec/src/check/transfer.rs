//! Weights that a round starts from, and `training.transfer`.

use std::path::PathBuf;

use super::rounds::Round;
use crate::diagnostic::Code;
use crate::plan::{FreezePlan, ModelPlan, RateGroupPlan, RatesPlan, RoundPlan, TransferPlan, WeightsPlan};
use crate::raw::{self, OrOff};
use crate::yaml::Path;

use super::Checker;

/// What `weights` and `freeze` call something that is no file and no pattern.
const PREVIOUS: &str = "previous";
const BODY: &str = "body";

impl Round<'_, '_> {
    pub(super) fn weights(&mut self) -> WeightsPlan {
        match self.raw.weights.as_deref() {
            None => WeightsPlan::Fresh,
            Some(PREVIOUS) if self.number > 0 => WeightsPlan::Previous,
            Some(PREVIOUS) => {
                let path = self.path().key("weights");
                let help = "give a file of weights, or leave `weights` out and start from fresh ones";
                self.checker.error(&path, Code::Conflict, "there is no round before the first", help);
                WeightsPlan::Previous
            }
            Some(file) => WeightsPlan::File(PathBuf::from(file)),
        }
    }

    pub(super) fn transfer(&mut self) -> Option<TransferPlan> {
        let (Some(OrOff::On(raw)), path) = self.setting("transfer", |training| &training.transfer) else {
            return None;
        };
        let freeze = raw.freeze.as_ref().map(|names| self.freeze(&names.0, &path.key("freeze")));
        let plan = TransferPlan { freeze, rates: raw.rates.as_ref().map(rates) };
        if self.checker.untouched(&path) {
            self.sense(&plan, &path);
        }
        Some(plan)
    }

    fn freeze(&mut self, names: &[String], path: &Path) -> FreezePlan {
        match names {
            [only] if only == BODY => return FreezePlan::Body,
            [] => {
                let help = "write `freeze: body`, or patterns such as `[conv1.*, layer1.*]`, or leave it out";
                self.checker.key_error(path, Code::Missing, "`freeze` names nothing", help);
            }
            names if names.iter().any(|name| name == BODY) => {
                let help = "write `freeze: body` alone, or patterns alone";
                self.checker.key_error(path, Code::Conflict, "`body` stands among patterns", help);
            }
            _ => {}
        }
        FreezePlan::Tensors(names.to_vec())
    }

    /// What cannot be meant.
    fn sense(&mut self, plan: &TransferPlan, path: &Path) {
        if plan.freeze.is_none() && plan.rates.is_none() {
            let help = "give `freeze` or `rates`, or write `transfer: off`";
            self.checker.key_error(path, Code::Missing, "`transfer` says nothing", help);
        }
        if matches!(&plan.rates, Some(RatesPlan::Groups(groups)) if groups.is_empty()) {
            let help = "give a group, such as `- { match: features.*, rate: 0.1 }`, or leave `rates` out";
            self.checker.key_error(&path.key("rates").key("groups"), Code::Missing, "`groups` is empty", help);
        }
        if let (Some(FreezePlan::Body), Some(RatesPlan::LayerDecay { .. })) = (&plan.freeze, &plan.rates) {
            let message = "with a frozen body only the head trains, so there is nothing that `layer_decay` could slow";
            self.checker.key_error(&path.key("rates"), Code::Conflict, message, "keep one of `freeze` and `rates`");
        }
        if plan.freeze.is_some() && self.raw.weights.is_none() {
            let message = format!("round {} would keep fresh weights, which know nothing, as they are", self.number);
            let help = "give `weights: FILE` or `weights: previous` to the round, or `training: { transfer: off }`";
            self.checker.key_error(&self.path().key("model"), Code::Conflict, message, help);
        }
    }
}

fn rates(raw: &raw::Rates) -> RatesPlan {
    match raw {
        raw::Rates::LayerDecay(raw) => RatesPlan::LayerDecay { decay: raw.0.decay, min: raw.0.min },
        raw::Rates::Groups(groups) => {
            let group = |raw: &raw::RateGroup| RateGroupPlan { pattern: raw.r#match.clone(), rate: raw.rate };
            RatesPlan::Groups(groups.iter().map(group).collect())
        }
    }
}

/// A round that goes on with the model before must be of that model.
pub(super) fn successions(checker: &mut Checker<'_>, rounds: &[RoundPlan]) {
    for (pair, number) in rounds.windows(2).zip(1..) {
        let path = Path::of(&["rounds"]).item(number);
        let [before, after] = pair else { continue };
        let known = |number: usize| checker.untouched(&Path::of(&["rounds"]).item(number).key("model"));
        if after.weights != WeightsPlan::Previous || architecture(&before.model) == architecture(&after.model) {
            continue;
        }
        if known(number) && known(number - 1) {
            let message =
                format!("round {number} goes on with the weights of round {}, which has another model", number - 1);
            let help = "give both the same `model` (dropout may differ), or leave `weights` out";
            checker.error(&path.key("weights"), Code::Conflict, message, help);
        }
    }
}

/// What decides on the shapes of a model's weights: dropout and drop path have none.
fn architecture(model: &ModelPlan) -> (&'static str, Option<u32>) {
    (model.name, model.width)
}
