//! The arguments of `curate` and `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use millstream_dataflow::curate::MOST_DISTANCE;

use super::JsonArgs;

#[derive(Debug, Args)]
pub(crate) struct CurateArgs {
    /// Answers that `relabel` wrote, as Parquet. Several: each is another teacher of the same records, or of others.
    #[arg(value_name = "ANSWERS", required = true)]
    pub(crate) answers: Vec<String>,
    /// Where the labels go: .parquet or .csv. A CSV is a list that pipelines and `relabel` read.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The least confidence of a label.
    #[arg(long, value_name = "P", default_value_t = 0.85)]
    pub(crate) threshold: f32,
    /// Instead: thresholds, one a class, at which so large a share of the labels is right on held-out records.
    #[arg(long, value_name = "P", requires = "held_out", conflicts_with = "threshold")]
    pub(crate) precision: Option<f64>,
    /// Answers of the same models about labelled records that they were not trained on, for `--precision`.
    #[arg(long, value_name = "ANSWERS", requires = "precision")]
    pub(crate) held_out: Vec<String>,
    /// At most K records of each class, the most confident. What people have labelled (`--corrections`, `--trust-labels`) always
    /// stays, and counts: teachers fill the class up to K.
    #[arg(long, value_name = "K", conflicts_with = "per_class")]
    pub(crate) top: Option<u64>,
    /// Bring each class to N records: of larger classes a random part. What people have labelled always stays, and counts.
    #[arg(long, value_name = "N")]
    pub(crate) per_class: Option<u64>,
    /// Fill smaller classes up with copies.
    #[arg(long, requires = "per_class")]
    pub(crate) upsample: bool,
    /// What several teachers have to agree on.
    #[arg(long, value_enum, default_value_t = AgreementArg::All)]
    pub(crate) agreement: AgreementArg,
    /// What people say: an export of Label Studio (JSON), or CSV with `class` and `key` or `place`. They win over all teachers, and
    /// later files over earlier ones.
    #[arg(long, value_name = "FILE")]
    pub(crate) corrections: Vec<PathBuf>,
    /// The labels that the data came with were given by people, and win over all teachers. Without it they only tell how many
    /// labels are right.
    #[arg(long)]
    pub(crate) trust_labels: bool,
    /// Look for duplicates by the fingerprints of `relabel --fingerprint`.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) duplicates: Option<DuplicatesArg>,
    /// Bits in which the perceptual hashes of near duplicates may differ.
    #[arg(long, value_name = "BITS", default_value_t = 3, requires = "duplicates", value_parser = clap::value_parser!(u32).range(..=i64::from(MOST_DISTANCE)))]
    pub(crate) distance: u32,
    /// Answers about the test images, with fingerprints: what repeats one of them is a leak.
    #[arg(long, value_name = "ANSWERS", requires = "duplicates")]
    pub(crate) test: Vec<String>,
    /// The members are chosen by ANSWERS, and labelled by these: one for each of ANSWERS.
    #[arg(long, value_name = "ANSWERS")]
    pub(crate) reassign: Vec<String>,
    /// Keep the probabilities of all classes.
    #[arg(long)]
    pub(crate) soft: bool,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Worker threads; the result does not depend on it [default: one a core].
    #[arg(long, short = 'w', value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AgreementArg {
    /// All name one class.
    All,
    /// More than half name one class.
    Majority,
    /// The mean of their probabilities decides.
    Mean,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DuplicatesArg {
    /// Count them.
    Report,
    /// Leave out what repeats a test image.
    Drop,
    /// That, and of each two alike that could both be chosen keep one: one that a person has corrected before one with a trusted
    /// label, that before others, then the one with the smaller key.
    KeepOne,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Answers that `relabel` wrote, as Parquet; or a run directory.
    #[arg(value_name = "ANSWERS|RUN")]
    pub(crate) source: String,
    /// Who is to read it.
    #[arg(long, value_enum, value_name = "PROGRAM")]
    pub(crate) to: TargetArg,
    /// The folder for its files.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Only the records of this label file (Parquet, of `curate`), with the labels that it gives them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["round", "selected"])]
    pub(crate) labels: Option<PathBuf>,
    /// Of a run: the round, from 0 [default: the last].
    #[arg(long, value_name = "N")]
    pub(crate) round: Option<u32>,
    /// Of a run: only the records that were selected.
    #[arg(long)]
    pub(crate) selected: bool,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetArg {
    /// Tasks with predictions, and a labelling interface.
    LabelStudio,
    /// A dataset folder (`FiftyOneDataset`).
    Fiftyone,
    /// Arrays of labels and predicted probabilities.
    Cleanlab,
}
