//! RandAugment with torchvision's ops and scale.
//!
//! Cubuk, Zoph, Shlens, Le (2019); the numbers are those of torchvision's `RandAugment`. With fraction
//! `f = magnitude / (bins - 1)`: shear 0.3 f, translate int(150/331 side f) pixels, rotate 30 f degrees, enhance
//! 1 +/- 0.9 f, posterize round(8 - 4 f) bits (half to even), solarize from 255 (1 - f). Signed ops are negated every
//! second time. Other implementations have other scales under the same name.

use crate::{Op, Rng};

/// An op before its magnitude.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Kind {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
}

/// The 14 ops, each as likely as the others.
const KINDS: [Kind; 14] = [
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

impl Kind {
    /// Whether the magnitude gets a random sign.
    fn signed(self) -> bool {
        !matches!(self, Kind::Identity | Kind::Posterize | Kind::Solarize | Kind::AutoContrast | Kind::Equalize)
    }

    /// The op at fraction `f` of the scale, `sign` being 1 or -1, on an image of `size` (width, height).
    fn at(self, f: f64, sign: f64, size: (u32, u32)) -> Op {
        let shift = |side: u32| (sign * (150.0 / 331.0 * f64::from(side) * f)) as i32;
        let shear = (sign * 0.3 * f) as f32;
        let factor = (1.0 + sign * 0.9 * f) as f32;
        match self {
            Kind::Identity => Op::Identity,
            Kind::ShearX => Op::ShearX { tangent: shear, sampling: crate::Sampling::Nearest },
            Kind::ShearY => Op::ShearY { tangent: shear, sampling: crate::Sampling::Nearest },
            Kind::TranslateX => Op::TranslateX { pixels: shift(size.0) as f32, sampling: crate::Sampling::Nearest },
            Kind::TranslateY => Op::TranslateY { pixels: shift(size.1) as f32, sampling: crate::Sampling::Nearest },
            Kind::Rotate => Op::Rotate { degrees: (sign * 30.0 * f) as f32, sampling: crate::Sampling::Nearest },
            Kind::Brightness => Op::Brightness(factor),
            Kind::Color => Op::Color(factor),
            Kind::Contrast => Op::Contrast(factor),
            Kind::Sharpness => Op::Sharpness(factor),
            Kind::Posterize => Op::Posterize((8.0 - 4.0 * f).round_ties_even() as u8),
            Kind::Solarize => Op::Solarize((255.0 * (1.0 - f)) as f32),
            Kind::AutoContrast => Op::AutoContrast,
            Kind::Equalize => Op::Equalize,
        }
    }
}

/// Draws one op. `bins` is at least 2 and `magnitude` below it.
pub(crate) fn draw(rng: &mut Rng, magnitude: u32, bins: u32, size: (u32, u32)) -> Op {
    let kind = KINDS[rng.range(KINDS.len() as u32) as usize];
    let f = f64::from(magnitude) / f64::from(bins.saturating_sub(1).max(1));
    let sign = if kind.signed() && rng.coin(0.5) { -1.0 } else { 1.0 };
    kind.at(f, sign, size)
}

#[cfg(test)]
mod tests;
