//! Optimizers, clipping and schedules, as a plan has them.

use serde::Serialize;

/// An optimizer and its settings. `lr` is the highest learning rate, above 0; weight decay is at least 0, and never of norms and
/// biases.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
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
    /// Adam with decoupled weight decay.
    AdamW {
        /// Highest learning rate, above 0.
        lr: f64,
        /// Share that the averages of the gradient and of its square keep, in [0, 1).
        betas: [f64; 2],
        /// Added to the root of the mean square, above 0.
        eps: f64,
        /// Weight decay, at least 0.
        weight_decay: f64,
    },
    /// RMSProp in TensorFlow's form.
    RmsProp {
        /// Highest learning rate, above 0.
        lr: f64,
        /// Share that the mean square of the gradient keeps, in [0, 1).
        decay: f64,
        /// Share of the last update that is kept, in [0, 1).
        momentum: f64,
        /// Added to the mean square under the root, above 0.
        eps: f64,
        /// Weight decay, at least 0.
        weight_decay: f64,
    },
    /// SGD with a rate for each layer.
    Lars {
        /// Highest learning rate, above 0.
        lr: f64,
        /// Share of the last update that is kept, in [0, 1).
        momentum: f64,
        /// Nesterov's look-ahead; only with momentum.
        nesterov: bool,
        /// Weight decay, at least 0.
        weight_decay: f64,
        /// How far a layer moves for its size, above 0.
        trust: f64,
        /// Added to the norms that are divided by, at least 0.
        eps: f64,
    },
    /// Adam with a rate for each layer.
    Lamb {
        /// Highest learning rate, above 0.
        lr: f64,
        /// Share that the averages of the gradient and of its square keep, in [0, 1).
        betas: [f64; 2],
        /// Added to the root of the mean square, above 0.
        eps: f64,
        /// Weight decay, at least 0.
        weight_decay: f64,
    },
}

/// How large gradients are made smaller before the update.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipPlan {
    /// All of them together to at most this L2 norm, above 0.
    Norm(f64),
    /// Each number to at most this from 0, above 0.
    Value(f64),
}

/// How the learning rate moves over a round.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SchedulePlan {
    /// Not at all.
    Constant,
    /// A linear rise, then half a cosine down.
    Cosine {
        /// Steps of the rise, fewer than the round has.
        warmup: u32,
        /// Share of the rate that is left at the end, in [0, 1].
        floor: f64,
    },
    /// A linear rise, then the first part of a cosine.
    CosineArc {
        /// Steps of the rise, fewer than the round has.
        warmup: u32,
        /// How far the cosine goes, in half turns; in (0, 0.5].
        half_turns: f64,
    },
    /// Up and down again, as PyTorch's `OneCycleLR`.
    OneCycle {
        /// Share of the steps that rises, in [0, 1].
        warmup: f64,
    },
    /// Down by a factor after every so many steps, as PyTorch's `StepLR`.
    Step {
        /// Steps between two falls, at least 1.
        every: u32,
        /// What the rate is multiplied by, in (0, 1].
        gamma: f64,
    },
    /// A linear rise, then TensorFlow's exponential decay.
    Exponential {
        /// Steps of the rise, fewer than the round has.
        warmup: u32,
        /// Steps between two falls, above 0.
        every: f64,
        /// What the rate is multiplied by, in (0, 1].
        decay: f64,
        /// Whether it falls all at once every so many steps.
        staircase: bool,
    },
}

/// Averaged weights, which label and are saved.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct EmaPlan {
    /// Share of the average that stays in a step, in (0, 1).
    pub decay: f64,
    /// Whether the first steps keep less: at most 1 - (1 + t)^(-2/3) in step t.
    pub warmup: bool,
}
