//! From a step to ops: where the random choices are made.

use super::Step;
use crate::op::{Area, Erasure, Fill, Filter, Op, Sampling};
use crate::policy::augmix::AugMix;
use crate::policy::randaugment::{self, Strength};
use crate::policy::{Size, autoaugment, trivial};
use crate::{MAX_PIXELS, MAX_SIDE, Rng};

impl Step {
    /// Makes every random choice of the step on an image of `size` and hands out the ops. `view` is the number of the
    /// sample's view.
    pub(crate) fn resolve(&self, size: Size, view: u8, rng: &mut Rng, mut emit: impl FnMut(Op)) {
        if !self.chance().is_none_or(|p| rng.coin(f64::from(p))) {
            return;
        }
        match *self {
            Step::Resize { height, width, filter } => emit(Op::Resize { area: None, height, width, filter }),
            Step::ResizeShort { size: short, filter } => emit(resize_short(size, short, filter)),
            Step::RandomResizedCrop { scale, ratio, height, width, filter } => {
                let area = Some(random_area(size, scale, ratio, rng));
                emit(Op::Resize { area, height, width, filter });
            }
            Step::CenterCrop { height, width } => emit(center_crop(size, (width, height))),
            Step::FiveCrop { height, width } => emit(five_crop(size, (width, height), view)),
            Step::PadCrop { pad, .. } => emit(pad_crop(size, pad, rng)),
            Step::RandomFlip { horizontal: true, .. } => emit(Op::FlipHorizontal),
            Step::RandomFlip { horizontal: false, .. } => emit(Op::FlipVertical),
            Step::RandomAffine { degrees, shear, translate, sampling, .. } => {
                emit(random_affine(degrees, shear, translate, sampling, rng));
            }
            Step::RandAugment { variant, ops, magnitude, deviation, bins, p, .. } => {
                let strength = Strength { magnitude, deviation, bins };
                for _ in 0..ops {
                    if rng.coin(f64::from(p)) {
                        emit(randaugment::draw(variant, strength, size, rng));
                    }
                }
            }
            Step::TrivialAugmentWide { bins, .. } => emit(trivial::draw(bins, size, rng)),
            Step::AutoAugment { policy, .. } => autoaugment::draw(policy, size, rng, emit),
            Step::AugMix { severity, width, depth, alpha, all_ops, .. } => {
                emit(AugMix { severity, width, depth, alpha, all_ops }.draw(size, rng));
            }
            Step::ColorJitter { brightness, contrast, saturation, hue } => {
                jitter([brightness, contrast, saturation], hue, rng).into_iter().flatten().for_each(emit);
            }
            Step::RandomBlur { sigma, .. } => emit(Op::GaussianBlur(uniform(sigma, rng))),
            Step::RandomNoise { sigma, .. } => emit(Op::GaussianNoise { sigma, seed: rng.next_u64() }),
            Step::Cutout { size: side, .. } => emit(cutout(size, side, rng)),
            Step::RandomErasing { scale, ratio, noise, .. } => {
                if let Some(area) = erased_area(size, scale, ratio, rng) {
                    let with = if noise { Erasure::Noise { seed: rng.next_u64() } } else { Erasure::Fill };
                    emit(Op::Erase { area, with });
                }
            }
            Step::Apply { ref op, .. } => emit(op.clone()),
        }
    }

    /// The probability that the step does something, for those that have one. RandAugment asks for each op.
    fn chance(&self) -> Option<f32> {
        match *self {
            Step::RandomFlip { p, .. }
            | Step::RandomBlur { p, .. }
            | Step::RandomNoise { p, .. }
            | Step::Cutout { p, .. }
            | Step::RandomErasing { p, .. }
            | Step::Apply { p, .. } => Some(p),
            _ => None,
        }
    }

    /// Value of what comes in from outside of the image.
    pub(crate) fn fill(&self) -> Fill {
        match *self {
            Step::PadCrop { fill, .. }
            | Step::RandomAffine { fill, .. }
            | Step::RandAugment { fill, .. }
            | Step::TrivialAugmentWide { fill, .. }
            | Step::AutoAugment { fill, .. }
            | Step::AugMix { fill, .. }
            | Step::Cutout { fill, .. }
            | Step::RandomErasing { fill, .. }
            | Step::Apply { fill, .. } => fill,
            _ => [0; 3],
        }
    }
}

/// Uniform between two numbers.
fn uniform((low, high): (f32, f32), rng: &mut Rng) -> f32 {
    rng.between(f64::from(low), f64::from(high)) as f32
}

fn center_crop(size: Size, (width, height): Size) -> Op {
    Op::Crop(Area { left: middle(size.0, width), top: middle(size.1, height), width, height })
}

/// torchvision's `five_crop`, one of the five.
fn five_crop(size: Size, window: Size, view: u8) -> Op {
    let corner = |left: bool, top: bool| {
        let end = |size: u32, window: u32| (i64::from(size) - i64::from(window)) as i32;
        let left = if left { 0 } else { end(size.0, window.0) };
        let top = if top { 0 } else { end(size.1, window.1) };
        Op::Crop(Area { left, top, width: window.0, height: window.1 })
    };
    match view % 5 {
        0 => corner(true, true),
        1 => corner(false, true),
        2 => corner(true, false),
        3 => corner(false, false),
        _ => center_crop(size, window),
    }
}

fn pad_crop((width, height): Size, pad: u32, rng: &mut Rng) -> Op {
    let mut offset = || rng.range(2 * pad + 1) as i32 - pad as i32;
    Op::Crop(Area { left: offset(), top: offset(), width, height })
}

/// torchvision's rule: the longer side is `int(short * long / shorter)`. Cut where an extreme shape would pass the
/// largest image.
fn resize_short((width, height): Size, short: u32, filter: Filter) -> Op {
    let (low, high) = (u64::from(width.min(height)).max(1), u64::from(width.max(height)));
    let most = u64::from(MAX_SIDE).min(MAX_PIXELS / u64::from(short.max(1)));
    let long = (u64::from(short) * high / low).min(most) as u32;
    let (width, height) = if width <= height { (short, long) } else { (long, short) };
    Op::Resize { area: None, height, width, filter }
}

/// Where a window of `window` begins in the middle of `size`; halves are rounded to even, as torchvision does.
/// A window that is larger begins before the image, the odd pixel after it.
fn middle(size: u32, window: u32) -> i32 {
    let gap = i64::from(size) - i64::from(window);
    if gap < 0 {
        return (-(-gap / 2)) as i32;
    }
    (gap as f64 / 2.0).round_ties_even() as i32
}

/// torchvision's `RandomResizedCrop.get_params`.
fn random_area(size: Size, scale: (f32, f32), ratio: (f32, f32), rng: &mut Rng) -> Area {
    let (width, height) = (f64::from(size.0), f64::from(size.1));
    let logs = (libm::log(f64::from(ratio.0)), libm::log(f64::from(ratio.1)));
    for _ in 0..10 {
        let target = width * height * rng.between(f64::from(scale.0), f64::from(scale.1));
        let aspect = libm::exp(rng.between(logs.0, logs.1));
        let w = (target * aspect).sqrt().round_ties_even();
        let h = (target / aspect).sqrt().round_ties_even();
        if w >= 1.0 && w <= width && h >= 1.0 && h <= height {
            let (width, height) = (w as u32, h as u32);
            let top = rng.range(size.1 - height + 1) as i32;
            let left = rng.range(size.0 - width + 1) as i32;
            return Area { left, top, width, height };
        }
    }
    centred_area(size, (f64::from(ratio.0), f64::from(ratio.1)))
}

/// The largest centred area whose ratio is allowed.
fn centred_area((width, height): Size, ratio: (f64, f64)) -> Area {
    let (w, h) = (f64::from(width), f64::from(height));
    let part = |value: f64, most: u32| (value.round_ties_even() as u32).clamp(1, most.max(1));
    let (w, h) = match w / h {
        shape if shape < ratio.0 => (width, part(w / ratio.0, height)),
        shape if shape > ratio.1 => (part(h * ratio.1, width), height),
        _ => (width, height),
    };
    Area { left: ((width - w) / 2) as i32, top: ((height - h) / 2) as i32, width: w, height: h }
}

fn random_affine(degrees: f32, shear: f32, translate: f32, sampling: Sampling, rng: &mut Rng) -> Op {
    let mut within = |most: f32| uniform((-most, most), rng);
    Op::Affine {
        degrees: within(degrees),
        shear_x: within(shear),
        shear_y: within(shear),
        translate_x: within(translate),
        translate_y: within(translate),
        sampling,
    }
}

/// torchvision's `ColorJitter`: the ops that are on, in random order. `factors` are brightness, contrast, saturation.
fn jitter(factors: [f32; 3], hue: f32, rng: &mut Rng) -> [Option<Op>; 4] {
    let [brightness, contrast, saturation] =
        factors.map(|most| (most > 0.0).then(|| uniform(((1.0 - most).max(0.0), 1.0 + most), rng)));
    let hue = (hue > 0.0).then(|| uniform((-hue, hue), rng));
    let mut ops =
        [brightness.map(Op::Brightness), contrast.map(Op::Contrast), saturation.map(Op::Color), hue.map(Op::Hue)];
    rng.shuffle(&mut ops);
    ops
}

/// A square of `side` pixels about a random pixel. (The authors' code makes an odd side one shorter.)
fn cutout(size: Size, side: u32, rng: &mut Rng) -> Op {
    let half = (side / 2) as i32;
    let (top, left) = (rng.range(size.1) as i32 - half, rng.range(size.0) as i32 - half);
    Op::Erase { area: Area { left, top, width: side, height: side }, with: Erasure::Fill }
}

/// torchvision's `RandomErasing`, whose ratio is height / width. An area that rounds to nothing erases nothing, as there.
fn erased_area((width, height): Size, scale: (f32, f32), ratio: (f32, f32), rng: &mut Rng) -> Option<Area> {
    let total = f64::from(width) * f64::from(height);
    let logs = (libm::log(f64::from(ratio.0)), libm::log(f64::from(ratio.1)));
    for _ in 0..10 {
        let target = total * rng.between(f64::from(scale.0), f64::from(scale.1));
        let aspect = libm::exp(rng.between(logs.0, logs.1));
        let h = (target * aspect).sqrt().round_ties_even() as u32;
        let w = (target / aspect).sqrt().round_ties_even() as u32;
        if h < height && w < width {
            let (top, left) = (rng.range(height - h + 1) as i32, rng.range(width - w + 1) as i32);
            return (h > 0 && w > 0).then_some(Area { left, top, width: w, height: h });
        }
    }
    None
}

#[cfg(test)]
mod tests;
