//! The arguments of `bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Channels, DeviceArgs, JsonArgs, key_value};

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Decode, augment and batch a corpus, with nothing to train.
    Stream(BenchStreamArgs),
    /// Train a model as `run` does, on images that are made for it, and say where the time goes.
    Train(BenchTrainArgs),
    /// Label a corpus as `relabel` does and keep nothing.
    Label(BenchLabelArgs),
    /// Run `bench stream --as-bytes` on one worker and on two, in one process and in two, in turn, and say what more of them give.
    Scaling(BenchScalingArgs),
    /// Send batches from one process to another as the stream does, and in turn as many bytes over a plain socket.
    Exchange(BenchExchangeArgs),
    /// Add up numbers over two processes, as two training nodes do with their gradients.
    AllReduce(BenchAllReduceArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BenchStreamArgs {
    /// The images: a folder, or for `fmnist` an IDX file.
    #[arg(long, value_name = "DIR|FILE")]
    pub(crate) corpus: PathBuf,
    /// What is done to them.
    #[arg(long, value_enum, default_value_t = Task::Basic)]
    pub(crate) task: Task,
    /// Worker threads of each process [default: one a core].
    #[arg(long, short = 'w', value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Processes on this machine. The batches come together in the first; memory, cores and allocations are those of it alone.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) processes: u16,
    /// Passes over the corpus that are measured, after one to warm up.
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) passes: u32,
    /// Images in a batch [default: 64, of fmnist 256].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) batch: Option<u32>,
    /// Seed of order and augmentation.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Decode JPEGs at full size even where the result is much smaller.
    #[arg(long)]
    pub(crate) no_scale: bool,
    /// Take batches as they come, bytes: a GPU normalises them itself. On a CPU a core has to be found for it.
    #[arg(long)]
    pub(crate) as_bytes: bool,
    #[command(flatten)]
    pub(crate) partner: PartnerArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PartnerArgs {
    /// For the processes that a measurement starts: the one that started this says the rest over standard input.
    #[arg(long, hide = true)]
    pub(crate) partner: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchScalingArgs {
    /// The images: a folder, or for `fmnist` an IDX file.
    #[arg(long, value_name = "DIR|FILE")]
    pub(crate) corpus: PathBuf,
    /// What is done to them.
    #[arg(long, value_enum, default_value_t = Task::Randaug)]
    pub(crate) task: Task,
    /// How often all are run in turn.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Passes over the corpus that are measured in each run, after one to warm up.
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) passes: u32,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BenchExchangeArgs {
    /// Images in a message: those of one worker in a batch.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) images: u32,
    /// Height and width of the RGB images, in pixels.
    #[arg(long, value_name = "N", default_value_t = 224, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) size: u32,
    /// Messages of a turn that are measured, after eight to warm up.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) messages: u32,
    /// How often stream and socket are measured in turn.
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    #[command(flatten)]
    pub(crate) partner: PartnerArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BenchAllReduceArgs {
    /// Millions of bytes of 32-bit floats that are added up.
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [25, 100],
        value_parser = clap::value_parser!(u32).range(1..=4000))]
    pub(crate) megabytes: Vec<u32>,
    /// Sums of each size that are measured, after one to warm up.
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) repetitions: u32,
    #[command(flatten)]
    pub(crate) partner: PartnerArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BenchTrainArgs {
    /// The model: a name of `millstream models`.
    #[arg(long, value_name = "NAME", default_value = "smallnet")]
    pub(crate) model: String,
    /// Channels of the first block of `smallnet` [default: 16].
    #[arg(long, value_name = "N")]
    pub(crate) width: Option<u32>,
    /// Height and width of the images, in pixels [default: what the model was made for].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) size: Option<u32>,
    /// Whether images are gray or RGB.
    #[arg(long, value_enum, default_value_t = Channels::Rgb)]
    pub(crate) channels: Channels,
    /// Images in a batch.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) batch: u32,
    /// Steps that are measured.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) steps: u32,
    /// Steps before those, which are not.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) warmup: u32,
    /// Threads of libtorch within an operation [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Worker threads of the stream [default: one a core].
    #[arg(long, short = 'w', value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// No stream: one batch in memory over and over, which shows what a step costs by itself.
    #[arg(long, conflicts_with = "workers")]
    pub(crate) synthetic: bool,
    /// MNIST's IDX files in this folder instead of images that are made up; they are brought to `--size`.
    #[arg(long, value_name = "DIR", conflicts_with = "synthetic")]
    pub(crate) mnist: Option<PathBuf>,
    /// Change a setting of the pipeline, for example `--set training.ema=0.99` or
    /// `--set 'training.optimizer={adamw: {lr: 0.001}}'`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) overrides: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BenchLabelArgs {
    /// The images: a folder, a list or an IDX file.
    #[arg(long, value_name = "INPUT")]
    pub(crate) corpus: String,
    /// A model file or a run directory (its last model).
    #[arg(long, value_name = "FILE|RUN")]
    pub(crate) model: PathBuf,
    /// Images in a batch.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) batch: u32,
    /// Worker threads, and models that work at once [default: one a core].
    #[arg(long, short = 'w', value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Threads of libtorch within an operation; so many times fewer models work at once [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Passes over the corpus that are measured, after one to warm up.
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) passes: u32,
    /// No stream: one batch in memory over and over, which shows what the model costs by itself.
    #[arg(long)]
    pub(crate) synthetic: bool,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) json: JsonArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// Random-resized crop to 224, flip, normalise.
    Basic,
    /// The same with RandAugment(2, 9).
    Randaug,
    /// Short side to 256, centre crop 224, normalise.
    Eval,
    /// Images of 28x28: pad-crop, flip, RandAugment(2, 9), normalise.
    Fmnist,
    /// Full decode to RGB from memory, no stream: the ceiling.
    Decode,
}

impl Task {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Task::Basic => "basic",
            Task::Randaug => "randaug",
            Task::Eval => "eval",
            Task::Fmnist => "fmnist",
            Task::Decode => "decode",
        }
    }
}
