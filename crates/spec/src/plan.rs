//! The plan: what a checked definition says, with every default filled in and every reference resolved.
//!
//! Nothing here is a string that still has to be understood. A value of these types comes from [`load`](crate::load)
//! or [`parse`](crate::parse), which hand one out only if the whole definition is right.

mod search;
mod training;
mod transfer;
mod unlabelled;

use std::fmt;
use std::path::PathBuf;

use millstream_imageops::{Mixing, Step};
use serde::Serialize;

pub use search::{AxisPlan, Criterion, FoldPlan, HalvingPlan, RangePlan, SearchPlan};
pub use training::{ClipPlan, EmaPlan, OptimizerPlan, SchedulePlan};
pub use transfer::{FreezePlan, RateGroupPlan, RatesPlan, TransferPlan, WeightsPlan};
pub use unlabelled::{DistillPlan, FlexiblePlan, MappingPlan, OwnPlan, TeacherPlan, UnlabelledPlan};

/// A pipeline, ready to run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The name of the pipeline: letters, digits, `-`, `_` and `.`, fit for a folder.
    pub name: String,
    /// The seed of every random choice.
    pub seed: u64,
    /// Budget of samples in flight, in bytes.
    pub memory: u64,
    /// How many records may be broken before the run stops.
    pub max_bad: MaxBad,
    /// When the state of a round in training is kept; none for never.
    pub checkpoint: Option<CheckpointPlan>,
    /// libtorch's intra-op threads, at least 1. Float sums depend on it, so it belongs to the plan.
    pub threads: u32,
    /// What models compute with.
    pub precision: PrecisionPlan,
    /// Whether a GPU uses kernels that give the same bits each time.
    pub deterministic: bool,
    /// What the images are.
    pub data: DataPlan,
    /// The shape that every image gets on its way to the model.
    pub stream: StreamPlan,
    /// The rounds in order, at least one. The first trains on human labels only.
    pub rounds: Vec<RoundPlan>,
    /// Which pseudo-labels become training samples.
    pub selection: SelectionPlan,
    /// What a run writes.
    pub output: OutputPlan,
    /// What a search tries; nothing that a run computes depends on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchPlan>,
}

impl Plan {
    /// One line of JSON with everything that the result depends on: the plan without `name`, `memory`, `max_bad`,
    /// `checkpoint` and `search`, which change where, how fast and whether a run ends, but not what it computes. Equal text means the same computation.
    #[must_use]
    pub fn canonical(&self) -> String {
        let canonical = Canonical {
            seed: self.seed,
            threads: self.threads,
            precision: self.precision,
            deterministic: self.deterministic,
            data: &self.data,
            stream: &self.stream,
            rounds: &self.rounds,
            selection: &self.selection,
            output: &self.output,
        };
        // JSON can say all of it; were that ever to change, the debug form tells plans apart as well.
        serde_json::to_string(&canonical).unwrap_or_else(|_| format!("{canonical:?}"))
    }
}

/// The part of a plan that decides what is computed.
#[derive(Debug, Serialize)]
struct Canonical<'a> {
    seed: u64,
    threads: u32,
    precision: PrecisionPlan,
    deterministic: bool,
    data: &'a DataPlan,
    stream: &'a StreamPlan,
    rounds: &'a [RoundPlan],
    selection: &'a SelectionPlan,
    output: &'a OutputPlan,
}

/// What convolutions and linear layers compute with.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PrecisionPlan {
    /// 32 bits.
    Float32,
    /// 16 bits with the range of 32.
    BFloat16,
}

/// When the state of a round in training is kept: every so many steps, and when a run is interrupted.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckpointPlan {
    /// Steps from one to the next, at least 1.
    pub every: u32,
    /// How many of a round there are at most, at least 1.
    pub keep: u32,
}

/// The budget of broken records.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxBad {
    /// This share of the records that splits use, in [0, 1].
    Fraction(f64),
    /// This many.
    Count(u64),
}

/// Sources of records, and what is drawn from them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataPlan {
    /// What identifies a record.
    pub key: KeyPlan,
    /// Sources, in the order of their names. That order numbers the records.
    pub sources: Vec<(String, SourcePlan)>,
    /// Splits, each after all that it refers to. `labelled` and `test` are there, and `unlabelled` if there is more than one
    /// round. `validation` may be.
    pub splits: Vec<SplitPlan>,
    /// What is held out of `labelled` and tested on instead of `test`: the trials of a search have it, definitions do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<FoldPlan>,
}

/// What makes the key of a record.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlan {
    /// Where it lies: path and position.
    Place,
    /// Its bytes.
    Content,
}

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourcePlan {
    /// A pair of IDX files.
    Idx {
        /// The images.
        images: PathBuf,
        /// Their labels, if anybody knows them.
        labels: Option<PathBuf>,
    },
    /// A folder of image files.
    Folder {
        /// The folder.
        path: PathBuf,
        /// What its sub-folders mean.
        layout: LayoutPlan,
    },
    /// A CSV list of image files.
    Csv {
        /// The list.
        path: PathBuf,
        /// What its paths are relative to; the folder of the list if none.
        root: Option<PathBuf>,
    },
    /// Tar archives as WebDataset has them.
    WebDataset {
        /// An archive, a folder of them, or a pattern.
        path: PathBuf,
    },
    /// Parquet files with a column of images.
    Parquet {
        /// A file, a folder of them, or a pattern.
        path: PathBuf,
        /// The column of images, if it is said.
        image: Option<String>,
        /// The column of labels, if it is said.
        label: Option<String>,
    },
}

/// What the sub-folders of an image folder mean.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LayoutPlan {
    /// Each is a class.
    Classes,
    /// Nothing; the images have no labels.
    Flat,
}

/// A named set of records.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitPlan {
    /// Its name.
    pub name: String,
    /// Sources and splits it draws from. Where a source and a split share a name, the source is meant.
    pub from: Vec<String>,
    /// Splits whose records it leaves out.
    pub except: Vec<String>,
    /// How much of the rest it takes.
    pub take: TakePlan,
}

/// How a split chooses.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TakePlan {
    /// Everything.
    All,
    /// This many records of each class, at least 1.
    PerClass(u32),
    /// This share, in (0, 1].
    Fraction(f64),
    /// What a file lists, one key or place a line.
    List(PathBuf),
}

/// The shape of a sample, and how a model sees its numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamPlan {
    /// Rows of pixels.
    pub height: u32,
    /// Columns of pixels.
    pub width: u32,
    /// 1 (gray) or 3 (RGB).
    pub channels: u8,
    /// Mean of each channel, of pixels scaled to [0, 1].
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, of pixels scaled to [0, 1]; above 0.
    pub std: Vec<f32>,
    /// The steps of the view that models are tested and label with; none of them is random.
    pub eval: Vec<Step>,
    /// Images in a batch of that view.
    pub eval_batch: u32,
    /// How image files are read.
    pub decode: DecodePlan,
}

/// How image files are read.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecodePlan {
    /// Whether a file that ends too early is used as far as it goes, and not refused.
    pub keep_truncated: bool,
    /// Whether a JPEG may be decoded at a fraction of its size where the steps shrink it anyway.
    pub scale: bool,
    /// Most pixels of an image file, 1 to 2^28.
    pub max_pixels: u64,
}

/// One round: a model is trained, and then labels for the next.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoundPlan {
    /// What is trained.
    pub model: ModelPlan,
    /// What its weights start from.
    pub weights: WeightsPlan,
    /// How.
    pub training: TrainingPlan,
}

/// An architecture and its settings.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct ModelPlan {
    /// Which: the name in the definition, such as `resnet18`.
    pub name: &'static str,
    /// Channels of the first block, at least 1; only smallnet has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Dropout before the classifier or in the hidden layers, in [0, 1).
    pub dropout: f64,
    /// Stochastic depth of the last block, in [0, 1); only nets of residual blocks have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_path: Option<f64>,
}

/// As tables name it: `resnet18`, `smallnet(16)`.
impl fmt::Display for ModelPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.width {
            Some(width) => f.pad(&format!("{}({width})", self.name)),
            None => f.pad(self.name),
        }
    }
}

/// How a round trains.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainingPlan {
    /// Optimisation steps, at least 1.
    pub steps: u32,
    /// Human-labelled images in a step, at least 1.
    pub batch: u32,
    /// Unlabelled images for each of them (mu). The first round has none where `unlabelled` is `selected`.
    pub unlabelled_ratio: u32,
    /// The noised views that are trained on, each name once. At least one is of labelled images, and one of unlabelled
    /// images where the round has any. Their counts together are at most 255.
    pub views: Vec<ViewPlan>,
    /// How the images of a batch are mixed with each other, if they are.
    pub mix: Option<Mixing>,
    /// How gradients become updates.
    pub optimizer: OptimizerPlan,
    /// How the learning rate moves.
    pub schedule: SchedulePlan,
    /// How gradients are clipped, if they are.
    pub clip: Option<ClipPlan>,
    /// In how many parts, one after the other, a batch goes through the model; at least 1.
    pub accumulate: u32,
    /// Whether batch norms take their statistics over the images of all training nodes.
    pub sync_batch_norm: bool,
    /// Share of a hard label that is spread over all classes, in [0, 1).
    pub label_smoothing: f64,
    /// The averaged weights, if there are any.
    pub ema: Option<EmaPlan>,
    /// What images without human labels teach.
    pub unlabelled: UnlabelledPlan,
    /// What a label that no human gave asks the student for.
    pub targets: TargetsPlan,
    /// A teacher that is asked about each image, if there is one.
    pub distill: Option<DistillPlan>,
    /// What of the model trains, and how fast; none: all of it.
    pub transfer: Option<TransferPlan>,
}

impl TrainingPlan {
    /// Whether images without human labels come in its steps, as the round of that number.
    #[must_use]
    pub fn learns_from_unlabelled(&self, round: usize) -> bool {
        self.unlabelled_ratio > 0 && (round > 0 || self.unlabelled != UnlabelledPlan::Selected)
    }

    /// Images that one human-labelled record of a batch becomes: one for each view of it and count.
    #[must_use]
    pub fn images_per_labelled(&self) -> u32 {
        self.views.iter().filter(|view| view.of != ViewOf::Unlabelled).map(|view| view.count).sum()
    }

    /// Images that one record without a human label becomes.
    #[must_use]
    pub fn images_per_unlabelled(&self) -> u32 {
        self.views.iter().filter(|view| view.of != ViewOf::Labelled).map(|view| view.count).sum()
    }

    /// Images in a step of a round that learns from unlabelled ones, too.
    #[must_use]
    pub fn images(&self) -> u64 {
        let unlabelled = u64::from(self.unlabelled_ratio) * u64::from(self.images_per_unlabelled());
        u64::from(self.batch).saturating_mul(u64::from(self.images_per_labelled()) + unlabelled)
    }
}

/// A view: how a training image is noised. A record of a batch is emitted once for each of its views and count.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ViewPlan {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// How often each record comes in this view, 1 to 16.
    pub count: u32,
    /// Which records come in this view.
    pub of: ViewOf,
}

/// Which records come in a view.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewOf {
    /// All.
    All,
    /// Those with human labels.
    Labelled,
    /// Those without.
    Unlabelled,
}

/// What a label that no human gave asks the student for.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetsPlan {
    /// The teacher's class.
    Hard,
    /// The teacher's whole distribution.
    Soft {
        /// p^(1/T), normalised; above 0. Below 1 it sharpens.
        temperature: f64,
    },
    /// The teacher's whole distribution, and the student's, at a temperature.
    Distill {
        /// T of both, above 0.
        temperature: f64,
    },
}

/// Which pseudo-labels become training samples.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct SelectionPlan {
    /// Lowest confidence that is accepted, in (0, 1).
    pub threshold: f32,
    /// How confidence is calibrated before, if it is; there is a split `validation` then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibrate: Option<CalibratePlan>,
    /// Class balancing, if wanted. The threshold is then a multiple of 0.01.
    pub balance: Option<BalancePlan>,
}

/// How confidence is calibrated.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibratePlan {
    /// One temperature for all classes, fitted to the split `validation` after each round.
    Temperature,
}

/// Class-balanced selection.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BalancePlan {
    /// Samples wanted of each class, at least 1.
    pub per_class: u64,
    /// Whether a class with too few is repeated.
    pub upsample: bool,
}

/// What a run writes beside models.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutputPlan {
    /// The format of label files.
    pub labels: LabelFormat,
}

/// The format of label files.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelFormat {
    /// Parquet.
    Parquet,
    /// CSV.
    Csv,
}
