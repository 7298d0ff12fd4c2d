//! RandAugment (Cubuk, Zoph, Shlens, Le 2019) in the versions that go by this name.
//!
//! They share an idea, not a scale: magnitude 9 rotates by 9 degrees in torchvision and by 27 in timm. So each keeps its
//! own list of ops, scale and sampling, and an argument is the number that the original computes. (Which way a positive
//! shift or shear goes differs too, but every sign is drawn, so that nothing depends on it.)

use super::torchvision::{self, RANDAUGMENT};
use super::{Kind, Size, either_sign, pick};
use crate::{Area, Erasure, Op, Rng, Sampling, Variant};

/// How strong the ops are; the fields are those of [`Step::RandAugment`](crate::Step::RandAugment).
#[derive(Copy, Clone, Debug)]
pub(crate) struct Strength {
    pub(crate) magnitude: f32,
    pub(crate) deviation: f32,
    pub(crate) bins: u32,
}

/// timm's 15 ops. The TPU code has cutout besides, FixMatch identity.
const LEVELLED: [Kind; 15] = [
    Kind::AutoContrast,
    Kind::Equalize,
    Kind::Invert,
    Kind::Rotate,
    Kind::Posterize,
    Kind::Solarize,
    Kind::SolarizeAdd,
    Kind::Color,
    Kind::Contrast,
    Kind::Brightness,
    Kind::Sharpness,
    Kind::ShearX,
    Kind::ShearY,
    Kind::TranslateX,
    Kind::TranslateY,
];

/// Above this deviation timm draws the magnitude evenly.
const UNIFORM: f32 = 100.0;

/// Draws one op for an image of `size`.
pub(crate) fn draw(variant: Variant, strength: Strength, size: Size, rng: &mut Rng) -> Op {
    match variant {
        Variant::Torchvision => {
            let bin = (strength.magnitude as u32, strength.bins);
            RANDAUGMENT.op(pick(&torchvision::KINDS, rng), bin, size, Sampling::Nearest, rng)
        }
        Variant::Dali => dali(pick(&torchvision::KINDS, rng), strength, size, rng),
        Variant::Timm | Variant::TimmInc => {
            let kind = pick(&LEVELLED, rng);
            let level = noisy_magnitude(strength, rng) / 10.0;
            let argument = argument(variant, kind, level, size, rng);
            kind.with(argument, if rng.coin(0.5) { Sampling::Bilinear } else { Sampling::Bicubic })
        }
        Variant::Tf | Variant::Fixmatch => tensorflow(variant, f64::from(strength.magnitude) / 10.0, size, rng),
    }
}

/// timm's magnitude of one op, 0 to 10.
fn noisy_magnitude(strength: Strength, rng: &mut Rng) -> f64 {
    let (magnitude, deviation) = (f64::from(strength.magnitude), f64::from(strength.deviation));
    let drawn =
        if strength.deviation > UNIFORM { rng.between(0.0, magnitude) } else { magnitude + deviation * rng.normal() };
    drawn.clamp(0.0, 10.0)
}

/// The two codes that are written in TensorFlow: the 15 ops and a sixteenth.
fn tensorflow(variant: Variant, level: f64, size: Size, rng: &mut Rng) -> Op {
    match LEVELLED.get(rng.range(16) as usize) {
        Some(&kind) => kind.with(argument(variant, kind, level, size, rng), Sampling::Nearest),
        None if variant == Variant::Tf => cutout(level, size, rng),
        None => Op::Identity,
    }
}

/// Erases a square of twice int(40 level) pixels about a random pixel.
fn cutout(level: f64, size: Size, rng: &mut Rng) -> Op {
    let half = (40.0 * level) as u32;
    if half == 0 {
        return Op::Identity;
    }
    let (x, y) = (rng.range(size.0), rng.range(size.1));
    let (left, top) = (x as i32 - half as i32, y as i32 - half as i32);
    Op::Erase { area: Area { left, top, width: 2 * half, height: 2 * half }, with: Erasure::Fill }
}

/// The argument of an op at `level`, where 1 is the full strength: timm's `LEVEL_TO_ARG`, which follows the TPU code but
/// for the shift. Without `inc` the enhancing ops are neutral at level 0.5, and posterize and solarize weaken with it.
fn argument(variant: Variant, kind: Kind, level: f64, size: Size, rng: &mut Rng) -> f64 {
    let increasing = variant == Variant::TimmInc;
    match kind {
        Kind::Rotate => either_sign(level * 30.0, rng),
        Kind::ShearX | Kind::ShearY => either_sign(level * 0.3, rng),
        Kind::TranslateX | Kind::TranslateY => match variant {
            Variant::Timm | Variant::TimmInc => either_sign(level * 0.45, rng) * f64::from(kind.side(size)),
            _ => either_sign(level * 100.0, rng),
        },
        Kind::Posterize if increasing => 4.0 - (level * 4.0).trunc(),
        Kind::Posterize => (level * 4.0).trunc(),
        Kind::Solarize if increasing => 256.0 - (level * 256.0).trunc(),
        Kind::Solarize => (level * 256.0).trunc(),
        Kind::SolarizeAdd => (level * 110.0).trunc(),
        Kind::Brightness | Kind::Color | Kind::Contrast | Kind::Sharpness if increasing => {
            (1.0 + either_sign(level * 0.9, rng)).max(0.1)
        }
        Kind::Brightness | Kind::Color | Kind::Contrast | Kind::Sharpness => level * 1.8 + 0.1,
        Kind::Identity | Kind::AutoContrast | Kind::Equalize | Kind::Invert => 0.0,
    }
}

/// DALI's `rand_augment` with shapes given and `monotonic_mag`: numpy's evenly spaced magnitudes in 32 bits. It never
/// posterizes to less than one bit.
fn dali(kind: Kind, strength: Strength, size: Size, rng: &mut Rng) -> Op {
    let even = |start, end| evenly(start, end, strength.bins, strength.magnitude as u32);
    let mut signed = |most: f64| either_sign(f64::from(even(0.0, most)), rng) as f32;
    let argument = match kind {
        Kind::ShearX | Kind::ShearY => signed(0.3),
        Kind::TranslateX | Kind::TranslateY => signed(100.0 / 224.0) * kind.side(size) as f32,
        Kind::Rotate => signed(30.0),
        Kind::Brightness | Kind::Color | Kind::Contrast | Kind::Sharpness => 1.0 + signed(0.9),
        Kind::Posterize => even(8.0, 4.0).round_ties_even().max(1.0),
        Kind::Solarize => even(256.0, 0.0),
        Kind::Identity | Kind::AutoContrast | Kind::Equalize | Kind::Invert | Kind::SolarizeAdd => 0.0,
    };
    kind.with(f64::from(argument), Sampling::Bilinear)
}

/// Value number `index` of `numpy.linspace(start, end, count, dtype=float32)`; `count` is at least 2.
fn evenly(start: f64, end: f64, count: u32, index: u32) -> f32 {
    let last = count.saturating_sub(1);
    if index >= last {
        return end as f32;
    }
    (f64::from(index) * ((end - start) / f64::from(last)) + start) as f32
}

#[cfg(test)]
mod tests;
