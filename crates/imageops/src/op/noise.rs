//! Noise and erased areas.

use super::canvas::{Canvas, flood};
use super::crop::overlap;
use super::{Area, Erasure};
use crate::{Fill, Rng, SampleKey};

/// Mean and standard deviation of erased values: half of the range, and a quarter.
const MIDDLE: f64 = 127.5;
const SPREAD: f64 = 63.75;

/// The random numbers that begin at a seed.
fn stream(seed: u64) -> Rng {
    Rng::new(&SampleKey { seed, round: 0, epoch: 0, key: 0, copy: 0, view: 0 }, 0)
}

/// Adds normal noise to each value; the sum is rounded to nearest and cut to 0..=255.
pub(super) fn add(canvas: &mut Canvas<'_>, sigma: f32, seed: u64) {
    let mut rng = stream(seed);
    for value in canvas.pixels.iter_mut() {
        *value = (f64::from(*value) + f64::from(sigma) * rng.normal()).round() as u8;
    }
}

/// Erases the part of an area that lies in the image.
pub(super) fn erase(canvas: &mut Canvas<'_>, area: Area, with: Erasure, fill: Fill) {
    let (stride, channels) = (canvas.stride(), usize::from(canvas.channels));
    let columns = overlap(area.left, area.width, canvas.width);
    let mut rng = match with {
        Erasure::Fill => None,
        Erasure::Noise { seed } => Some(stream(seed)),
    };
    for row in overlap(area.top, area.height, canvas.height) {
        let line = row * stride + columns.start * channels..row * stride + columns.end * channels;
        match &mut rng {
            None => {
                let paint = fill;
                flood(&mut canvas.pixels[line], &paint[..channels.min(paint.len())]);
            }
            Some(rng) => {
                for value in &mut canvas.pixels[line] {
                    *value = (MIDDLE + SPREAD * rng.normal()).round() as u8;
                }
            }
        }
    }
}
