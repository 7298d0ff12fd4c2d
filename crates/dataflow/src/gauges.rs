//! What a process has done so far, for whoever watches several of them or asks what holds it up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::Event;

/// What a process has done since it began. Only ever rises, but for round and step.
///
/// A worker prepares records (`preparing`), waits for some that are being read (`starved`), or is held back by flow control because
/// the training node has enough (`blocked`); what is missing to its time, other operators had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Work {
    /// Records whose bytes came in.
    pub read: u64,
    /// Those bytes.
    pub bytes: u64,
    /// Records of these that had to be waited for; the kernel or the source had all others in memory.
    pub fetched: u64,
    /// Seconds that threads spent on reading those, all together.
    pub reading: f64,
    /// Records that its workers prepared, each with all its views.
    pub prepared: u64,
    /// Seconds that its workers spent on them, all together.
    pub preparing: f64,
    /// Seconds of these that went into decoding image files.
    pub decoding: f64,
    /// Seconds that its workers had nothing to prepare while records were being read, all together.
    pub starved: f64,
    /// Seconds that its workers had nothing to prepare because flow control held the source back, all together.
    pub blocked: f64,
    /// The round that its training node is at.
    pub round: u32,
    /// Steps of that round that it has trained.
    pub step: u32,
    /// Steps that it has trained.
    pub steps: u64,
    /// Steps of these whose batch was there when the training node asked for it.
    pub ready: u64,
    /// Seconds that the steps took, waiting for other training nodes included.
    pub training: f64,
    /// Seconds of these that it waited for other training nodes. The one that waits least is the one that all wait for.
    pub peers: f64,
    /// Seconds that its training node waited for batches.
    pub waited: f64,
    /// Images that its model was asked about after training.
    pub asked: u64,
}

/// What a worker does at a moment, as far as records are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Records become samples.
    Preparing,
    /// There is nothing to prepare, but something is being read.
    Starved,
    /// There is nothing to prepare and nothing is being read.
    Blocked,
    /// There is something to prepare, but another operator has its turn.
    Other,
}

/// The [`Work`] of a process: shared by all its threads, and costing them next to nothing.
#[derive(Clone, Debug, Default)]
pub struct Gauges(Arc<Mutex<Work>>);

impl Gauges {
    /// What there is now.
    pub fn read(&self) -> Work {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That so many records of so many bytes came in.
    pub(crate) fn came_in(&self, records: u64, bytes: u64) {
        let mut work = self.lock();
        work.read += records;
        work.bytes += bytes;
    }

    /// That a thread read a record in this time.
    pub(crate) fn fetched(&self, took: Duration) {
        let mut work = self.lock();
        work.fetched += 1;
        work.reading += took.as_secs_f64();
    }

    /// That a worker prepared some records, and decoded files for so long.
    pub(crate) fn prepared(&self, records: u64, decoding: Duration) {
        let mut work = self.lock();
        work.prepared += records;
        work.decoding += decoding.as_secs_f64();
    }

    /// That a worker did this for so long.
    pub(crate) fn spent(&self, doing: Doing, time: Duration) {
        let seconds = time.as_secs_f64();
        match doing {
            Doing::Preparing => self.lock().preparing += seconds,
            Doing::Starved => self.lock().starved += seconds,
            Doing::Blocked => self.lock().blocked += seconds,
            Doing::Other => {}
        }
    }

    /// What the training node tells.
    pub(crate) fn note(&self, event: &Event) {
        let mut work = self.lock();
        match event {
            Event::Stepped { round, step, time, metrics, .. } => {
                (work.round, work.step) = (*round, step + 1);
                work.steps += 1;
                work.ready += u64::from(time.ready);
                work.training += time.seconds;
                work.peers += metrics.peers;
                work.waited += time.waited;
            }
            Event::Predicted { images, .. } => work.asked += u64::from(*images),
            Event::Dead(_) | Event::Round(_) => {}
        }
    }
}
