//! AugMix (Hendrycks et al. 2020) with torchvision's ops and scale.

use super::torchvision::AUGMIX;
use super::{Kind, Size, pick};
use crate::{Op, Rng, Sampling};

/// The ops of torchvision; the last four are left out for tests on ImageNet-C, which has them as corruptions.
const KINDS: [Kind; 13] = [
    Kind::ShearX,
    Kind::ShearY,
    Kind::TranslateX,
    Kind::TranslateY,
    Kind::Rotate,
    Kind::Posterize,
    Kind::Solarize,
    Kind::AutoContrast,
    Kind::Equalize,
    Kind::Brightness,
    Kind::Color,
    Kind::Contrast,
    Kind::Sharpness,
];

/// Magnitudes of every op; a severity of `s` draws from the first `s`.
const BINS: u32 = 10;

/// The arguments of [`Step::AugMix`](crate::Step::AugMix).
#[derive(Copy, Clone, Debug)]
pub(crate) struct AugMix {
    pub(crate) severity: u32,
    pub(crate) width: u32,
    pub(crate) depth: Option<u32>,
    pub(crate) alpha: f32,
    pub(crate) all_ops: bool,
}

impl AugMix {
    /// Draws weights and chains: Beta(alpha, alpha) for the image itself, Dirichlet(alpha) for the chains.
    pub(crate) fn draw(&self, size: Size, rng: &mut Rng) -> Op {
        let alpha = f64::from(self.alpha);
        let keep = rng.beta(alpha, alpha) as f32;
        let weights = rng.dirichlet(alpha, self.width as usize);
        let chains = weights.into_iter().map(|weight| (weight as f32, self.chain(size, rng))).collect();
        Op::AugMix { keep, chains }
    }

    fn chain(&self, size: Size, rng: &mut Rng) -> Vec<Op> {
        let kinds = if self.all_ops { &KINDS[..] } else { &KINDS[..9] };
        let depth = self.depth.unwrap_or_else(|| 1 + rng.range(3));
        (0..depth).map(|_| self.op(pick(kinds, rng), size, rng)).collect()
    }

    fn op(&self, kind: Kind, size: Size, rng: &mut Rng) -> Op {
        let bin = rng.range(self.severity);
        AUGMIX.op(kind, (bin, BINS), size, Sampling::Bilinear, rng)
    }
}

#[cfg(test)]
mod tests;
