//! The section `search`: ranges, folds, and what must fit each other. Whether the values are any good shows when trials are made of them.

use super::Checker;
use crate::diagnostic::Code;
use crate::plan::{AxisPlan, Criterion, HalvingPlan, RangePlan, SearchPlan};
use crate::raw::{self, Spacing};
use crate::yaml::Path;

pub(super) fn search(checker: &mut Checker<'_>, raw: &raw::Search, rounds: usize) -> SearchPlan {
    if raw.held_out > raw.folds {
        let message = format!("{} folds are to be held out, but there are {}", raw.held_out, raw.folds);
        checker.error(&at("held_out"), Code::Conflict, message, "lower `held_out`, or raise `folds`");
    }
    if raw.rounds.is_some_and(|wanted| wanted as usize > rounds) {
        let message = format!("trials have {} rounds, but the pipeline has {rounds}", raw.rounds.unwrap_or(0));
        checker.error(&at("rounds"), Code::OutOfRange, message, format!("write a number from 1 to {rounds}"));
    }
    overlaps(checker, raw);
    let over =
        raw.over.iter().map(|(path, axis)| (path.clone(), self::axis(checker, raw.trials, path, axis))).collect();
    SearchPlan {
        over,
        set: raw.set.iter().map(|(path, value)| (path.clone(), value.0.to_string())).collect(),
        trials: raw.trials,
        halving: raw.halving.as_ref().map(|halving| HalvingPlan { eta: halving.eta, rungs: halving.rungs }),
        folds: raw.folds,
        held_out: raw.held_out,
        by: match raw.by {
            raw::Criterion::Accuracy => Criterion::Accuracy,
            raw::Criterion::Loss => Criterion::Loss,
        },
        rounds: raw.rounds,
    }
}

fn at(key: &str) -> Path {
    Path::of(&["search", key])
}

/// A setting that is part of another would be lost, or take the place of the other.
fn overlaps(checker: &mut Checker<'_>, raw: &raw::Search) {
    let within =
        |path: &str, other: &str| path == other || path.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'));
    let all: Vec<(&str, &String)> =
        raw.over.keys().map(|path| ("over", path)).chain(raw.set.keys().map(|path| ("set", path))).collect();
    for (number, (section, path)) in all.iter().enumerate() {
        let others = all.iter().enumerate().filter(|(other, _)| *other != number);
        if let Some((_, (_, other))) =
            others.into_iter().find(|(other, (_, whole))| within(path, whole) && (*path != *whole || *other < number))
        {
            let message = match *path == *other {
                true => format!("`{path}` is tried, and set as well"),
                false => format!("`{path}` is part of `{other}`, which is tried or set as well"),
            };
            let help = "a setting may be tried or set once: remove one of the two";
            checker.key_error(&at(section).key(path), Code::Conflict, message, help);
        }
    }
}

fn axis(checker: &mut Checker<'_>, trials: Option<u32>, path: &str, axis: &raw::Axis) -> AxisPlan {
    let place = at("over").key(path);
    match axis {
        raw::Axis::Values(values) => {
            repeated(checker, &place, path, values);
            AxisPlan::Values(values.iter().map(ToString::to_string).collect())
        }
        raw::Axis::Range(range) => {
            if trials.is_none() {
                let message = format!("`{path}` has a range, and without `trials` all combinations would be tried");
                let help = "say with `trials: 20` how many combinations are drawn, or list values: `[0.01, 0.1]`";
                checker.key_error(&place, Code::Conflict, message, help);
            }
            limits(checker, &place, range);
            let raw::Range { from, to, scale, whole } = *range;
            AxisPlan::Range(RangePlan { from, to, log: scale == Spacing::Log, whole })
        }
    }
}

fn repeated(checker: &mut Checker<'_>, place: &Path, path: &str, values: &[serde_json::Value]) {
    for (number, value) in values.iter().enumerate() {
        if values.iter().take(number).any(|before| before == value) {
            let message = format!("`{path}` is to be {value} twice");
            checker.error(&place.item(number), Code::Conflict, message, "remove one of them");
        }
    }
}

fn limits(checker: &mut Checker<'_>, place: &Path, range: &raw::Range) {
    let raw::Range { from, to, scale, whole } = *range;
    let whole_ends = from.fract() == 0.0 && to.fract() == 0.0;
    if from >= to {
        let message = format!("the range from {from} to {to} is empty");
        checker.error(&place.key("from"), Code::OutOfRange, message, "`from` must be below `to`");
    } else if scale == Spacing::Log && from <= 0.0 {
        let message = format!("{from} has no logarithm");
        checker.error(&place.key("from"), Code::OutOfRange, message, "begin above 0, or remove `scale: log`");
    } else if whole && !whole_ends {
        let message = "whole numbers need whole ends";
        checker.error(&place.key("from"), Code::Conflict, message, "round `from` and `to`, or remove `whole`");
    }
}
