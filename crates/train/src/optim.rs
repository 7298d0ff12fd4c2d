//! Optimizers over tensors, one file each. Their state is ours, so that it can leave and come back exactly.
//!
//! A file holds the arithmetic of one parameter, a [`Rule`]; [`Running`] does what is the same for all of them.

mod adam;
mod adamw;
mod lamb;
mod lars;
mod momentum;
mod rmsprop;
mod sgd;
mod trust;

use std::collections::BTreeMap;

use tch::{TchError, Tensor};

use crate::error::While;
use crate::model::{Param, Role};
use crate::{OptimizerKind, TrainError};

/// Turns gradients into updates of the parameters that it was made for.
pub(crate) trait Optimizer: Send {
    /// One update. `gradients` are of the optimizer's parameters, in that order. They are used up: it computes in their memory.
    fn update(&mut self, gradients: &mut [Tensor], rate: f64) -> Result<(), TchError>;

    /// All that it keeps between updates, by name: `step`, and such as `velocity.conv1.weight`. The tensors share memory with
    /// the optimizer, so the next update changes them.
    fn state(&self) -> Vec<(String, Tensor)>;

    /// Takes its tensors out of `state` and goes on from there, bit for bit. If one is missing or does not fit, nothing
    /// changes.
    fn restore(&mut self, state: &mut BTreeMap<String, Tensor>) -> Result<(), TrainError> {
        let pair = |(name, kept): (String, Tensor)| Ok((take(state, &name, &kept)?, kept));
        let pairs: Vec<(Tensor, Tensor)> = self.state().into_iter().map(pair).collect::<Result<_, TrainError>>()?;
        for (given, mut kept) in pairs {
            kept.f_copy_(&given).during("restoring the optimizer")?;
        }
        Ok(())
    }
}

fn take(state: &mut BTreeMap<String, Tensor>, name: &str, like: &Tensor) -> Result<Tensor, TrainError> {
    let given = state.remove(name).ok_or_else(|| TrainError::Optimizer(format!("the tensor `{name}` is missing")))?;
    let looks = |tensor: &Tensor| (tensor.size(), tensor.kind());
    if looks(&given) == looks(like) {
        return Ok(given);
    }
    let ((size, kind), (needed, of)) = (looks(&given), looks(like));
    Err(TrainError::Optimizer(format!("the tensor `{name}` is {size:?} of {kind:?}, it must be {needed:?} of {of:?}")))
}

/// An optimizer of these parameters, before its first update.
pub(crate) fn optimizer<'a>(
    kind: &OptimizerKind,
    params: impl Iterator<Item = &'a Param>,
    device: tch::Device,
) -> Result<Box<dyn Optimizer>, TchError> {
    let params: Vec<&Param> = params.collect();
    Ok(match *kind {
        OptimizerKind::Sgd { momentum, nesterov, weight_decay, .. } => {
            Running::start(sgd::Sgd::new(momentum, nesterov, weight_decay, device)?, &params, device)?
        }
        OptimizerKind::AdamW { betas, eps, weight_decay, .. } => {
            Running::start(adamw::AdamW::new(betas, eps, weight_decay, device)?, &params, device)?
        }
        OptimizerKind::RmsProp { decay, momentum, eps, weight_decay, .. } => {
            let largest = params.iter().map(|param| param.tensor.numel()).max().unwrap_or(0);
            let rule = rmsprop::RmsProp::new([decay, momentum, eps, weight_decay], largest, device)?;
            Running::start(rule, &params, device)?
        }
        OptimizerKind::Lars { momentum, nesterov, weight_decay, trust, eps, .. } => {
            Running::start(lars::Lars::new(momentum, nesterov, [weight_decay, trust, eps], device)?, &params, device)?
        }
        OptimizerKind::Lamb { betas, eps, weight_decay, .. } => {
            Running::start(lamb::Lamb::new(betas, eps, weight_decay, device)?, &params, device)?
        }
    })
}

/// The arithmetic of an optimizer.
trait Rule: Send + 'static {
    /// What it keeps of each parameter between updates.
    type Kept: Memory;

    /// That, before the first update.
    fn start(&self, parameter: &Tensor) -> Result<Self::Kept, TchError>;

    /// Prepares for the update of this number, from 1.
    fn begin(&mut self, _update: i64) -> Result<(), TchError> {
        Ok(())
    }

    /// Updates one parameter. The gradient is used up.
    fn apply(&self, slot: &mut Slot<Self::Kept>, gradient: &mut Tensor, rate: &Rate) -> Result<(), TchError>;
}

/// What an optimizer keeps of one parameter between updates.
trait Memory: Send {
    /// Its tensors, by name.
    fn tensors(&self) -> Vec<(&'static str, &Tensor)>;
}

/// One parameter and what the optimizer keeps of it.
struct Slot<K> {
    name: String,
    parameter: Tensor,
    decays: bool,
    /// Its own factor on the learning rate.
    factor: f64,
    kept: K,
}

/// The learning rate of one parameter in one update.
struct Rate {
    value: f64,
    /// Minus the value: libtorch's fused `a + b * c` takes tensors only.
    minus: Tensor,
}

/// A rule with its parameters.
struct Running<R: Rule> {
    rule: R,
    slots: Vec<Slot<R::Kept>>,
    /// Updates so far: one whole number, on the CPU.
    count: Tensor,
    device: tch::Device,
}

impl<R: Rule> Running<R> {
    fn start(rule: R, params: &[&Param], device: tch::Device) -> Result<Box<dyn Optimizer>, TchError> {
        let slot = |param: &&Param| {
            let parameter = param.tensor.detach();
            let kept = rule.start(&parameter)?;
            let decays = param.role == Role::Weight;
            Ok(Slot { name: param.name.clone(), parameter, decays, factor: param.rate, kept })
        };
        let slots = params.iter().map(slot).collect::<Result<_, TchError>>()?;
        Ok(Box::new(Running { rule, slots, count: Tensor::from(0i64), device }))
    }
}

impl<R: Rule> Optimizer for Running<R> {
    fn update(&mut self, gradients: &mut [Tensor], rate: f64) -> Result<(), TchError> {
        let _no_grad = tch::no_grad_guard();
        let _counted = self.count.f_add_scalar_(1)?;
        self.rule.begin(self.count.f_int64_value(&[])?)?;
        let rates: Vec<f64> = self.slots.iter().map(|slot| rate * slot.factor).collect();
        let minus: Vec<f64> = rates.iter().map(|rate| -rate).collect();
        let rates = rates.into_iter().zip(scalars(&minus, self.device)?).map(|(value, minus)| Rate { value, minus });
        for ((slot, gradient), rate) in self.slots.iter_mut().zip(gradients).zip(rates) {
            self.rule.apply(slot, gradient, &rate)?;
        }
        Ok(())
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let of_slot = |slot: &Slot<R::Kept>| {
            let named = |(name, tensor): (&str, &Tensor)| (format!("{name}.{}", slot.name), tensor.shallow_clone());
            slot.kept.tensors().into_iter().map(named).collect::<Vec<_>>()
        };
        let count = ("step".to_owned(), self.count.shallow_clone());
        std::iter::once(count).chain(self.slots.iter().flat_map(of_slot)).collect()
    }
}

/// Numbers as tensors without dimensions, brought to the device together.
fn scalars(values: &[f64], device: tch::Device) -> Result<Vec<Tensor>, TchError> {
    let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
    Tensor::f_from_slice(&values)?.f_to_device(device)?.f_unbind(0)
}

fn scalar(value: f64, device: tch::Device) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(&[value as f32])?.f_to_device(device)
}

/// A number as a tensor, unless it is 0 and can be left out.
fn unless_zero(value: f64, device: tch::Device) -> Result<Option<Tensor>, TchError> {
    if value == 0.0 { Ok(None) } else { scalar(value, device).map(Some) }
}

/// `gradient + decay * parameter` where there is a decay and the parameter is subject to it.
fn add_decay<K>(slot: &Slot<K>, gradient: &mut Tensor, decay: Option<&Tensor>) -> Result<(), TchError> {
    if let (Some(decay), true) = (decay, slot.decays) {
        let _decayed = gradient.f_addcmul_(&slot.parameter, decay)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
