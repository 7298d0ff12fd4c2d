//! A bulk job: a stream of its own that labels a corpus of any size, shard by shard.
//!
//! ```text
//!  list ═by turn═► read ═by step═► prepare ─► label ═home═► collect ─► keep
//! ```
//!
//! Time is (turn, step): shards are dealt out in turns, and each is cut into steps of one batch. What comes of a step is a
//! function of its records and the model; the answers of a shard are complete when the frontier has passed its turn, and
//! then they are written, whole. Nothing else is kept, so a job that was killed starts again with the shards that are missing.
//!
//! What is in memory: encoded records and batches of pixels, which gates bound; and the answers of a few shards.

mod collect;
mod gate;
mod label;
mod list;
mod prepare;
mod read;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millstream_data::answer::{Answer, Said};
use millstream_data::corpus::{Corpus, Label, Sample, Shard};
use millstream_data::{Batch, Fingerprint, Key, Shape, Stage};
use millstream_imageops::{Filter, ImageError, PHASH_SIDE, Step, View};
use serde::{Deserialize, Serialize};
use timely::worker::Worker;

use crate::job::JobError;
use crate::pool::Pool;
use crate::run::drive;
use crate::stop::Stop;
use crate::trainer::TrainerError;
use gate::Gate;

/// The worker that lists shards and writes.
const HOME: usize = 0;

/// Buffers of pixels that wait to be used again, and their largest size.
const SPARE_BATCHES: usize = 8;
const LARGEST_BATCH: usize = 64 << 20;

/// Shards that are dealt out beyond those that are being read: what is read next, and what is being written.
const SHARDS_AHEAD: u64 = 3;
/// Batches that may be under way for each worker: one that is made, one that waits, and one with the model.
const STEPS_A_WORKER: u64 = 4;

/// What labels images: one model or several. It lives on a thread of its own.
pub trait Labeller {
    /// What is said of each image.
    fn label(&mut self, batch: &Batch) -> Result<Predictions, TrainerError>;
}

/// What is said of the images of a batch, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Class probabilities in [0, 1], `rows x classes`.
    pub probabilities: Vec<f32>,
    /// Embeddings, `rows x width`; empty where they are not kept.
    pub embeddings: Vec<f32>,
}

/// Makes it on the thread where it will live.
pub type LabellerFactory = dyn Fn() -> Result<Box<dyn Labeller>, TrainerError> + Send + Sync;

/// Where the answers of shards go, and those that are there already.
pub trait Output: Send + Sync {
    /// The answer to a record, of which nothing is said where it has a failure.
    fn answer(&self, record: Known, said: Option<Said>) -> Answer;
    /// What came of a shard, if that was kept before. Asked once for each, in order.
    fn done(&self, shard: &Shard) -> Result<Option<ShardResult>, TrainerError>;
    /// Keeps the answers of a shard. Once this is over, it is done.
    fn keep(&self, shard: &Shard, answers: Vec<Answer>) -> Result<ShardResult, TrainerError>;
}

/// A record, and why it has no answer if it has none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Known {
    /// Its identity.
    pub key: Key,
    /// Where it lies.
    pub place: String,
    /// What the data says it is, if it does.
    pub label: Option<Label>,
    /// What identifies its image, if that was asked for and the image can be decoded.
    pub fingerprint: Option<Fingerprint>,
    /// Why the model could not be asked about it.
    pub failure: Option<Failure>,
}

/// Why a record has no answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// Where it failed.
    pub stage: Stage,
    /// Why it failed.
    pub reason: String,
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
    /// The records of a step have their answers.
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

/// What a bulk job is made of.
pub struct Parts {
    /// What is to be labelled.
    pub corpus: Box<dyn Corpus>,
    /// What labels it.
    pub labeller: Box<LabellerFactory>,
    /// Where the answers go.
    pub output: Arc<dyn Output>,
    /// Who is told. Called on any thread: it must not block for long.
    pub events: Box<dyn Fn(BulkEvent) + Send + Sync>,
    /// Ends the job early.
    pub stop: Stop,
    /// The shape that images are rendered in for the labeller.
    pub shape: Shape,
    /// How many classes it knows.
    pub classes: usize,
    /// How many numbers its embeddings have, if they are kept.
    pub embedding: Option<usize>,
    /// Whether images get a fingerprint.
    pub fingerprint: bool,
    /// Images in a batch.
    pub batch: u32,
    /// Which records are labelled; all if none. The others are passed over and never decoded.
    pub sample: Option<Sample>,
    /// How many of these are labelled at most.
    pub limit: Option<u64>,
    /// Bytes of records and pixels that may be in flight.
    pub memory: u64,
    /// Workers that it runs on.
    pub workers: usize,
    /// How many of them have a model of their own; at least one has.
    pub models: usize,
}

/// A bulk job, ready to run.
pub struct Relabel {
    corpus: Box<dyn Corpus>,
    labeller: Box<LabellerFactory>,
    output: Arc<dyn Output>,
    events: Box<dyn Fn(BulkEvent) + Send + Sync>,
    stop: Stop,
    view: View,
    /// How an image is rendered to be hashed, if it is.
    look: Option<View>,
    shape: Shape,
    classes: usize,
    embedding: Option<usize>,
    batch: usize,
    models: usize,
    sample: Option<Sample>,
    limit: Option<u64>,
    gates: Gates,
    pixels: Pool,
    /// Records of the shards that are done.
    rows: AtomicU64,
}

/// What may be under way at a time.
struct Gates {
    /// Shards that are dealt out and not yet kept.
    shards: Gate,
    /// Batches between their first record and the model's answer.
    steps: Gate,
    /// Bytes of records that are read and not yet decoded.
    bytes: Gate,
}

impl Gates {
    /// Half of the memory is for pixels, a quarter for records; the rest is for what passes by: blocks of archives, answers.
    ///
    /// Each worker has a step that it reads for, and may then go on to the next; with one more than those, somebody can always
    /// go on.
    fn new(parts: &Parts) -> Result<Self, JobError> {
        let workers = parts.workers.max(1) as u64;
        let step = (parts.shape.bytes() as u64).saturating_mul(u64::from(parts.batch)).max(1);
        let steps = parts.memory / 2 / step;
        if steps <= workers {
            let least = step.saturating_mul(2).saturating_mul(workers + 1);
            return Err(JobError::Memory { budget: parts.memory, step, least });
        }
        let shards = if parts.limit.is_some() { 1 } else { workers + SHARDS_AHEAD };
        Ok(Gates {
            shards: Gate::new(shards),
            steps: Gate::new(steps.min(STEPS_A_WORKER * workers + 1)),
            bytes: Gate::new(parts.memory / 4),
        })
    }

    fn close(&self) {
        [&self.shards, &self.steps, &self.bytes].into_iter().for_each(Gate::close);
    }
}

impl Relabel {
    /// Checks a job and makes it ready.
    ///
    /// # Errors
    /// [`JobError::Memory`] if the memory cannot hold enough batches, [`JobError::View`] for a shape that no image has.
    pub fn new(parts: Parts) -> Result<Self, JobError> {
        let gates = Gates::new(&parts)?;
        let Parts {
            corpus,
            labeller,
            output,
            events,
            stop,
            shape,
            classes,
            embedding,
            fingerprint,
            batch,
            models,
            sample,
            limit,
            ..
        } = parts;
        let wrong = |source| JobError::View { place: "the images of the model".to_owned(), source };
        let view = View::new(Vec::new(), (shape.height, shape.width, shape.channels)).map_err(wrong)?;
        let look = fingerprint.then(look).transpose().map_err(wrong)?;
        let (batch, classes) = (batch.max(1) as usize, classes.max(1));
        let (pixels, rows) = (Pool::new(SPARE_BATCHES, LARGEST_BATCH), AtomicU64::new(0));
        Ok(Relabel {
            corpus,
            labeller,
            output,
            events,
            stop,
            view,
            look,
            shape,
            classes,
            embedding,
            batch,
            models,
            sample,
            limit,
            gates,
            pixels,
            rows,
        })
    }

    /// Runs the job on one worker of the process, until all is done or the stop signal is given.
    pub fn run(self: &Arc<Self>, worker: &mut Worker) {
        worker.dataflow_named("Relabel", |scope| {
            let tasks = list::list(scope, self);
            let records = read::read(tasks.clone(), self);
            let steps = prepare::prepare(records, self);
            let answers = label::label(steps, self);
            collect::keep(collect::collect(tasks, answers), self);
        });
        drive(worker, &self.stop);
        self.gates.close();
    }

    fn finished(&self, result: ShardResult, size: Option<u64>, before: bool) {
        self.rows.fetch_add(result.rows, Ordering::SeqCst);
        (self.events)(BulkEvent::Shard { result, before, size });
    }
}

/// What [`phash`](millstream_imageops::phash()) takes: the whole image, gray and shrunk. It does not depend on the model.
fn look() -> Result<View, ImageError> {
    let side = PHASH_SIDE as u32;
    View::new(vec![Step::Resize { height: side, width: side, filter: Filter::Lanczos }], (side, side, 1))
}
