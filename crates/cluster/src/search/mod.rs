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
use std::fs;
use std::path::{Path, PathBuf};

use millstream_dataflow::{Stop, StopReason};
use millstream_spec::{Definition, HalvingPlan, Plan};
use millstream_train::Device;

use crate::error::ClusterError;
use crate::run::Start;
use candidates::{Candidate, field};
use machine::Machine;
use trial::trials;

pub use error::SearchError;
pub use machine::TrialDone;
pub use outcome::{Search, SearchAxis, Tried};

/// The folder of the trials' run directories inside the directory of a search.
const TRIALS: &str = "trials";
/// The file that tells of the search.
const REPORT: &str = "search.json";

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
    let mut results: BTreeMap<usize, Tried> = BTreeMap::new();
    for (rung, share) in (0..).zip(&shares) {
        let trials = trials(&field, wanted, *share, options)?;
        if rung == 0 {
            // Not before it is known that all of it can be done.
            make_room(&options.out, options.start)?;
        }
        let Some(scores) = machine.run(trials, stop)? else {
            return Ok(Searched { search: None, stopped: stop.reason().cloned() });
        };
        let tried = |candidate: &Candidate| (candidate.number, Tried::new(candidate, rung, *share, &scores));
        results.extend(field.iter().map(tried));
        if let Some(halving) = wanted.halving {
            survive(&mut field, &results, halving.eta);
        }
    }
    let search = Search::new(plan, wanted, results.into_values().collect());
    search.write(&options.out.join(REPORT))?;
    Ok(Searched { search: Some(search), stopped: None })
}

/// The share of its steps that a trial has on each rung.
fn shares(halving: Option<HalvingPlan>) -> Vec<f64> {
    let HalvingPlan { eta, rungs } = halving.unwrap_or(HalvingPlan { eta: 1, rungs: 1 });
    (0..rungs).rev().map(|left| f64::from(eta).powi(-(left as i32))).collect()
}

/// Leaves the best of the field, one of `eta`, and the pipeline as it is written, which all others are compared with.
fn survive(field: &mut Vec<Candidate>, results: &BTreeMap<usize, Tried>, eta: u32) {
    let mut ranked: Vec<&Tried> = field.iter().filter_map(|candidate| results.get(&candidate.number)).collect();
    ranked.retain(|tried| !tried.settings.is_empty());
    ranked.sort_by(|a, b| a.rank(b));
    let stay: BTreeSet<usize> =
        ranked.iter().take(ranked.len().div_ceil(eta as usize)).map(|tried| tried.number).collect();
    field.retain(|candidate| candidate.settings.is_empty() || stay.contains(&candidate.number));
}

/// Sees to it that a directory is one for a search, and empty where it is to be.
fn make_room(out: &Path, start: Start) -> Result<(), ClusterError> {
    let trials = out.join(TRIALS);
    let occupied = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if out.is_file() || (occupied && !trials.is_dir()) {
        return Err(SearchError::NotASearch { path: out.to_owned() }.into());
    }
    match start {
        Start::Fresh if occupied => return Err(SearchError::Occupied { path: out.to_owned() }.into()),
        Start::Overwrite if occupied => {
            fs::remove_dir_all(&trials).map_err(|source| ClusterError::write(&trials, source))?;
        }
        Start::Fresh | Start::Overwrite | Start::Resume => {}
    }
    fs::create_dir_all(&trials).map_err(|source| ClusterError::write(&trials, source))
}

#[cfg(test)]
mod tests;
