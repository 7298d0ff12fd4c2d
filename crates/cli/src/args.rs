//! What was typed, as typed: no side effects here.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cmd::preview::Compare;

mod bench;
mod curate;
mod inspect;
mod relabel;
mod search;

pub(crate) use bench::{
    BenchAllReduceArgs, BenchCommand, BenchExchangeArgs, BenchLabelArgs, BenchScalingArgs, BenchStreamArgs,
    BenchTrainArgs, PartnerArgs, Task,
};
pub(crate) use curate::{AgreementArg, CurateArgs, DuplicatesArg, ExportArgs, TargetArg};
pub(crate) use inspect::InspectArgs;
pub(crate) use relabel::{FormatArg, KindArg, RelabelArgs, ViewArg};
pub(crate) use search::SearchArgs;

/// An image pipeline that trains itself better: from few labels and many images to a trained model and labels for all.
#[derive(Debug, Parser)]
#[command(name = "millstream", version, max_term_width = 110)]
#[command(
    after_help = "Exit codes: 0 done, 2 the request is wrong, 3 the data are worse than `max_bad` allows, 4 the job failed, 130 interrupted (what was done is kept)."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// More messages on standard error; twice for even more. MILLSTREAM_LOG takes a filter instead.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline: train, label, select, and train again.
    Run(RunArgs),
    /// Run a pipeline on many machines: the same job, the same results, whatever machine fails.
    Launch(LaunchArgs),
    /// Find the best settings of a pipeline, such as RandAugment's, on labelled images that are held out.
    Search(SearchArgs),
    /// Say how a run gets on, from another terminal.
    Status(StatusArgs),
    /// Write one page about a run, or about several side by side: curves, tables, confusions, calibration, pseudo-labels.
    Report(ReportArgs),
    /// Check a pipeline and report every mistake in it.
    Validate(ValidateArgs),
    /// Draw a pipeline.
    Graph(GraphArgs),
    /// Say what a run would do: counts, steps, bytes, files.
    Plan(PlanArgs),
    /// Print the JSON schema of pipelines or of hosts files, for editors.
    Schema(SchemaArgs),
    /// List the models: settings, parameters, multiplications, sources.
    Models(ModelsArgs),
    /// Measure a trained model on a labelled split.
    Eval(EvalArgs),
    /// Label images with a trained model.
    Predict(PredictArgs),
    /// Label a corpus of any size in bulk, exactly once, and go on after whatever stopped it.
    Relabel(RelabelArgs),
    /// Choose a training set out of what teachers and people say: thresholds, balance, agreement, corrections, duplicates.
    Curate(CurateArgs),
    /// Hand answers or labels to Label Studio, FiftyOne or cleanlab.
    Export(ExportArgs),
    /// Say what data or answers hold: kind, shards, a few records, labels. It takes seconds however many they are.
    Inspect(InspectArgs),
    /// Augment an image or a folder of images, and write what comes out.
    Augment(AugmentArgs),
    /// Show what a pipeline's augmentation does: images of the training stream with every op and its argument.
    Preview(PreviewArgs),
    /// Measure how fast images stream and models train on this machine.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Look at this machine: libtorch, CUDA, cores, memory, tools. Or say what holds a run up, or a pipeline.
    Doctor(DoctorArgs),
    /// Re-hash the files of a run or of answers, or compare two runs bit by bit.
    Verify(VerifyArgs),
    /// Work for another process of a run. Started by `run` and `launch`, not by people.
    #[command(hide = true)]
    Worker,
}

/// A pipeline and changes to it.
#[derive(Debug, Args)]
pub(crate) struct PipelineArgs {
    /// The pipeline's YAML file.
    #[arg(value_name = "PIPELINE.yaml")]
    pub(crate) pipeline: PathBuf,
    /// Change a setting, for example `--set seed=2` or `--set rounds.0.training.steps=50`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) overrides: Vec<(String, String)>,
}

/// What to do with an earlier run.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct StartArgs {
    /// Go on with an earlier run where it was: after its last round, or in the middle of one from its last checkpoint.
    #[arg(long, conflicts_with = "overwrite")]
    pub(crate) resume: bool,
    /// Remove an earlier run in the run directory and start anew.
    #[arg(long)]
    pub(crate) overwrite: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// The run directory [default: runs/NAME].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Worker threads a process [default: one a core].
    #[arg(long, short = 'w', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) workers: Option<u16>,
    /// Processes on this machine; the result does not depend on it.
    #[arg(long, short = 'p', value_name = "P", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) processes: u16,
    /// How many of the processes train, each with its part of every batch. Float sums depend on it, so the last digits of a model do.
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) ranks: u16,
    /// Where this process listens for the others [default: any free port of 127.0.0.1].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) start: StartArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LaunchArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// The machines: see configs/hosts. Not needed under Slurm's `srun` and in an Indexed Job of Kubernetes.
    #[arg(long, value_name = "HOSTS.yaml")]
    pub(crate) hosts: Option<PathBuf>,
    /// A file with the secret of the cluster, where a scheduler starts the tasks [default: what MILLSTREAM_SECRET holds].
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// The run directory, on the first machine that trains [default: runs/NAME].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the job that starts this launch under a scheduler, and start nothing.
    #[arg(long, value_enum, conflicts_with_all = ["hosts", "check", "overwrite", "json"])]
    pub(crate) emit: Option<SchedulerArg>,
    /// Machines of that job.
    #[arg(long, value_name = "N", default_value_t = 2, requires = "emit", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) tasks: u32,
    /// Only look at all machines: whether they answer, have the same version and data and the right time, and reach each other.
    #[arg(long)]
    pub(crate) check: bool,
    /// Worker threads a process [default: one a core of the machine that has fewest].
    #[arg(long, short = 'w', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) workers: Option<u16>,
    #[command(flatten)]
    pub(crate) start: StartArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SchedulerArg {
    Slurm,
    Kubernetes,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The run directory.
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Run directories.
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// The HTML file. It needs no network and no other file.
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    pub(crate) out: PathBuf,
    /// The pipeline of the first run: shows images that its last teacher is most sure of and wrong about, where the data know better.
    #[arg(long, value_name = "PIPELINE.yaml")]
    pub(crate) pipeline: Option<PathBuf>,
    /// What was changed in it.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value, requires = "pipeline")]
    pub(crate) overrides: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// The schema of hosts files.
    #[arg(long)]
    pub(crate) hosts: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// How to draw it.
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    pub(crate) format: GraphFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum GraphFormat {
    Mermaid,
    Dot,
    Text,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// A model file or a run directory (its last model) [default: runs/NAME].
    #[arg(long, value_name = "FILE|RUN")]
    pub(crate) model: Option<PathBuf>,
    /// The split to measure on.
    #[arg(long, default_value = "test")]
    pub(crate) split: String,
    /// Where the confusion matrix is written to, as CSV: a row for each true class.
    #[arg(long, value_name = "FILE")]
    pub(crate) confusion: Option<PathBuf>,
    /// Worker threads [default: one a core].
    #[arg(long, short = 'w', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) workers: Option<u16>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    /// A model file or a run directory (its last model).
    #[arg(value_name = "FILE|RUN")]
    pub(crate) model: PathBuf,
    /// Images: a folder, an IDX file, or a CSV manifest.
    pub(crate) data: PathBuf,
    /// Where the labels go: .parquet or .csv. Without it they are printed as CSV.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Worker threads [default: one a core].
    #[arg(long, short = 'w', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) workers: Option<u16>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AugmentArgs {
    /// What is done to each image: a step such as `randaugment`, or a list such as `[{rotate: 9}, {cutout: 8}]`.
    #[arg(long, visible_alias = "policy", value_name = "YAML")]
    pub(crate) ops: String,
    /// Write N augmented copies of each image, NAME.0.png and so on, and a list of them: manifest.csv.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) variants: Option<u32>,
    /// Write each image as it is too, as NAME.png.
    #[arg(long, requires = "variants")]
    pub(crate) keep_originals: bool,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Whether images are made gray or RGB.
    #[arg(long, value_enum, default_value_t = Channels::Rgb)]
    pub(crate) channels: Channels,
    /// How images are written [default: as OUT is called, else png].
    #[arg(long, value_enum)]
    pub(crate) format: Option<ImageFormat>,
    /// Quality of JPEGs, 1 to 100.
    #[arg(long, value_name = "Q", default_value_t = 95, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) quality: u8,
    /// Write although OUT holds something. Files of the same names are replaced, others stay.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Worker threads; the result does not depend on it [default: one a core].
    #[arg(long, short = 'w', value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// An image, or a folder of images in any folders.
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// A folder; for one image also a file that ends in .png, .jpg or .jpeg.
    #[arg(value_name = "OUT")]
    pub(crate) out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Channels {
    Gray,
    Rgb,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImageFormat {
    /// Lossless.
    Png,
    /// Smaller, and not quite the same pixels.
    Jpg,
}

#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Where the picture goes, a PNG. Without it the same is printed as text.
    #[arg(long, value_name = "FILE.png")]
    pub(crate) out: Option<PathBuf>,
    /// Print the text beside the picture too.
    #[arg(long)]
    pub(crate) text: bool,
    /// Show pseudo-labels of this run, from the surest to the least sure: what images were taken for, whether they were selected, and
    /// what they are where the data tell.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["view", "compare"])]
    pub(crate) run: Option<PathBuf>,
    /// The round whose training images are shown, or whose labels, from 0 [default: 0, or the last round of the run that labelled].
    #[arg(long, value_name = "N")]
    pub(crate) round: Option<u32>,
    /// How many images are shown, each with all of its views.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) images: u32,
    /// Show this view only.
    #[arg(long, value_name = "NAME")]
    pub(crate) view: Option<String>,
    /// Show each image with these magnitudes (M=3,9,15) or numbers of ops (N=1,2,3) of the pipeline's RandAugment side by side.
    #[arg(long, value_name = "M=A,B,...")]
    pub(crate) compare: Option<Compare>,
    /// Tiles side by side [default: as many as 1600 pixels hold].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) columns: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// What holds this run up, or would hold up a run of this pipeline [default: look at this machine].
    #[arg(value_name = "RUN|PIPELINE.yaml")]
    pub(crate) target: Option<PathBuf>,
    /// Change a setting of the pipeline, for example `--set training.batch=64`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value, requires = "target")]
    pub(crate) overrides: Vec<(String, String)>,
    /// Seconds that each part of the pipeline is watched; six parts are [default: 2].
    #[arg(long, value_name = "N", requires = "target", value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(crate) seconds: Option<u16>,
    /// Worker threads [default: one a core].
    #[arg(long, short = 'w', value_name = "N", requires = "target", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A run directory, or the place where `relabel` wrote answers.
    #[arg(value_name = "RUN|ANSWERS")]
    pub(crate) run: String,
    /// Another run: are models and labels of the two bit-identical?
    pub(crate) other: Option<PathBuf>,
    /// The input of `relabel`: does each of its records have exactly one answer?
    #[arg(long, value_name = "INPUT", num_args = 1.., conflicts_with = "other")]
    pub(crate) input: Vec<String>,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DeviceArgs {
    /// Where models run. `auto` takes CUDA where there is one.
    #[arg(long, value_enum, default_value_t = DeviceArg::Auto)]
    pub(crate) device: DeviceArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DeviceArg {
    Auto,
    Cpu,
    Cuda,
}

#[derive(Debug, Args)]
pub(crate) struct JsonArgs {
    /// Results as JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not KEY=VALUE, as in seed=2")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
