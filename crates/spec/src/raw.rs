//! The definition as it is written: one struct a section, from which the schema and the reading both come.
//!
//! The doc comments here are the descriptions that an editor shows. Every node that has kinds is one key that names its
//! kind, with a strict struct under it.

mod data;
mod model;
mod noise;
mod op;
mod optimizer;
mod policy;
mod schedule;
mod search;
mod step;
mod stream;
mod training;
mod transfer;
mod unlabelled;
mod values;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use data::{Data, Key, Layout, Parquet, Source, Split, Take};
pub(crate) use model::{Deep, Model, Plain};
pub(crate) use noise::{ColorJitter, Cutout, GaussianBlur, GaussianNoise, RandomErasing};
pub(crate) use op::{Apply, Area, Op};
pub(crate) use optimizer::{Adamw, Clip, Lamb, Lars, Optimizer, Rmsprop, Sgd, Share};
pub(crate) use policy::{AugMix, AutoAugment, LearnedPolicy, RandAugment, TrivialAugmentWide, Variant};
pub(crate) use schedule::{Cosine, CosineArc, Exponential, Fall, OneCycle, Schedule};
pub(crate) use search::{Axis, Criterion, Range, Search, Spacing};
pub(crate) use step::{Affine, Direction, Filter, Kind, Sampling, Step};
pub(crate) use stream::{Channels, Decode, Normalize, Scale, Stream, Truncated};
pub(crate) use training::{Of, Per, Round, Targets, Training, View};
pub(crate) use transfer::{RateGroup, Rates, Transfer};
pub(crate) use unlabelled::{Distill, FixMatch, FlexMatch, Mapping, PseudoLabel, Unlabelled};
pub(crate) use values::{Brief, Fill, Names, OrOff, Quantity, Shorthand, Side};

use std::collections::BTreeMap;

/// What models compute with.
#[derive(Copy, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Precision {
    /// 32 bits.
    #[default]
    Float32,
    /// 16 bits with the range of 32. Faster on GPUs, and on CPUs with AMX; slower on other CPUs.
    BFloat16,
}

/// A Millstream pipeline: data, the stream of images, rounds of training, selection of pseudo-labels.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Millstream pipeline")]
pub(crate) struct Pipeline {
    /// The name of the pipeline. Results go to `runs/NAME` unless the command line says otherwise. Letters, digits, `-`, `_`
    /// and `.`.
    #[schemars(length(min = 1, max = 100), extend("pattern" = "^[A-Za-z0-9_-][A-Za-z0-9._-]*$"))]
    pub(crate) name: String,
    /// The seed of every random choice. The same seed, plan and data give the same result.
    #[serde(default)]
    pub(crate) seed: u64,
    /// Budget of images in flight, such as `256MiB` or `1GB`. A stream whose consumer is slow stops here instead of
    /// filling the memory. The result does not depend on it.
    #[serde(default = "Pipeline::memory")]
    pub(crate) memory: Quantity,
    /// How many records may be broken (unreadable, not an image) before the run stops: a share such as `0.5%`, or a number of
    /// records. Broken records go to the dead letters and are never replaced by others.
    #[serde(default = "Pipeline::max_bad")]
    pub(crate) max_bad: Quantity,
    /// When the state of a round in training is kept, so that `--resume` goes on from the middle of it; `off` for never. The
    /// result does not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = { "every": 1000, "keep": 2 }))]
    pub(crate) checkpoint: Option<OrOff<Checkpoint>>,
    /// libtorch's threads within one operation. Part of the plan, not of the machine: float sums depend on it.
    #[serde(default = "Pipeline::threads")]
    #[schemars(range(min = 1, max = 1024))]
    pub(crate) threads: u32,
    /// What convolutions and linear layers compute with. Weights, norms and the loss are float32 in any case.
    #[serde(default)]
    pub(crate) precision: Precision,
    /// Whether a GPU uses kernels that give the same bits each time. They are slower. On the CPU it is so in any case.
    #[serde(default)]
    pub(crate) deterministic: bool,
    /// Where the images come from, and which of them are labelled, unlabelled and for testing.
    pub(crate) data: Data,
    /// The shape that every image gets on its way to the model.
    pub(crate) stream: Stream,
    /// How every round trains. A round's own `training` replaces these key by key.
    #[serde(default)]
    pub(crate) training: Training,
    /// The rounds in order. The first trains a teacher on the labelled images; each later one trains a student on
    /// them and on the pseudo-labels of the round before, unless `training.unlabelled` says otherwise.
    #[schemars(length(min = 1, max = 1000))]
    pub(crate) rounds: Vec<Round>,
    /// Which pseudo-labels become training samples.
    #[serde(default)]
    pub(crate) selection: Selection,
    /// What a run writes beside models and reports.
    #[serde(default)]
    pub(crate) output: Output,
    /// What `millstream search` tries to find the best settings; `run` takes no notice of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) search: Option<Search>,
}

impl Pipeline {
    fn memory() -> Quantity {
        Quantity("256MiB".to_string())
    }

    fn max_bad() -> Quantity {
        Quantity("1%".to_string())
    }

    fn threads() -> u32 {
        2
    }
}

/// Which pseudo-labels become training samples.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Selection {
    /// The lowest confidence of the teacher that is accepted. With `balance` it must be a multiple of 0.01.
    #[serde(default = "Selection::threshold")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub(crate) threshold: f64,
    /// Whether the teacher's confidence is calibrated before it is compared with the threshold. It needs the split
    /// `validation`.
    #[serde(default)]
    pub(crate) calibrate: Calibrate,
    /// Take as many of each class, the most confident first. Without it everything above the threshold is taken once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) balance: Option<Balance>,
}

impl Selection {
    fn threshold() -> f64 {
        0.9
    }
}

impl Default for Selection {
    fn default() -> Self {
        Selection { threshold: Self::threshold(), calibrate: Calibrate::Off, balance: None }
    }
}

/// How a teacher's confidence is made to mean what it says.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Calibrate {
    /// Not at all: networks tend to be surer than they are right, and less sure where labels are smoothed.
    #[default]
    Off,
    /// Temperature scaling (Guo et al. 2017): after each round all probabilities become p^(1/T), normalised, with the T that
    /// fits the labels of the split `validation` best. The most probable class stays. Some hundred images are needed, the model
    /// wrong about some of them.
    Temperature,
}

/// Class-balanced selection.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Balance {
    /// Samples wanted of each class.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(crate) per_class: u64,
    /// Whether a class that has fewer is repeated to reach the number.
    #[serde(default = "Balance::upsample")]
    pub(crate) upsample: bool,
}

impl Balance {
    fn upsample() -> bool {
        true
    }
}

/// When the state of a round in training is kept, for `--resume`.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Checkpoint {
    /// Steps from one checkpoint to the next. One is also kept at the end of training, and when a run is interrupted.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(crate) every: u32,
    /// How many are kept; older ones are removed.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) keep: u32,
}

impl Default for Checkpoint {
    fn default() -> Self {
        Checkpoint { every: 1000, keep: 2 }
    }
}

/// What a run writes beside models and reports.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Output {
    /// The format of the label files.
    #[serde(default)]
    pub(crate) labels: Labels,
}

/// The format of the label files.
#[derive(Copy, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Labels {
    /// Parquet, compressed.
    #[default]
    Parquet,
    /// Comma-separated text.
    Csv,
}

/// Named things.
pub(crate) type Named<T> = BTreeMap<String, T>;
