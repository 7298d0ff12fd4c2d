//! What can be wrong with data, by meaning.

use std::io;
use std::path::{Path, PathBuf};

use crate::Key;

/// Data that cannot be used as asked. Each message says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder that the plan names is not there.
    #[error("{}: there is no such {what}; {help}", path.display())]
    Missing {
        /// The path as the plan has it.
        path: PathBuf,
        /// What was looked for: a file, a folder.
        what: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// The operating system refuses to read.
    #[error("{}: cannot be read: {cause}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The operating system refuses to write.
    #[error("{}: cannot be written: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The disk or the quota is full.
    #[error("{}: there is no room left to write it: {cause}; make room on that disk and resume", path.display())]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// A file that is not what it should be.
    #[error("{place}: found {found}, expected {expected}; {help}")]
    Malformed {
        /// The file, with a line or an index where there is one.
        place: String,
        /// What is there.
        found: String,
        /// What should be there.
        expected: String,
        /// What to do.
        help: &'static str,
    },
    /// Data whose columns are not such that any record of it could be used.
    #[error("{place}: found {found}, expected {expected}; {help}")]
    Schema {
        /// The file.
        place: String,
        /// What columns there are.
        found: String,
        /// What columns there should be.
        expected: String,
        /// What to do.
        help: &'static str,
    },
    /// A source without a single record.
    #[error("{}: holds no {what}; {help}", path.display())]
    Empty {
        /// The file or folder.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// Two records with one key.
    #[error("{first} and {second} have the same key {key}; {help}")]
    DuplicateKey {
        /// The key.
        key: Key,
        /// Where the first record lies.
        first: String,
        /// Where the second record lies.
        second: String,
        /// What to do.
        help: &'static str,
    },
    /// A class with fewer labelled images than a split needs.
    #[error(
        "split `{split}`: class {class} (`{name}`) has {found} labelled images, {wanted} wanted; \
         label more of it, take fewer, or leave the class out"
    )]
    FewLabels {
        /// The split.
        split: String,
        /// The class, from 0.
        class: u32,
        /// Its name.
        name: String,
        /// Labelled images there are.
        found: u64,
        /// Labelled images needed.
        wanted: u32,
    },
    /// A record without a label where a label is needed.
    #[error(
        "split `{split}`: {count} of its records have no label, the first is {place}; \
         label them, or take only labelled ones by `take: {{ per_class: N }}` or by a list"
    )]
    Unlabelled {
        /// The split.
        split: String,
        /// How many records.
        count: u64,
        /// Where the first of them lies.
        place: String,
    },
    /// A split that cannot be drawn as asked.
    #[error("split `{split}`: {problem}; {help}")]
    Split {
        /// The split.
        split: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        help: &'static str,
    },
    /// A record that is trained on, or fitted to, and measured on.
    #[error(
        "{place} is in split `{first}` and in split `{second}` ({count} records are): figures of `{second}` would flatter the model; \
         add `{second}` to the `except` of split `{first}`, or draw the two from different sources"
    )]
    Leak {
        /// The split that is used.
        first: String,
        /// The split that is measured on.
        second: String,
        /// Where the first such record lies.
        place: String,
        /// How many such records there are.
        count: u64,
    },
    /// An object store refuses, lacks what is asked for, or cannot be reached.
    #[error("{place}: {problem}; {help}")]
    Store {
        /// The object or bucket.
        place: String,
        /// What is wrong, and what the store says.
        problem: String,
        /// What to do.
        help: &'static str,
    },
    /// More records, or larger ones, than the formats of this crate can count.
    #[error("{place}: {found}, at most {limit} can be handled; {help}")]
    TooLarge {
        /// Where.
        place: String,
        /// What is there.
        found: String,
        /// The limit.
        limit: u64,
        /// What to do.
        help: &'static str,
    },
}

impl DataError {
    /// Whether a job that meets it has to end: a disk or a network fails, which is no property of the data, or no
    /// record can be used. Any other error is one of the record, or of the rest of a shard.
    pub fn ends_a_job(&self) -> bool {
        matches!(self, DataError::Read { .. } | DataError::Store { .. } | DataError::Schema { .. })
    }

    /// A failed read of something that the plan names as a `what`.
    pub(crate) fn read(path: &Path, what: &'static str, cause: io::Error) -> Self {
        let path = path.to_path_buf();
        match cause.kind() {
            io::ErrorKind::NotFound => DataError::Missing {
                path,
                what,
                help: "check the path (it is relative to the folder the command is started in)",
            },
            _ => DataError::Read { path, cause },
        }
    }

    /// A failed write.
    pub(crate) fn write(path: &Path, cause: io::Error) -> Self {
        let path = path.to_path_buf();
        match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DataError::NoRoom { path, cause },
            _ => DataError::Write { path, cause },
        }
    }
}
