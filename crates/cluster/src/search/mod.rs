//! The search for the best settings of a pipeline.
//!
//! Every combination of settings is a pipeline of its own, trained on the labelled images but for a fold of them, and measured on that
//! fold: a trial. Trials are runs with run directories like any other, so what was done is kept whatever happens, and
//! `report` can show them. The trials of a rung are one timely computation: each is a dataflow of its own on the same workers,
//! several at a time, and all take decoded images from one shelf.

mod candidates;
mod error;
mod machine;
mod outcome;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use millstream_dataflow::{Stop, StopReason};
use millstream_spec::{Criterion, Definition, HalvingPlan, Plan};
use millstream_train::Device;

use crate::error::ClusterError;
use crate::run::Start;
use crate::run_dir::hold;
use candidates::{Candidate, field};
use machine::Machine;
use trial::trials;

pub use error::SearchError;
pub use machine::TrialDone;
pub use outcome::{Behind, OnFold, Search, SearchAxis, Tried};

/// The folder of the trials' run directories inside the directory of a search.
const TRIALS: &str = "trials";
/// The file that tells of the search.
const REPORT: &str = "search.json";
/// What a search that is not done yet must not be taken for.
const RESULTS: [&str; 3] = [REPORT, "trials.csv", "heatmap.png"];
/// The file that makes a directory one of a search, and is locked while that is under way.
const LOCK: &str = "search.lock";

/// How to search. None of it changes the result, but for the device.
#[derive(Clone, Debug)]
pub struct SearchOptions {
    /// The pipeline. Trials are it with other settings.
    pub definition: Definition,
    /// Where trials and results go.
    pub out: PathBuf,
    /// What to do with an earlier search there. One that goes on may have other values: trials that it shares with the earlier one
    /// are not done again.
    pub start: Start,
    /// Worker threads.
    pub workers: usize,
    /// Trials under way at a time, at least 1; none for as many as the workers have threads for.
    pub at_once: Option<usize>,
    /// Which of the trials are this process's, where several share a search and its directory; all if none.
    pub share: Option<Share>,
    /// Bytes of decoded images that trials share.
    pub shelf: u64,
    /// Where models are trained.
    pub device: Device,
}

/// One of several equal shares of the trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which, from 1.
    pub part: usize,
    /// Of how many.
    pub of: usize,
}

impl Share {
    /// Whether the trial of this number, from 0, is in it.
    fn has(self, number: usize) -> bool {
        number % self.of.max(1) + 1 == self.part
    }
}

/// What came of a search.
#[derive(Debug)]
pub struct Searched {
    /// The results; none if it was stopped before the end, or others have not done their share yet.
    pub search: Option<Search>,
    /// Why it ended early, if it did.
    pub stopped: Option<StopReason>,
}

/// Searches for the best settings of a pipeline that says what to try. `done` hears of each trial that is done.
///
/// # Errors
/// What is wrong with the combinations, before anything is trained; what is in the way of the directory; what the machine lacks. A trial
/// that fails is no error: it is told of in the results.
pub fn search(
    plan: &Plan,
    options: &SearchOptions,
    stop: &Stop,
    done: impl Fn(&TrialDone) + Send + Sync + 'static,
) -> Result<Searched, ClusterError> {
    let wanted = plan.search.as_ref().ok_or(SearchError::Nothing)?;
    if options.share.is_some() && wanted.halving.is_some() {
        return Err(SearchError::SharedHalving.into());
    }
    let mut field = field(plan, wanted, options)?;
    let machine = Machine::new(options, done);
    let shares = shares(wanted.halving);
    let mut held: Option<File> = None;
    let mut results: BTreeMap<usize, Tried> = BTreeMap::new();
    for (rung, share) in (0..).zip(&shares) {
        let trials = trials(&field, wanted, *share, options)?;
        if held.is_none() {
            // Not before it is known that all of it can be done.
            held = Some(take(options)?);
        }
        let Some(scores) = machine.run(trials, stop)? else {
            return Ok(Searched { search: None, stopped: stop.reason().cloned() });
        };
        let tried = |candidate: &Candidate| (candidate.number, Tried::new(candidate, rung, *share, &scores));
        results.extend(field.iter().map(tried));
        if let Some(halving) = wanted.halving {
            survive(&mut field, &results, halving.eta, wanted.by);
        }
    }
    let search = Search::new(plan, wanted, &options.definition, results.into_values().collect());
    search.write(&options.out.join(REPORT))?;
    Ok(Searched { search: Some(search), stopped: None })
}

/// The share of its steps that a trial has on each rung.
fn shares(halving: Option<HalvingPlan>) -> Vec<f64> {
    let HalvingPlan { eta, rungs } = halving.unwrap_or(HalvingPlan { eta: 1, rungs: 1 });
    (0..rungs).rev().map(|left| f64::from(eta).powi(-(left as i32))).collect()
}

/// Leaves the best of the field, one of `eta`, and the pipeline as it is written, which all others are compared with.
fn survive(field: &mut Vec<Candidate>, results: &BTreeMap<usize, Tried>, eta: u32, by: Criterion) {
    let mut ranked: Vec<&Tried> = field.iter().filter_map(|candidate| results.get(&candidate.number)).collect();
    ranked.retain(|tried| !tried.as_written && tried.counts(by));
    ranked.sort_by(|a, b| a.rank(b, by));
    let stay: BTreeSet<usize> =
        ranked.iter().take(ranked.len().div_ceil(eta as usize)).map(|tried| tried.number).collect();
    field.retain(|candidate| candidate.as_written || stay.contains(&candidate.number));
}

/// Whether a directory is one of a search.
pub fn holds_search(path: &Path) -> bool {
    path.join(LOCK).exists()
}

/// Takes a directory for a search: one of its own, empty where it is to be, and held as long as the file that comes back is open, from others
/// unless all do a share.
fn take(options: &SearchOptions) -> Result<File, ClusterError> {
    let (out, lock) = (&options.out, options.out.join(LOCK));
    let holds_something = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    let searched = lock.exists();
    if out.is_file() || (holds_something && !searched) {
        return Err(SearchError::NotASearch { path: out.clone() }.into());
    }
    if searched && options.start == Start::Fresh {
        return Err(SearchError::Occupied { path: out.clone() }.into());
    }
    fs::create_dir_all(out).map_err(|source| ClusterError::write(out, source))?;
    let file = File::options().append(true).create(true).open(&lock);
    let file = file.map_err(|source| ClusterError::write(&lock, source))?;
    hold(&file, &lock, out, options.share.is_some())?;
    let old = if options.start == Start::Overwrite { &[TRIALS][..] } else { &[] };
    for name in RESULTS.iter().chain(old) {
        let path = out.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(source) if source.kind() != ErrorKind::NotFound => return Err(ClusterError::write(&path, source)),
            _ => {}
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests;
