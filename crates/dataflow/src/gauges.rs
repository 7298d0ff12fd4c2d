//! What a process has done so far, for whoever watches several of them or asks what holds it up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
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

/// The counters behind [`Work`]: shared by all threads of a process, and costing them next to nothing.
#[derive(Clone, Debug, Default)]
pub struct Gauges(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    read: AtomicU64,
    bytes: AtomicU64,
    fetched: AtomicU64,
    reading: AtomicU64,
    prepared: AtomicU64,
    preparing: AtomicU64,
    decoding: AtomicU64,
    starved: AtomicU64,
    blocked: AtomicU64,
    round: AtomicU64,
    step: AtomicU64,
    steps: AtomicU64,
    ready: AtomicU64,
    training: AtomicU64,
    peers: AtomicU64,
    waited: AtomicU64,
    asked: AtomicU64,
}

impl Gauges {
    /// What there is now.
    pub fn read(&self) -> Work {
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        let seconds = |nanoseconds: &AtomicU64| nanoseconds.load(Relaxed) as f64 / 1e9;
        let gauges = &*self.0;
        Work {
            read: count(&gauges.read),
            bytes: count(&gauges.bytes),
            fetched: count(&gauges.fetched),
            reading: seconds(&gauges.reading),
            prepared: count(&gauges.prepared),
            preparing: seconds(&gauges.preparing),
            decoding: seconds(&gauges.decoding),
            starved: seconds(&gauges.starved),
            blocked: seconds(&gauges.blocked),
            round: count(&gauges.round) as u32,
            step: count(&gauges.step) as u32,
            steps: count(&gauges.steps),
            ready: count(&gauges.ready),
            training: seconds(&gauges.training),
            peers: seconds(&gauges.peers),
            waited: seconds(&gauges.waited),
            asked: count(&gauges.asked),
        }
    }

    /// That so many records of so many bytes came in.
    pub(crate) fn came_in(&self, records: u64, bytes: u64) {
        self.0.read.fetch_add(records, Relaxed);
        self.0.bytes.fetch_add(bytes, Relaxed);
    }

    /// That a thread read a record in this time.
    pub(crate) fn fetched(&self, took: Duration) {
        self.0.fetched.fetch_add(1, Relaxed);
        add(&self.0.reading, took);
    }

    /// That a worker prepared some records, and decoded files for so long.
    pub(crate) fn prepared(&self, records: u64, decoding: Duration) {
        self.0.prepared.fetch_add(records, Relaxed);
        add(&self.0.decoding, decoding);
    }

    /// That a worker did this for so long.
    pub(crate) fn spent(&self, doing: Doing, time: Duration) {
        match doing {
            Doing::Preparing => add(&self.0.preparing, time),
            Doing::Starved => add(&self.0.starved, time),
            Doing::Blocked => add(&self.0.blocked, time),
            Doing::Other => {}
        }
    }

    /// What the training node tells.
    pub(crate) fn note(&self, event: &Event) {
        let seconds = |counter, seconds: f64| add(counter, Duration::try_from_secs_f64(seconds).unwrap_or_default());
        let gauges = &*self.0;
        match event {
            Event::Stepped { round, step, time, metrics, .. } => {
                gauges.round.store(u64::from(*round), Relaxed);
                gauges.step.store(u64::from(*step) + 1, Relaxed);
                gauges.steps.fetch_add(1, Relaxed);
                gauges.ready.fetch_add(u64::from(time.ready), Relaxed);
                seconds(&gauges.training, time.seconds);
                seconds(&gauges.peers, metrics.peers);
                seconds(&gauges.waited, time.waited);
            }
            Event::Predicted { images, .. } => drop(gauges.asked.fetch_add(u64::from(*images), Relaxed)),
            Event::Dead(_) | Event::Round(_) => {}
        }
    }
}

fn add(counter: &AtomicU64, time: Duration) {
    counter.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
}
