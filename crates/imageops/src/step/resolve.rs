//! From a step to ops: where the random choices are made.

use super::Step;
use crate::op::{Area, Filter, Op, Sampling};
use crate::{MAX_PIXELS, MAX_SIDE, Rng, randaugment};

/// Width and height in pixels.
type Size = (u32, u32);

impl Step {
    /// Makes every random choice of the step on an image of `size` and hands out the ops.
    pub(crate) fn resolve(&self, size: Size, rng: &mut Rng, mut emit: impl FnMut(Op)) {
        match *self {
            Step::Resize { height, width, filter } => emit(Op::Resize { area: None, height, width, filter }),
            Step::ResizeShort { size: short, filter } => emit(resize_short(size, short, filter)),
            Step::RandomResizedCrop { scale, ratio, height, width, filter } => {
                let area = Some(random_area(size, scale, ratio, rng));
                emit(Op::Resize { area, height, width, filter });
            }
            Step::CenterCrop { height, width } => emit(center_crop(size, (width, height))),
            Step::PadCrop { pad, .. } => emit(pad_crop(size, pad, rng)),
            Step::RandomFlip { p, .. } | Step::Apply { p, .. } if !rng.coin(f64::from(p)) => {}
            Step::RandomFlip { horizontal: true, .. } => emit(Op::FlipHorizontal),
            Step::RandomFlip { horizontal: false, .. } => emit(Op::FlipVertical),
            Step::Apply { ref op, .. } => emit(op.clone()),
            Step::RandomAffine { degrees, shear, translate, .. } => {
                emit(random_affine(degrees, shear, translate, rng));
            }
            Step::RandAugment { ops, magnitude, bins, .. } => {
                (0..ops).for_each(|_| emit(randaugment::draw(rng, magnitude as u32, bins, size)));
            }
            _ => {}
        }
    }

    /// Value of what comes in from outside of the image.
    pub(crate) fn fill(&self) -> u8 {
        match *self {
            Step::PadCrop { fill, .. } | Step::RandomAffine { fill, .. } | Step::RandAugment { fill, .. } => fill[0],
            _ => 0,
        }
    }
}

fn center_crop(size: Size, (width, height): Size) -> Op {
    Op::Crop(Area { left: middle(size.0, width), top: middle(size.1, height), width, height })
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

fn random_affine(degrees: f32, shear: f32, translate: f32, rng: &mut Rng) -> Op {
    let mut within = |most: f32| rng.between(-f64::from(most), f64::from(most)) as f32;
    Op::Affine {
        degrees: within(degrees),
        shear_x: within(shear),
        shear_y: within(shear),
        translate_x: within(translate),
        translate_y: within(translate),
        sampling: Sampling::Bilinear,
    }
}
