//! The sections `training` and `rounds`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OrOff, Step, Transfer};

/// How a round trains. Everything but `steps` has a default.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Training {
    /// Optimisation steps of a round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(crate) steps: Option<u32>,
    /// Human-labelled images in a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65536), extend("default" = 64))]
    pub(crate) batch: Option<u32>,
    /// Pseudo-labelled images for each human-labelled one (mu). The first round has none whatever this says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1024), extend("default" = 3))]
    pub(crate) unlabelled_ratio: Option<u32>,
    /// The steps of the noised view that is trained on, in order. An image that has another size after the last one is
    /// resized to `stream.size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = []))]
    pub(crate) augment: Option<Vec<Step>>,
    /// Several views instead of the one of `augment`, for example a weak and a strong one: each image of a batch comes
    /// once for each view, and as often as its `count` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub(crate) views: Option<Vec<View>>,
    /// Mixing the images of a batch with each other, and their labels with them; `off` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "off"))]
    pub(crate) mix: Option<OrOff<Mix>>,
    /// How gradients become updates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "sgd"))]
    pub(crate) optimizer: Option<Optimizer>,
    /// How the learning rate moves over a round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "one_cycle"))]
    pub(crate) schedule: Option<Schedule>,
    /// The share of a hard label that is spread evenly over all classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1, "default" = 0))]
    pub(crate) label_smoothing: Option<f64>,
    /// The decay of a moving average of the weights, which then labels and is saved, such as 0.99; `off` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "off"))]
    pub(crate) ema: Option<OrOff<Decay>>,
    /// What a pseudo-label asks the student for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "hard"))]
    pub(crate) targets: Option<Targets>,
    /// What of a model that starts from given `weights` trains, and how fast; `off` for all of it alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "off"))]
    pub(crate) transfer: Option<OrOff<Transfer>>,
}

/// A view of the images that a round trains on.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct View {
    /// Its name: letters, digits, `-` and `_`.
    #[schemars(length(min = 1, max = 64), extend("pattern" = "^[A-Za-z0-9_-]+$"))]
    pub(crate) name: String,
    /// Its steps, in order. An image that has another size after the last one is resized to `stream.size`.
    #[serde(default)]
    pub(crate) augment: Vec<Step>,
    /// How often each image comes in this view, each time with other random choices.
    #[serde(default = "View::count")]
    #[schemars(range(min = 1, max = 16))]
    pub(crate) count: u32,
    /// Which images come in this view.
    #[serde(default)]
    pub(crate) of: Of,
}

impl View {
    fn count() -> u32 {
        1
    }
}

/// Which images come in a view.
#[derive(Copy, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Of {
    /// All images.
    #[default]
    All,
    /// Those with human labels.
    Labelled,
    /// Those with pseudo-labels.
    Unlabelled,
}

/// Mixing the images of a batch with each other. At least one of `cutmix` and `mixup` must be above 0.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mix {
    /// Alpha of CutMix, which pastes an area of another image; 0 for none.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub(crate) cutmix: f64,
    /// Alpha of MixUp, which blends with another image; 0 for none.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub(crate) mixup: f64,
    /// The probability of mixing at all.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) p: f64,
    /// The probability of CutMix where both are on.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) switch: f64,
    /// What one draw is for.
    pub(crate) per: Per,
}

impl Default for Mix {
    fn default() -> Self {
        Mix { cutmix: 0.0, mixup: 0.0, p: 1.0, switch: 0.5, per: Per::Batch }
    }
}

/// What one draw of mixing is for.
#[derive(Copy, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Per {
    /// The whole batch.
    Batch,
    /// Each image of it on its own.
    Element,
}

/// The decay of a moving average.
#[derive(Copy, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Decay(#[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))] pub(crate) f64);

/// One round: a model is trained, and then labels for the next.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Round {
    /// What is trained.
    pub(crate) model: Model,
    /// What the model starts from: a file of weights (safetensors, or a state dict that PyTorch wrote; of any program), or
    /// `previous` for the model of the round before. Fresh weights by default. The last layer starts fresh where the file is
    /// for another number of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub(crate) weights: Option<String>,
    /// What this round trains differently from the common `training`.
    #[serde(default)]
    pub(crate) training: Training,
}

/// An architecture.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Model {
    /// A small convolutional net with batch normalisation, for images of 28 to 64 pixels; at least 8.
    Smallnet(Smallnet),
    /// torchvision's AlexNet, made for 224 pixels; at least 63.
    Alexnet(Alexnet),
}

/// A small convolutional net with batch normalisation.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Smallnet {
    /// Channels of its first block; the second has twice as many, the third four times.
    #[schemars(range(min = 1, max = 4096))]
    pub(crate) width: u32,
    /// Probability of dropping a feature before the classifier.
    #[serde(default)]
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub(crate) dropout: f64,
}

/// torchvision's AlexNet.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alexnet {
    /// Probability of dropping a feature before each of its two hidden layers.
    #[serde(default = "Alexnet::dropout")]
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub(crate) dropout: f64,
}

impl Alexnet {
    fn dropout() -> f64 {
        0.5
    }
}

/// How gradients become updates.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Optimizer {
    /// Stochastic gradient descent with momentum, in PyTorch's form.
    Sgd(Sgd),
}

/// Stochastic gradient descent with momentum.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sgd {
    /// The highest learning rate of the schedule.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) lr: f64,
    /// The share of the last update that is kept.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub(crate) momentum: f64,
    /// Nesterov's look-ahead; needs a momentum above 0.
    pub(crate) nesterov: bool,
    /// Weight decay. Norms and biases are never decayed.
    #[schemars(extend("minimum" = 0, "maximum" = 1000))]
    pub(crate) weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Sgd { lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.0005 }
    }
}

/// How the learning rate moves over a round.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Schedule {
    /// It stays as it is.
    Constant(Constant),
    /// A linear rise, then half a cosine down to 0.
    Cosine(Cosine),
    /// PyTorch's OneCycleLR: up from 1/25 of the rate, then down to almost 0.
    OneCycle(OneCycle),
}

/// A constant learning rate: nothing to set.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Constant {}

/// A linear rise, then half a cosine down to 0.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cosine {
    /// Steps of the rise, fewer than the round has.
    pub(crate) warmup: u32,
}

/// Up, then down again.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OneCycle {
    /// The share of the steps that rises.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) warmup: f64,
}

impl Default for OneCycle {
    fn default() -> Self {
        OneCycle { warmup: 0.25 }
    }
}

/// What a pseudo-label asks the student for.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Targets {
    /// The teacher's class.
    Hard,
    /// The teacher's whole distribution.
    Soft(Soft),
}

/// The teacher's whole distribution.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Soft {
    /// The distribution becomes p^(1/T), normalised. Below 1 it gets sharper, above 1 flatter.
    #[schemars(range(min = 0.01, max = 100.0))]
    pub(crate) temperature: f64,
}

impl Default for Soft {
    fn default() -> Self {
        Soft { temperature: 1.0 }
    }
}
