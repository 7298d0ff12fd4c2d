//! AdamW: Loshchilov and Hutter, "Decoupled weight decay regularization" (2019).

use tch::{TchError, Tensor};

use super::adam::{Adam, Moments};
use super::{Rate, Rule, Slot};

/// As `torch.optim.AdamW`: a weight is first multiplied by `1 - rate * decay`, then moved by `-rate` times the direction of
/// [`Adam`].
pub(super) struct AdamW {
    adam: Adam,
    decay: f64,
}

impl AdamW {
    pub(super) fn new(betas: [f64; 2], eps: f64, decay: f64, device: tch::Device) -> Result<AdamW, TchError> {
        Ok(AdamW { adam: Adam::new(betas, eps, device)?, decay })
    }
}

impl Rule for AdamW {
    type Kept = Moments;

    fn start(&self, parameter: &Tensor) -> Result<Moments, TchError> {
        Moments::start(parameter)
    }

    fn begin(&mut self, update: i64) -> Result<(), TchError> {
        self.adam.begin(update)
    }

    fn apply(&self, slot: &mut Slot<Moments>, gradient: &mut Tensor, rate: &Rate) -> Result<(), TchError> {
        if slot.decays && self.decay > 0.0 {
            let _decayed = slot.parameter.f_mul_scalar_(1.0 - rate.value * self.decay)?;
        }
        self.adam.direct(&mut slot.kept, gradient)?;
        slot.parameter.f_addcmul_(gradient, &rate.minus).map(drop)
    }
}
