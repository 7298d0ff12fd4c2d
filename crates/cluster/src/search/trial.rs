//! Trials: a combination, trained without a fold of the labelled images.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use millstream_data::{Manifest, write_atomically};
use millstream_dataflow::Job;
use millstream_spec::{DecodePlan, Plan, SearchPlan};

use super::candidates::{Candidate, brief, shown};
use super::error::SearchError;
use super::{SearchOptions, TRIALS};
use crate::assembly::Others;
use crate::commit::Commit;
use crate::error::ClusterError;
use crate::orders::Shape;
use crate::plan_hash::plan_hash;
use crate::run::{RunOptions, Start, rehearse};
use crate::{checkpoint, report::RoundReport};

/// The file in the directory of a trial that says why it failed.
const FAILURE: &str = "failed.txt";

/// What a trial is of.
#[derive(Clone)]
pub(super) struct Label {
    /// The number of the combination.
    pub(super) candidate: usize,
    /// Its settings, to be read.
    pub(super) settings: String,
    /// The fold that is held out, from 0.
    pub(super) fold: u32,
    /// The name of its run directory.
    pub(super) run: String,
}

/// A run that a search needs.
pub(super) struct Trial {
    pub(super) label: Label,
    pub(super) plan: Plan,
    pub(super) manifest: Arc<Manifest>,
    pub(super) hash: [u8; 32],
    pub(super) options: RunOptions,
    /// The section of the shelf of decoded images that fits.
    pub(super) section: u32,
    on_gpu: bool,
}

impl Trial {
    /// The last round, if the trial was done before.
    pub(super) fn done(&self) -> Result<Option<RoundReport>, ClusterError> {
        let Some(commit) = self.directory().exists().then(|| Commit::newest(&self.directory())).transpose()?.flatten()
        else {
            return Ok(None);
        };
        let whole = commit.rounds.len() == self.plan.rounds.len() && commit.plan == hex(&self.hash);
        Ok(commit.rounds.into_iter().next_back().filter(|_| whole))
    }

    /// How its run starts: where an earlier one was, if there is anything of it.
    pub(super) fn start(&self) -> Result<Start, ClusterError> {
        let run = self.directory();
        let begun = run.exists() && (Commit::newest(&run)?.is_some() || checkpoint::exist(&run, 0)?);
        Ok(if begun { Start::Resume } else { Start::Fresh })
    }

    /// What the stream does.
    pub(super) fn job(&self) -> Result<Job, ClusterError> {
        let mut job = millstream_dataflow::render(&self.plan, Arc::clone(&self.manifest))?;
        job.check(self.options.shape.workers)?;
        if self.on_gpu {
            job.mix_on_device();
        }
        Ok(job)
    }

    /// Why another process could not do it, if it said so.
    pub(super) fn failure(&self) -> Option<String> {
        std::fs::read_to_string(self.directory().join(FAILURE)).ok()
    }

    /// Leaves word that it failed, for others who share the search; or that it did not.
    pub(super) fn leave_word(&self, failure: Option<&str>) -> Result<(), ClusterError> {
        let path = self.directory().join(FAILURE);
        match failure {
            Some(reason) => Ok(write_atomically(&path, |file| file.write_all(reason.as_bytes()))?),
            None if path.exists() => std::fs::remove_file(&path).map_err(|source| ClusterError::write(&path, source)),
            None => Ok(()),
        }
    }

    fn directory(&self) -> PathBuf {
        self.options.out.clone().unwrap_or_default()
    }
}

fn hex(hash: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}

/// The trials of a field of combinations, each with this share of its steps: one a fold that is held out, all combinations of a fold before the next.
pub(super) fn trials(
    field: &[Candidate],
    wanted: &SearchPlan,
    share: f64,
    options: &SearchOptions,
) -> Result<Vec<Trial>, ClusterError> {
    let Some(first) = field.first() else { return Ok(Vec::new()) };
    let manifest = Arc::new(millstream_dataflow::open(&first.plan)?);
    let mut shop = Shop { options, manifest: Arc::clone(&manifest), decoding: Vec::new() };
    let mut trials = Vec::new();
    for candidate in field {
        let named = |error| SearchError::Trial { settings: shown(&candidate.settings), source: Box::new(error) };
        let plan = candidate.plan.clone().shortened(share);
        let on_gpu = rehearse(&plan, &manifest, options.device).map_err(named)?;
        for fold in 0..wanted.held_out {
            let plan = plan.clone().holding_out(fold, wanted.folds);
            let trial = shop.trial(candidate, fold, plan, on_gpu)?;
            let job = trial.job().map_err(named)?;
            let (labelled, folds) = (job.labelled.len() + job.test.len(), wanted.folds);
            if labelled < folds as usize {
                return Err(SearchError::FewForFolds { labelled, folds }.into());
            }
            trials.push(trial);
        }
    }
    trials.sort_by_key(|trial| (trial.label.fold, trial.label.candidate));
    Ok(trials)
}

/// Makes trials. All have the same data, which are opened once.
struct Shop<'a> {
    options: &'a SearchOptions,
    manifest: Arc<Manifest>,
    /// Ways of decoding.
    decoding: Vec<DecodePlan>,
}

impl Shop<'_> {
    /// The section of the shelf for a way of decoding.
    fn section(&mut self, decode: &DecodePlan) -> u32 {
        let known = self.decoding.iter().position(|known| known == decode).unwrap_or_else(|| {
            self.decoding.push(*decode);
            self.decoding.len() - 1
        });
        known as u32
    }

    fn trial(&mut self, candidate: &Candidate, fold: u32, plan: Plan, on_gpu: bool) -> Result<Trial, ClusterError> {
        let (manifest, section) = (Arc::clone(&self.manifest), self.section(&plan.stream.decode));
        let hash = plan_hash(&plan, &manifest)?;
        let SearchOptions { definition, out, workers, device, .. } = self.options;
        let name: String = hex(&hash).chars().take(12).collect();
        let options = RunOptions {
            definition: definition.clone(),
            out: Some(out.join(TRIALS).join(&name)),
            start: Start::Fresh,
            shape: Shape { processes: 1, workers: *workers, ranks: 1, resting: 0 },
            others: Others::Children { listen: None },
            device: *device,
        };
        let label = Label { candidate: candidate.number, settings: brief(&candidate.settings), fold, run: name };
        Ok(Trial { label, plan, manifest, hash, options, section, on_gpu })
    }
}
