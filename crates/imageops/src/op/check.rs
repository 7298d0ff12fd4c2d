//! The range of every op's argument. The ranges keep all later arithmetic far from overflow.

use super::{Area, Op};
use crate::pixels::check_size;
use crate::{ImageError, MAX_SIDE};

const DEGREES: &str = "-360 to 360 degrees";
const SHEAR: &str = "a tangent of -10 to 10";
const SHIFT: &str = "-65535 to 65535 pixels";
const CHAINS: &str = "at most 10 chains of at most 10 ops that keep the size, none of them augmix";

/// Most chains of an AugMix, and most ops in a chain.
const MOST_CHAINS: usize = 10;

impl Op {
    /// Refuses an argument out of range. `place` says whose argument it is. A comparison with NaN is false, so NaN is
    /// refused everywhere.
    pub(crate) fn check(&self, place: &str) -> Result<(), ImageError> {
        let within = |value: f32, low: f32, high: f32, allowed| {
            self.demand(place, value >= low && value <= high, || value.to_string(), allowed)
        };
        let side = MAX_SIDE as f32;
        match *self {
            Op::Rotate { degrees, .. } => within(degrees, -360.0, 360.0, DEGREES),
            Op::ShearX { tangent, .. } | Op::ShearY { tangent, .. } => within(tangent, -10.0, 10.0, SHEAR),
            Op::TranslateX { pixels, .. } | Op::TranslateY { pixels, .. } => within(pixels, -side, side, SHIFT),
            Op::Brightness(f) | Op::Color(f) | Op::Contrast(f) | Op::Sharpness(f) => within(f, 0.0, 100.0, "0 to 100"),
            Op::Posterize(bits) => within(f32::from(bits), 0.0, 8.0, "0 to 8 bits"),
            Op::Solarize(threshold) => within(threshold, 0.0, 256.0, "0 to 256"),
            Op::SolarizeAdd { add, .. } => within(f32::from(add), -255.0, 255.0, "-255 to 255"),
            Op::Hue(share) => within(share, -0.5, 0.5, "-0.5 to 0.5 of the colour circle"),
            Op::GaussianBlur(radius) => within(radius, 0.0, 100.0, "a radius of 0 to 100 pixels"),
            Op::GaussianNoise { sigma, .. } => within(sigma, 0.0, 255.0, "a standard deviation of 0 to 255"),
            Op::Affine { degrees, shear_x, shear_y, translate_x, translate_y, sampling: _ } => {
                within(degrees, -360.0, 360.0, DEGREES)?;
                within(shear_x, -10.0, 10.0, SHEAR)?;
                within(shear_y, -10.0, 10.0, SHEAR)?;
                within(translate_x, -side, side, SHIFT)?;
                within(translate_y, -side, side, SHIFT)
            }
            Op::AugMix { keep, ref chains } => {
                within(keep, 0.0, 1.0, "a share of 0 to 1 that is kept")?;
                self.check_chains(place, chains)
            }
            Op::Crop(area) => {
                area.check(place, self.name())?;
                check_target(place, self.name(), area.width, area.height)
            }
            Op::Erase { area, .. } => area.check(place, self.name()),
            Op::Resize { area, height, width, .. } => {
                area.map_or(Ok(()), |area| area.check(place, self.name()))?;
                check_target(place, self.name(), width, height)
            }
            _ => Ok(()),
        }
    }

    fn check_chains(&self, place: &str, chains: &[(f32, Vec<Op>)]) -> Result<(), ImageError> {
        let lengths = || format!("{:?} ops", chains.iter().map(|(_, ops)| ops.len()).collect::<Vec<_>>());
        let few = chains.len() <= MOST_CHAINS && chains.iter().all(|(_, ops)| ops.len() <= MOST_CHAINS);
        self.demand(place, few, lengths, CHAINS)?;
        let weights = || format!("{:?}", chains.iter().map(|(weight, _)| weight).collect::<Vec<_>>());
        let sum: f32 = chains.iter().map(|(weight, _)| weight).sum();
        let good = chains.iter().all(|(weight, _)| *weight >= 0.0) && (sum - 1.0).abs() <= 1e-3;
        self.demand(place, good, weights, "weights of at least 0 that sum to 1")?;
        for op in chains.iter().flat_map(|(_, ops)| ops) {
            self.demand(place, op.keeps_size() && op.name() != self.name(), || op.name().to_string(), CHAINS)?;
            op.check(place)?;
        }
        Ok(())
    }

    fn demand(
        &self,
        place: &str,
        good: bool,
        found: impl FnOnce() -> String,
        allowed: &'static str,
    ) -> Result<(), ImageError> {
        if good { Ok(()) } else { Err(refuse(place, self.name(), found(), allowed)) }
    }
}

impl Area {
    /// Only what lies in an image is ever read or written, so that its pixels need not be few.
    fn check(&self, place: &str, name: &str) -> Result<(), ImageError> {
        let reach = MAX_SIDE as i32;
        if [self.left, self.top].iter().any(|place| !(-reach..=reach).contains(place)) {
            return Err(refuse(place, name, format!("at {},{}", self.left, self.top), SHIFT));
        }
        if [self.width, self.height].iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
            return Err(refuse(place, name, format!("{}x{}", self.width, self.height), "1 to 65535 pixels a side"));
        }
        Ok(())
    }
}

/// Refuses a result of no pixels or of too many.
pub(crate) fn check_target(place: &str, name: &str, width: u32, height: u32) -> Result<(), ImageError> {
    if check_size(width, height) {
        return Ok(());
    }
    Err(refuse(place, name, format!("{width}x{height}"), "1 to 65535 pixels a side and at most 2^28 in all"))
}

/// The error for an argument out of range.
pub(crate) fn refuse(place: &str, name: &str, found: String, allowed: &'static str) -> ImageError {
    ImageError::Argument { what: format!("{place}: {name}"), found, allowed }
}
