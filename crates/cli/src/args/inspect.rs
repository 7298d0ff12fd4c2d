//! The arguments of `inspect`.

use clap::Args;

use super::{JsonArgs, KindArg};

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Data, all of one kind: tar archives (`train-{000..999}.tar`), Parquet files, CSV or JSONL lists, folders of images, one
    /// IDX file; on this machine or in an object store (`s3://bucket/folder`). Or the place where `relabel` wrote answers.
    #[arg(value_name = "INPUT", required = true)]
    pub(crate) inputs: Vec<String>,
    /// The kind of INPUT, where its names do not tell.
    #[arg(long, value_enum)]
    pub(crate) kind: Option<KindArg>,
    /// How many records are looked at, spread over the first ten shards.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) limit: u64,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}
