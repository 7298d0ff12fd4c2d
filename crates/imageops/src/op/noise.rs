//! Noise and erased areas.

use std::sync::LazyLock;

use super::canvas::{Canvas, flood};
use super::crop::overlap;
use super::simd::vectorized;
use super::{Area, Erasure, enhance};
use crate::{Fill, Rng, SampleKey};

/// Mean and standard deviation of erased values: half of the range, and a quarter.
const MIDDLE: u8 = 127;
const SPREAD: f32 = 63.75;

/// Values that are worked on at a time; a multiple of what one random number is good for.
const BLOCK: usize = 512;

/// Normal numbers: with 15 bits and a sign, one of 65,536 quantiles that are equally likely. That is less than 2^-16 from
/// the normal distribution and reaches to 4.2 standard deviations, finer than 8 bits can show.
struct Normals {
    rng: Rng,
    quantiles: &'static [f32; 1 << 15],
}

impl Normals {
    /// The numbers that begin at a seed.
    fn new(seed: u64) -> Self {
        let rng = Rng::new(&SampleKey { seed, round: 0, epoch: 0, key: 0, copy: 0, view: 0 }, 0);
        Self { rng, quantiles: &QUANTILES }
    }

    fn fill(&mut self, numbers: &mut [f32]) {
        for four in numbers.chunks_mut(4) {
            let bits = self.rng.next_u64();
            for (part, number) in (0..4).zip(four) {
                let word = (bits >> (16 * part)) as u16;
                let quantile = self.quantiles[usize::from(word & 0x7FFF)];
                *number = f32::from_bits(quantile.to_bits() | u32::from(word >> 15) << 31);
            }
        }
    }
}

/// The upper half of the quantiles, each in the middle of its share.
static QUANTILES: LazyLock<Box<[f32; 1 << 15]>> = LazyLock::new(|| {
    let mut quantiles = Box::new([0.0; 1 << 15]);
    let mut at = 0.0;
    for (number, quantile) in (0..).zip(quantiles.iter_mut()) {
        let above = 0.5 - (f64::from(number) + 0.5) / f64::from(1 << 16);
        at = quantile_beside(at, above);
        *quantile = at as f32;
    }
    quantiles
});

/// Where the share `above` of a normal distribution lies above, by Newton's method from the place beside.
fn quantile_beside(mut at: f64, above: f64) -> f64 {
    for _ in 0..6 {
        let excess = 0.5 * libm::erfc(at * std::f64::consts::FRAC_1_SQRT_2) - above;
        let density = libm::exp(-0.5 * at * at) / std::f64::consts::TAU.sqrt();
        at += excess / density;
    }
    at
}

/// Adds normal noise to each value; the sum is rounded to nearest and cut to 0..=255.
pub(super) fn add(canvas: &mut Canvas<'_>, sigma: f32, seed: u64) {
    add_to(canvas.pixels, sigma, 0.0, &mut Normals::new(seed));
}

/// Adds noise and an offset.
fn add_to(values: &mut [u8], sigma: f32, offset: f32, normals: &mut Normals) {
    let mut numbers = [0.0; BLOCK];
    for block in values.chunks_mut(BLOCK) {
        normals.fill(&mut numbers[..block.len()]);
        // What is cut off rounds to nearest.
        add_block(block, &numbers, sigma, offset + 0.5);
    }
}

vectorized! {
    fn add_block(values: &mut [u8], numbers: &[f32], sigma: f32, offset: f32) {
        for (value, &number) in values.iter_mut().zip(numbers) {
            *value = enhance::cut(f32::from(*value) + (sigma * number + offset));
        }
    }
}

/// Erases the part of an area that lies in the image.
pub(super) fn erase(canvas: &mut Canvas<'_>, area: Area, with: Erasure, fill: Fill) {
    let (stride, channels) = (canvas.stride(), usize::from(canvas.channels));
    let columns = overlap(area.left, area.width, canvas.width);
    let mut normals = match with {
        Erasure::Fill => None,
        Erasure::Noise { seed } => Some(Normals::new(seed)),
    };
    for row in overlap(area.top, area.height, canvas.height) {
        let line = &mut canvas.pixels[row * stride + columns.start * channels..row * stride + columns.end * channels];
        match &mut normals {
            None => flood(line, &fill[..channels.min(fill.len())]),
            Some(normals) => {
                line.fill(MIDDLE);
                add_to(line, SPREAD, 0.5, normals);
            }
        }
    }
}

#[cfg(test)]
mod tests;
