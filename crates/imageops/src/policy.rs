//! Policies: which op comes at which strength, drawn anew for each sample.
//!
//! Every family writes down its own scale, because one magnitude means something else in each: [`torchvision`] for
//! `RandAugment`, `TrivialAugmentWide`, `AutoAugment` and `AugMix`, [`randaugment`] for the others.

pub(crate) mod augmix;
pub(crate) mod autoaugment;
pub(crate) mod randaugment;
mod torchvision;
pub(crate) mod trivial;

use crate::{Op, Rng, Sampling};

/// Width and height in pixels.
pub(crate) type Size = (u32, u32);

/// An op before its argument.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Identity,
    AutoContrast,
    Equalize,
    Invert,
    Rotate,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    SolarizeAdd,
}

impl Kind {
    /// The op with its argument: degrees, tangent, pixels, factor, bits, threshold or what is added. A kind without an
    /// argument ignores it. Values beyond the range of an 8 bit image are cut to it, which changes no pixel.
    fn with(self, argument: f64, sampling: Sampling) -> Op {
        // The sum makes a -0 a 0, which reads better where ops are printed.
        let value = argument as f32 + 0.0;
        match self {
            Kind::Identity => Op::Identity,
            Kind::AutoContrast => Op::AutoContrast,
            Kind::Equalize => Op::Equalize,
            Kind::Invert => Op::Invert,
            Kind::Rotate => Op::Rotate { degrees: value, sampling },
            Kind::ShearX => Op::ShearX { tangent: value, sampling },
            Kind::ShearY => Op::ShearY { tangent: value, sampling },
            Kind::TranslateX => Op::TranslateX { pixels: value, sampling },
            Kind::TranslateY => Op::TranslateY { pixels: value, sampling },
            Kind::Brightness => Op::Brightness(value),
            Kind::Color => Op::Color(value),
            Kind::Contrast => Op::Contrast(value),
            Kind::Sharpness => Op::Sharpness(value),
            Kind::Posterize => Op::Posterize(argument.clamp(0.0, 8.0) as u8),
            Kind::Solarize => Op::Solarize(not_below(argument.clamp(0.0, 256.0))),
            Kind::SolarizeAdd => Op::SolarizeAdd { add: argument.clamp(-255.0, 255.0) as i16, threshold: 128 },
        }
    }

    /// The side of the image along which the op shifts, 0 for an op that does not shift.
    fn side(self, size: Size) -> u32 {
        match self {
            Kind::TranslateX => size.0,
            Kind::TranslateY => size.1,
            _ => 0,
        }
    }
}

/// The smallest f32 that is not below `value`: a threshold just above a whole number must not fall onto it, or the
/// pixels of that value would change sides.
fn not_below(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) < value { near.next_up() } else { near }
}

/// `value` or, every second time, its negative.
fn either_sign(value: f64, rng: &mut Rng) -> f64 {
    if rng.coin(0.5) { -value } else { value }
}

/// One of the kinds, each as likely as the others.
fn pick(kinds: &[Kind], rng: &mut Rng) -> Kind {
    kinds.get(rng.range(kinds.len() as u32) as usize).copied().unwrap_or(Kind::Identity)
}

#[cfg(test)]
mod tests;
