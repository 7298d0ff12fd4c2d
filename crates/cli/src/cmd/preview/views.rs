//! The views of a round, and the jobs that show them.

use std::sync::Arc;

use anyhow::bail;
use millstream_data::Manifest;
use millstream_dataflow::{Job, RoundJob};
use millstream_spec::{Plan, TrainingPlan, ViewOf};

use crate::exit::Request;

/// The names of a round's views by their number, and which of them is to be shown.
pub(super) struct Views {
    round: u32,
    names: Vec<String>,
    shown: Vec<bool>,
}

impl Views {
    /// `only` is the one view that is wanted.
    pub(super) fn new(plan: &Plan, round: u32, only: Option<&str>) -> anyhow::Result<Self> {
        let Some(training) = plan.rounds.get(round as usize).map(|round| &round.training) else {
            bail!(Request(format!(
                "--round {round}: the pipeline has rounds 0 to {}",
                plan.rounds.len().saturating_sub(1)
            )));
        };
        let (names, shown) = names(training, only).into_iter().unzip();
        let views = Views { round, names, shown };
        match only {
            Some(name) if !views.shown.contains(&true) => {
                let known: Vec<&str> = training.views.iter().map(|view| view.name.as_str()).collect();
                bail!(Request(format!("--view {name}: round {round} has {}", known.join(", "))))
            }
            _ => Ok(views),
        }
    }

    /// The name of a view, if it is to be shown.
    pub(super) fn name(&self, view: u8) -> Option<&str> {
        let number = usize::from(view);
        self.names.get(number).filter(|_| self.shown.get(number) == Some(&true)).map(String::as_str)
    }

    /// What to run to see `images` records of each kind: the round's training as it is, and if some view is only for
    /// unlabelled records these in the place of the labelled ones. Nobody has pseudo-labels yet, and what random numbers
    /// depend on does not know them either; but which images will be mixed with which does.
    pub(super) fn jobs(&self, plan: &Plan, manifest: &Arc<Manifest>, images: u32) -> anyhow::Result<Vec<Job>> {
        let mut jobs = vec![self.job(plan, manifest, images)?];
        let unlabelled = manifest.split("unlabelled");
        let theirs = |view: &millstream_dataflow::RoundView| !view.labelled;
        let round = &plan.rounds[self.round as usize].training;
        let trains_on_them = round.learns_from_unlabelled(self.round as usize) && !unlabelled.is_empty();
        if trains_on_them && self.of(&jobs[0]).views.iter().any(theirs) {
            let mut job = self.job(plan, manifest, images)?;
            job.labelled = unlabelled.to_vec();
            let round = &mut job.rounds[self.round as usize];
            round.mix = None;
            round.views.iter_mut().for_each(|view| view.labelled = view.unlabelled);
            jobs.push(job);
        }
        Ok(jobs)
    }

    fn of<'job>(&self, job: &'job Job) -> &'job RoundJob {
        &job.rounds[self.round as usize]
    }

    /// The first steps of the round, and nothing else.
    fn job(&self, plan: &Plan, manifest: &Arc<Manifest>, images: u32) -> anyhow::Result<Job> {
        let mut job = millstream_dataflow::render(plan, Arc::clone(manifest))?;
        (job.first_round, job.max_bad) = (self.round, u64::MAX);
        (job.unlabelled, job.test) = (Vec::new(), Vec::new());
        job.rounds.truncate(self.round as usize + 1);
        let round = &mut job.rounds[self.round as usize];
        round.steps = images.div_ceil(round.batch);
        Ok(job)
    }
}

/// Each view as often as it is taken, and whether it is shown.
fn names(training: &TrainingPlan, only: Option<&str>) -> Vec<(String, bool)> {
    let mut names = Vec::new();
    for view in &training.views {
        let shown = only.is_none_or(|only| only == view.name);
        let kind = if view.of == ViewOf::Unlabelled { " (unlabelled)" } else { "" };
        for number in 1..=view.count {
            let count = if view.count > 1 { format!(" {number}/{}", view.count) } else { String::new() };
            names.push((format!("{}{count}{kind}", view.name), shown));
        }
    }
    names
}
