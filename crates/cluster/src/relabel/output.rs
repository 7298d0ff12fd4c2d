//! The output set of a bulk job, and its log of commits.
//!
//! A shard of the input becomes an object of the same name. It is written whole, and then a small commit that names its hash;
//! what no commit names is garbage, and the next job writes it again. Objects and commits of equal jobs have equal bytes, so
//! two jobs at once into one place do each other's work, and no harm.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use millstream_data::DataError;
use millstream_data::answer::{Answer, AnswerSet, Failure, Format, Said, encode};
use millstream_data::corpus::Shard;
use millstream_data::store::{Location, Object, Store};
use millstream_dataflow::TrainerError;
use millstream_dataflow::relabel::{BulkEvent, Known, Output, ShardResult};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::error::ClusterError;

/// Where all but the answers lies.
const FOLDER: &str = "_millstream";
/// The largest of our own small files that is read: class names and places make up the most of it.
const LARGEST: u64 = 256 << 20;

/// `set.json`: what the answers are, written first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SetFile {
    pub(super) id: String,
    pub(super) settings: Settings,
}

/// `commits/NAME.json`: that the answers of a shard are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShardCommit {
    /// The set that they belong to.
    pub(super) set: String,
    /// Where the shard lay.
    pub(super) shard: String,
    /// What it was made of.
    pub(super) fingerprint: String,
    /// The object with the answers.
    pub(super) object: String,
    /// Its hash.
    pub(super) blake3: String,
    /// Its length.
    pub(super) bytes: u64,
    /// Records.
    pub(super) rows: u64,
    /// Those with errors.
    pub(super) errors: u64,
}

impl ShardCommit {
    /// What came of the shard.
    pub(super) fn result(&self) -> ShardResult {
        ShardResult { rows: self.rows, errors: self.errors, bytes: self.bytes }
    }
}

/// `complete.json`: that all shards are done, and what they come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Shards.
    pub shards: u64,
    /// Records, those with errors too.
    pub rows: u64,
    /// Those with errors.
    pub errors: u64,
    /// Bytes of the answers.
    pub bytes: u64,
}

impl Totals {
    /// Counts a shard.
    pub fn add(&mut self, result: ShardResult) {
        self.shards += 1;
        self.rows += result.rows;
        self.errors += result.errors;
        self.bytes += result.bytes;
    }
}

/// Names and files of an output set.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) store: Store,
    pub(super) root: Location,
}

impl Place {
    /// Reads what was typed.
    pub(super) fn parse(store: Store, text: &str) -> Result<Self, ClusterError> {
        Ok(Place { store, root: Location::parse(text)? })
    }

    /// What the answers that lie here are.
    ///
    /// # Errors
    /// [`ClusterError::NoAnswers`], or what cannot be read.
    pub(super) fn answers(&self) -> Result<SetFile, ClusterError> {
        self.load(&self.set()?)?.ok_or_else(|| ClusterError::NoAnswers { place: self.root.to_string() })
    }

    pub(super) fn set(&self) -> Result<Location, ClusterError> {
        Ok(self.root.join(&format!("{FOLDER}/set.json"))?)
    }

    pub(super) fn complete(&self) -> Result<Location, ClusterError> {
        Ok(self.root.join(&format!("{FOLDER}/complete.json"))?)
    }

    pub(super) fn commits(&self) -> Result<Location, ClusterError> {
        Ok(self.root.join(&format!("{FOLDER}/commits"))?)
    }

    pub(super) fn commit(&self, name: &str) -> Result<Location, ClusterError> {
        Ok(self.commits()?.join(&format!("{name}.json"))?)
    }

    /// The names of the shards that have commits, in their order. A folder that no commit was written to yet has none.
    pub(super) fn shards(&self) -> Result<impl Iterator<Item = Result<String, ClusterError>> + use<>, ClusterError> {
        let commits = self.commits()?;
        let listing = match self.store.list(&commits) {
            Err(DataError::Missing { .. }) => None,
            listing => Some(listing?),
        };
        let name = move |object: Result<Object, DataError>| match object {
            Ok(object) => object.location.below(&commits).strip_suffix(".json").map(|name| Ok(name.to_owned())),
            Err(error) => Some(Err(error.into())),
        };
        Ok(listing.into_iter().flatten().filter_map(name))
    }

    /// Every folder that is written to.
    fn folders(&self) -> Result<[Location; 3], ClusterError> {
        Ok([self.root.clone(), self.root.join(FOLDER)?, self.commits()?])
    }

    /// Removes what killed jobs left half-written. Where that fails it is only told of: it is in nobody's way.
    fn tidy(&self) -> Result<(), ClusterError> {
        for folder in self.folders()? {
            match self.store.remove_leftovers(&folder) {
                Ok(0) => {}
                Ok(files) => tracing::info!(%folder, files, "removed what a killed job left half-written"),
                Err(error) => tracing::warn!(%error, "what a killed job left half-written is still there"),
            }
        }
        Ok(())
    }

    /// What one of our files says, if it is there. A damaged one is as good as none, and is told of.
    pub(super) fn load<T: DeserializeOwned>(&self, location: &Location) -> Result<Option<T>, ClusterError> {
        if self.store.find(location)?.is_none() {
            return Ok(None);
        }
        let text = self.store.read(location, LARGEST)?;
        let read = serde_json::from_slice(&text);
        Ok(read.inspect_err(|error| tracing::warn!(%location, %error, "passed over a damaged file")).ok())
    }

    fn save(&self, location: &Location, value: &impl Serialize) -> Result<(), ClusterError> {
        Ok(self.store.put(location, json(value))?)
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Strings, whole numbers and truth values: JSON can carry them.
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

/// An output set that is written to.
pub(super) struct OutputSet {
    place: Place,
    set: SetFile,
    answers: AnswerSet,
    /// Whether this job began it: then nothing is done yet.
    fresh: bool,
    /// Whether it is said to be complete no more.
    begun: OnceLock<()>,
    /// Which shard has which name, by the hash of the name.
    names: Mutex<BTreeMap<[u8; 32], String>>,
    /// What went wrong first.
    failure: Mutex<Option<ClusterError>>,
}

impl OutputSet {
    /// The settings of a job that would go on with what is there, or begin. Writes nothing. `settings` are told of those that are there.
    ///
    /// # Errors
    /// [`ClusterError::OtherAnswers`].
    pub(super) fn check(
        place: &Place,
        settings: impl Fn(Option<&Settings>) -> Result<Settings, ClusterError>,
    ) -> Result<Settings, ClusterError> {
        let there: Option<SetFile> = place.load(&place.set()?)?;
        let wanted = settings(there.as_ref().map(|there| &there.settings))?;
        agree(place, &wanted, there.as_ref())?;
        Ok(wanted)
    }

    /// Begins a set, or goes on with one of the same settings. `settings` are told of those that are there.
    pub(super) fn open(
        place: Place,
        settings: impl Fn(Option<&Settings>) -> Result<Settings, ClusterError>,
    ) -> Result<Self, ClusterError> {
        let location = place.set()?;
        let mut there: Option<SetFile> = place.load(&location)?;
        let wanted = settings(there.as_ref().map(|there| &there.settings))?;
        let set = SetFile { id: wanted.id(), settings: wanted };
        let fresh = there.is_none() && place.store.put_if_absent(&location, json(&set))?;
        if there.is_none() && !fresh {
            // Begun by another job at this moment, or damaged.
            there = place.load(&location)?;
            if there.is_none() {
                place.save(&location, &set)?;
            }
        }
        agree(&place, &set.settings, there.as_ref())?;
        if !fresh {
            place.tidy()?;
        }
        let answers = set.settings.answers();
        let (begun, names, failure) = Default::default();
        Ok(OutputSet { place, set, answers, fresh, begun, names, failure })
    }

    /// What decides about the answers.
    pub(super) fn settings(&self) -> &Settings {
        &self.set.settings
    }

    /// Says that all is done. What was too young to be taken for left over when this job began may be old enough now.
    pub(super) fn complete(&self, totals: &Totals) -> Result<(), ClusterError> {
        self.place.tidy()?;
        self.place.save(&self.place.complete()?, totals)
    }

    /// What ended the job, if it was this.
    pub(super) fn failure(&self) -> Option<ClusterError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps the first error as it is, and tells the stream in words.
    fn told<T>(&self, result: Result<T, ClusterError>) -> Result<T, TrainerError> {
        result.map_err(|error| {
            let words = error.to_string();
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            words.into()
        })
    }

    /// What came of a shard, if it is done. Each is asked for once.
    fn result_of(&self, shard: &Shard) -> Result<Option<ShardResult>, ClusterError> {
        let name = *blake3::hash(shard.name.as_bytes()).as_bytes();
        let before = self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(name, shard.place.clone());
        if let Some(before) = before {
            return Err(ClusterError::SameShard {
                first: before,
                second: shard.place.clone(),
                name: shard.name.clone(),
            });
        }
        if self.fresh {
            return Ok(None);
        }
        let Some(commit) = self.commit_of(shard)? else { return Ok(None) };
        if commit.fingerprint != hex(shard.fingerprint) {
            let (place, name) = (self.place.root.to_string(), shard.name.clone());
            return Err(ClusterError::ShardChanged { shard: shard.place.clone(), place, name });
        }
        let object = self.place.store.find(&self.place.root.join(&commit.object)?)?;
        let whole = object.is_some_and(|object| object.bytes == commit.bytes);
        Ok(whole.then(|| commit.result()))
    }

    fn write(&self, shard: &Shard, answers: &[Answer]) -> Result<ShardResult, ClusterError> {
        let format = self.set.settings.format;
        let bytes = encode(&self.answers, answers, format)?;
        let commit = ShardCommit {
            set: self.set.id.clone(),
            shard: shard.place.clone(),
            fingerprint: hex(shard.fingerprint),
            object: object_name(&shard.name, format),
            blake3: blake3::hash(&bytes).to_hex().to_string(),
            bytes: bytes.len() as u64,
            rows: answers.len() as u64,
            errors: answers.iter().filter(|answer| answer.said.is_err()).count() as u64,
        };
        let location = self.place.root.join(&commit.object)?;
        self.refuse_others(shard, &location, &bytes)?;
        self.no_longer_complete()?;
        self.place.store.put(&location, bytes)?;
        self.place.save(&self.place.commit(&shard.name)?, &commit)?;
        Ok(commit.result())
    }

    /// A file that no commit names is other people's, if it has not the very bytes that a killed job or another one, at this moment,
    /// would have written.
    fn refuse_others(&self, shard: &Shard, location: &Location, bytes: &[u8]) -> Result<(), ClusterError> {
        let Some(there) = self.place.store.find(location)? else { return Ok(()) };
        let length = bytes.len() as u64;
        let ours = self.commit_of(shard)?.is_some()
            || (there.bytes == length && self.place.store.read(location, length)? == bytes);
        if ours { Ok(()) } else { Err(ClusterError::InTheWay { file: location.to_string() }) }
    }

    /// The commit of a shard, if it is of this set.
    fn commit_of(&self, shard: &Shard) -> Result<Option<ShardCommit>, ClusterError> {
        let commit: Option<ShardCommit> = self.place.load(&self.place.commit(&shard.name)?)?;
        Ok(commit.filter(|commit| commit.set == self.set.id))
    }

    /// Before the first answers are added: whoever reads a set that is being added to must not take it for whole.
    fn no_longer_complete(&self) -> Result<(), ClusterError> {
        if self.begun.set(()).is_ok() && !self.fresh {
            self.place.store.delete(&self.place.complete()?)?;
        }
        Ok(())
    }
}

/// That settings are those of the answers that are there, if there are any.
fn agree(place: &Place, wanted: &Settings, there: Option<&SetFile>) -> Result<(), ClusterError> {
    match there.and_then(|there| wanted.differences(&there.settings)) {
        Some(differences) => Err(ClusterError::OtherAnswers { place: place.root.to_string(), differences }),
        None => Ok(()),
    }
}

impl Output for OutputSet {
    fn answer(&self, record: Known, said: Option<Said>) -> Answer {
        answer(record, said)
    }

    fn done(&self, shard: &Shard) -> Result<Option<ShardResult>, TrainerError> {
        self.told(self.result_of(shard))
    }

    fn keep(&self, shard: &Shard, answers: Vec<Answer>) -> Result<ShardResult, TrainerError> {
        self.told(self.write(shard, &answers))
    }
}

/// The answer to a record, as files have it.
pub(crate) fn answer(record: Known, said: Option<Said>) -> Answer {
    let said = match record.failure {
        Some(failure) => Err(Failure { stage: failure.stage, reason: failure.reason }),
        None => Ok(said.unwrap_or_default()),
    };
    let Known { key, place, label, fingerprint, .. } = record;
    Answer { key, place, label: label.map(|label| label.to_string()), fingerprint, said }
}

/// What the answers of a shard are called.
pub(super) fn object_name(shard: &str, format: Format) -> String {
    format!("{shard}.{}", format.extension())
}

pub(super) fn hex(hash: [u8; 32]) -> String {
    blake3::Hash::from(hash).to_hex().to_string()
}

/// What is done so far.
#[derive(Debug, Default)]
pub(super) struct Done {
    totals: Mutex<Totals>,
    lost: Mutex<u64>,
    first: OnceLock<String>,
}

impl Done {
    pub(super) fn note(&self, event: &BulkEvent) {
        match event {
            BulkEvent::Shard { result, .. } => self.totals.lock().unwrap_or_else(PoisonError::into_inner).add(*result),
            BulkEvent::Lost(reason) => {
                *self.lost.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                self.first.get_or_init(|| reason.clone());
            }
            BulkEvent::Labelled { .. } => {}
        }
    }

    pub(super) fn totals(&self) -> Totals {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many parts of the corpus could not be found, and why the first could not.
    pub(super) fn lost(&self) -> Option<(u64, String)> {
        let count = *self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        self.first.get().map(|first| (count, first.clone()))
    }
}
