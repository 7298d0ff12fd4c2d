//! The arguments of `relabel`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use millstream_data::corpus::Share;

use super::{DeviceArgs, JsonArgs};

#[derive(Debug, Args)]
pub(crate) struct RelabelArgs {
    /// What is labelled, all of one kind: tar archives (`train-{000..999}.tar`), Parquet files, CSV or JSONL lists, folders of
    /// images, one IDX file; on this machine or in an object store (`s3://bucket/folder`).
    #[arg(value_name = "INPUT", required = true)]
    pub(crate) inputs: Vec<String>,
    /// A model file or a run directory (its last model). Several: the mean of their probabilities.
    #[arg(long = "model", value_name = "FILE|RUN", required = true)]
    pub(crate) models: Vec<PathBuf>,
    /// Where the answers go: a folder, or a place in an object store. If it has some already the job goes on from there.
    #[arg(long, value_name = "DIR|URL", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) out: String,
    /// The format of the answers.
    #[arg(long, value_enum, default_value_t = FormatArg::Parquet)]
    pub(crate) format: FormatArg,
    /// How many of the likeliest classes are told.
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) top_k: u32,
    /// Tell the probabilities of all classes.
    #[arg(long)]
    pub(crate) distribution: bool,
    /// Tell the features of each image: what the model's last linear layer takes; of several views the mean. One model only.
    #[arg(long)]
    pub(crate) embedding: bool,
    /// Tell what identifies each image: a hash of its bytes and a perceptual hash, of which few bits differ where images look alike.
    #[arg(long)]
    pub(crate) fingerprint: bool,
    /// Ask about each image in these views, and take the mean. Flip and crops together are ten views.
    #[arg(long = "view", value_enum, value_name = "VIEW")]
    pub(crate) views: Vec<ViewArg>,
    /// Images in a batch.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) batch: u32,
    /// Worker threads, each with a model of its own; the answers do not depend on it [default: one a core].
    #[arg(long, short = 'w', value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Threads of libtorch within an operation; as many models work at once as there are cores for. The last digits of the answers
    /// depend on it [default: 1, or as many as OUT was begun with].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Memory for records and pixels in flight.
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = bytes)]
    pub(crate) memory: u64,
    /// How many records may be bad, of all or in all: `1%`, `100`. More, and the exit code is 3; they are all labelled anyway.
    #[arg(long, value_name = "N|P%", default_value = "1%")]
    pub(crate) max_bad: MaxBad,
    /// Label a random share of the records: `1%` or `0.01`. The same records each time: their keys and the seed decide.
    #[arg(long, value_name = "P%")]
    pub(crate) sample: Option<Share>,
    /// Another sample.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "sample")]
    pub(crate) seed: u64,
    /// Label the first N records only (of the sample), one shard after the other: to try it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Count the shards, try 200 records and say what the job would take. Writes nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The kind of INPUT, where its names do not tell.
    #[arg(long, value_enum)]
    pub(crate) kind: Option<KindArg>,
    /// Each folder in INPUT is a class, and its name the label of its images.
    #[arg(long)]
    pub(crate) class_folders: bool,
    /// What the paths in a list are relative to [default: the folder of the list].
    #[arg(long, value_name = "DIR|URL")]
    pub(crate) root: Option<String>,
    /// The column of Parquet files that has the images [default: `image`, or the only one that can be it].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) image_column: Option<String>,
    /// The column of Parquet files that has labels [default: `label`, where there is one].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label_column: Option<String>,
    /// The IDX file with the labels of an IDX file of images.
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
    /// Records of a shard, where INPUT has no shards of its own: folders, lists, IDX files.
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) records: u32,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    Parquet,
    Csv,
    Jsonl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViewArg {
    /// In a mirror too: left is right.
    Flip,
    /// Five crops in place of the whole image: corners and middle of the image at 8/7 of the model's size.
    Crops,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArg {
    Webdataset,
    Parquet,
    Csv,
    Jsonl,
    Folder,
    Idx,
}

/// How many bad records are tolerated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum MaxBad {
    /// This share of all.
    Share(f64),
    /// This many.
    Count(u64),
}

impl MaxBad {
    /// How many of so many records.
    pub(crate) fn of(self, records: u64) -> u64 {
        match self {
            MaxBad::Share(share) => (share * records as f64).floor() as u64,
            MaxBad::Count(count) => count,
        }
    }
}

impl FromStr for MaxBad {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = text.strip_suffix('%').map(|percent| percent.trim().parse::<f64>());
        match share {
            Some(Ok(percent)) if (0.0..=100.0).contains(&percent) => Ok(MaxBad::Share(percent / 100.0)),
            None if let Ok(count) = text.parse() => Ok(MaxBad::Count(count)),
            _ => Err(format!("`{text}` is neither a share from 0% to 100% nor a number of records")),
        }
    }
}

/// A number of bytes: `512MiB`, `2GB`, `1000000`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "B" => Some(1),
        "KB" => Some(1000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let bytes = factor.and_then(|factor: u64| number.parse::<u64>().ok()?.checked_mul(factor));
    bytes.ok_or_else(|| format!("`{text}` is no number of bytes, as in 512MiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes("512MiB"), Ok(512 << 20));
        assert_eq!(bytes("2GB"), Ok(2_000_000_000));
        assert_eq!(bytes("17"), Ok(17));
        for wrong in ["", "MiB", "1 TB", "-1", "99999999999999999999", "99999999999GiB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bad_records_are_a_share_or_a_number() {
        assert_eq!("1%".parse::<MaxBad>().unwrap().of(250), 2);
        assert_eq!("3".parse::<MaxBad>().unwrap().of(250), 3);
        for wrong in ["", "101%", "-1%", "x", "1.5"] {
            assert!(wrong.parse::<MaxBad>().is_err(), "{wrong}");
        }
    }
}
