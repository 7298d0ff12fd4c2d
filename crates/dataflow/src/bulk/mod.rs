//! The front of every bulk job: finds the shards of a corpus and reads their records, no faster than the rest of the job works.
//!
//! ```text
//!  list ═by turn═► read ═by step═► what the job does
//! ```
//!
//! Time is (turn, step): shards are dealt out in turns, and each is cut into steps of one batch.

mod gate;
pub(crate) mod list;
pub(crate) mod read;

use std::sync::atomic::{AtomicU64, Ordering};

use millstream_data::Stage;
use millstream_data::corpus::{Corpus, Sample, Shard};
use millstream_imageops::ImageError;
use serde::{Deserialize, Serialize};

use crate::job::JobError;
use crate::operators::prepare::stage_of;
use crate::stop::Stop;
use crate::trainer::TrainerError;
use gate::Gate;

/// The worker that lists shards, and where what comes of them comes together.
pub(crate) const HOME: usize = 0;

/// Shards that are dealt out beyond those that are being read: what is read next, and what is being written.
const SHARDS_AHEAD: u64 = 3;
/// Batches that may be under way for each worker: one that is made, one that waits, and one with the model.
const STEPS_A_WORKER: u64 = 4;

/// Why a record cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Where it failed.
    pub stage: Stage,
    /// Why it failed.
    pub reason: String,
}

impl Failure {
    /// The bytes are no image, or it cannot be rendered.
    pub(crate) fn of_image(error: &ImageError) -> Self {
        Failure { stage: stage_of(error), reason: error.to_string() }
    }
}

/// What came of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardResult {
    /// Records, those with errors too.
    pub rows: u64,
    /// Those with errors.
    pub errors: u64,
    /// Bytes of the output.
    pub bytes: u64,
}

/// News of a bulk job.
#[derive(Clone, Debug)]
pub enum BulkEvent {
    /// The records of a step are through: they have their answers, or were measured.
    Labelled {
        /// Records, those with errors too.
        records: u64,
        /// Those with errors.
        errors: u64,
        /// Bytes that were read for them.
        bytes: u64,
    },
    /// A shard is done.
    Shard {
        /// What came of it.
        result: ShardResult,
        /// Whether it was done before.
        before: bool,
        /// Its own size in bytes, where the corpus says so.
        size: Option<u64>,
    },
    /// A shard cannot be found, for this reason.
    Lost(String),
}

/// Who is told of a bulk job. Called on any thread: it must not block for long.
pub type Watch = Box<dyn Fn(BulkEvent) + Send + Sync>;

/// Says what came of a shard, if it is done already. Asked once for each, in order.
pub(crate) type Before = Box<dyn Fn(&Shard) -> Result<Option<ShardResult>, TrainerError> + Send + Sync>;

/// What is read, and how far ahead of the rest of the job.
pub(crate) struct Intake {
    pub(crate) corpus: Box<dyn Corpus>,
    pub(crate) events: Watch,
    pub(crate) stop: Stop,
    pub(crate) before: Before,
    /// Records of a step.
    pub(crate) batch: usize,
    pub(crate) sample: Option<Sample>,
    pub(crate) limit: Option<u64>,
    pub(crate) gates: Gates,
    /// Records of the shards that are done.
    pub(crate) rows: AtomicU64,
}

impl Intake {
    /// Takes note of a shard that is done.
    pub(crate) fn finished(&self, result: ShardResult, size: Option<u64>, before: bool) {
        self.rows.fetch_add(result.rows, Ordering::SeqCst);
        (self.events)(BulkEvent::Shard { result, before, size });
    }
}

/// What may be under way at a time.
pub(crate) struct Gates {
    /// Shards that are dealt out and not yet done with.
    pub(crate) shards: Gate,
    /// Batches between their first record and the end of the work on them.
    pub(crate) steps: Gate,
    /// Bytes of records that are read and not yet decoded.
    pub(crate) bytes: Gate,
}

impl Gates {
    /// Half of the memory is for pixels, of which a step takes `step` bytes, a quarter for records; the rest is for what passes by:
    /// blocks of archives, answers.
    ///
    /// Each worker has a step that it reads for, and may then go on to the next; with one more than those, somebody can always
    /// go on. With a limit one shard is under way at a time.
    pub(crate) fn new(memory: u64, step: u64, workers: usize, limited: bool) -> Result<Self, JobError> {
        let workers = workers.max(1) as u64;
        let step = step.max(1);
        let steps = memory / 2 / step;
        if steps <= workers {
            let least = step.saturating_mul(2).saturating_mul(workers + 1);
            return Err(JobError::Memory { budget: memory, step, least });
        }
        let shards = if limited { 1 } else { workers + SHARDS_AHEAD };
        Ok(Gates {
            shards: Gate::new(shards),
            steps: Gate::new(steps.min(STEPS_A_WORKER * workers + 1)),
            bytes: Gate::new(memory / 4),
        })
    }

    pub(crate) fn close(&self) {
        [&self.shards, &self.steps, &self.bytes].into_iter().for_each(Gate::close);
    }
}

/// Which worker a step is at: of workers and models alike this, and around again.
pub(crate) fn number(turn: u32, step: u32) -> u64 {
    u64::from(turn) + u64::from(step)
}
