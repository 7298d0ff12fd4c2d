//! Momentum in PyTorch's form, for SGD and LARS.

use tch::{TchError, Tensor};

use super::{Memory, Rate, unless_zero};

/// With gradient `g` and velocity `v`, at first 0: `v = momentum * v + g`, and the parameter moves by `-rate * d`, where `d` is
/// `v`, or `g + momentum * v` for Nesterov.
pub(super) struct Momentum {
    factor: Option<Tensor>,
    nesterov: bool,
}

/// The velocity of a parameter; none without momentum.
pub(super) type Velocity = Option<Tensor>;

impl Momentum {
    pub(super) fn new(momentum: f64, nesterov: bool, device: tch::Device) -> Result<Momentum, TchError> {
        Ok(Momentum { factor: unless_zero(momentum, device)?, nesterov })
    }

    pub(super) fn start(&self, parameter: &Tensor) -> Result<Velocity, TchError> {
        self.factor.as_ref().map(|_| parameter.f_zeros_like()).transpose()
    }

    /// Moves the parameter.
    pub(super) fn apply(
        &self,
        parameter: &mut Tensor,
        velocity: &Velocity,
        gradient: &mut Tensor,
        rate: &Rate,
    ) -> Result<(), TchError> {
        let direction = match (velocity, &self.factor) {
            (Some(velocity), Some(factor)) => {
                let velocity = gradient.f_addcmul_out(velocity, velocity, factor)?;
                if self.nesterov { gradient.f_addcmul_(&velocity, factor)? } else { velocity }
            }
            _ => gradient.shallow_clone(),
        };
        parameter.f_addcmul_(&direction, &rate.minus).map(drop)
    }
}

impl Memory for Velocity {
    fn tensors(&self) -> Vec<(&'static str, &Tensor)> {
        self.iter().map(|velocity| ("velocity", velocity)).collect()
    }
}
