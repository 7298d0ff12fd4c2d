//! The plan: what a checked definition says, with every default filled in and every reference resolved.
//!
//! Nothing here is a string that still has to be understood. A value of these types comes from [`load`](crate::load)
//! or [`parse`](crate::parse), which hand one out only if the whole definition is right.

use std::path::PathBuf;

use serde::Serialize;

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
    /// libtorch's intra-op threads, at least 1. Float sums depend on it, so it belongs to the plan.
    pub threads: u32,
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
}

impl Plan {
    /// One line of JSON with everything that the result depends on: the plan without `name`, `memory` and `max_bad`, which
    /// change where, how fast and whether a run ends, but not what it computes. Equal text means the same computation.
    #[must_use]
    pub fn canonical(&self) -> String {
        let canonical = Canonical {
            seed: self.seed,
            threads: self.threads,
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
    data: &'a DataPlan,
    stream: &'a StreamPlan,
    rounds: &'a [RoundPlan],
    selection: &'a SelectionPlan,
    output: &'a OutputPlan,
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
    /// round.
    pub splits: Vec<SplitPlan>,
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
    pub eval: Vec<StepPlan>,
    /// Images in a batch of that view.
    pub eval_batch: u32,
}

/// One round: a model trained from fresh weights, which then labels for the next.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoundPlan {
    /// What is trained.
    pub model: ModelPlan,
    /// How.
    pub training: TrainingPlan,
}

/// An architecture and its settings.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelPlan {
    /// A small convolutional net with batch normalisation, for 28 to 64 pixels.
    SmallNet {
        /// Channels of its first block, at least 1.
        width: u32,
        /// Dropout before the classifier, in [0, 1).
        dropout: f64,
    },
    /// torchvision's AlexNet.
    AlexNet {
        /// Dropout before its two hidden layers, in [0, 1).
        dropout: f64,
    },
}

/// How a round trains.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainingPlan {
    /// Optimisation steps, at least 1.
    pub steps: u32,
    /// Human-labelled images in a step, at least 1.
    pub batch: u32,
    /// Pseudo-labelled images for each of them (mu). The first round has none whatever this says.
    pub unlabelled_ratio: u32,
    /// The steps of the noised view that is trained on.
    pub augment: Vec<StepPlan>,
    /// How gradients become updates.
    pub optimizer: OptimizerPlan,
    /// How the learning rate moves.
    pub schedule: SchedulePlan,
    /// Share of a hard label that is spread over all classes, in [0, 1).
    pub label_smoothing: f64,
    /// Decay of the averaged weights, in (0, 1); none for no average.
    pub ema: Option<f64>,
    /// What a pseudo-label asks the student for.
    pub targets: TargetsPlan,
}

/// An optimizer and its settings.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerPlan {
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// Highest learning rate, above 0.
        lr: f64,
        /// Share of the last update that is kept, in [0, 1).
        momentum: f64,
        /// Nesterov's look-ahead; only with momentum.
        nesterov: bool,
        /// Weight decay, at least 0.
        weight_decay: f64,
    },
}

/// How the learning rate moves over a round.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SchedulePlan {
    /// Not at all.
    Constant,
    /// A linear rise, then half a cosine down to 0.
    Cosine {
        /// Steps of the rise, fewer than the round has.
        warmup: u32,
    },
    /// Up and down again, as PyTorch's `OneCycleLR`.
    OneCycle {
        /// Share of the steps that rises, in [0, 1].
        warmup: f64,
    },
}

/// What a pseudo-label asks the student for.
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
}

/// Which pseudo-labels become training samples.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct SelectionPlan {
    /// Lowest confidence that is accepted, in (0, 1).
    pub threshold: f32,
    /// Class balancing, if wanted. The threshold is then a multiple of 0.01.
    pub balance: Option<BalancePlan>,
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

/// How a resize computes a pixel.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterPlan {
    /// The one source pixel in the middle.
    Nearest,
    /// Triangle filter.
    Bilinear,
    /// Cubic filter.
    Bicubic,
    /// Lanczos filter with three lobes.
    Lanczos,
}

/// One step of a view. Variants and fields are those of the image crate's `Step`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepPlan {
    /// To exactly this size in pixels.
    Resize {
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
        /// How to resample.
        filter: FilterPlan,
    },
    /// To this length of the shorter side; the aspect ratio stays.
    ResizeShort {
        /// The shorter side in pixels.
        size: u32,
        /// How to resample.
        filter: FilterPlan,
    },
    /// A random area, resized.
    RandomResizedCrop {
        /// Smallest and largest share of the area, 0 < low <= high <= 1.
        scale: (f32, f32),
        /// Smallest and largest width / height, 0.01 <= low <= high <= 100.
        ratio: (f32, f32),
        /// Rows of the result.
        height: u32,
        /// Columns of the result.
        width: u32,
        /// How to resample.
        filter: FilterPlan,
    },
    /// The middle.
    CenterCrop {
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
    },
    /// Padding on all sides, then a random area of the old size.
    PadCrop {
        /// Pixels on each side.
        pad: u32,
        /// Their value.
        fill: u8,
    },
    /// A mirror image, sometimes.
    RandomFlip {
        /// Left-right, else top-bottom.
        horizontal: bool,
        /// How often, in [0, 1].
        p: f32,
    },
    /// Random rotation, shear and shift at once.
    RandomAffine {
        /// Largest rotation in degrees, 0 to 180.
        degrees: f32,
        /// Largest shear as a tangent, 0 to 2.
        shear: f32,
        /// Largest shift in pixels.
        translate: f32,
        /// Value of what comes in from outside.
        fill: u8,
    },
    /// RandAugment on torchvision's scale.
    RandAugment {
        /// Ops drawn for each image.
        ops: u32,
        /// Magnitude, below `bins`.
        magnitude: u32,
        /// Number of magnitudes, at least 2.
        bins: u32,
        /// Value of what comes in from outside.
        fill: u8,
    },
    /// A fixed op.
    Apply {
        /// The op.
        op: OpPlan,
        /// How often, in [0, 1].
        p: f32,
    },
}

impl StepPlan {
    /// The name as it is written in a pipeline.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            StepPlan::Resize { .. } => "resize",
            StepPlan::ResizeShort { .. } => "resize_short",
            StepPlan::RandomResizedCrop { .. } => "random_resized_crop",
            StepPlan::CenterCrop { .. } => "center_crop",
            StepPlan::PadCrop { .. } => "pad_crop",
            StepPlan::RandomFlip { .. } => "flip",
            StepPlan::RandomAffine { .. } => "affine",
            StepPlan::RandAugment { .. } => "randaugment",
            StepPlan::Apply { op, .. } => op.name(),
        }
    }

    /// Whether two samples of one image may differ.
    #[must_use]
    pub fn is_random(&self) -> bool {
        match *self {
            StepPlan::Resize { .. } | StepPlan::ResizeShort { .. } | StepPlan::CenterCrop { .. } => false,
            StepPlan::Apply { p, .. } => p > 0.0 && p < 1.0,
            _ => true,
        }
    }
}

/// An image operator with its argument. Variants are those of the image crate's `Op` that a pipeline can name.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OpPlan {
    /// Nothing.
    Identity,
    /// Stretches each channel to the full range.
    AutoContrast,
    /// Flattens the histogram of each channel.
    Equalize,
    /// 255 - value.
    Invert,
    /// Degrees counter-clockwise.
    Rotate(f32),
    /// Tangent.
    ShearX(f32),
    /// Tangent.
    ShearY(f32),
    /// Pixels to the right.
    TranslateX(i32),
    /// Pixels down.
    TranslateY(i32),
    /// Blend with black.
    Brightness(f32),
    /// Blend with gray.
    Color(f32),
    /// Blend with the mean gray.
    Contrast(f32),
    /// Blend with the smoothed image.
    Sharpness(f32),
    /// Upper bits that are kept, 0 to 8.
    Posterize(u8),
    /// Values at or above this are inverted, 0 to 256.
    Solarize(f32),
    /// Mirrors left-right.
    FlipHorizontal,
    /// Mirrors top-bottom.
    FlipVertical,
}

impl OpPlan {
    /// The name as it is written in a pipeline.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            OpPlan::Identity => "identity",
            OpPlan::AutoContrast => "auto_contrast",
            OpPlan::Equalize => "equalize",
            OpPlan::Invert => "invert",
            OpPlan::Rotate(_) => "rotate",
            OpPlan::ShearX(_) => "shear_x",
            OpPlan::ShearY(_) => "shear_y",
            OpPlan::TranslateX(_) => "translate_x",
            OpPlan::TranslateY(_) => "translate_y",
            OpPlan::Brightness(_) => "brightness",
            OpPlan::Color(_) => "color",
            OpPlan::Contrast(_) => "contrast",
            OpPlan::Sharpness(_) => "sharpness",
            OpPlan::Posterize(_) => "posterize",
            OpPlan::Solarize(_) => "solarize",
            OpPlan::FlipHorizontal => "flip_horizontal",
            OpPlan::FlipVertical => "flip_vertical",
        }
    }
}
