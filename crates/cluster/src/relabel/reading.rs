//! How the corpus of a bulk job is read.

use std::path::PathBuf;

use millstream_data::FolderLayout;
use millstream_data::corpus::{self, Kind};
use millstream_data::store::Store;
use serde::{Deserialize, Serialize};

use super::settings::is_default;

/// What a corpus does not say of itself. It decides which records there are, and what they are called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOptions {
    /// The kind of the input; found out by the names if none.
    pub kind: Option<Kind>,
    /// Records of a shard, where the data has no shards of its own.
    pub records: usize,
    // What is not asked for is not written, so that sets from before it could be are still what they were.
    /// Whether the folders in a folder of images are classes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub class_folders: bool,
    /// What the paths in a list are relative to; the folder of the list if none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub root: Option<String>,
    /// The column of Parquet files that has the images, where it is not the only one that can be it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub image_column: Option<String>,
    /// The column of Parquet files that has labels; `label` if none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub label_column: Option<String>,
    /// The labels of an IDX file of images.
    #[serde(default, skip_serializing_if = "is_default")]
    pub labels: Option<PathBuf>,
}

impl ReadOptions {
    /// The same in the words of the corpus.
    pub(crate) fn options(&self, store: &Store) -> corpus::Options {
        let ReadOptions { kind, records, class_folders, root, image_column, label_column, labels } = self.clone();
        let layout = if class_folders { FolderLayout::Classes } else { FolderLayout::Flat };
        let records = records.max(1);
        corpus::Options {
            kind,
            records,
            layout,
            root,
            image_column,
            label_column,
            labels,
            store: store.clone(),
            ..corpus::Options::default()
        }
    }
}
