//! The section `selection`, and what it needs of the data.

use super::Checker;
use crate::diagnostic::{Code, nearest};
use crate::plan::{BalancePlan, CalibratePlan, SelectionPlan};
use crate::raw::{self, Named};
use crate::yaml::Path;

pub(super) fn selection(checker: &mut Checker<'_>, raw: &raw::Selection, splits: &Named<raw::Split>) -> SelectionPlan {
    threshold(checker, raw);
    let calibrate = (raw.calibrate == raw::Calibrate::Temperature).then_some(CalibratePlan::Temperature);
    if calibrate.is_some() && !splits.contains_key("validation") {
        no_validation(checker, splits);
    }
    let balance = raw.balance.as_ref().map(|raw| BalancePlan { per_class: raw.per_class, upsample: raw.upsample });
    SelectionPlan { threshold: raw.threshold as f32, calibrate, balance }
}

/// A temperature is fitted to labels that no model has seen.
fn no_validation(checker: &mut Checker<'_>, splits: &Named<raw::Split>) {
    if !checker.untouched(&Path::of(&["data", "splits", "validation"])) {
        return;
    }
    let roles = ["labelled", "unlabelled", "test"];
    let others = splits.keys().map(String::as_str).filter(|name| !roles.contains(name));
    let help = match nearest("validation", others) {
        Some(other) => format!("is `{other}` meant? It must be called `validation`"),
        None => format!(
            "set labelled images aside that no model learns from: in `data.splits` write `validation: {{ from: {}, take: \
             {{ per_class: 50 }} }}`, and add `validation` to the `except` of `labelled` and `unlabelled`",
            drawn_from(splits)
        ),
    };
    let message = "`calibrate: temperature` needs the split `validation`, and there is none";
    checker.error(&Path::of(&["selection", "calibrate"]), Code::Missing, message, help);
}

/// Where the labelled images come from.
fn drawn_from(splits: &Named<raw::Split>) -> &str {
    splits.get("labelled").and_then(|split| split.from.0.first()).map_or("train", String::as_str)
}

/// The histograms behind balancing have steps of 0.01: a threshold between two steps would not be what decides.
fn threshold(checker: &mut Checker<'_>, raw: &raw::Selection) {
    let hundredths = raw.threshold * 100.0;
    if raw.balance.is_some() && (hundredths - hundredths.round()).abs() > 1e-9 {
        let message = format!("with `balance` the threshold must be a multiple of 0.01, but it is {}", raw.threshold);
        let low = (hundredths.floor() / 100.0).max(0.01);
        let high = (hundredths.ceil() / 100.0).min(0.99);
        let help = if low < high {
            format!("write {low} or {high}, or remove `balance`")
        } else {
            format!("write {low}, or remove `balance`")
        };
        checker.error(&Path::of(&["selection", "threshold"]), Code::Conflict, message, help);
    }
}
