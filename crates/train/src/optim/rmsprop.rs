//! RMSProp as TensorFlow has it, which EfficientNet and Noisy Student were trained with.

use tch::{Kind, TchError, Tensor};

use super::{Memory, Rate, Rule, Slot, add_decay, unless_zero};

/// With gradient `g`, to which the weight decay is added: `s = decay * s + (1 - decay) * g^2`, at first 1, and
/// `v = momentum * v - rate * g / sqrt(s + eps)`, at first 0; the parameter moves by `v`. As `timm.optim.RMSpropTF`, whose `v`
/// has the other sign.
pub(super) struct RmsProp {
    decay: f64,
    momentum: f64,
    eps: f64,
    weight_decay: Option<Tensor>,
    /// As many numbers as the largest parameter has. All parameters use it in turn.
    scratch: Tensor,
}

/// What is kept of a parameter.
pub(super) struct Kept {
    square: Tensor,
    /// None without momentum.
    velocity: Option<Tensor>,
}

impl Memory for Kept {
    fn tensors(&self) -> Vec<(&'static str, &Tensor)> {
        let velocity = self.velocity.iter().map(|velocity| ("velocity", velocity));
        std::iter::once(("square", &self.square)).chain(velocity).collect()
    }
}

impl RmsProp {
    /// `largest` is how many numbers the largest parameter has.
    pub(super) fn new(
        [decay, momentum, eps, weight_decay]: [f64; 4],
        largest: usize,
        device: tch::Device,
    ) -> Result<RmsProp, TchError> {
        let size = i64::try_from(largest).unwrap_or(i64::MAX);
        let scratch = Tensor::f_empty([size], (Kind::Float, device))?;
        Ok(RmsProp { decay, momentum, eps, weight_decay: unless_zero(weight_decay, device)?, scratch })
    }
}

impl Rule for RmsProp {
    type Kept = Kept;

    fn start(&self, parameter: &Tensor) -> Result<Kept, TchError> {
        let velocity = if self.momentum > 0.0 { Some(parameter.f_zeros_like()?) } else { None };
        Ok(Kept { square: parameter.f_ones_like()?, velocity })
    }

    fn apply(&self, slot: &mut Slot<Kept>, gradient: &mut Tensor, rate: &Rate) -> Result<(), TchError> {
        add_decay(slot, gradient, self.weight_decay.as_ref())?;
        let Slot { parameter, kept: Kept { square, velocity }, .. } = slot;
        let mut scratch = self.scratch.f_as_strided(parameter.size(), parameter.stride(), 0)?;
        let _square = square.f_lerp_(&gradient.f_square_out(&scratch)?, 1.0 - self.decay)?;
        let _offset = square.f_add_scalar_out(&scratch, self.eps)?;
        let _direction = gradient.f_div_(&scratch.f_sqrt_()?)?;
        match velocity {
            Some(velocity) => {
                let _kept = velocity.f_mul_scalar_(self.momentum)?;
                parameter.f_add_(&velocity.f_addcmul_(gradient, &rate.minus)?).map(drop)
            }
            None => parameter.f_addcmul_(gradient, &rate.minus).map(drop),
        }
    }
}
