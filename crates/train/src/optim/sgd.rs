//! Stochastic gradient descent.

use tch::{TchError, Tensor};

use super::momentum::{Momentum, Velocity};
use super::{Rate, Rule, Slot, add_decay, unless_zero};

/// SGD as `torch.optim.SGD`: the gradient plus `decay * parameter`, through [`Momentum`].
pub(super) struct Sgd {
    momentum: Momentum,
    decay: Option<Tensor>,
}

impl Sgd {
    pub(super) fn new(momentum: f64, nesterov: bool, decay: f64, device: tch::Device) -> Result<Sgd, TchError> {
        Ok(Sgd { momentum: Momentum::new(momentum, nesterov, device)?, decay: unless_zero(decay, device)? })
    }
}

impl Rule for Sgd {
    type Kept = Velocity;

    fn start(&self, parameter: &Tensor) -> Result<Velocity, TchError> {
        self.momentum.start(parameter)
    }

    fn apply(&self, slot: &mut Slot<Velocity>, gradient: &mut Tensor, rate: &Rate) -> Result<(), TchError> {
        add_decay(slot, gradient, self.decay.as_ref())?;
        self.momentum.apply(&mut slot.parameter, &slot.kept, gradient, rate)
    }
}
