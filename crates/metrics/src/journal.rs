//! The journal of a run: every file of this crate but the confusion matrices.

use std::io;
use std::path::{Path, PathBuf};

use crate::interval::Interval;
use crate::line::{Figures, Line, Scores, Step, Training};
use crate::log::Log;
use crate::plots;
use crate::tensorboard::{EventFile, forget};

/// What a run directory tells of training: `metrics.jsonl`, `tensorboard/` and `plots/`.
///
/// Nothing here fails: what cannot be written is given up with one warning.
#[derive(Debug)]
pub struct Journal {
    run: PathBuf,
    /// Steps of each round.
    steps: Vec<u32>,
    mark: Option<u32>,
    generation: u64,
    /// Round and step that it went on with.
    first: (u32, u32),
    /// The round that is told of.
    round: u32,
    /// Steps of later rounds: training goes on while a round is still being summed up.
    ahead: Vec<Step>,
    log: Option<Log>,
    /// Of this round, once it has something to tell.
    events: Option<Option<EventFile>>,
    interval: Interval,
    history: History,
}

/// All lines so far.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) training: Vec<Training>,
    pub(crate) scores: Vec<Scores>,
}

impl History {
    fn add(&mut self, line: Line) {
        match line {
            Line::Train(training) => self.training.push(training),
            Line::Test(scores) => self.scores.push(scores),
            // No plot shows it.
            Line::Validation(_) => {}
        }
    }
}

impl Journal {
    /// Goes on with `first`, a round and a step of it (0 and 0 is a fresh run), in a run directory; what is there of it and of
    /// all that comes later is removed.
    /// `steps` holds the steps of every round, and after how many of them a checkpoint is kept; `generation` grows with every start of
    /// the run.
    pub fn open(run: &Path, (steps, mark): (Vec<u32>, Option<u32>), first: (u32, u32), generation: u64) -> Journal {
        let path = run.join("metrics.jsonl");
        let (log, lines) = kept(&path, Log::open(&path, first)).unzip();
        let tensorboard = run.join("tensorboard");
        kept(&tensorboard, forget(&tensorboard, first));
        let mut history = History::default();
        lines.into_iter().flatten().for_each(|line| history.add(line));
        let interval = Interval::default();
        let (round, ahead, events) = (first.0, Vec::new(), None);
        Journal { run: run.to_owned(), steps, mark, generation, first, round, ahead, log, events, interval, history }
    }

    /// Takes note of a step. Those of later rounds wait until the round before them is closed.
    pub fn step(&mut self, step: &Step) {
        if step.round > self.round {
            self.ahead.push(*step);
            return;
        }
        let steps = self.steps.get(step.round as usize).copied().unwrap_or(0);
        let before = self.steps_before(step.round);
        if let Some(point) = self.interval.add(step, (steps, self.mark), before) {
            self.train(point);
        }
    }

    /// Tells of the steps that are not told of yet: the run stops in the middle of a round.
    pub fn pause(&mut self) {
        let before = self.steps_before(self.round);
        if let Some(point) = self.interval.end(before) {
            self.train(point);
        }
    }

    fn train(&mut self, point: Training) {
        self.append(Line::Train(point));
        self.event(|events| events.train(&point));
    }

    /// Adds the figures of a round's model over the validation split; the round is closed after that.
    pub fn validate(&mut self, round: u32, figures: &Figures) {
        let scores = figures.scores(round, self.steps_before(round.saturating_add(1)));
        self.append(Line::Validation(scores));
        self.event(|events| events.scores("validation", &scores));
    }

    /// Ends a round: adds the figures of its model over the test split, if it was tested, makes the lines safe and draws the plots anew.
    pub fn close_round(&mut self, round: u32, figures: Option<&Figures>) {
        if let Some(figures) = figures {
            let scores = figures.scores(round, self.steps_before(round.saturating_add(1)));
            self.append(Line::Test(scores));
            self.event(|events| events.scores("test", &scores));
        }
        self.events = None;
        let path = self.run.join("metrics.jsonl");
        self.log = self.log.take().and_then(|log| kept(&path, log.sync().map(|()| log)));
        let plots = self.run.join("plots");
        kept(&plots, plots::draw(&plots, &self.history, round, figures));
        self.round = round.saturating_add(1);
        std::mem::take(&mut self.ahead).iter().for_each(|step| self.step(step));
    }

    fn steps_before(&self, round: u32) -> u64 {
        self.steps.iter().take(round as usize).map(|steps| u64::from(*steps)).sum()
    }

    fn append(&mut self, line: Line) {
        let path = self.run.join("metrics.jsonl");
        self.log = self.log.take().and_then(|mut log| kept(&path, log.append(&line).map(|()| log)));
        self.history.add(line);
    }

    /// Writes to the event file of the round, which begins with its first event.
    fn event(&mut self, write: impl FnOnce(&mut EventFile) -> io::Result<()>) {
        let folder = self.run.join("tensorboard");
        let begun = if self.first.0 == self.round { self.first.1 } else { 0 };
        let first_step = self.steps_before(self.round) + u64::from(begun) + 1;
        let create = || kept(&folder, EventFile::create(&folder, self.generation, self.round, first_step));
        let file = self.events.take().unwrap_or_else(create);
        self.events = Some(file.and_then(|mut file| kept(&folder, write(&mut file).map(|()| file))));
    }
}

impl Figures {
    fn scores(&self, round: u32, global_step: u64) -> Scores {
        let Figures { total, accuracy, top5, loss, ece, calibrated, .. } = *self;
        Scores { round, global_step, total, accuracy, top5, loss, ece, calibrated }
    }
}

/// What came of a file, or a warning and nothing.
fn kept<T>(path: &Path, result: io::Result<T>) -> Option<T> {
    result.map_err(|error| tracing::warn!("cannot write {}: {error}; the run goes on", path.display())).ok()
}

#[cfg(test)]
mod tests;
