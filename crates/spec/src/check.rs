//! What the schema cannot say: references, things that must fit each other, units. Builds the plan on the way.
//!
//! Every check reports what it finds and goes on with what it has; whether the plan is any good is known at the end.

mod data;
mod model;
mod op;
mod optimizer;
mod policy;
mod quantity;
mod rounds;
mod search;
mod selection;
pub(crate) mod steps;
pub(crate) mod stream;
mod transfer;
mod unlabelled;
mod views;

use millstream_imageops::MAX_PIXELS;

use crate::diagnostic::{Code, Report};
use crate::plan::{CheckpointPlan, LabelFormat, MaxBad, OutputPlan, Plan, PrecisionPlan, StreamPlan};
use crate::raw;
use crate::yaml::{Node, Path};

/// Where checks find places and leave mistakes.
pub(crate) struct Checker<'a> {
    pub(crate) tree: &'a Node,
    pub(crate) poisoned: &'a [Path],
    pub(crate) report: &'a mut Report,
}

impl Checker<'_> {
    /// Reports a mistake, unless what is at the path has been found wrong already.
    pub(crate) fn error(&mut self, path: &Path, code: Code, message: impl Into<String>, help: impl Into<String>) {
        if self.sound(path) {
            let span = self.tree.locate(path);
            self.report.error(code, span, message, help);
        }
    }

    /// As `error`, but points at the key even if its value is a scalar.
    fn key_error(&mut self, path: &Path, code: Code, message: impl Into<String>, help: impl Into<String>) {
        if self.sound(path) {
            let span = self.tree.locate_key(path);
            self.report.error(code, span, message, help);
        }
    }

    /// Whether the value at a path is what the user wrote, and not what stands in for a mistake.
    fn sound(&self, path: &Path) -> bool {
        !self.poisoned.iter().any(|poisoned| path.starts_with(poisoned))
    }

    /// Whether that is so of everything under the path, too.
    fn untouched(&self, path: &Path) -> bool {
        self.sound(path) && !self.poisoned.iter().any(|poisoned| poisoned.starts_with(path))
    }
}

/// Checks everything. The plan is good only if nothing was reported.
pub(crate) fn plan(checker: &mut Checker<'_>, raw: raw::Pipeline) -> Plan {
    name(checker, &raw.name);
    let memory = memory(checker, &raw.memory.0);
    let max_bad = max_bad(checker, &raw.max_bad.0);
    let data = data::data(checker, &raw.data, learns_from_unlabelled(&raw));
    let stream = stream::stream(checker, &raw.stream);
    let rounds = rounds::rounds(checker, &raw.training, &raw.rounds, &stream);
    let selection = selection::selection(checker, &raw.selection, &raw.data.splits);
    let search = raw.search.as_ref().map(|search| search::search(checker, search, rounds.len()));
    let plan = Plan {
        name: raw.name,
        seed: raw.seed,
        memory,
        max_bad,
        checkpoint: checkpoint(raw.checkpoint.as_ref()),
        threads: raw.threads,
        precision: match raw.precision {
            raw::Precision::Float32 => PrecisionPlan::Float32,
            raw::Precision::BFloat16 => PrecisionPlan::BFloat16,
        },
        deterministic: raw.deterministic,
        data,
        stream,
        rounds,
        selection,
        output: output(&raw.output),
        search,
    };
    budget(checker, &plan);
    plan
}

/// Whether some round takes in images without human labels.
fn learns_from_unlabelled(raw: &raw::Pipeline) -> bool {
    raw.rounds.iter().enumerate().any(|(number, round)| {
        let (own, common) = (&round.training, &raw.training);
        let whose = own.unlabelled.as_ref().or(common.unlabelled.as_ref());
        let selected = matches!(whose, None | Some(raw::Unlabelled::Selected));
        own.unlabelled_ratio.or(common.unlabelled_ratio) != Some(0) && (number > 0 || !selected)
    })
}

/// A name becomes a folder.
fn name(checker: &mut Checker<'_>, name: &str) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.chars().all(allowed) || name.starts_with('.') {
        let message = format!("`{name}` is no name for a pipeline: results go to a folder of that name");
        let help = "use letters, digits, `-`, `_` and, not as the first character, `.`";
        checker.error(&Path::of(&["name"]), Code::OutOfRange, message, help);
    }
}

fn memory(checker: &mut Checker<'_>, text: &str) -> u64 {
    quantity::bytes(text).unwrap_or_else(|(message, help)| {
        checker.error(&Path::of(&["memory"]), Code::OutOfRange, message, help);
        u64::MAX
    })
}

fn max_bad(checker: &mut Checker<'_>, text: &str) -> MaxBad {
    quantity::share_or_count(text).unwrap_or_else(|(message, help)| {
        checker.error(&Path::of(&["max_bad"]), Code::OutOfRange, message, help);
        MaxBad::Count(0)
    })
}

fn checkpoint(raw: Option<&raw::OrOff<raw::Checkpoint>>) -> Option<CheckpointPlan> {
    let default = raw::Checkpoint::default();
    let raw = match raw {
        Some(raw::OrOff::Off) => return None,
        Some(raw::OrOff::On(raw)) => raw,
        None => &default,
    };
    Some(CheckpointPlan { every: raw.every, keep: raw.keep })
}

fn output(raw: &raw::Output) -> OutputPlan {
    let labels = match raw.labels {
        raw::Labels::Parquet => LabelFormat::Parquet,
        raw::Labels::Csv => LabelFormat::Csv,
    };
    OutputPlan { labels }
}

/// At least one batch must fit into the budget, or nothing would ever move.
fn budget(checker: &mut Checker<'_>, plan: &Plan) {
    let StreamPlan { height, width, channels, eval_batch, .. } = plan.stream;
    let image = u64::from(height).saturating_mul(u64::from(width)).saturating_mul(u64::from(channels));
    let steps = plan.rounds.iter().map(|round| round.training.images());
    let largest = steps.chain([u64::from(eval_batch)]).max().unwrap_or(0);
    let needed = largest.saturating_mul(image);
    let known = [&["stream"][..], &["training"], &["rounds"]].iter().all(|path| checker.untouched(&Path::of(path)));
    let possible = largest <= rounds::MOST_IMAGES && image <= MAX_PIXELS * 3;
    if needed > plan.memory && possible && known {
        let message =
            format!("the budget of {} bytes is less than one batch: {largest} images are {needed} bytes", plan.memory);
        let help = format!("a few batches should fit: give at least {}MiB", needed.saturating_mul(4).div_ceil(1 << 20));
        checker.error(&Path::of(&["memory"]), Code::Conflict, message, help);
    }
}
