//! The ranges of every step's arguments.

use super::Step;
use crate::op::{check_target, refuse};
use crate::{ImageError, MAX_SIDE};

/// Most ops that one RandAugment step may draw.
const MOST_OPS: u32 = 64;

/// Longest shift of an affine step.
const FAR: f32 = MAX_SIDE as f32;

impl Step {
    /// Refuses arguments out of range; `place` says which step of the view it is.
    pub(crate) fn check(&self, place: &str) -> Result<(), ImageError> {
        let name = self.name();
        match *self {
            Step::Resize { height, width, .. } | Step::CenterCrop { height, width } => {
                check_target(place, name, width, height)
            }
            Step::ResizeShort { size, .. } => check_target(place, name, size, size),
            Step::RandomResizedCrop { height, width, .. } => {
                self.demand(place)?;
                check_target(place, name, width, height)
            }
            Step::Apply { ref op, .. } => {
                self.demand(place)?;
                op.check(place)
            }
            _ => self.demand(place),
        }
    }

    /// Refuses the step if its numbers are not what they must be. A comparison with NaN is false, so NaN is refused.
    fn demand(&self, place: &str) -> Result<(), ImageError> {
        let (good, found, allowed) = match *self {
            Step::RandomResizedCrop { scale, ratio, .. } => (
                0.0 < scale.0
                    && scale.0 <= scale.1
                    && scale.1 <= 1.0
                    && 0.01 <= ratio.0
                    && ratio.0 <= ratio.1
                    && ratio.1 <= 100.0,
                format!("scale {scale:?}, ratio {ratio:?}"),
                "scale 0 < low <= high <= 1 and ratio 0.01 <= low <= high <= 100",
            ),
            Step::PadCrop { pad, .. } => (pad <= MAX_SIDE / 2, format!("pad {pad}"), "0 to 32767 pixels"),
            Step::RandomFlip { p, .. } | Step::Apply { p, .. } => {
                ((0.0..=1.0).contains(&p), format!("p {p}"), "a probability of 0 to 1")
            }
            Step::RandomAffine { degrees, shear, translate, .. } => (
                (0.0..=180.0).contains(&degrees) && (0.0..=2.0).contains(&shear) && (0.0..=FAR).contains(&translate),
                format!("degrees {degrees}, shear {shear}, translate {translate}"),
                "degrees 0 to 180, shear 0 to 2, translate 0 to 65535",
            ),
            Step::RandAugment { ops, magnitude, bins, .. } => (
                ops <= MOST_OPS && bins >= 2 && (magnitude < bins as f32 || magnitude <= 100.0),
                format!("ops {ops}, magnitude {magnitude}, bins {bins}"),
                "ops 0 to 64, bins at least 2, magnitude below bins",
            ),
            _ => {
                return Ok(());
            }
        };
        if good { Ok(()) } else { Err(refuse(place, self.name(), found, allowed)) }
    }
}
