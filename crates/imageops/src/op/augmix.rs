//! AugMix: the mean of several augmented copies, mixed with the image itself.

use super::canvas::Canvas;
use super::{Op, run};
use crate::Fill;
use crate::scratch::Scratch;

/// `keep` times the image plus `1 - keep` times the weighted mean of the chains, in f32, cut to an integer as
/// torchvision does.
pub(super) fn mix(canvas: &mut Canvas<'_>, keep: f32, chains: &[(f32, Vec<Op>)], fill: Fill, scratch: &mut Scratch) {
    let mut sums = std::mem::take(&mut scratch.sums);
    let mut copy = std::mem::take(&mut scratch.chain);
    sums.clear();
    sums.extend(canvas.pixels.iter().map(|&value| keep * f32::from(value)));
    for (weight, ops) in chains {
        copy.clear();
        copy.extend_from_slice(canvas.pixels);
        let mut branch = Canvas { pixels: &mut copy, ..*canvas };
        for op in ops {
            run(&[(op.clone(), fill)], &mut branch, scratch);
        }
        let share = (1.0 - keep) * weight;
        for (sum, &value) in sums.iter_mut().zip(&copy) {
            *sum += share * f32::from(value);
        }
    }
    for (value, sum) in canvas.pixels.iter_mut().zip(&sums) {
        *value = *sum as u8;
    }
    (scratch.sums, scratch.chain) = (sums, copy);
}
