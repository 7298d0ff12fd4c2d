//! The arguments of `inspect`.

use std::path::PathBuf;

use clap::Args;
use millstream_dataflow::examine::MOST_DISTANCE;

use super::relabel::bytes;
use super::{DeviceArgs, JsonArgs, KindArg};

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Data, all of one kind: tar archives (`train-{000..999}.tar`), Parquet files, CSV or JSONL lists, folders of images, one
    /// IDX file; on this machine or in an object store (`s3://bucket/folder`). Or the place where `relabel` wrote answers. With
    /// --out also splits: NAME=PLACE, as in `train=photos/train test=photos/test`; a name may come several times.
    #[arg(value_name = "[NAME=]INPUT", required = true)]
    pub(crate) inputs: Vec<String>,
    /// Look at every image, and write report.html, report.json and label_issues.csv into this folder: classes, sizes, brightness,
    /// mean images, duplicates, leaks between splits, broken files, and with --model labels that are probably wrong.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write although DIR holds something. Files of the same names are replaced, others stay.
    #[arg(long, requires = "out")]
    pub(crate) overwrite: bool,
    /// A model file or a run directory: hold the labels against it. Of other classes than the data's, it gives features.
    #[arg(long, value_name = "FILE|RUN", requires = "out")]
    pub(crate) model: Option<PathBuf>,
    /// How many labels that are probably wrong are shown; all of them are in label_issues.csv.
    #[arg(long, value_name = "N", default_value_t = 40, requires = "model", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) candidates: u16,
    /// Bits in which the perceptual hashes of near duplicates may differ.
    #[arg(long, value_name = "BITS", default_value_t = 5, requires = "out", value_parser = clap::value_parser!(u32).range(..=i64::from(MOST_DISTANCE)))]
    pub(crate) distance: u32,
    /// The kind of INPUT, where its names do not tell.
    #[arg(long, value_enum)]
    pub(crate) kind: Option<KindArg>,
    /// What the paths in a list are relative to [default: the folder of the list].
    #[arg(long, value_name = "DIR|URL", requires = "out")]
    pub(crate) root: Option<String>,
    /// The column of Parquet files that has the images [default: `image`, or the only one that can be it].
    #[arg(long, value_name = "COLUMN", requires = "out")]
    pub(crate) image_column: Option<String>,
    /// The column of Parquet files that has labels [default: `label`, where there is one].
    #[arg(long, value_name = "COLUMN", requires = "out")]
    pub(crate) label_column: Option<String>,
    /// The IDX file with the labels of an IDX file of images, of a split where there are several [default: the file of that name
    /// beside it, as in MNIST].
    #[arg(long, value_name = "[NAME=]FILE", requires = "out")]
    pub(crate) labels: Vec<String>,
    /// How many records are looked at: without --out spread over the first ten shards, with it the first of each split [default: 200
    /// without --out, else all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Worker threads; the result does not depend on it [default: one a core].
    #[arg(long, short = 'w', value_name = "N", requires = "out", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Memory for records and pixels in flight.
    #[arg(long, value_name = "BYTES", default_value = "256MiB", requires = "out", value_parser = bytes)]
    pub(crate) memory: u64,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}
