//! Trials: a combination, trained without a fold of the labelled images.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use millstream_data::Manifest;
use millstream_dataflow::Job;
use millstream_spec::{Plan, SearchPlan};

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

/// What a trial is of.
#[derive(Clone)]
pub(super) struct Label {
    /// The number of the combination.
    pub(super) candidate: usize,
    /// Its settings, to be read.
    pub(super) settings: String,
    /// The fold that is held out, from 0.
    pub(super) fold: u32,
}

/// A run that a search needs.
pub(super) struct Trial {
    pub(super) label: Label,
    pub(super) plan: Plan,
    pub(super) manifest: Arc<Manifest>,
    pub(super) hash: [u8; 32],
    pub(super) options: RunOptions,
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
    let mut shop = Shop { options, manifests: BTreeMap::new() };
    let mut trials = Vec::new();
    for candidate in field {
        let named = |error| SearchError::Trial { settings: shown(&candidate.settings), source: Box::new(error) };
        let plan = candidate.plan.clone().shortened(share);
        let manifest = shop.manifest(&plan)?;
        let on_gpu = rehearse(&plan, &manifest, options.device).map_err(named)?;
        for fold in 0..wanted.held_out {
            let plan = plan.clone().holding_out(fold, wanted.folds);
            let trial = shop.trial(candidate, fold, plan, Arc::clone(&manifest), on_gpu)?;
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

/// Makes trials, and opens each set of sources once.
struct Shop<'a> {
    options: &'a SearchOptions,
    manifests: BTreeMap<String, Arc<Manifest>>,
}

impl Shop<'_> {
    fn manifest(&mut self, plan: &Plan) -> Result<Arc<Manifest>, ClusterError> {
        let data = format!("{} {:?}", plan.seed, plan.data);
        if let Some(manifest) = self.manifests.get(&data) {
            return Ok(Arc::clone(manifest));
        }
        let manifest = Arc::new(millstream_dataflow::open(plan)?);
        self.manifests.insert(data, Arc::clone(&manifest));
        Ok(manifest)
    }

    fn trial(
        &self,
        candidate: &Candidate,
        fold: u32,
        plan: Plan,
        manifest: Arc<Manifest>,
        on_gpu: bool,
    ) -> Result<Trial, ClusterError> {
        let hash = plan_hash(&plan, &manifest)?;
        let SearchOptions { definition, out, workers, device, .. } = self.options;
        let name: String = hex(&hash).chars().take(12).collect();
        let options = RunOptions {
            definition: definition.clone(),
            out: Some(out.join(TRIALS).join(name)),
            start: Start::Fresh,
            shape: Shape { processes: 1, workers: *workers, ranks: 1, resting: 0 },
            others: Others::Children { listen: None },
            device: *device,
        };
        let label = Label { candidate: candidate.number, settings: brief(&candidate.settings), fold };
        Ok(Trial { label, plan, manifest, hash, options, on_gpu })
    }
}
