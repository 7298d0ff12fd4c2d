//! MixUp and CutMix: samples of a batch mixed with one another.
//!
//! Zhang et al. 2018 and Yun et al. 2019. As elsewhere in this crate all chance comes first: [`Mixing::draw`] makes a
//! plan, one [`Mix`] for each sample, and [`mix`] does to the pixels what the plan says. The targets follow with
//! [`mix_targets`]: whatever they are, classes or distributions, a sample keeps the share [`Mix::keep`] of its own.

mod draw;
mod pixels;

use serde::Serialize;

use crate::op::refuse;
use crate::{Area, ImageError};
pub use pixels::mix;

/// How the samples of a batch are mixed.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct Mixing {
    /// Share of the image that CutMix keeps, before cutting at the edges: Beta(cutmix, cutmix). 0: no CutMix.
    pub cutmix: f32,
    /// Share of the image that MixUp keeps: Beta(mixup, mixup). 0: no MixUp.
    pub mixup: f32,
    /// Probability of mixing at all, in [0, 1].
    pub p: f32,
    /// Probability of CutMix rather than MixUp where both are on, in [0, 1].
    pub switch: f32,
    /// How often the choice is made.
    pub per: Per,
}

/// Whether the samples of a batch share one draw.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// One draw of method, share and area for the batch, as the authors' code does; partners differ.
    Batch,
    /// A draw of its own for each sample.
    Element,
}

/// Identity of one batch: everything that its plan may depend on besides its size.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct MixKey {
    /// Seed of the run.
    pub seed: u64,
    /// Self-training round.
    pub round: u32,
    /// Epoch within the round.
    pub epoch: u32,
    /// Batch within the epoch.
    pub step: u64,
    /// Which part of the batch, where parts are mixed among themselves.
    pub group: u32,
}

/// What happens to one sample.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Mix {
    /// The sample that it is mixed with.
    pub partner: u32,
    /// Weight of its own target, 0 to 1; the partner's has the rest. It is the share of its own pixels, exactly.
    pub keep: f32,
    /// How the pixels are mixed.
    pub how: How,
}

/// How the pixels of two samples are mixed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// Not at all.
    Not,
    /// This area, which lies in the image, is the partner's (CutMix).
    Cut(Area),
    /// Every value is the weighted mean of the two (MixUp).
    Blend,
}

impl Mix {
    /// The share of its own in each value that is blended, as [`mix`] computes with it.
    pub fn keep_in_65536ths(&self) -> u32 {
        pixels::whole_parts(self.keep)
    }
}

impl Mixing {
    /// Refuses arguments out of range; `place` says whose they are.
    ///
    /// # Errors
    /// [`ImageError::Argument`] names the first argument out of range.
    pub fn check(&self, place: &str) -> Result<(), ImageError> {
        let arguments = [
            ("cutmix", self.cutmix, 1000.0, "0 (off) to 1000"),
            ("mixup", self.mixup, 1000.0, "0 (off) to 1000"),
            ("p", self.p, 1.0, "a probability of 0 to 1"),
            ("switch", self.switch, 1.0, "a probability of 0 to 1"),
        ];
        // NaN is in no range.
        match arguments.into_iter().find(|(_, value, most, _)| !(0.0..=*most).contains(value)) {
            Some((name, value, _, allowed)) => Err(refuse(place, name, value.to_string(), allowed)),
            None => Ok(()),
        }
    }
}

/// The target of a mixed sample: `keep` times its own plus `1 - keep` times its partner's, class by class. `out` is
/// cleared first. The weights sum to 1 exactly; each value is rounded once, so that two distributions give one whose
/// sum differs from theirs by less than the last bit of 1.
pub fn mix_targets(own: &[f32], partner: &[f32], keep: f32, out: &mut Vec<f32>) {
    let keep = f64::from(keep);
    let mean = |(&a, &b): (&f32, &f32)| (keep * f64::from(a) + (1.0 - keep) * f64::from(b)) as f32;
    out.clear();
    out.extend(own.iter().zip(partner).map(mean));
}

#[cfg(test)]
mod tests;
