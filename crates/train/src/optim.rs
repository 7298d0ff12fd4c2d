//! Optimizers over tensors. Their state is ours, so that it can be kept and restored exactly.

use tch::{TchError, Tensor};

use crate::OptimizerKind;
use crate::model::{Param, Params, Role};

/// SGD with momentum, as `torch.optim.SGD`: with gradient `g`, parameter `p` and velocity `v` (at first 0),
/// `g' = g + decay * p`, `v = momentum * v + g'`, `p = p - rate * d`, where `d` is `v`, or `g' + momentum * v`
/// for Nesterov.
pub(crate) struct Sgd {
    slots: Vec<Slot>,
    momentum: Option<Tensor>,
    nesterov: bool,
    decay: Option<Tensor>,
}

/// One parameter and what the optimizer keeps for it.
struct Slot {
    parameter: Tensor,
    velocity: Option<Tensor>,
    decays: bool,
    /// Its share of the learning rate.
    rate: f64,
}

/// A number as a tensor beside `like`: libtorch's fused `a + b * c` takes tensors only.
fn scalar(value: f64, like: tch::Device) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(&[value as f32])?.f_to_device(like)
}

impl Sgd {
    pub(crate) fn new(kind: &OptimizerKind, params: &Params, device: tch::Device) -> Result<Sgd, TchError> {
        let OptimizerKind::Sgd { momentum, nesterov, weight_decay, .. } = *kind;
        let unless_zero = |value: f64| {
            if value == 0.0 { Ok(None) } else { scalar(value, device).map(Some) }
        };
        let slot = |param: &Param| {
            let parameter = param.tensor.detach();
            let velocity = if momentum == 0.0 { None } else { Some(parameter.f_zeros_like()?) };
            Ok(Slot { parameter, velocity, decays: param.role == Role::Weight, rate: param.rate })
        };
        Ok(Sgd {
            slots: params.trained().map(slot).collect::<Result<_, TchError>>()?,
            momentum: unless_zero(momentum)?,
            nesterov,
            decay: unless_zero(weight_decay)?,
        })
    }

    /// One update. `gradients` are of [`Params::trained`], in that order.
    pub(crate) fn update(&mut self, gradients: &[Tensor], rate: f64) -> Result<(), TchError> {
        let _no_grad = tch::no_grad_guard();
        let Some(first) = gradients.first() else {
            return Ok(());
        };
        let step = scalar(-rate, first.device())?;
        for (slot, gradient) in self.slots.iter_mut().zip(gradients) {
            let gradient = match &self.decay {
                Some(decay) if slot.decays => gradient.f_addcmul(&slot.parameter, decay)?,
                _ => gradient.shallow_clone(),
            };
            let direction = match (&slot.velocity, &self.momentum) {
                (Some(velocity), Some(momentum)) => {
                    let velocity = gradient.f_addcmul_out(velocity, velocity, momentum)?;
                    if self.nesterov { gradient.f_addcmul(&velocity, momentum)? } else { velocity }
                }
                _ => gradient,
            };
            let own = if slot.rate == 1.0 { step.shallow_clone() } else { scalar(-rate * slot.rate, first.device())? };
            let _updated = slot.parameter.f_addcmul_(&direction, &own)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Builder, Init, Map, Origin};
    use crate::random::{Purpose, seeded};

    /// No layer asks for it.
    const NO_MAP: Map = Map { channels: 0, height: 0, width: 0 };

    /// Three updates with rates 0.1, 0.05, 0.2 of a decayed and an undecayed parameter; the results are those of
    /// `torch.optim.SGD` with momentum 0.9 and weight decay 0.1.
    #[track_caller]
    fn check(nesterov: bool, weight: [f32; 4], bias: [f32; 2]) {
        let cpu = tch::Device::Cpu;
        let seeded = seeded(0, 0, Purpose::Weights);
        let mut builder = Builder::new(Origin::Fresh(cpu, &seeded), NO_MAP);
        let mut add = |name: &str, role, values: &[f32]| {
            let tensor = builder.add(name.to_owned(), &[values.len() as i64], role, Init::Constant(0.0)).unwrap();
            tensor.detach().copy_(&Tensor::from_slice(values));
            tensor
        };
        let tensors = [
            add("weight", Role::Weight, &[1.0, -2.0, 0.5, 3.0]),
            add("running", Role::Buffer, &[5.0]),
            add("bias", Role::Offset, &[0.25, -0.75]),
        ];
        let kind = OptimizerKind::Sgd { lr: 0.1, momentum: 0.9, nesterov, weight_decay: 0.1 };
        let mut sgd = Sgd::new(&kind, &builder.finish().unwrap(), cpu).unwrap();
        for (times, rate) in [(1.0, 0.1), (2.0, 0.05), (3.0, 0.2)] {
            let gradients = [Tensor::from_slice(&[0.5f32, -0.25, 1.0, 0.125]), Tensor::from_slice(&[0.1f32, -0.2])];
            sgd.update(&gradients.map(|gradient| gradient * times), rate).unwrap();
        }
        let near = |tensor: &Tensor, expected: &[f32]| {
            tensor.detach().allclose(&Tensor::from_slice(expected), 1e-6, 1e-7, false)
        };
        assert!(near(&tensors[0], &weight) && near(&tensors[2], &bias), "{:?} {:?}", tensors[0], tensors[2]);
        assert!(near(&tensors[1], &[5.0]));
    }

    #[test]
    fn nesterov_is_that_of_torch() {
        check(true, [-0.104_365, -1.298_4, -1.559_312_3, 2.449_976_7], [0.046_97, -0.343_94]);
    }

    #[test]
    fn plain_momentum_is_that_of_torch() {
        check(false, [0.247_014, -1.513_885_6, -0.896_350_5, 2.610_780_7], [0.113_3, -0.476_6]);
    }

    #[test]
    fn without_momentum_or_decay_a_step_is_rate_times_gradient() {
        let cpu = tch::Device::Cpu;
        let seeded = seeded(0, 0, Purpose::Weights);
        let mut builder = Builder::new(Origin::Fresh(cpu, &seeded), NO_MAP);
        let tensor = builder.add("weight".to_owned(), &[1], Role::Weight, Init::Constant(1.0)).unwrap();
        let kind = OptimizerKind::Sgd { lr: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        let mut sgd = Sgd::new(&kind, &builder.finish().unwrap(), cpu).unwrap();
        sgd.update(&[Tensor::from_slice(&[4f32])], 0.125).unwrap();
        assert_eq!(tensor.double_value(&[0]), 0.5);
    }
}
