//! LARS: You, Gitman, Ginsburg, "Large batch training of convolutional networks" (2017).

use tch::{TchError, Tensor};

use super::momentum::{Momentum, Velocity};
use super::{Rate, Rule, Slot, add_decay, trust, unless_zero};

/// SGD whose gradient `g` of a weight `w` becomes `trust * |w| / (|g| + decay * |w| + eps) * (g + decay * w)`. Norms and biases
/// are neither decayed nor scaled. In timm's form, as `timm.optim.Lars` with `always_adapt`: the rate stays outside of the momentum, in the
/// paper it is inside.
pub(super) struct Lars {
    momentum: Momentum,
    decay: Option<Tensor>,
    weight_decay: f64,
    trust: f64,
    eps: f64,
}

impl Lars {
    pub(super) fn new(
        momentum: f64,
        nesterov: bool,
        [weight_decay, trust, eps]: [f64; 3],
        device: tch::Device,
    ) -> Result<Lars, TchError> {
        let momentum = Momentum::new(momentum, nesterov, device)?;
        Ok(Lars { momentum, decay: unless_zero(weight_decay, device)?, weight_decay, trust, eps })
    }

    fn ratio(&self, weight: &Tensor, gradient: &Tensor) -> Result<Tensor, TchError> {
        let (weight, gradient) = (weight.f_norm()?, gradient.f_norm()?);
        let below = gradient.f_add(&weight.f_mul_scalar(self.weight_decay)?)?.f_add_scalar(self.eps)?;
        trust::ratio(&weight.f_mul_scalar(self.trust)?.f_div(&below)?, &weight, &gradient)
    }
}

impl Rule for Lars {
    type Kept = Velocity;

    fn start(&self, parameter: &Tensor) -> Result<Velocity, TchError> {
        self.momentum.start(parameter)
    }

    fn apply(&self, slot: &mut Slot<Velocity>, gradient: &mut Tensor, rate: &Rate) -> Result<(), TchError> {
        if slot.decays {
            let ratio = self.ratio(&slot.parameter, gradient)?;
            add_decay(slot, gradient, self.decay.as_ref())?;
            let _scaled = gradient.f_mul_(&ratio)?;
        }
        self.momentum.apply(&mut slot.parameter, &slot.kept, gradient, rate)
    }
}
