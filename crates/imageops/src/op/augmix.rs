//! AugMix: the mean of several augmented copies, mixed with the image itself.

use super::canvas::Canvas;
use super::simd::vectorized;
use super::{Op, enhance, run};
use crate::Fill;
use crate::scratch::Scratch;

/// `keep` times the image plus `1 - keep` times the weighted mean of the chains, in f32, cut to an integer as
/// torchvision does.
pub(super) fn mix(canvas: &mut Canvas<'_>, keep: f32, chains: &[(f32, Vec<Op>)], fill: Fill, scratch: &mut Scratch) {
    // The ops of the chains use the rest of the scratch.
    let mut sums = std::mem::take(&mut scratch.sums);
    let mut copy = std::mem::take(&mut scratch.chain);
    sums.clear();
    sums.resize(canvas.pixels.len(), 0.0);
    add(&mut sums, canvas.pixels, keep);
    for (weight, ops) in chains {
        copy.clear();
        copy.extend_from_slice(canvas.pixels);
        let mut branch = Canvas { pixels: &mut copy, ..*canvas };
        run(ops.iter().map(|op| (op, fill)), &mut branch, scratch);
        add(&mut sums, &copy, (1.0 - keep) * weight);
    }
    cut_all(&sums, canvas.pixels);
    (scratch.sums, scratch.chain) = (sums, copy);
}

vectorized! {
    fn add(sums: &mut [f32], values: &[u8], share: f32) {
        for (sum, &value) in sums.iter_mut().zip(values) {
            *sum += share * f32::from(value);
        }
    }
}

vectorized! {
    fn cut_all(sums: &[f32], values: &mut [u8]) {
        for (value, &sum) in values.iter_mut().zip(sums) {
            *value = enhance::cut(sum);
        }
    }
}
