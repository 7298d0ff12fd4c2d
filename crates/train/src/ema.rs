//! The exponential moving average of a model's weights and running statistics.

use tch::TchError;

use crate::model::{Dimensions, Net, Origin, Params, Role};
use crate::{ModelKind, TrainError};

/// An averaged twin of the trained model. It predicts, and it is what is saved.
pub(crate) struct Ema {
    pub(crate) net: Net,
    decay: f64,
    updates: u32,
}

impl Ema {
    /// A twin that starts as a copy.
    pub(crate) fn new(kind: &ModelKind, at: Dimensions, live: &Params, decay: f64) -> Result<Ema, TrainError> {
        let net = Net::build(kind, at, Origin::Given(live.copies()?))?;
        Ok(Ema { net, decay, updates: 0 })
    }

    /// Moves the twin towards the trained weights, after each update of those.
    pub(crate) fn update(&mut self, live: &Params) -> Result<(), TchError> {
        let _no_grad = tch::no_grad_guard();
        let decay = decay_at(self.decay, self.updates);
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

/// The decay of update `t` (from 0): `min(decay, 1 - (1 + t)^(-2/3))`, as timm's warm-up. The first update copies.
pub(crate) fn decay_at(decay: f64, t: u32) -> f64 {
    decay.min(1.0 - (1.0 + f64::from(t)).powf(-2.0 / 3.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_follows_the_formula() {
        for (t, expected) in [(0, 0.0), (1, 0.370_039), (100, 0.953_89), (1000, 0.990_01)] {
            assert!((decay_at(0.9999, t) - expected).abs() < 5e-6, "{t}: {}", decay_at(0.9999, t));
        }
        assert_eq!(decay_at(0.99, 100_000), 0.99);
    }
}
