//! The layers that models are made of. Each takes its tensors from [`Builder`] and has a forward that returns
//! libtorch's refusal as an error. Initial values are PyTorch's defaults.

use tch::{TchError, Tensor};

use super::{Builder, Init, Mode, Role};
use crate::TrainError;

/// Side, stride and padding of a square window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) side: i64,
    pub(super) stride: i64,
    pub(super) padding: i64,
}

/// A two-dimensional convolution.
pub(super) struct Conv {
    weight: Tensor,
    bias: Option<Tensor>,
    window: Window,
}

impl Conv {
    pub(super) fn new(
        builder: &mut Builder<'_>,
        name: &str,
        (from, to): (i64, i64),
        window: Window,
        bias: bool,
    ) -> Result<Conv, TrainError> {
        let bound = default_bound(from * window.side * window.side);
        let shape = [to, from, window.side, window.side];
        let weight = builder.add(format!("{name}.weight"), &shape, Role::Weight, Init::Uniform(bound))?;
        let bias = if bias {
            Some(builder.add(format!("{name}.bias"), &[to], Role::Offset, Init::Uniform(bound))?)
        } else {
            None
        };
        Ok(Conv { weight, bias, window })
    }

    pub(super) fn forward(&self, input: &Tensor) -> Result<Tensor, TchError> {
        let Window { stride, padding, .. } = self.window;
        input.f_conv2d(&self.weight, self.bias.as_ref(), [stride; 2], [padding; 2], [1, 1], 1)
    }
}

/// Batch normalisation over the rows and places of each channel.
pub(super) struct Norm {
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
}

impl Norm {
    pub(super) fn new(builder: &mut Builder<'_>, name: &str, channels: i64) -> Result<Norm, TrainError> {
        let mut add = |part: &str, role, init| builder.add(format!("{name}.{part}"), &[channels], role, init);
        Ok(Norm {
            weight: add("weight", Role::Offset, Init::Ones)?,
            bias: add("bias", Role::Offset, Init::Zeros)?,
            mean: add("running_mean", Role::Buffer, Init::Zeros)?,
            variance: add("running_var", Role::Buffer, Init::Ones)?,
        })
    }

    /// With PyTorch's momentum of 0.1 and epsilon of 1e-5.
    pub(super) fn forward(&self, input: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let (mean, variance) = (Some(&self.mean), Some(&self.variance));
        input.f_batch_norm(Some(&self.weight), Some(&self.bias), mean, variance, mode.trains(), 0.1, 1e-5, true)
    }
}

/// A matrix product and a bias.
pub(super) struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    pub(super) fn new(builder: &mut Builder<'_>, name: &str, from: i64, to: i64) -> Result<Linear, TrainError> {
        let bound = default_bound(from);
        let weight = builder.add(format!("{name}.weight"), &[to, from], Role::Weight, Init::Uniform(bound))?;
        let bias = builder.add(format!("{name}.bias"), &[to], Role::Offset, Init::Uniform(bound))?;
        Ok(Linear { weight, bias })
    }

    pub(super) fn forward(&self, input: &Tensor) -> Result<Tensor, TchError> {
        input.f_linear(&self.weight, Some(&self.bias))
    }
}

/// The largest value of each window. Uncovered edges are dropped, as PyTorch does.
pub(super) fn max_pool(input: &Tensor, side: i64, stride: i64) -> Result<Tensor, TchError> {
    input.f_max_pool2d([side; 2], [stride; 2], [0, 0], [1, 1], false)
}

/// In training, drops each value with probability `rate` and scales the others up.
pub(super) fn dropout(input: &Tensor, rate: f64, mode: Mode<'_>) -> Result<Tensor, TchError> {
    match mode {
        Mode::Train(seeded) if rate > 0.0 => seeded.dropout(input, rate),
        _ => Ok(input.shallow_clone()),
    }
}

/// PyTorch's default for convolutions and linear layers (`kaiming_uniform_` with `a = sqrt(5)`), and for their biases.
fn default_bound(fan_in: i64) -> f64 {
    1.0 / (fan_in as f64).sqrt()
}
