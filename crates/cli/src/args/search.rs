//! The arguments of `search`.

use std::path::PathBuf;

use clap::Args;
use millstream_cluster::Share;

use super::relabel::bytes;
use super::{DeviceArgs, JsonArgs, PipelineArgs, StartArgs, key_value};

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// What is tried, instead of what the pipeline's `search.over` says: a setting with a list of values or a range, for example
    /// `--over 'training.augment.2.randaugment.magnitude=[1, 5, 9]'` or `--over 'training.optimizer.sgd.lr={from: 0.01, to: 0.3, scale: log}'`.
    #[arg(long, value_name = "KEY=VALUES", value_parser = key_value)]
    pub(crate) over: Vec<(String, String)>,
    /// Where trials and results go [default: runs/NAME-search].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Put the best settings into PIPELINE.yaml.
    #[arg(long)]
    pub(crate) write: bool,
    /// Worker threads; the result does not depend on it [default: one a core].
    #[arg(long, short = 'w', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) workers: Option<u16>,
    /// Trials under way at a time, each with the pipeline's `memory` to itself; the result does not depend on it [default: as many as
    /// there are workers for].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) at_once: Option<u16>,
    /// Do the K-th of N shares of the trials, and leave the others to other machines that have DIR too. Each is started with `--resume`;
    /// the last to end has the results.
    #[arg(long, value_name = "K/N", requires = "resume", value_parser = share)]
    pub(crate) share: Option<Share>,
    /// Memory for decoded images that trials share.
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = bytes)]
    pub(crate) cache: u64,
    #[command(flatten)]
    pub(crate) start: StartArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

/// `2/3`: the second of three.
fn share(text: &str) -> Result<Share, String> {
    let numbers = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    match numbers {
        Some((part, of)) if (1..=of).contains(&part) => Ok(Share { part, of }),
        _ => Err(format!("`{text}` is no share, as in 2/3: the second of three")),
    }
}
