//! Records, keys, manifests, sources, batches, and the files that hold them.
//!
//! A [`Source`] is a fixed list of records in one format. A [`Manifest`] joins sources and draws named splits from
//! them. Every process builds the same manifest from the same plan and data, so that a record has one number
//! everywhere. A [`corpus::Corpus`] is as many records as there are, read in order for bulk jobs, from files or object
//! stores ([`store`]). What leaves a run (dead letters, labels) is written by this crate too, always as whole files.

pub mod answer;
mod batch;
mod cached;
pub mod conformance;
pub mod corpus;
mod dead_letter;
mod draw;
mod error;
mod file;
mod fingerprint;
mod key;
mod label_file;
mod manifest;
mod parquet_file;
mod permute;
mod probabilities;
mod record;
mod source;
mod spill;
pub mod store;

pub use batch::{Batch, Block, Mixed, Row, Target};
pub use dead_letter::{DeadLetter, Stage, read_dead_letters, write_dead_letters};
pub use draw::draw;
pub use error::DataError;
pub use file::{hash_file, write_atomically};
pub use fingerprint::Fingerprint;
pub use key::{Key, KeyError};
pub use label_file::{LabelRow, LabelRows, read_labels, write_labels, write_labels_csv};
pub use manifest::{Entry, Manifest, SplitConfig, Take};
pub use permute::Permutation;
pub use probabilities::{most_probable, temper};
pub use record::{Payload, Record, Shape};
pub use source::{FolderLayout, KeyKind, Source, SourceConfig, open};
pub use spill::Spill;
