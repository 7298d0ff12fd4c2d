//! A look at all of a data set: a bulk job that measures each image and keeps little of it.
//!
//! ```text
//!  list ═by turn═► read ═by step═► measure ═home═► gather
//! ```
//!
//! Time is (turn, step), as in every bulk job. Each worker measures whole steps and keeps, turn by turn, a [`Look`] at each record
//! and sums of whole numbers; when the frontier has passed the turn they go home. Looks are put into the order of the data and
//! whole numbers have no order, so what comes out does not depend on how many workers there are.
//!
//! What is in memory: encoded records, which gates bound; some 100 bytes of each record; a mean image of each of the first classes.
//! Places and thumbnails of the records are on a disk ([`Ledger`]).

mod catalogue;
mod duplicates;
mod gather;
mod ledger;
mod measure;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use millstream_data::corpus::{Corpus, Label};
use millstream_data::{Fingerprint, Key};
use serde::{Deserialize, Serialize};
use timely::worker::Worker;

pub use catalogue::{Catalogue, ChannelStats};
pub use duplicates::{ALIKE, Group, groups};
pub use ledger::Ledger;
// How wrong labels are found is said there.
pub use millstream_labels::{Confidences, MOST_DISTANCE, Temperature, Validated, confident_class, normalised_margin};

pub use crate::bulk::{BulkEvent, Failure, ShardResult, Watch};
use crate::bulk::{Gates, Intake, list, read};
use crate::job::JobError;
use crate::run::drive;
use crate::stop::Stop;

/// Records of a step.
const BATCH: usize = 64;
/// Width and height of mean images, in pixels.
pub const MEAN_SIDE: usize = 64;
/// So many classes have a mean image: the first in the order of labels.
pub const MOST_MEANS: usize = 128;
/// So many broken records are told in words: the first in the order of the data.
pub const MOST_BROKEN: usize = 10_000;

/// What is examined, and where what is found goes.
pub struct Parts {
    /// The number of the split.
    pub split: u32,
    /// Its records.
    pub corpus: Box<dyn Corpus>,
    /// What was found so far.
    pub ledger: Arc<Ledger>,
    /// Who is told. Called on any thread: it must not block for long.
    pub events: Watch,
    /// Ends the job early.
    pub stop: Stop,
    /// How many records are looked at, at most.
    pub limit: Option<u64>,
    /// Bytes of records that may be in flight.
    pub memory: u64,
    /// Workers that it runs on.
    pub workers: usize,
}

/// Where a record stands in the data: places are ordered as the records are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct At {
    /// The number of its split.
    pub split: u32,
    /// The turn of its shard.
    pub turn: u32,
    /// Its position among the records of the shard that were read, those with errors too.
    pub index: u32,
}

/// What is kept of a record.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Where it stands.
    pub at: At,
    /// Its identity.
    pub key: Key,
    /// What identifies its image.
    pub print: Fingerprint,
    /// The number of its label, if it has one.
    pub label: Option<u32>,
    /// Width of the upright image, in pixels.
    pub width: u16,
    /// Height of the upright image, in pixels.
    pub height: u16,
    /// The mean of all channels and pixels, 0 to 255.
    pub brightness: f32,
    /// How sharp it is where its longer side has 256 pixels at most ([`millstream_imageops::sharpness`]).
    pub sharpness: f32,
    /// Whether it has no colours.
    pub gray: bool,
    /// Where the rest lies.
    spilled: u64,
}

/// A record that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Where it stands.
    pub at: At,
    /// Its identity.
    pub key: Key,
    /// Where it lies.
    pub place: String,
    /// What the data says it is, if it does.
    pub label: Option<Label>,
    /// Why it cannot be used.
    pub failure: Failure,
}

/// The look at one split, ready to run.
pub struct Examine {
    intake: Arc<Intake>,
    split: u32,
    ledger: Arc<Ledger>,
}

impl Examine {
    /// Checks a job and makes it ready.
    ///
    /// # Errors
    /// [`JobError::Memory`] for hardly any memory.
    pub fn new(parts: Parts) -> Result<Self, JobError> {
        let Parts { split, corpus, ledger, events, stop, limit, memory, workers } = parts;
        let gates = Gates::new(memory, 1, workers, limit.is_some())?;
        let (before, rows) = (Box::new(|_: &_| Ok(None)), AtomicU64::new(0));
        let intake = Intake { corpus, events, stop, before, batch: BATCH, sample: None, limit, gates, rows };
        Ok(Examine { intake: Arc::new(intake), split, ledger })
    }

    /// Runs the job on one worker of the process, until all is done or the stop signal is given.
    pub fn run(self: &Arc<Self>, worker: &mut Worker) {
        worker.dataflow_named("Examine", |scope| {
            let tasks = list::list(scope, &self.intake);
            let records = read::read(tasks, &self.intake);
            gather::gather(measure::measure(records, self), self);
        });
        drive(worker, &self.intake.stop);
        self.intake.gates.close();
    }
}
