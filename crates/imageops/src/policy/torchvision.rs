//! The scales of torchvision's policies.
//!
//! The arguments are those of torchvision to the last bit: it takes them from `torch.linspace` in 32 bits, and only
//! what it does to them after that has 64.

use super::{Kind, Size, either_sign};
use crate::{Op, Rng, Sampling};

/// The 14 ops of `RandAugment` and `TrivialAugmentWide`.
pub(super) const KINDS: [Kind; 14] = [
    Kind::Identity,
    Kind::ShearX,
    Kind::ShearY,
    Kind::TranslateX,
    Kind::TranslateY,
    Kind::Rotate,
    Kind::Brightness,
    Kind::Color,
    Kind::Contrast,
    Kind::Sharpness,
    Kind::Posterize,
    Kind::Solarize,
    Kind::AutoContrast,
    Kind::Equalize,
];

/// The arguments at the largest magnitude.
pub(super) struct Scale {
    /// Tangent.
    pub(super) shear: f32,
    /// Pixels, from the side of the image.
    pub(super) shift: fn(f64) -> f64,
    /// Degrees.
    pub(super) rotate: f32,
    /// How far a factor lies from 1.
    pub(super) enhance: f32,
    /// Bits that are kept at magnitude 0, and how many fewer at the largest.
    pub(super) bits: (f32, f32),
}

/// `RandAugment` and `AutoAugment`. 331 is the side of the images on which AutoAugment was learned.
pub(super) const RANDAUGMENT: Scale =
    Scale { shear: 0.3, shift: |side| 150.0 / 331.0 * side, rotate: 30.0, enhance: 0.9, bits: (8.0, 4.0) };

/// `TrivialAugmentWide`.
pub(super) const WIDE: Scale = Scale { shear: 0.99, shift: |_| 32.0, rotate: 135.0, enhance: 0.99, bits: (8.0, 6.0) };

/// `AugMix`.
pub(super) const AUGMIX: Scale =
    Scale { shear: 0.3, shift: |side| side / 3.0, rotate: 30.0, enhance: 0.9, bits: (4.0, 4.0) };

impl Scale {
    /// The op at magnitude number `bin` of `bins`, which are at least 2.
    pub(super) fn op(&self, kind: Kind, (bin, bins): (u32, u32), size: Size, sampling: Sampling, rng: &mut Rng) -> Op {
        let even = |start, end| f64::from(linspace(start, end, bins, bin));
        let argument = match kind {
            Kind::ShearX | Kind::ShearY => either_sign(even(0.0, self.shear), rng),
            Kind::TranslateX | Kind::TranslateY => {
                let most = (self.shift)(f64::from(kind.side(size)));
                either_sign(even(0.0, most as f32), rng).trunc()
            }
            Kind::Rotate => either_sign(even(0.0, self.rotate), rng),
            Kind::Brightness | Kind::Color | Kind::Contrast | Kind::Sharpness => {
                1.0 + either_sign(even(0.0, self.enhance), rng)
            }
            Kind::Posterize => f64::from(self.kept_bits(bin, bins)),
            Kind::Solarize => 255.0 * even(1.0, 0.0),
            Kind::Identity | Kind::AutoContrast | Kind::Equalize | Kind::Invert | Kind::SolarizeAdd => 0.0,
        };
        kind.with(argument, sampling)
    }

    fn kept_bits(&self, bin: u32, bins: u32) -> f32 {
        let (most, fewer) = self.bits;
        (most - bin as f32 / (f64::from(last(bins)) / f64::from(fewer)) as f32).round_ties_even()
    }
}

/// Value number `index` of `torch.linspace(start, end, count)`: from the nearer end, with the fused multiply-add of its
/// x86 builds (product and sum are exact here, or nearly so, before they are rounded to 32 bits).
fn linspace(start: f32, end: f32, count: u32, index: u32) -> f32 {
    let step = (end - start) / last(count) as f32;
    let (from, steps) =
        if index < count / 2 { (start, f64::from(index)) } else { (end, f64::from(index) - f64::from(last(count))) };
    (f64::from(from) + f64::from(step) * steps) as f32
}

/// The number of steps between `count` values.
fn last(count: u32) -> u32 {
    count.saturating_sub(1).max(1)
}
