//! `training.optimizer` and `training.clip`: how gradients become updates.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How gradients become updates. Norms and biases are never decayed.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Optimizer {
    /// Stochastic gradient descent with momentum, in PyTorch's form.
    Sgd(Sgd),
    /// Adam with decoupled weight decay, in PyTorch's form.
    Adamw(Adamw),
    /// RMSProp in TensorFlow's form, which EfficientNet and Noisy Student are trained with.
    Rmsprop(Rmsprop),
    /// SGD with a rate for each layer, for large batches (You et al. 2017), in timm's form.
    Lars(Lars),
    /// Adam with a rate for each layer, for large batches (You et al. 2020), in timm's form; it clips nothing itself.
    Lamb(Lamb),
}

/// A share of what was before, in [0, 1).
#[derive(Copy, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Share(#[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))] pub(crate) f64);

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

/// Adam with decoupled weight decay.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Adamw {
    /// The highest learning rate of the schedule.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) lr: f64,
    /// The share that the averages of the gradient and of its square keep in a step.
    pub(crate) betas: [Share; 2],
    /// Added to the root of the mean square.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) eps: f64,
    /// Weight decay: a step takes this share of a weight, times the learning rate. Norms and biases are never decayed.
    #[schemars(extend("minimum" = 0, "maximum" = 1000))]
    pub(crate) weight_decay: f64,
}

impl Default for Adamw {
    fn default() -> Self {
        Adamw { lr: 0.001, betas: [Share(0.9), Share(0.999)], eps: 1e-8, weight_decay: 0.01 }
    }
}

/// RMSProp in TensorFlow's form: the mean square starts at 1, `eps` is under the root, the learning rate in the momentum.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rmsprop {
    /// The highest learning rate of the schedule. Noisy Student has 0.016 for each 256 images of a batch.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) lr: f64,
    /// The share that the mean square of the gradient keeps in a step.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub(crate) decay: f64,
    /// The share of the last update that is kept.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub(crate) momentum: f64,
    /// Added to the mean square, under the root.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) eps: f64,
    /// Weight decay, which is added to the gradient. Norms and biases are never decayed.
    #[schemars(extend("minimum" = 0, "maximum" = 1000))]
    pub(crate) weight_decay: f64,
}

impl Default for Rmsprop {
    fn default() -> Self {
        Rmsprop { lr: 0.016, decay: 0.9, momentum: 0.9, eps: 0.001, weight_decay: 0.00001 }
    }
}

/// SGD with a rate for each layer: `trust` times the norm of its weights over that of their gradient. Norms and biases have the
/// learning rate itself.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Lars {
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
    /// How far a layer moves for its size.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) trust: f64,
    /// Added to the norms that are divided by.
    #[schemars(extend("minimum" = 0, "maximum" = 1000))]
    pub(crate) eps: f64,
}

impl Default for Lars {
    fn default() -> Self {
        Lars { lr: 1.0, momentum: 0.9, nesterov: false, weight_decay: 0.0005, trust: 0.001, eps: 1e-8 }
    }
}

/// Adam with a rate for each layer: the norm of its weights over that of their update. Norms and biases have the learning rate
/// itself.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Lamb {
    /// The highest learning rate of the schedule.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) lr: f64,
    /// The share that the averages of the gradient and of its square keep in a step.
    pub(crate) betas: [Share; 2],
    /// Added to the root of the mean square.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) eps: f64,
    /// Weight decay, which is added to the update. Norms and biases are never decayed.
    #[schemars(extend("minimum" = 0, "maximum" = 1000))]
    pub(crate) weight_decay: f64,
}

impl Default for Lamb {
    fn default() -> Self {
        Lamb { lr: 0.001, betas: [Share(0.9), Share(0.999)], eps: 1e-6, weight_decay: 0.01 }
    }
}

/// How large gradients are made smaller before the update.
#[derive(Copy, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Clip {
    /// They stay as they are.
    Off,
    /// The highest L2 norm of all gradients together, as PyTorch's `clip_grad_norm_`.
    Norm(#[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1_000_000))] f64),
    /// The farthest that a number may be from 0, as PyTorch's `clip_grad_value_`.
    Value(#[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1_000_000))] f64),
}
