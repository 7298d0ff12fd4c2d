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
mod label;
mod prepare;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use millstream_data::answer::{Answer, Said};
use millstream_data::corpus::{Corpus, Label, Sample, Shard};
use millstream_data::{Batch, Fingerprint, Key, Shape};
use millstream_imageops::{Filter, ImageError, PHASH_SIDE, Step, View};
use serde::{Deserialize, Serialize};
use timely::worker::Worker;

pub use crate::bulk::{BulkEvent, Failure, ShardResult, Watch};
use crate::bulk::{Gates, Intake, list, read};
use crate::job::JobError;
use crate::pool::Pool;
use crate::run::drive;
use crate::stop::Stop;
use crate::trainer::TrainerError;

/// Buffers of pixels that wait to be used again, and their largest size.
const SPARE_BATCHES: usize = 8;
const LARGEST_BATCH: usize = 64 << 20;

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

/// What a bulk job is made of.
pub struct Parts {
    /// What is to be labelled.
    pub corpus: Box<dyn Corpus>,
    /// What labels it.
    pub labeller: Box<LabellerFactory>,
    /// Where the answers go.
    pub output: Arc<dyn Output>,
    /// Who is told. Called on any thread: it must not block for long.
    pub events: Watch,
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
    intake: Arc<Intake>,
    labeller: Box<LabellerFactory>,
    output: Arc<dyn Output>,
    view: View,
    /// How an image is rendered to be hashed, if it is.
    look: Option<View>,
    shape: Shape,
    classes: usize,
    embedding: Option<usize>,
    models: usize,
    pixels: Pool,
}

impl Relabel {
    /// Checks a job and makes it ready.
    ///
    /// # Errors
    /// [`JobError::Memory`] if the memory cannot hold enough batches, [`JobError::View`] for a shape that no image has.
    pub fn new(parts: Parts) -> Result<Self, JobError> {
        let Parts { corpus, labeller, output, events, stop, shape, classes, embedding, models, sample, limit, .. } =
            parts;
        let step = (shape.bytes() as u64).saturating_mul(u64::from(parts.batch));
        let gates = Gates::new(parts.memory, step, parts.workers, limit.is_some())?;
        let wrong = |source| JobError::View { place: "the images of the model".to_owned(), source };
        let view = View::new(Vec::new(), (shape.height, shape.width, shape.channels)).map_err(wrong)?;
        let look = parts.fingerprint.then(look).transpose().map_err(wrong)?;
        let (batch, classes) = (parts.batch.max(1) as usize, classes.max(1));
        let asked = Arc::clone(&output);
        let before = Box::new(move |shard: &Shard| asked.done(shard));
        let rows = AtomicU64::new(0);
        let intake = Arc::new(Intake { corpus, events, stop, before, batch, sample, limit, gates, rows });
        let pixels = Pool::new(SPARE_BATCHES, LARGEST_BATCH);
        Ok(Relabel { intake, labeller, output, view, look, shape, classes, embedding, models, pixels })
    }

    /// Runs the job on one worker of the process, until all is done or the stop signal is given.
    pub fn run(self: &Arc<Self>, worker: &mut Worker) {
        worker.dataflow_named("Relabel", |scope| {
            let tasks = list::list(scope, &self.intake);
            let records = read::read(tasks.clone(), &self.intake);
            let steps = prepare::prepare(records, self);
            let answers = label::label(steps, self);
            collect::keep(collect::collect(tasks, answers), self);
        });
        drive(worker, &self.intake.stop);
        self.intake.gates.close();
    }
}

/// What [`phash`](millstream_imageops::phash()) takes: the whole image, gray and shrunk. It does not depend on the model.
pub(crate) fn look() -> Result<View, ImageError> {
    let side = PHASH_SIDE as u32;
    View::new(vec![Step::Resize { height: side, width: side, filter: Filter::Lanczos }], (side, side, 1))
}
