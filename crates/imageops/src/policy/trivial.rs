//! TrivialAugmentWide (Mueller, Hutter 2021) with torchvision's ops and scale.

use super::torchvision::{KINDS, WIDE};
use super::{Size, pick};
use crate::{Op, Rng, Sampling};

/// Draws the one op of an image of `size` at one of `bins` magnitudes.
pub(crate) fn draw(bins: u32, size: Size, rng: &mut Rng) -> Op {
    let kind = pick(&KINDS, rng);
    let bin = rng.range(bins);
    WIDE.op(kind, (bin, bins), size, Sampling::Nearest, rng)
}

#[cfg(test)]
mod tests;
