//! The sections `training` and `rounds`.

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

use super::{Brief, Clip, Distill, Model, Optimizer, OrOff, Schedule, Shorthand, Step, Transfer, Unlabelled};

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
    /// Unlabelled images for each human-labelled one (mu). With `unlabelled: selected` the first round has none whatever this
    /// says.
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
    /// Mixing the images of a batch with each other, and their labels with them; `off` for none. Labelled and unlabelled images are
    /// mixed each among themselves; unlabelled ones not at all where the model is asked what they show (`fixmatch` and the like).
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
    /// How large gradients are made smaller before the update: `norm: 1.0` for all of them together, `value: 0.5` for each
    /// number; `off` for not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "off"))]
    pub(crate) clip: Option<Clip>,
    /// In how many equal parts, one after the other, a batch goes through the model. More parts need less memory and more
    /// time. The update is that of the whole batch, but batch norms see one part at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65536), extend("default" = 1))]
    pub(crate) accumulate: Option<u32>,
    /// Whether batch norms take mean and variance over the images of all training nodes (`--ranks`), so that several nodes train as one does on
    /// the whole batch; otherwise each node's see its own images. All nodes then wait for each other twice in each norm of a
    /// step. With one node it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub(crate) sync_batch_norm: Option<bool>,
    /// The share of a hard label that is spread evenly over all classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1, "default" = 0))]
    pub(crate) label_smoothing: Option<f64>,
    /// A moving average of the weights, which then labels and is saved: its decay, such as 0.99, or its settings; `off` for
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "off"))]
    pub(crate) ema: Option<OrOff<Brief<Ema>>>,
    /// What images without human labels teach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "selected"))]
    pub(crate) unlabelled: Option<Unlabelled>,
    /// What a label that no human gave asks the student for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "hard"))]
    pub(crate) targets: Option<Targets>,
    /// A teacher that is asked about each image of a batch; `off` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "off"))]
    pub(crate) distill: Option<OrOff<Distill>>,
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
    /// Those without.
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

/// A moving average of the weights.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ema {
    /// The share of the average that stays in a step.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub(crate) decay: f64,
    /// Whether the first steps keep less, so that the fresh weights are soon forgotten: at most 1 - (1 + t)^(-2/3) in step t.
    #[serde(default = "Ema::warmup")]
    pub(crate) warmup: bool,
}

impl Ema {
    fn warmup() -> bool {
        true
    }
}

impl Shorthand for Ema {
    fn number() -> Schema {
        json_schema!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 })
    }

    fn of(decay: f64) -> Self {
        Ema { decay, warmup: Ema::warmup() }
    }
}

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

/// What a label that no human gave asks the student for.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Targets {
    /// The class that the model takes it for who says so: the teacher, or with `fixmatch` and the like the model itself.
    Hard,
    /// The whole distribution.
    Soft(Soft),
    /// The whole distribution at a temperature, which the student is brought to at the same temperature: the loss is
    /// `T^2 KL` (Hinton et al. 2015).
    Distill(Tempered),
}

/// The whole distribution.
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

/// The whole distribution at a temperature, and the student's.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tempered {
    /// The temperature T of both.
    #[schemars(range(min = 0.01, max = 100.0))]
    pub(crate) temperature: f64,
}

impl Default for Tempered {
    fn default() -> Self {
        Tempered { temperature: 4.0 }
    }
}
