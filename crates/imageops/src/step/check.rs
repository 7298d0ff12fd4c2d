//! The ranges of every step's arguments.

use super::{Step, Variant};
use crate::op::{check_target, refuse};
use crate::{ImageError, MAX_SIDE};

/// Most ops that one RandAugment step may draw.
const MOST_OPS: u32 = 64;

/// Longest shift of an affine step.
const FAR: f32 = MAX_SIDE as f32;

/// Whether the numbers are good, what they are, and what they must be.
type Verdict = (bool, String, &'static str);

impl Step {
    /// Refuses arguments out of range; `place` says which step of the view it is.
    pub(crate) fn check(&self, place: &str) -> Result<(), ImageError> {
        let (good, found, allowed) = self.verdict();
        if !good {
            return Err(refuse(place, self.name(), found, allowed));
        }
        match *self {
            Step::Resize { height, width, .. }
            | Step::RandomResizedCrop { height, width, .. }
            | Step::CenterCrop { height, width }
            | Step::FiveCrop { height, width } => check_target(place, self.name(), width, height),
            Step::ResizeShort { size, .. } => check_target(place, self.name(), size, size),
            Step::Apply { ref op, .. } => op.check(place),
            _ => Ok(()),
        }
    }

    /// Whether the step's numbers are what they must be. A comparison with NaN is false, so NaN is refused.
    fn verdict(&self) -> Verdict {
        match *self {
            Step::Resize { .. } | Step::ResizeShort { .. } | Step::CenterCrop { .. } | Step::FiveCrop { .. } => {
                (true, String::new(), "")
            }
            Step::RandomResizedCrop { scale, ratio, .. } => areas(scale, ratio, scale.0 > 0.0),
            Step::PadCrop { pad, .. } => (pad <= MAX_SIDE / 2, format!("pad {pad}"), "0 to 32767 pixels"),
            Step::RandomFlip { p, .. } | Step::Apply { p, .. } => chance(p),
            Step::RandomAffine { degrees, shear, translate, .. } => (
                (0.0..=180.0).contains(&degrees) && (0.0..=2.0).contains(&shear) && (0.0..=FAR).contains(&translate),
                format!("degrees {degrees}, shear {shear}, translate {translate}"),
                "degrees 0 to 180, shear 0 to 2, translate 0 to 65535",
            ),
            Step::RandAugment { variant, ops, magnitude, deviation, bins, p, .. } => {
                let (good, allowed) = strength(variant, magnitude, deviation, bins);
                let found = format!("ops {ops}, magnitude {magnitude}, deviation {deviation}, bins {bins}");
                first_bad([(good && ops <= MOST_OPS, found, allowed), chance(p)])
            }
            Step::TrivialAugmentWide { bins, .. } => (good_bins(bins), format!("bins {bins}"), "2 to 1001 bins"),
            Step::AutoAugment { .. } => (true, String::new(), ""),
            Step::AugMix { severity, width, depth, alpha, .. } => augmix([severity, width], depth, alpha),
            Step::ColorJitter { brightness, contrast, saturation, hue } => (
                [brightness, contrast, saturation].iter().all(|b| (0.0..=99.0).contains(b))
                    && (0.0..=0.5).contains(&hue),
                format!("brightness {brightness}, contrast {contrast}, saturation {saturation}, hue {hue}"),
                "brightness, contrast and saturation 0 to 99, hue 0 to 0.5",
            ),
            Step::RandomBlur { sigma, p } => first_bad([blur(sigma), chance(p)]),
            Step::RandomNoise { sigma, p } => {
                let noise = ((0.0..=255.0).contains(&sigma), format!("sigma {sigma}"), "a sigma of 0 to 255");
                first_bad([noise, chance(p)])
            }
            Step::Cutout { size, p, .. } => {
                let square = ((1..=MAX_SIDE).contains(&size), format!("size {size}"), "1 to 65535 pixels");
                first_bad([square, chance(p)])
            }
            Step::RandomErasing { scale, ratio, p, .. } => first_bad([areas(scale, ratio, scale.0 >= 0.0), chance(p)]),
        }
    }
}

/// Whether the numbers of RandAugment, whose ranges differ by variant, are good, and what they must be.
fn strength(variant: Variant, magnitude: f32, deviation: f32, bins: u32) -> (bool, &'static str) {
    let steady = deviation == 0.0;
    match variant {
        Variant::Torchvision | Variant::Dali => (
            steady && good_bins(bins) && (0.0..bins as f32).contains(&magnitude) && magnitude.fract() == 0.0,
            "ops 0 to 64, bins 2 to 1001, a whole magnitude of 0 to bins - 1, no deviation",
        ),
        Variant::Timm | Variant::TimmInc => (
            (0.0..=100.0).contains(&magnitude) && deviation >= 0.0,
            "ops 0 to 64, magnitude 0 to 100 (more than 10 is cut to 10), deviation at least 0",
        ),
        Variant::Tf => (steady && (0.0..=100.0).contains(&magnitude), "ops 0 to 64, magnitude 0 to 100, no deviation"),
        Variant::Fixmatch => {
            (steady && (0.0..=10.0).contains(&magnitude), "ops 0 to 64, magnitude 0 to 10, no deviation")
        }
    }
}

/// The first verdict that is not good, else the last.
fn first_bad([first, second]: [Verdict; 2]) -> Verdict {
    if first.0 { second } else { first }
}

fn chance(p: f32) -> Verdict {
    ((0.0..=1.0).contains(&p), format!("p {p}"), "a probability of 0 to 1")
}

fn good_bins(bins: u32) -> bool {
    (2..=1001).contains(&bins)
}

/// Shares of the area and aspect ratios; `lowest` says whether the smallest share is allowed.
fn areas(scale: (f32, f32), ratio: (f32, f32), lowest: bool) -> Verdict {
    let good =
        lowest && scale.0 <= scale.1 && scale.1 <= 1.0 && 0.01 <= ratio.0 && ratio.0 <= ratio.1 && ratio.1 <= 100.0;
    (
        good,
        format!("scale {scale:?}, ratio {ratio:?}"),
        "scale 0 < low <= high <= 1 (erasing may start at 0) and ratio 0.01 <= low <= high <= 100",
    )
}

fn augmix(strength: [u32; 2], depth: Option<u32>, alpha: f32) -> Verdict {
    let tens = strength.into_iter().chain(depth).all(|n| (1..=10).contains(&n));
    (
        tens && alpha > 0.0 && alpha <= 1000.0,
        format!("severity {}, width {}, depth {depth:?}, alpha {alpha}", strength[0], strength[1]),
        "severity, width and depth 1 to 10, alpha above 0 and at most 1000",
    )
}

fn blur(sigma: (f32, f32)) -> Verdict {
    (
        0.0 <= sigma.0 && sigma.0 <= sigma.1 && sigma.1 <= 100.0,
        format!("sigma {sigma:?}"),
        "sigma 0 <= low <= high <= 100",
    )
}

#[cfg(test)]
mod tests;
