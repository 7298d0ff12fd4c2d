//! Sources: where records come from, one file per format.

use std::fmt::Debug;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{DataError, Payload, Record};

/// A fixed list of records in one format.
///
/// Opening a source reads all that is needed to know its keys, labels and fingerprint; reading a record may still
/// fail later (a broken disk, a file that was removed), which is the record's misfortune and not the source's.
pub trait Source: Send + Sync + Debug {
    /// The records, in an order that depends on the data alone. An index into this slice is the `index` of the other
    /// methods.
    fn records(&self) -> &[Record];

    /// The names of the classes, by label. Empty where nothing is labelled.
    fn classes(&self) -> &[String];

    /// Where a record lies, for messages and outputs: `data/x.gz[17]`, or the path of its file.
    fn place(&self, index: usize) -> String;

    /// The bytes of a record.
    ///
    /// # Errors
    /// [`DataError::Missing`] or [`DataError::Read`] where the bytes cannot be had, [`DataError::TooLarge`] where
    /// they are too many, or where there is no such index.
    fn read(&self, index: usize) -> Result<Payload, DataError>;

    /// Whether [`Source::read`] may wait for a disk or a network.
    fn does_io(&self) -> bool;

    /// A BLAKE3 hash over keys, labels and contents: one changed pixel changes it.
    fn fingerprint(&self) -> [u8; 32];
}

/// What to open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceConfig {
    /// A pair of IDX files, as MNIST has them, plain or gzipped.
    Idx {
        /// The images: bytes in 3 dimensions (gray) or in 4, of which the last is 3 (RGB).
        images: PathBuf,
        /// The labels: bytes from 0 to 9 in one dimension. None for unlabelled images.
        labels: Option<PathBuf>,
    },
    /// A folder of image files.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Whether folders in it are classes.
        layout: FolderLayout,
    },
    /// A CSV file that lists image files and their labels.
    Csv {
        /// The CSV file. Its columns are `path`, `label` and, if wanted, `key`.
        path: PathBuf,
        /// The folder that paths are relative to; the folder of the CSV file if none.
        root: Option<PathBuf>,
    },
}

/// What the folders in an image folder mean.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FolderLayout {
    /// Each folder in it is a class, named as the folder.
    Classes,
    /// Nothing: no image has a label.
    Flat,
}

/// What the keys of records are made of.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyKind {
    /// The bytes: [`crate::Key::of_content`].
    Content,
    /// Where they lie: [`crate::Key::of_place`].
    Place,
}
