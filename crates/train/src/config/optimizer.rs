//! Optimizers and their settings.

use serde::{Deserialize, Serialize};

use super::{above_zero, require, share};
use crate::TrainError;

/// How gradients become updates. Weight decay is never of norms and biases. `lr` is the highest learning rate of the schedule,
/// above 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum OptimizerKind {
    /// Stochastic gradient descent with momentum, in PyTorch's form.
    Sgd {
        /// The highest learning rate of the schedule, above 0.
        lr: f64,
        /// Share of the last update that is kept, in `[0, 1)`.
        momentum: f64,
        /// Nesterov's look-ahead; needs momentum.
        nesterov: bool,
        /// Weight decay, at least 0.
        weight_decay: f64,
    },
    /// Adam with decoupled weight decay, as `torch.optim.AdamW`.
    AdamW {
        /// The highest learning rate of the schedule, above 0.
        lr: f64,
        /// Share that the averages of the gradient and of its square keep in an update, each in `[0, 1)`.
        betas: [f64; 2],
        /// Added to the root of the mean square, above 0.
        eps: f64,
        /// Weight decay, at least 0; times the learning rate.
        weight_decay: f64,
    },
    /// RMSProp as TensorFlow has it: see `timm.optim.RMSpropTF`.
    RmsProp {
        /// The highest learning rate of the schedule, above 0.
        lr: f64,
        /// Share that the mean square of the gradient keeps in an update, in `[0, 1)`.
        decay: f64,
        /// Share of the last update that is kept, in `[0, 1)`.
        momentum: f64,
        /// Added to the mean square under the root, above 0.
        eps: f64,
        /// Weight decay, at least 0; added to the gradient.
        weight_decay: f64,
    },
    /// SGD with a rate for each layer, as `timm.optim.Lars`.
    Lars {
        /// The highest learning rate of the schedule, above 0.
        lr: f64,
        /// Share of the last update that is kept, in `[0, 1)`.
        momentum: f64,
        /// Nesterov's look-ahead; needs momentum.
        nesterov: bool,
        /// Weight decay, at least 0.
        weight_decay: f64,
        /// How far a layer moves for its size, above 0.
        trust: f64,
        /// Added to the norms that are divided by, at least 0.
        eps: f64,
    },
    /// AdamW with a rate for each layer, as `timm.optim.Lamb` without its clipping.
    Lamb {
        /// The highest learning rate of the schedule, above 0.
        lr: f64,
        /// Share that the averages of the gradient and of its square keep in an update, each in `[0, 1)`.
        betas: [f64; 2],
        /// Added to the root of the mean square, above 0.
        eps: f64,
        /// Weight decay, at least 0; added to the direction.
        weight_decay: f64,
    },
}

impl OptimizerKind {
    /// The highest learning rate of the schedule.
    pub(crate) fn lr(&self) -> f64 {
        match *self {
            OptimizerKind::Sgd { lr, .. }
            | OptimizerKind::AdamW { lr, .. }
            | OptimizerKind::RmsProp { lr, .. }
            | OptimizerKind::Lars { lr, .. }
            | OptimizerKind::Lamb { lr, .. } => lr,
        }
    }

    pub(super) fn check(&self) -> Result<(), TrainError> {
        above_zero("lr", self.lr())?;
        match *self {
            OptimizerKind::Sgd { momentum, nesterov, weight_decay, .. } => {
                check_momentum(momentum, nesterov)?;
                at_least_zero("weight_decay", weight_decay)
            }
            OptimizerKind::AdamW { betas, eps, weight_decay, .. }
            | OptimizerKind::Lamb { betas, eps, weight_decay, .. } => {
                betas.into_iter().try_for_each(|beta| share("betas", beta))?;
                above_zero("eps", eps)?;
                at_least_zero("weight_decay", weight_decay)
            }
            OptimizerKind::RmsProp { decay, momentum, eps, weight_decay, .. } => {
                share("decay", decay)?;
                check_momentum(momentum, false)?;
                above_zero("eps", eps)?;
                at_least_zero("weight_decay", weight_decay)
            }
            OptimizerKind::Lars { momentum, nesterov, weight_decay, trust, eps, .. } => {
                check_momentum(momentum, nesterov)?;
                above_zero("trust", trust)?;
                at_least_zero("eps", eps)?;
                at_least_zero("weight_decay", weight_decay)
            }
        }
    }
}

fn check_momentum(momentum: f64, nesterov: bool) -> Result<(), TrainError> {
    share("momentum", momentum)?;
    require(!nesterov || momentum > 0.0, "nesterov", nesterov, "it needs a momentum above 0")
}

fn at_least_zero(setting: &'static str, value: f64) -> Result<(), TrainError> {
    require(value.is_finite() && value >= 0.0, setting, value, "it is a number of at least 0")
}
