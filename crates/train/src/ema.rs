//! The exponential moving average of a model's weights and running statistics.

use tch::TchError;

use crate::model::{Dimensions, Net, Origin, Params, Role};
use crate::{EmaConfig, ModelKind, TrainError};

/// An averaged twin of the trained model. It predicts, and it is what is saved.
pub(crate) struct Ema {
    pub(crate) net: Net,
    config: EmaConfig,
    updates: u32,
}

impl Ema {
    /// A twin that starts as a copy.
    pub(crate) fn new(kind: &ModelKind, at: Dimensions, live: &Params, config: EmaConfig) -> Result<Ema, TrainError> {
        let net = Net::build(kind, at, Origin::Given(live.copies()?))?;
        Ok(Ema { net, config, updates: 0 })
    }

    /// What it keeps from step to step beside the twin: how many updates there were.
    pub(crate) fn updates(&self) -> u32 {
        self.updates
    }

    /// Goes on after that many updates.
    pub(crate) fn restore(&mut self, updates: u32) {
        self.updates = updates;
    }

    /// Moves the twin towards the trained weights, after each update of those.
    pub(crate) fn update(&mut self, live: &Params) -> Result<(), TchError> {
        let _no_grad = tch::no_grad_guard();
        let decay = decay_at(self.config, self.updates);
        for (twin, live) in self.net.params.entries().iter().zip(live.entries()) {
            let mut tensor = twin.tensor.detach();
            match twin.role {
                // The average of what never moves, to the last bit.
                _ if live.frozen => {}
                Role::Counter => tensor.f_copy_(&live.tensor)?,
                _ => drop(tensor.f_lerp_(&live.tensor, 1.0 - decay)?),
            }
        }
        self.updates = self.updates.saturating_add(1);
        Ok(())
    }
}

/// The decay of update `t` (from 0): with warm-up `min(decay, 1 - (1 + t)^(-2/3))`, as timm's. The first update then copies.
fn decay_at(EmaConfig { decay, warmup }: EmaConfig, t: u32) -> f64 {
    if warmup { decay.min(1.0 - (1.0 + f64::from(t)).powf(-2.0 / 3.0)) } else { decay }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_follows_the_formula() {
        let at = |decay, t| decay_at(EmaConfig { decay, warmup: true }, t);
        for (t, expected) in [(0, 0.0), (1, 0.370_039), (100, 0.953_89), (1000, 0.990_01)] {
            assert!((at(0.9999, t) - expected).abs() < 5e-6, "{t}: {}", at(0.9999, t));
        }
        assert_eq!(at(0.99, 100_000), 0.99);
    }

    #[test]
    fn without_warm_up_the_decay_is_always_the_same() {
        let config = EmaConfig { decay: 0.999, warmup: false };
        assert_eq!([0, 1, 1000].map(|t| decay_at(config, t)), [0.999; 3]);
    }
}
