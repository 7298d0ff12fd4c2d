//! Is a run whole, and are two runs equal?

use std::collections::BTreeMap;
use std::path::Path;

use millstream_data::{LabelRow, read_labels};
use serde::Serialize;

use crate::commit::Commit;
use crate::error::ClusterError;
use crate::run_dir::{Damage, audit};

/// The outcome of re-hashing a run.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// Rounds that are committed.
    pub rounds: u32,
    /// Files that the last commit names.
    pub files: usize,
    /// Those that do not match it.
    pub damage: Vec<Damage>,
}

/// Re-hashes every file that the last commit of a run names.
pub fn verify(run: &Path) -> Result<Audit, ClusterError> {
    let commit = last_commit(run)?;
    let (files, damage) = audit(run, &commit);
    Ok(Audit { rounds: commit.next_round, files, damage })
}

/// Where two runs first differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The round, if it is a difference within one.
    pub round: Option<u32>,
    /// What differs, and how.
    pub what: String,
}

/// How two runs compare.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Rounds compared.
    pub rounds: u32,
    /// Model, label and dead-letter files that are bit-identical.
    pub identical_files: usize,
    /// The first difference, none if the runs are identical.
    pub first_difference: Option<Difference>,
}

/// Compares two runs: models, labels and dead letters, bit by bit. What lies in the directories is hashed
/// anew, so neither can claim what it does not hold.
pub fn compare(a: &Path, b: &Path) -> Result<Comparison, ClusterError> {
    let (first, second) = (whole(a)?, whole(b)?);
    let rounds = first.next_round.min(second.next_round);
    let mut identical_files = 0;
    let mut first_difference = None;
    for name in names(&first, &second) {
        match (first.files.get(&name), second.files.get(&name)) {
            (Some(x), Some(y)) if x == y => identical_files += 1,
            (x, y) => {
                let what = describe(a, b, &name, x.is_some(), y.is_some())?;
                first_difference = Some(Difference { round: round_of(&name), what });
                break;
            }
        }
    }
    if first_difference.is_none() && first.next_round != second.next_round {
        let what = format!("one run has {} rounds, the other {}", first.next_round, second.next_round);
        first_difference = Some(Difference { round: None, what });
    }
    Ok(Comparison { rounds, identical_files, first_difference })
}

fn last_commit(run: &Path) -> Result<Commit, ClusterError> {
    Commit::newest(run)?.ok_or_else(|| ClusterError::NoRun { path: run.to_owned() })
}

/// The last commit of a run whose files are as it says.
fn whole(run: &Path) -> Result<Commit, ClusterError> {
    let commit = last_commit(run)?;
    match audit(run, &commit).1.into_iter().next() {
        Some(damage) => Err(ClusterError::Damaged { path: run.join(damage.file), problem: damage.problem }),
        None => Ok(commit),
    }
}

/// The files of both, in the order in which a run writes them: by round, the model before the labels.
fn names(a: &Commit, b: &Commit) -> Vec<String> {
    let rank = |name: &str| match name.rsplit('/').next() {
        Some("model.safetensors") => 0,
        Some("labels.parquet") => 1,
        _ => 2,
    };
    let all: BTreeMap<_, _> =
        a.files.keys().chain(b.files.keys()).map(|name| ((round_of(name), rank(name), name), ())).collect();
    all.into_keys().map(|(_, _, name)| name.clone()).collect()
}

fn round_of(name: &str) -> Option<u32> {
    name.strip_prefix("rounds/")?.split('/').next()?.parse().ok()
}

fn describe(a: &Path, b: &Path, name: &str, in_a: bool, in_b: bool) -> Result<String, ClusterError> {
    let only = |run: &Path| format!("only {} has {name}", run.display());
    match (in_a, in_b) {
        (true, false) => Ok(only(a)),
        (false, true) => Ok(only(b)),
        _ if name.ends_with("labels.parquet") => {
            let (x, y) = (read_labels(&a.join(name))?, read_labels(&b.join(name))?);
            Ok(format!("{name}: {}", first_other_row(&x, &y)))
        }
        _ => Ok(format!("{name} differs")),
    }
}

fn first_other_row(a: &[LabelRow], b: &[LabelRow]) -> String {
    match a.iter().zip(b).find(|(x, y)| x != y) {
        Some((x, y)) if x.key == y.key => format!(
            "{} is class {} with {:.6} (selected {}) in one, class {} with {:.6} (selected {}) in the other",
            x.place, x.class_name, x.confidence, x.selected, y.class_name, y.confidence, y.selected
        ),
        Some((x, y)) => format!("one has {} where the other has {}", x.place, y.place),
        None => format!("one has {} rows, the other {}", a.len(), b.len()),
    }
}
