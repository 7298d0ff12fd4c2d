//! Where the time of training went, stage by stage.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use millstream_dataflow::{Event, Gauges, Work};
use serde::{Deserialize, Serialize};

/// Where the time of training went, from the end of the first step to the end of the last, in the process of the first training node.
/// Seconds of several threads are added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stages {
    /// Seconds by the clock.
    pub seconds: f64,
    /// Worker threads.
    pub workers: usize,
    /// Fetching bytes.
    pub read: ReadStage,
    /// Making samples of them.
    pub prepare: PrepareStage,
    /// The training node.
    pub train: TrainStage,
}

/// The first stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReadStage {
    /// Records whose bytes came in.
    pub records: u64,
    /// Those bytes.
    pub bytes: u64,
    /// Records of these that had to be waited for; all others were in memory.
    pub fetched: u64,
    /// Seconds that reading threads spent on these.
    pub busy: f64,
}

/// The stage of the worker threads. What is missing to their time, other operators and passes had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PrepareStage {
    /// Records, each with all its views.
    pub records: u64,
    /// Seconds of work.
    pub busy: f64,
    /// Seconds of these that went into decoding image files.
    pub decoding: f64,
    /// Seconds without anything to prepare while records were being read.
    pub starved: f64,
    /// Seconds without anything to prepare because flow control held the source back: training has enough.
    pub blocked: f64,
}

/// The last stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainStage {
    /// Optimisation steps.
    pub steps: u64,
    /// Steps of these that found their batch ready.
    pub ready: u64,
    /// Images in them, over all training nodes.
    pub images: u64,
    /// Seconds of the steps.
    pub busy: f64,
    /// Seconds of waiting for batches.
    pub waited: f64,
}

impl Stages {
    /// What was done between two looks at the gauges, `seconds` apart.
    pub fn between(before: &Work, after: &Work, seconds: f64, (workers, images): (usize, u64)) -> Stages {
        Stages {
            seconds,
            workers,
            read: ReadStage {
                records: after.read - before.read,
                bytes: after.bytes - before.bytes,
                fetched: after.fetched - before.fetched,
                busy: after.reading - before.reading,
            },
            prepare: PrepareStage {
                records: after.prepared - before.prepared,
                busy: after.preparing - before.preparing,
                decoding: after.decoding - before.decoding,
                starved: after.starved - before.starved,
                blocked: after.blocked - before.blocked,
            },
            train: TrainStage {
                steps: after.steps - before.steps,
                ready: after.ready - before.ready,
                images,
                busy: after.training - before.training,
                waited: after.waited - before.waited,
            },
        }
    }

    /// Adds the stages of another round of the run.
    pub fn add(&mut self, other: &Stages) {
        self.seconds += other.seconds;
        self.workers = other.workers;
        self.read.records += other.read.records;
        self.read.bytes += other.read.bytes;
        self.read.fetched += other.read.fetched;
        self.read.busy += other.read.busy;
        self.prepare.records += other.prepare.records;
        self.prepare.busy += other.prepare.busy;
        self.prepare.decoding += other.prepare.decoding;
        self.prepare.starved += other.prepare.starved;
        self.prepare.blocked += other.prepare.blocked;
        self.train.steps += other.train.steps;
        self.train.ready += other.train.ready;
        self.train.images += other.train.images;
        self.train.busy += other.train.busy;
        self.train.waited += other.train.waited;
    }
}

/// Looks at the gauges after the first and after the last step of each round, as they end: whoever records may be late.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    gauges: Gauges,
    workers: usize,
    rounds: Arc<Mutex<BTreeMap<u32, Paced>>>,
}

#[derive(Debug)]
struct Paced {
    first: (Instant, Work),
    last: (Instant, Work),
    images: u64,
}

impl Pace {
    pub(crate) fn new(gauges: Gauges, workers: usize) -> Self {
        Pace { gauges, workers, rounds: Arc::default() }
    }

    /// The gauges that it looks at.
    pub(crate) fn gauges(&self) -> Gauges {
        self.gauges.clone()
    }

    /// Takes note of a step that has just ended.
    pub(crate) fn note(&self, event: &Event) {
        let &Event::Stepped { round, images, .. } = event else { return };
        let now = (Instant::now(), self.gauges.read());
        let add = |paced: &mut Paced| (paced.last, paced.images) = (now, paced.images + u64::from(images));
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        rounds.entry(round).and_modify(add).or_insert(Paced { first: now, last: now, images: 0 });
    }

    /// The stages of a round that has ended, if it had more than one step.
    pub(crate) fn stages(&self, round: u32) -> Option<Stages> {
        let paced = self.rounds.lock().unwrap_or_else(PoisonError::into_inner).remove(&round)?;
        let ((begun, before), (ended, after)) = (paced.first, paced.last);
        let seconds = ended.duration_since(begun).as_secs_f64();
        (seconds > 0.0).then(|| Stages::between(&before, &after, seconds, (self.workers, paced.images)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_what_was_done_between_two_looks() {
        let before = Work { prepared: 10, preparing: 1.0, waited: 0.5, steps: 1, ..Work::default() };
        let after = Work { prepared: 30, preparing: 3.0, waited: 2.5, steps: 11, ready: 4, ..before };
        let mut stages = Stages::between(&before, &after, 4.0, (2, 160));
        assert_eq!((stages.prepare.records, stages.prepare.busy, stages.train.waited), (20, 2.0, 2.0));
        assert_eq!((stages.train.steps, stages.train.ready, stages.train.images), (10, 4, 160));
        stages.add(&stages.clone());
        assert_eq!((stages.seconds, stages.workers, stages.prepare.records), (8.0, 2, 40));
    }
}
