//! Where trials are run: one timely computation, a dataflow for each of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_dataflow::{Event, Job, Shelf, Stop, StopReason, Surroundings, run_each};

use super::outcome::loss_of;
use super::trial::{Label, Trial};
use super::{SearchOptions, Share};
use crate::error::ClusterError;
use crate::group::{Group, on_workers};
use crate::report::{Report, RoundReport};
use crate::run::{Outcome, Recording, RunOptions, Staged, prepare, stage};

/// News of a trial that is done.
#[derive(Clone, Debug)]
pub struct TrialDone {
    /// How many are done, this one included.
    pub done: usize,
    /// How many there are on this rung.
    pub of: usize,
    /// Its settings.
    pub settings: String,
    /// The fold that was held out, from 0.
    pub fold: u32,
    /// The accuracy on that fold, 0 to 1; none if the trial failed.
    pub accuracy: Option<f64>,
    /// The loss on that fold, in nats; none if the trial failed or it is not finite.
    pub loss: Option<f64>,
    /// Whether it was done by an earlier search, or by another process.
    pub before: bool,
    /// Seconds that it took; none if it failed.
    pub seconds: Option<f64>,
    /// Why it failed, if it did.
    pub failed: Option<String>,
}

/// How a trial came out.
pub(super) struct Score {
    /// The name of its run directory.
    pub(super) run: String,
    /// Its last round, or why there is none.
    pub(super) round: Result<RoundReport, String>,
}

/// By combination and fold.
pub(super) type Scores = BTreeMap<(usize, u32), Score>;

/// Runs trials.
pub(super) struct Machine {
    workers: usize,
    at_once: Option<usize>,
    share: Option<Share>,
    shelf: Shelf,
    done: Arc<dyn Fn(&TrialDone) + Send + Sync>,
}

impl Machine {
    pub(super) fn new(options: &SearchOptions, done: impl Fn(&TrialDone) + Send + Sync + 'static) -> Self {
        let SearchOptions { workers, at_once, share, shelf, .. } = *options;
        Machine { workers, at_once, share, shelf: Shelf::new(shelf), done: Arc::new(done) }
    }

    /// Runs all trials that are not done yet and that are this process's to do. Scores of all, unless they were stopped before the end or others have
    /// not done their share yet.
    pub(super) fn run(&self, trials: Vec<Trial>, stop: &Stop) -> Result<Option<Scores>, ClusterError> {
        let threads = trials.iter().map(|trial| trial.plan.threads as usize).max().unwrap_or(1);
        let at_once = self.at_once.unwrap_or(self.workers / threads).max(1);
        let board = Arc::new(Board { of: trials.len(), done: Arc::clone(&self.done), scores: Mutex::default() });
        let (mut open, mut of_others) = (Vec::new(), Vec::new());
        for (number, trial) in trials.into_iter().enumerate() {
            match trial.done()? {
                Some(round) => board.note(&trial.label, Ok(round), false),
                None if self.share.is_none_or(|share| share.has(number)) => open.push(trial),
                None => of_others.push(trial),
            }
        }
        let queue = Arc::new(Queue {
            trials: open,
            workers: self.workers,
            shelf: self.shelf.clone(),
            stop: stop.clone(),
            board: Arc::clone(&board),
            line: Mutex::default(),
        });
        let (shared, signal) = (Arc::clone(&queue), stop.clone());
        on_workers(Group::alone(self.workers), stop, move |worker| {
            run_each(worker, |number| shared.take(number), at_once, &signal);
        })?;
        queue.finish()?;
        if stop.reason().is_some() {
            return Ok(None);
        }
        for trial in of_others {
            match (trial.done()?, trial.failure()) {
                (Some(round), _) => board.note(&trial.label, Ok(round), false),
                (None, Some(reason)) => board.note(&trial.label, Err(reason), false),
                (None, None) => return Ok(None),
            }
        }
        Ok(Some(std::mem::take(&mut *lock(&board.scores))))
    }
}

/// Where scores are written down and told of.
struct Board {
    of: usize,
    done: Arc<dyn Fn(&TrialDone) + Send + Sync>,
    scores: Mutex<Scores>,
}

impl Board {
    /// `now` says whether it was done just now, and not by an earlier search.
    fn note(&self, label: &Label, round: Result<RoundReport, String>, now: bool) {
        let mut scores = lock(&self.scores);
        let Label { candidate, fold, settings, run } = label.clone();
        let done = round.as_ref().ok();
        let (accuracy, loss) = (done.map(|round| round.test_accuracy), done.and_then(loss_of));
        let (seconds, failed) = (done.map(|round| round.seconds), round.as_ref().err().cloned());
        scores.insert((candidate, fold), Score { run, round });
        let (done, of) = (scores.len(), self.of);
        (self.done)(&TrialDone { done, of, settings, fold, accuracy, loss, before: !now, seconds, failed });
    }
}

/// The trials that are to be run, in order. Each worker takes each of them.
struct Queue {
    trials: Vec<Trial>,
    workers: usize,
    shelf: Shelf,
    stop: Stop,
    board: Arc<Board>,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    /// Trials that some workers have taken and others have not, and how many have.
    staged: BTreeMap<usize, (Arc<Job>, Surroundings, usize)>,
    /// Trials that have begun and whose records are not closed.
    open: Vec<(usize, Recording)>,
    error: Option<ClusterError>,
}

impl Queue {
    /// The trial of a number for one more worker; the first one to come for it makes it ready. None if there are no more.
    fn take(&self, number: usize) -> Option<(Arc<Job>, Surroundings)> {
        let trial = self.trials.get(number)?;
        let mut line = lock(&self.line);
        self.close(&mut line, Recording::is_over);
        if line.error.is_some() {
            return None;
        }
        if !line.staged.contains_key(&number)
            && let Err(error) = self.open(&mut line, number, trial)
        {
            self.give_up(&mut line, error);
            return None;
        }
        let (job, around, taken) = line.staged.get_mut(&number)?;
        *taken += 1;
        let (taken, mine) = (*taken, (Arc::clone(job), around.clone()));
        if taken == self.workers {
            line.staged.remove(&number);
        }
        Some(mine)
    }

    fn open(&self, line: &mut Line, number: usize, trial: &Trial) -> Result<(), ClusterError> {
        trial.leave_word(None)?;
        let options = RunOptions { start: trial.start()?, ..trial.options.clone() };
        let prepared = prepare(&trial.plan, &options, trial.job()?, trial.hash)?;
        let (board, label) = (Arc::clone(&self.board), trial.label.clone());
        let watch = move |_: &Event, report: &Report| {
            if let Some(round) = report.rounds.last().filter(|_| report.complete) {
                board.note(&label, Ok(round.clone()), true);
            }
        };
        let stop = Stop::new();
        let Staged { job, around, recording } = stage(&trial.plan, options.device, prepared, None, &stop, watch)?;
        let around = around.sharing(self.shelf.section(trial.section));
        line.staged.insert(number, (job, around, 0));
        line.open.push((number, recording));
        Ok(())
    }

    /// Closes the records that are ready for it.
    fn close(&self, line: &mut Line, ready: impl Fn(&Recording) -> bool) {
        let (over, open): (Vec<_>, Vec<_>) = std::mem::take(&mut line.open).into_iter().partition(|(_, r)| ready(r));
        line.open = open;
        for (number, recording) in over {
            match recording.join() {
                Ok(Outcome { stopped: Some(reason), .. }) if self.stop.reason().is_none() => {
                    self.failed(line, number, &reason.to_string());
                }
                Ok(_) => {}
                Err(error) => self.give_up(line, error),
            }
        }
    }

    /// A trial failed: the others go on.
    fn failed(&self, line: &mut Line, number: usize, reason: &str) {
        let Some(trial) = self.trials.get(number) else { return };
        self.board.note(&trial.label, Err(reason.to_owned()), true);
        if let Err(error) = trial.leave_word(Some(reason)) {
            self.give_up(line, error);
        }
    }

    /// Nothing can go on.
    fn give_up(&self, line: &mut Line, error: ClusterError) {
        self.stop.set(StopReason::Failed(error.to_string()));
        line.error.get_or_insert(error);
    }

    /// Closes all records that are left, once the workers have gone.
    fn finish(&self) -> Result<(), ClusterError> {
        let mut line = lock(&self.line);
        line.staged.clear();
        self.close(&mut line, |_| true);
        line.error.take().map_or(Ok(()), Err)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
