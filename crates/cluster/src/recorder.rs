//! Writes what the stream reports into the run directory: one commit a round.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use millstream_data::{DeadLetter, write_dead_letters, write_labels, write_labels_csv};
use millstream_dataflow::{Evaluation, Event, RoundResult, RoundStats};
use millstream_metrics::{Figures, Journal};

use crate::checkpoint;
use crate::commit::{Commit, FileEntry};
use crate::error::ClusterError;
use crate::journal;
use crate::report::{CalibrationReport, Report, RoundReport};
use crate::run_dir::{RunDir, entries, round_folder};
use crate::stages::Pace;

/// What a recorder needs to know of the run.
pub(crate) struct Recorder {
    pub(crate) dir: Arc<RunDir>,
    pub(crate) report: Report,
    /// The name of each round's model.
    pub(crate) models: Vec<String>,
    /// Records with human labels.
    pub(crate) labelled: u64,
    /// For each round the unlabelled records that it takes whatever labels were selected; none where it takes the selected ones.
    pub(crate) untold: Vec<Option<u64>>,
    /// The names of the classes.
    pub(crate) classes: Vec<String>,
    /// The files that only tell of the run.
    pub(crate) journal: Journal,
    /// Whether labels are written as CSV too.
    pub(crate) csv: bool,
    pub(crate) generation: u64,
    pub(crate) sequence: u64,
    pub(crate) files: BTreeMap<String, FileEntry>,
    pub(crate) dead: Vec<DeadLetter>,
    pub(crate) round_begun: Instant,
    pub(crate) pace: Pace,
}

impl Recorder {
    /// Takes note of an event.
    pub(crate) fn note(&mut self, event: Event) -> Result<(), ClusterError> {
        match event {
            Event::Dead(letter) => self.dead.push(letter),
            Event::Round(result) => self.close_round(*result)?,
            Event::Stepped { .. } => journal::step(&event).iter().for_each(|step| self.journal.step(step)),
            Event::Predicted { .. } => {}
        }
        Ok(())
    }

    /// Tells of what is not told of yet, and writes the dead letters of a round that did not end, so that the user can see them; no
    /// commit names the file. Returns it, if there is any.
    pub(crate) fn abandon(&mut self) -> Result<Option<PathBuf>, ClusterError> {
        self.journal.pause();
        let Some(round) = self.dead.iter().map(|letter| letter.round).min() else {
            return Ok(None);
        };
        let folder = self.dir.create_round(round)?;
        let letters = std::mem::take(&mut self.dead);
        Ok(self.write_dead(folder, letters)?.map(|name| self.dir.path().join(name)))
    }

    fn close_round(&mut self, result: RoundResult) -> Result<(), ClusterError> {
        let folder = self.dir.create_round(result.round)?;
        let base = round_folder(result.round);
        let mut names = vec![format!("{base}/model.safetensors")];
        if !result.labels.is_empty() {
            let labels = || result.labels.iter().cloned().map(Ok);
            write_labels(&folder.join("labels.parquet"), labels())?;
            names.push(format!("{base}/labels.parquet"));
            if self.csv {
                write_labels_csv(&folder.join("labels.csv"), labels())?;
                names.push(format!("{base}/labels.csv"));
            }
        }
        let (dead, later) = std::mem::take(&mut self.dead).into_iter().partition(|l| l.round <= result.round);
        self.dead = later;
        let dead: Vec<DeadLetter> = dead;
        let count = dead.len() as u64;
        names.extend(self.write_dead(folder.clone(), dead)?);
        self.warn_of_nothing(&result);
        let passes = Passes::of(&result, &self.classes);
        let figures = self.tell(&result, &passes);
        if figures.as_ref().is_some_and(|figures| journal::confusion(&folder, figures)) {
            names.push(format!("{base}/confusion.csv"));
        }
        self.files.extend(entries(self.dir.path(), &names)?);
        let round = result.round;
        self.add_to_report(result, passes, count);
        self.journal.close_round(round, figures.as_ref());
        self.commit()
    }

    /// Writes dead letters by key, so that the file does not depend on who met them first.
    fn write_dead(&self, folder: PathBuf, mut dead: Vec<DeadLetter>) -> Result<Option<String>, ClusterError> {
        if dead.is_empty() {
            return Ok(None);
        }
        dead.sort();
        let path = folder.join("dead_letters.parquet");
        write_dead_letters(&path, &dead)?;
        let inside = path.strip_prefix(self.dir.path()).unwrap_or(&path);
        Ok(Some(inside.to_string_lossy().into_owned()))
    }

    /// Warns of a next round that waits for pseudo-labels in vain.
    fn warn_of_nothing(&self, result: &RoundResult) {
        let next = self.untold.get(result.round as usize + 1);
        let nothing = result.selection.as_ref().is_some_and(|stats| stats.accepted == 0);
        if nothing && next.is_some_and(Option::is_none) && !result.labels.is_empty() {
            let most = result.labels.iter().map(|label| label.confidence).fold(0.0, f32::max);
            tracing::warn!(
                "round {}: no pseudo-label was selected, the highest confidence is {most:.3}; round {} trains on labelled images \
                 alone. Lower `selection.threshold`",
                result.round,
                result.round + 1
            );
        }
    }

    /// Tells the journal of the validation pass, and gives back what it will be told of the test pass.
    fn tell(&mut self, result: &RoundResult, passes: &Passes) -> Option<Figures> {
        let (validation, test) = passes.calibration.as_ref().map(journal::calibrated).unzip();
        if let Some(evaluation) = &passes.validation {
            self.journal.validate(result.round, &journal::figures(&result.validation, evaluation, validation));
        }
        passes.test.as_ref().map(|evaluation| journal::figures(&result.test, evaluation, test.flatten()))
    }

    fn add_to_report(&mut self, result: RoundResult, passes: Passes, dead_letters: u64) {
        let trained = result.trained.unwrap_or_default();
        let untold = self.untold.get(result.round as usize).copied().flatten();
        let before = self.report.rounds.last().filter(|_| untold.is_none());
        let learned_from: Option<&RoundStats> = before.and_then(|round| round.labels.as_ref());
        let round = RoundReport {
            round: result.round,
            model: self.models.get(result.round as usize).cloned().unwrap_or_default(),
            model_hash: blake3::Hash::from_bytes(trained.model).to_hex().to_string(),
            labelled: self.labelled,
            pseudo_labelled: learned_from.map_or(0, |stats| stats.accepted),
            pseudo_copies: learned_from.map_or(0, |stats| stats.copies),
            unlabelled: untold.unwrap_or(0),
            selection_precision: learned_from.and_then(RoundStats::precision),
            validation: passes.validation,
            calibration: passes.calibration,
            test_accuracy: result.test.accuracy(),
            test_total: result.test.total(),
            test: passes.test,
            steps: trained.steps,
            loss: trained.loss.is_finite().then_some(trained.loss),
            images_per_second: rate(trained.images as f64, trained.seconds),
            data_wait: rate(trained.waited, trained.seconds),
            stages: self.pace.stages(result.round),
            seconds: self.round_begun.elapsed().as_secs_f64(),
            dead_letters,
            labels: result.selection,
        };
        self.round_begun = Instant::now();
        self.report.dead_letters += dead_letters;
        self.report.rounds.push(round);
        self.report.complete = self.report.rounds.len() == self.models.len();
    }

    fn commit(&mut self) -> Result<(), ClusterError> {
        let commit = Commit {
            sequence: self.sequence,
            generation: self.generation,
            plan: self.report.plan_hash.clone(),
            next_round: self.report.rounds.len() as u32,
            files: self.files.clone(),
            rounds: self.report.rounds.clone(),
        };
        commit.write(self.dir.path())?;
        checkpoint::clear_round(self.dir.path(), commit.next_round - 1)?;
        self.sequence += 1;
        self.report.write(self.dir.path())
    }
}

/// The figures of what a round's model was asked.
struct Passes {
    validation: Option<Evaluation>,
    calibration: Option<CalibrationReport>,
    test: Option<Evaluation>,
}

impl Passes {
    fn of(result: &RoundResult, classes: &[String]) -> Self {
        let validation = Evaluation::new(&result.validation, classes);
        let calibration = result.calibration.as_ref().zip(validation.as_ref());
        let calibration = calibration.and_then(|(calibration, before)| CalibrationReport::new(calibration, before));
        Passes { validation, calibration, test: Evaluation::new(&result.test, classes) }
    }
}

fn rate(amount: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { amount / seconds } else { 0.0 }
}
