//! LAMB: You et al., "Large batch optimization for deep learning" (2020).

use tch::{TchError, Tensor};

use super::adam::{Adam, Moments};
use super::{Rate, Rule, Slot, add_decay, trust, unless_zero};

/// With the direction `d` of [`Adam`], a weight `w` moves by `-rate * |w| / |u| * u`, where `u = d + decay * w`. Norms and biases
/// move by `-rate * d`. As `timm.optim.Lamb` with bias correction and `always_adapt`, and without its own clipping of gradients.
pub(super) struct Lamb {
    adam: Adam,
    decay: Option<Tensor>,
}

impl Lamb {
    pub(super) fn new(betas: [f64; 2], eps: f64, decay: f64, device: tch::Device) -> Result<Lamb, TchError> {
        Ok(Lamb { adam: Adam::new(betas, eps, device)?, decay: unless_zero(decay, device)? })
    }
}

impl Rule for Lamb {
    type Kept = Moments;

    fn start(&self, parameter: &Tensor) -> Result<Moments, TchError> {
        Moments::start(parameter)
    }

    fn begin(&mut self, update: i64) -> Result<(), TchError> {
        self.adam.begin(update)
    }

    fn apply(&self, slot: &mut Slot<Moments>, gradient: &mut Tensor, rate: &Rate) -> Result<(), TchError> {
        self.adam.direct(&mut slot.kept, gradient)?;
        if !slot.decays {
            return slot.parameter.f_addcmul_(gradient, &rate.minus).map(drop);
        }
        add_decay(slot, gradient, self.decay.as_ref())?;
        let (weight, update) = (slot.parameter.f_norm()?, gradient.f_norm()?);
        let ratio = trust::ratio(&weight.f_div(&update)?, &weight, &update)?;
        slot.parameter.f_addcmul_(gradient, &ratio.f_mul(&rate.minus)?).map(drop)
    }
}
