//! Chooses a training set out of the answers of bulk jobs: the label book of a corpus, fed file by file.
//!
//! ```text
//!                  ┌─► what teachers say ───────────────┐
//!  files ─► rows ──┼─► labels of the data, corrections ─┼─► label book ═home═► the labels, and what they come to
//!                  └─► fingerprints ────────────────────┘
//! ```
//!
//! Each worker reads its share of the files. In round 0 the members are chosen; in round 1, where there are answers that
//! replace the first ones, they are labelled anew. No order reaches the result.

use std::sync::{Arc, Mutex, PoisonError};

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::input::{Input, InputSession};
use differential_dataflow::operators::ThresholdTotal;
use differential_dataflow::{ExchangeData, VecCollection};
use millstream_data::answer::{Row, Told, class_of, decode};
use millstream_data::store::{Location, Store};
use millstream_data::{DataError, Fingerprint, Key};
use millstream_labels::{Curated, Looks, Sayings, curate};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::{Exchange, Input as _, Inspect};
use timely::dataflow::{InputHandle, Scope};
use timely::worker::Worker;

// What is asked for and what comes of it is said in these.
pub use millstream_labels::{
    Agreement, Balance, Correction, Deduplication, ENOUGH, Label, LabelsError, MOST_DISTANCE, Match, Pair, Policy,
    Provenance, Pseudo, RoundStats, Rule, Validated, Verdict, class_thresholds,
};

use crate::run::drive;
use crate::stop::{Stop, StopReason};
use crate::time::Time;

/// Where the result comes together.
const HOME: u64 = 0;
/// Rows that are read between two turns of the worker.
const BITE: usize = 4096;

/// What a training set is chosen from, and how.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Where the files of answers lie.
    pub store: Store,
    /// The files of each teacher.
    pub teachers: Vec<Vec<Location>>,
    /// The files of those who label the members anew, teacher by teacher; none if nobody does.
    pub again: Vec<Vec<Location>>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// How labels are chosen.
    pub policy: Policy,
    /// Whether the probabilities of all classes are kept of each label.
    pub soft: bool,
    /// Whether people gave the labels that the data came with. If not, they are used for nothing but precision.
    pub trusted: bool,
    /// What people say of records.
    pub corrections: Vec<(Key, Correction)>,
    /// What is done about duplicates, if they are looked for.
    pub duplicates: Option<Search>,
    /// Ends the work early.
    pub stop: Stop,
}

/// How duplicates are looked for. Records without a fingerprint are none.
#[derive(Clone, Debug)]
pub struct Search {
    /// What is done about them.
    pub policy: Deduplication,
    /// Perceptual hashes within so many bits are near, at most [`MOST_DISTANCE`].
    pub distance: u32,
    /// Files of answers about the test images.
    pub test: Vec<Location>,
}

/// A training set, and what else was found out. All in the order of their keys.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// The label of each member.
    pub labels: Vec<(Key, Label)>,
    /// What the selection comes to.
    pub stats: RoundStats,
    /// How many records each two teachers agree and disagree on.
    pub pairs: Vec<(Pair, u64)>,
    /// Records that repeat a test image.
    pub leaks: Vec<(Key, Match)>,
    /// Records that repeat another record, which comes before them. Where one of each two is to stay, those that were left out for
    /// another one.
    pub copies: Vec<(Key, Match)>,
}

impl Chosen {
    /// How many records two teachers have both labelled; the first has the smaller number.
    pub fn shared(&self, first: u32, second: u32) -> u64 {
        let theirs = self.pairs.iter().filter(|(pair, _)| (pair.first, pair.second) == (first, second));
        theirs.map(|(_, count)| count).sum()
    }
}

/// A choice that is being made. Every worker runs it.
#[derive(Debug)]
pub struct Choosing {
    parts: Parts,
    found: Found,
}

impl Choosing {
    /// Checks what is asked for.
    ///
    /// # Errors
    /// Those of [`Policy::check`].
    pub fn new(parts: Parts) -> Result<Self, LabelsError> {
        parts.policy.check()?;
        Ok(Choosing { parts, found: Found::default() })
    }

    /// Does this worker's share of the work. An error gives the stop signal.
    pub fn run(&self, worker: &mut Worker) {
        let mut inputs = worker.dataflow_named("Curate", |scope| self.build(scope));
        if let Err(error) = self.feed(worker, &mut inputs) {
            self.parts.stop.set(StopReason::Failed(error.to_string()));
        }
        drop(inputs);
        drive(worker, &self.parts.stop);
    }

    /// What has come of it, once all workers are through.
    pub fn chosen(&self) -> Chosen {
        let counted = |(what, count): (Pair, isize)| (what, u64::try_from(count).unwrap_or(0));
        Chosen {
            labels: take(&self.found.labels).into_iter().map(|(label, _)| label).collect(),
            stats: lock(&self.found.stats).clone(),
            pairs: take(&self.found.pairs).into_iter().map(counted).collect(),
            leaks: take(&self.found.leaks).into_iter().map(|(leak, _)| leak).collect(),
            copies: take(&self.found.copies).into_iter().map(|(copy, _)| copy).collect(),
        }
    }

    fn build(&self, scope: Scope<'_, Time>) -> Inputs {
        let (corrections, corrected) = scope.new_collection();
        let (truth, truths) = scope.new_collection();
        let (teachers, told) = scope.new_input();
        let (prints, looks) = self.parts.duplicates.as_ref().map(|search| prints(scope, search)).unzip();
        // Of an input that nobody holds comes nothing.
        let barred = scope.new_collection().1;
        // Several teachers tell the labels of the data several times.
        let truth_once = if self.parts.teachers.len() > 1 { truths.distinct_total() } else { truths };
        let said = Sayings { corrections: corrected, teachers: told, barred, looks, truth: truth_once };
        let frozen = (!self.parts.again.is_empty()).then_some(Time::end_of(0));
        let Curated { labels, selected: _, stats, pairs, duplicates } = curate(said, &self.parts.policy, frozen);
        if let Some(found) = duplicates {
            gather(found.leaks, &self.found.leaks);
            gather(found.copies, &self.found.copies);
        }
        gather(labels, &self.found.labels);
        gather(pairs, &self.found.pairs);
        let last = Arc::clone(&self.found.stats);
        stats.inspect(move |(_, stats)| *lock(&last) = stats.clone());
        Inputs { corrections, truth, prints, teachers }
    }

    /// Reads this worker's files of both times.
    fn feed(&self, worker: &mut Worker, inputs: &mut Inputs) -> Result<(), DataError> {
        if worker.index() == 0 {
            self.parts.corrections.iter().for_each(|correction| inputs.corrections.insert(*correction));
        }
        let tests = self.parts.duplicates.iter().map(|search| &search.test[..]);
        self.read(worker, inputs, tests, |inputs, _, row, _| inputs.test(&row))?;
        let first = self.parts.teachers.iter().map(Vec::as_slice);
        self.read(worker, inputs, first, |inputs, teacher, row, model| {
            let class = row.label.as_deref().and_then(|label| class_of(label, &self.parts.classes));
            inputs.about(&row, class, self.parts.trusted);
            inputs.say(row, teacher, model, (0, self.needs_distributions()));
        })?;
        inputs.advance();
        let again = self.parts.again.iter().map(Vec::as_slice);
        self.read(worker, inputs, again, |inputs, teacher, row, model| {
            inputs.say(row, teacher, model, (1, self.needs_distributions()));
        })
    }

    /// Hands over each row of this worker's share of some files, with the number of its teacher and the hash of the model.
    fn read<'a>(
        &self,
        worker: &mut Worker,
        inputs: &mut Inputs,
        teachers: impl Iterator<Item = &'a [Location]>,
        hand: impl Fn(&mut Inputs, u32, Row, &[u8; 32]),
    ) -> Result<(), DataError> {
        let all = (0..).zip(teachers).flat_map(|(teacher, files)| files.iter().map(move |file| (teacher, file)));
        for (teacher, file) in all.skip(worker.index()).step_by(worker.peers()) {
            let rows = decode(&self.parts.store, file)?;
            let model = rows.set().model_hash();
            for (row, number) in rows.zip(1_usize..) {
                hand(inputs, teacher, row?, &model);
                if number.is_multiple_of(BITE) {
                    worker.step();
                }
            }
            worker.step();
            if self.parts.stop.reason().is_some() {
                break;
            }
        }
        Ok(())
    }

    fn needs_distributions(&self) -> bool {
        self.parts.soft || self.parts.policy.agreement == Agreement::Mean
    }
}

/// Key, teacher, label, time.
type Upsert = (Key, u32, Option<Pseudo>, Time);

struct Inputs {
    corrections: InputSession<Time, (Key, Correction), isize>,
    truth: InputSession<Time, (Key, u32), isize>,
    /// Where duplicates are looked for.
    prints: Option<Prints>,
    teachers: InputHandle<Time, CapacityContainerBuilder<Vec<Upsert>>>,
}

/// The fingerprints of the records, and of the test images.
struct Prints {
    own: InputSession<Time, (Key, Fingerprint), isize>,
    tests: InputSession<Time, (Key, Fingerprint), isize>,
}

fn prints<'scope>(scope: Scope<'scope, Time>, search: &Search) -> (Prints, Looks<'scope, Time>) {
    let ((own, records), (tests, test)) = (scope.new_collection(), scope.new_collection());
    (Prints { own, tests }, Looks { records, test, distance: search.distance, what: search.policy })
}

impl Inputs {
    /// What the data says of a record, whoever labels it.
    fn about(&mut self, row: &Row, class: Option<u32>, trusted: bool) {
        match class {
            // An image that cannot be read trains nothing, whatever it is said to show.
            Some(_) if trusted && row.said.is_err() => {}
            Some(class) if trusted => {
                let correction = Correction { import: 0, verdict: Verdict::Class(class) };
                self.corrections.insert((row.key, correction));
            }
            Some(class) => self.truth.insert((row.key, class)),
            None => {}
        }
        if let (Some(prints), Some(print)) = (&mut self.prints, row.fingerprint) {
            prints.own.insert((row.key, print));
        }
    }

    fn test(&mut self, row: &Row) {
        if let (Some(prints), Some(print)) = (&mut self.prints, row.fingerprint) {
            prints.tests.insert((row.key, print));
        }
    }

    fn say(&mut self, row: Row, teacher: u32, model: &[u8; 32], (round, soft): (u32, bool)) {
        let label = row.said.ok().map(|told| pseudo(&told, round, model, soft));
        self.teachers.send((row.key, teacher, label, Time::start_of(round)));
    }

    /// Ends the first round.
    fn advance(&mut self) {
        let second = Time::start_of(1);
        self.corrections.advance_to(second);
        self.corrections.flush();
        self.truth.advance_to(second);
        self.truth.flush();
        for prints in self.prints.iter_mut().flat_map(|prints| [&mut prints.own, &mut prints.tests]) {
            prints.advance_to(second);
            prints.flush();
        }
        self.teachers.advance_to(second);
    }
}

/// What a teacher says of a record in a round.
pub fn pseudo(told: &Told, round: u32, model: &[u8; 32], soft: bool) -> Pseudo {
    let distribution = told.distribution.as_deref().filter(|_| soft).unwrap_or_default();
    let (class, confidence) = (told.summary.class(), told.summary.confidence());
    Pseudo::new(class, confidence, round, model, distribution)
}

/// What comes together at the first worker.
#[derive(Debug, Default)]
struct Found {
    labels: Gathered<(Key, Label)>,
    pairs: Gathered<Pair>,
    leaks: Gathered<(Key, Match)>,
    copies: Gathered<(Key, Match)>,
    stats: Arc<Mutex<RoundStats>>,
}

/// Changes, not yet summed up.
type Gathered<D> = Arc<Mutex<Vec<(D, isize)>>>;

fn gather<D: ExchangeData>(changes: VecCollection<'_, Time, D>, into: &Gathered<D>) {
    let into = Arc::clone(into);
    changes.inner.exchange(|_| HOME).inspect(move |(data, _, change)| lock(&into).push((data.clone(), *change)));
}

/// What is left of the changes.
fn take<D: Ord>(gathered: &Gathered<D>) -> Vec<(D, isize)> {
    let mut changes = std::mem::take(&mut *lock(gathered));
    consolidate(&mut changes);
    changes
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
