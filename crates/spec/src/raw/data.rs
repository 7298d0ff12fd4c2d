//! The section `data`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Named, Names};

/// Where the images come from, and which of them are labelled, unlabelled and for testing.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Data {
    /// What identifies a record.
    #[serde(default)]
    pub(crate) key: Key,
    /// Sources of images, each under a name of your choice.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1000))]
    pub(crate) sources: Named<Source>,
    /// Named sets of records. `labelled` and `test` must be there, and `unlabelled` if there is more than one round.
    /// `validation`, if wanted, holds labelled images that no model learns from: they show how good each model is before its
    /// labels count, and `selection.calibrate` needs them. Others may be used by their names to draw these.
    #[schemars(extend("maxProperties" = 1000))]
    pub(crate) splits: Named<Split>,
}

/// What identifies a record, and so what its random numbers, its split and its label hang on.
#[derive(Copy, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Key {
    /// Where it lies: its path, and its position in the file. Two copies of an image are two records.
    #[default]
    Place,
    /// Its bytes. It stays the same when files move; two copies of an image are refused.
    Content,
}

/// Where images come from.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// A pair of IDX files as MNIST has them, plain or gzipped.
    Idx(Idx),
    /// A folder of image files.
    Folder(Folder),
    /// A CSV file that lists image files: columns `path`, `label` and, if wanted, `key`.
    Csv(Csv),
    /// Tar archives as WebDataset has them, plain.
    Webdataset(Webdataset),
    /// Parquet files with a column of images, as Hugging Face writes them.
    Parquet(Parquet),
}

/// A pair of IDX files.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Idx {
    /// The file of images.
    #[schemars(length(min = 1))]
    pub(crate) images: PathBuf,
    /// The file of their labels. Leave it out if nobody knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(crate) labels: Option<PathBuf>,
}

/// A folder of image files.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Folder {
    /// The folder.
    #[schemars(length(min = 1))]
    pub(crate) path: PathBuf,
    /// What its sub-folders mean.
    #[serde(default)]
    pub(crate) layout: Layout,
}

/// What the sub-folders of an image folder mean.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Layout {
    /// Each sub-folder is a class, named as the folder.
    #[default]
    Classes,
    /// Nothing: the images have no labels.
    Flat,
}

/// A CSV list of image files.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Csv {
    /// The CSV file.
    #[schemars(length(min = 1))]
    pub(crate) path: PathBuf,
    /// The folder that its paths are relative to. Without it: the folder of the CSV file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(crate) root: Option<PathBuf>,
}

/// Tar archives on this machine, not gzipped. A sample is the files of one base name: an image, and its class in `.cls` or `.json`.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webdataset {
    /// An archive, a folder of archives, or a pattern such as `train-{000..099}.tar`.
    #[schemars(length(min = 1))]
    pub(crate) path: PathBuf,
}

/// Parquet files on this machine.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parquet {
    /// A file, a folder of files, or a pattern such as `train-{0..9}.parquet`.
    #[schemars(length(min = 1))]
    pub(crate) path: PathBuf,
    /// The column of images: bytes, or a struct with the field `bytes`. Without it: `image`, or the only one that can be it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(crate) image: Option<String>,
    /// The column of labels. Without it: `label`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(crate) label: Option<String>,
}

/// A named set of records.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Split {
    /// The source or split that it draws from, or a list of them. Where a source and a split share a name, the source is
    /// meant.
    pub(crate) from: Names,
    /// The split whose records it leaves out, or a list of them.
    #[serde(default)]
    pub(crate) except: Names,
    /// How much of the rest it takes. What is drawn depends on the seed, not on the order of the files.
    #[serde(default)]
    pub(crate) take: Take,
}

/// How a split chooses.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Take {
    /// Everything.
    #[default]
    All,
    /// This many labelled images of each class.
    PerClass(#[schemars(range(min = 1, max = 1_000_000_000))] u32),
    /// This share, above 0 and at most 1.
    Fraction(#[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))] f64),
    /// What a file lists: one key or place a line.
    List(#[schemars(length(min = 1))] PathBuf),
}
