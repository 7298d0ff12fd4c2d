//! What a process has done so far, for whoever watches several of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::Event;

/// What a process has done since it began. Only ever rises, but for round and step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// Records that its workers prepared, each with all its views.
    pub prepared: u64,
    /// Seconds that its workers spent on them, all together.
    pub preparing: f64,
    /// The round that its training node is at.
    pub round: u32,
    /// Steps of that round that it has trained.
    pub step: u32,
    /// Steps that it has trained.
    pub steps: u64,
    /// Seconds that they took, waiting for other training nodes included.
    pub training: f64,
    /// Seconds of these that it waited for other training nodes. The one that waits least is the one that all wait for.
    pub peers: f64,
    /// Seconds that its training node waited for batches.
    pub waited: f64,
    /// Images that its model was asked about after training.
    pub asked: u64,
}

/// The counters behind [`Work`]: shared by all threads of a process, and costing them next to nothing.
#[derive(Clone, Debug, Default)]
pub struct Gauges(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    prepared: AtomicU64,
    preparing: AtomicU64,
    round: AtomicU64,
    step: AtomicU64,
    steps: AtomicU64,
    training: AtomicU64,
    peers: AtomicU64,
    waited: AtomicU64,
    asked: AtomicU64,
}

impl Gauges {
    /// What there is now.
    pub fn read(&self) -> Work {
        let seconds = |nanoseconds: &AtomicU64| nanoseconds.load(Relaxed) as f64 / 1e9;
        let Counters { prepared, preparing, round, step, steps, training, peers, waited, asked } = &*self.0;
        Work {
            prepared: prepared.load(Relaxed),
            preparing: seconds(preparing),
            round: round.load(Relaxed) as u32,
            step: step.load(Relaxed) as u32,
            steps: steps.load(Relaxed),
            training: seconds(training),
            peers: seconds(peers),
            waited: seconds(waited),
            asked: asked.load(Relaxed),
        }
    }

    /// That a worker prepared some records in this time.
    pub(crate) fn prepared(&self, records: u64, took: Duration) {
        self.0.prepared.fetch_add(records, Relaxed);
        self.0.preparing.fetch_add(took.as_nanos() as u64, Relaxed);
    }

    /// What the training node tells.
    pub(crate) fn note(&self, event: &Event) {
        let nanoseconds = |seconds: f64| (seconds * 1e9) as u64;
        let gauges = &*self.0;
        match event {
            Event::Stepped { round, step, time, metrics, .. } => {
                gauges.round.store(u64::from(*round), Relaxed);
                gauges.step.store(u64::from(*step) + 1, Relaxed);
                gauges.steps.fetch_add(1, Relaxed);
                gauges.training.fetch_add(nanoseconds(time.seconds), Relaxed);
                gauges.peers.fetch_add(nanoseconds(metrics.peers), Relaxed);
                gauges.waited.fetch_add(nanoseconds(time.waited), Relaxed);
            }
            Event::Predicted { images, .. } => drop(gauges.asked.fetch_add(u64::from(*images), Relaxed)),
            Event::Dead(_) | Event::Round(_) => {}
        }
    }
}
