//! Corpora: images for bulk jobs, as many as there are, read shard after shard.
//!
//! A [`Corpus`] is an ordered list of shards, each a stream of records. Nothing is listed ahead of use: a job starts at once
//! on a million files or ten thousand archives, and its memory depends on the size of one shard's list and of one record.
//!
//! ```no_run
//! use millstream_data::corpus::{self, Options};
//!
//! let corpus = corpus::open(&["s3://bucket/train-{000000..000999}.tar"], &Options::default())?;
//! for shard in corpus.shards() {
//!     let shard = shard?;
//!     // A job that has an output of this name, made from this fingerprint, goes on to the next shard here.
//!     println!("{} {:?}", shard.name, shard.fingerprint);
//!     for item in corpus.read(&shard)? {
//!         let item = item?;
//!         match item.payload {
//!             Ok(_image) => println!("{} {}", item.key, item.place),
//!             Err(why) => println!("{}: a dead letter: {why}", item.key),
//!         }
//!     }
//! }
//! # Ok::<(), millstream_data::DataError>(())
//! ```
//!
//! Exactly once: the output of a shard is written under [`Shard::name`], whole or not at all ([`Store::put`]), with
//! [`Shard::fingerprint`] in it. Order and keys of a shard's records depend on the data alone, so a second try writes the
//! same bytes under the same name. Several processes list the shards each for itself and take those whose number leaves
//! their remainder; or one lists them and sends them around, for a shard says all that is needed to read it.
//!
//! What can go wrong, from small to large:
//!
//! - An [`Item`] whose payload is an error is a record that cannot be had: a file that is gone, a member that is too
//!   large, a sample without an image, a line that names nothing. The records around it are good.
//! - An error of the iterator that [`Corpus::read`] returns ends it: the rest of the shard cannot be read (a truncated
//!   archive). The records before it are good; how many are lost nobody can say.
//! - An error of [`Corpus::shards`] or [`Corpus::read`]: this shard, or what a part of the corpus should hold, is not there.
//!   The iteration may be gone on with.

mod counted;
mod folder;
mod images;
pub(crate) mod inputs;
mod kind;
mod label;
mod list;
pub(crate) mod parquet;
mod passing;
mod pattern;
mod sample;
mod source;
mod survey;
pub(crate) mod tar;
#[cfg(test)]
mod tests;
pub(crate) mod webdataset;

use std::fmt::Debug;
use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use counted::Counted;
pub use images::read_places;
pub use kind::{Kind, kind, open};
pub use label::Label;
pub use sample::{Sample, Share, ShareError};
pub use survey::{Example, Extent, Look, Picture, Reach, Survey, survey};

use crate::store::{Location, Store};
use crate::{DataError, FolderLayout, Key, KeyKind, Payload};
use images::Listed;

/// An ordered list of shards, each a stream of records.
pub trait Corpus: Send + Sync + Debug {
    /// The shards in their order, found while iterating. An error stands for the shards that cannot be found; more may follow.
    fn shards(&self) -> Shards<'_>;

    /// Reads a shard of this corpus from its beginning.
    ///
    /// # Errors [`DataError::Missing`], [`DataError::Read`] or [`DataError::Store`] where it cannot be opened;
    /// [`DataError::Schema`] where no record of it can be used. [`DataError::ends_a_job`] tells them apart.
    fn read(&self, shard: &Shard) -> Result<Items, DataError>;
}

/// What [`Corpus::shards`] finds.
pub type Shards<'a> = Box<dyn Iterator<Item = Result<Shard, DataError>> + Send + 'a>;

/// The records of a shard in their order. After an error there is nothing more.
pub type Items = Box<dyn Iterator<Item = Result<Item, DataError>> + Send>;

/// A part of a corpus that is done at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Its position in the corpus, from 0. Those that could not be found count.
    pub number: u64,
    /// What outputs that are made of it are called: unique in the corpus, at most 140 letters, digits, dots, hyphens and
    /// underscores. `train-000017` for `train-000017.tar`.
    pub name: String,
    /// Where it lies, for messages.
    pub place: String,
    /// How many records it has, where that is known without reading it.
    pub records: Option<u64>,
    /// How large it is, where that is known without reading it.
    pub bytes: Option<u64>,
    /// A BLAKE3 hash of what tells cheaply that its content is another: place, size and version of an archive or Parquet
    /// file; names and sizes of the files of a folder; the lines of a list (not the images that they name).
    pub fingerprint: [u8; 32],
    content: Content,
}

/// What is needed to read a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Content {
    /// The file that it is.
    File(Location),
    /// The files that are its records.
    Images(Vec<Listed>),
    /// The records of a source that are its own.
    Range(Range<usize>),
}

/// A record of a shard, read.
#[derive(Debug)]
pub struct Item {
    /// Its identity: what the list says, or else made as [`Options::keys`] says. Where it is to be made of a content that
    /// cannot be read it is made of the place.
    pub key: Key,
    /// Where it lies: the path of a file, `x.tar#member`, `x.parquet[row]`.
    pub place: String,
    /// What the data says it is, if it does.
    pub label: Option<Label>,
    /// The image, or why it cannot be had.
    pub payload: Result<Payload, DataError>,
}

/// How a corpus is read.
#[derive(Clone, Debug)]
pub struct Options {
    /// What kind of data it is; found out by the names if none.
    pub kind: Option<Kind>,
    /// What keys are made of.
    pub keys: KeyKind,
    /// Records of a shard, where the data has no shards of its own: folders, lists, IDX files. At least 1.
    pub records: usize,
    /// What folders in a folder of images mean.
    pub layout: FolderLayout,
    /// What the paths in a list are relative to; the folder of the list if none.
    pub root: Option<String>,
    /// The column of Parquet files that has the images. If none: `image`, or the only one that can be it.
    pub image_column: Option<String>,
    /// The column of Parquet files that has labels. If none: `label`, where there is one.
    pub label_column: Option<String>,
    /// The labels of an IDX file of images.
    pub labels: Option<PathBuf>,
    /// Access to what is not on this machine.
    pub store: Store,
}

impl Default for Options {
    /// Finds out the kind; keys by place; shards of 4096 records; folders mean nothing; credentials from the environment.
    fn default() -> Self {
        Options {
            kind: None,
            keys: KeyKind::Place,
            records: 4096,
            layout: FolderLayout::Flat,
            root: None,
            image_column: None,
            label_column: None,
            labels: None,
            store: Store::from_env(),
        }
    }
}

/// The key of the record at `position` of `place`.
pub(crate) fn key_of(kind: KeyKind, payload: &Result<Payload, DataError>, place: &str, position: u64) -> Key {
    match (kind, payload) {
        (KeyKind::Content, Ok(payload)) => Key::of_content(payload.bytes()),
        _ => Key::of_place(place, position),
    }
}

/// The hash of parts in their order, each told apart from the next.
fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("millstream: shard, version 1");
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    *hasher.finalize().as_bytes()
}

/// A shard that another corpus found.
fn foreign(shard: &Shard) -> DataError {
    DataError::Malformed {
        place: shard.place.clone(),
        found: "a shard of another kind of data".to_string(),
        expected: "one that this corpus found".to_string(),
        help: "read a shard by the corpus that it comes from",
    }
}

/// The longest name of a shard, less what tells it from others.
const LONGEST_NAME: usize = 120;

/// A name for what lies at `inner` of a corpus, and at `place` of the world. It is `inner` itself if that can be a file's
/// name and `alone` says that no other part of the corpus may have it; else something like it with a hash of the place.
fn name_of(inner: &str, place: &str, alone: bool) -> String {
    let safe = |letter: char| letter.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&letter);
    let name: String = inner.chars().map(|letter| if safe(letter) { letter } else { '_' }).collect();
    let name: String = name.trim_start_matches(['.', '-']).chars().take(LONGEST_NAME).collect();
    if alone && name == inner && !name.is_empty() {
        return name;
    }
    let hash = blake3::hash(place.as_bytes()).to_hex();
    let name = if name.is_empty() { "data" } else { &name };
    format!("{name}-{}", &hash[..12])
}
