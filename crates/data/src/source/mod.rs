//! Sources: where records come from, one file per format.

mod csv;
mod files;
mod folder;
mod idx;
pub(crate) mod inner;
mod labels;
mod parquet;
#[cfg(test)]
mod tests;
mod webdataset;

pub(crate) use files::LARGEST;
pub(crate) use folder::{entered, is_hidden, is_image};

use std::fmt::Debug;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::corpus::inputs::Inputs;
use crate::store::{Location, Store};
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

    /// The bytes of a record, in `buffer` if that is large enough.
    ///
    /// # Errors
    /// [`DataError::Missing`] or [`DataError::Read`] where the bytes cannot be had, [`DataError::TooLarge`] where
    /// they are too many, or where there is no such index.
    fn read(&self, index: usize, buffer: Vec<u8>) -> Result<Payload, DataError>;

    /// The same, if the bytes can be had without waiting for a disk or a network. If not, or if something is wrong with them, the buffer
    /// comes back: then ask [`Source::read`].
    ///
    /// # Errors
    /// The buffer.
    fn at_hand(&self, _index: usize, buffer: Vec<u8>) -> Result<Payload, Vec<u8>> {
        Err(buffer)
    }

    /// A BLAKE3 hash over keys, labels and contents: one changed pixel changes it. The first call may read every file.
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
    /// Tar archives on this machine as WebDataset has them, not gzipped: records are read where they lie.
    WebDataset {
        /// An archive, a folder of archives, or a pattern such as `train-{000..099}.tar`.
        path: PathBuf,
    },
    /// Parquet files on this machine with a column of images. Made for files of small row groups, as Hugging Face writes
    /// them: whatever lies before a record in its group has to be passed over.
    Parquet {
        /// A file, a folder of files, or a pattern such as `train-{0..9}.parquet`.
        path: PathBuf,
        /// The column of images. If none: `image`, or the only one that can be it.
        image: Option<String>,
        /// The column of labels. If none: `label`, where there is one.
        label: Option<String>,
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

/// Opens a source, with keys made as `key` says. A CSV file with a column of keys has its own.
///
/// # Errors
/// [`DataError::Missing`], [`DataError::Read`], [`DataError::Malformed`] or [`DataError::Empty`], with the file or
/// line at fault.
pub fn open(config: &SourceConfig, key: KeyKind) -> Result<Box<dyn Source>, DataError> {
    Ok(match config {
        SourceConfig::Idx { images, labels } => Box::new(idx::Idx::open(images, labels.as_deref(), key)?),
        SourceConfig::Folder { path, layout } => Box::new(folder::open(path, *layout, key)?),
        SourceConfig::Csv { path, root } => Box::new(csv::open(path, root.as_deref(), key)?),
        SourceConfig::Parquet { path, image, label } => {
            Box::new(parquet::Files::open(path, image.as_deref(), label.as_deref(), key)?)
        }
        SourceConfig::WebDataset { path } => Box::new(webdataset::Archives::open(path, key)?),
    })
}

/// The files of this machine that a path or a pattern names, or that lie in a folder and have one of the endings.
fn local_files(path: &Path, endings: &'static [&'static str]) -> Result<Vec<PathBuf>, DataError> {
    let inputs = Inputs { store: Store::with_settings([]), places: vec![place_of(path)], endings };
    let found = inputs.files().map(|input| match input?.object.location {
        Location::Local(path) => Ok(path),
        remote @ Location::Remote { .. } => Err(DataError::Malformed {
            place: remote.to_string(),
            found: "a file that is not on this machine".to_string(),
            expected: "a path".to_string(),
            help: "download the data: training reads them in random order",
        }),
    });
    found.collect()
}

/// A path as it is shown and as keys are made of it: as the plan has it, less `.` and doubled separators. A path that
/// is no text has its odd bytes escaped.
pub(crate) fn place_of(path: &Path) -> String {
    let plain: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    match plain.to_str() {
        Some("") => ".".to_string(),
        Some(text) => text.to_string(),
        None => plain.as_os_str().as_encoded_bytes().escape_ascii().to_string(),
    }
}

/// The fingerprint of a source whose contents have these hashes (or are these bytes), in a fixed order.
fn fingerprint<'a>(classes: &[String], records: &[Record], contents: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("millstream: source, version 1");
    let count = |n: usize, hasher: &mut blake3::Hasher| {
        hasher.update(&(n as u64).to_le_bytes());
    };
    count(classes.len(), &mut hasher);
    for class in classes {
        count(class.len(), &mut hasher);
        hasher.update(class.as_bytes());
    }
    count(records.len(), &mut hasher);
    for record in records {
        hasher.update(&record.key.0.to_le_bytes());
        hasher.update(&record.label.map_or(0, |label| u64::from(label) + 1).to_le_bytes());
    }
    contents.for_each(|content| {
        hasher.update(content);
    });
    *hasher.finalize().as_bytes()
}
