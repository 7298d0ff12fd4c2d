//! Adam's direction, for AdamW and LAMB.

use tch::{TchError, Tensor};

use super::{Memory, scalar};

/// Kingma and Ba, "Adam" (2015): with gradient `g`, `m = b1 * m + (1 - b1) * g` and `v = b2 * v + (1 - b2) * g^2`, both at first
/// 0. The direction of update `t`, from 1, is `(m / c1) / (sqrt(v / c2) + eps)` with `c = 1 - b^t`.
pub(super) struct Adam {
    betas: [f64; 2],
    eps: f64,
    device: tch::Device,
    /// The direction is `m / (sqrt(v) * scale + offset)`.
    scale: Tensor,
    offset: Tensor,
}

/// What is kept of a parameter.
pub(super) struct Moments {
    mean: Tensor,
    square: Tensor,
}

impl Adam {
    pub(super) fn new(betas: [f64; 2], eps: f64, device: tch::Device) -> Result<Adam, TchError> {
        let mut adam = Adam { betas, eps, device, scale: Tensor::new(), offset: Tensor::new() };
        adam.begin(1)?;
        Ok(adam)
    }

    pub(super) fn begin(&mut self, update: i64) -> Result<(), TchError> {
        let [first, second] = self.betas.map(|beta| 1.0 - beta.powf(update as f64));
        self.scale = scalar(first / second.sqrt(), self.device)?;
        self.offset = scalar(first * self.eps, self.device)?;
        Ok(())
    }

    /// Leaves the direction where the gradient was.
    pub(super) fn direct(&self, moments: &mut Moments, gradient: &mut Tensor) -> Result<(), TchError> {
        let Moments { mean, square } = moments;
        let [first, second] = self.betas.map(|beta| 1.0 - beta);
        let _mean = mean.f_lerp_(gradient, first)?;
        let squared = gradient.f_square_()?;
        let _square = square.f_lerp_(&squared, second)?;
        let root = square.f_sqrt_out(gradient)?;
        let below = self.offset.f_addcmul_out(gradient, &root, &self.scale)?;
        mean.f_div_out(gradient, &below).map(drop)
    }
}

impl Moments {
    pub(super) fn start(parameter: &Tensor) -> Result<Moments, TchError> {
        Ok(Moments { mean: parameter.f_zeros_like()?, square: parameter.f_zeros_like()? })
    }
}

impl Memory for Moments {
    fn tensors(&self) -> Vec<(&'static str, &Tensor)> {
        vec![("mean", &self.mean), ("square", &self.square)]
    }
}
