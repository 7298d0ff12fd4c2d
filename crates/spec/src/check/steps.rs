//! The steps of a view.

use super::Checker;
use super::stream::check_area;
use crate::diagnostic::Code;
use crate::plan::{FilterPlan, OpPlan, StepPlan};
use crate::raw;
use crate::yaml::Path;

/// Builds the steps of a list; `size` (height, width) is the default of those that have a size.
pub(super) fn view(checker: &mut Checker<'_>, path: &Path, raw: &[raw::Step], size: (u32, u32)) -> Vec<StepPlan> {
    let steps = raw.iter().enumerate();
    steps.map(|(position, raw)| step(checker, &path.item(position), raw, size)).collect()
}

fn step(checker: &mut Checker<'_>, path: &Path, raw: &raw::Step, size: (u32, u32)) -> StepPlan {
    let kind = match raw {
        raw::Step::Op(raw) => {
            return StepPlan::Apply { op: op(raw), p: 1.0 };
        }
        raw::Step::Kind(kind) => kind,
    };
    match kind {
        raw::Kind::Resize(raw) => {
            let (height, width) = sized(checker, &path.key("resize"), raw.size, size);
            StepPlan::Resize { height, width, filter: filter(raw.filter) }
        }
        raw::Kind::ResizeShort(raw) => {
            let size = raw.size.map_or(size.0.min(size.1), |side| side.0);
            check_area(checker, &path.key("resize_short").key("size"), (size, size));
            StepPlan::ResizeShort { size, filter: filter(raw.filter) }
        }
        raw::Kind::RandomResizedCrop(raw) => random_resized_crop(checker, &path.key("random_resized_crop"), raw, size),
        raw::Kind::CenterCrop(raw) => {
            let (height, width) = sized(checker, &path.key("center_crop"), raw.size, size);
            StepPlan::CenterCrop { height, width }
        }
        raw::Kind::PadCrop(raw) => StepPlan::PadCrop { pad: raw.pad, fill: raw.fill },
        raw::Kind::Flip(raw) => {
            StepPlan::RandomFlip { horizontal: raw.direction == raw::Direction::Horizontal, p: raw.p as f32 }
        }
        raw::Kind::Affine(raw) => StepPlan::RandomAffine {
            degrees: raw.degrees as f32,
            shear: raw.shear as f32,
            translate: raw.translate as f32,
            fill: raw.fill,
        },
        raw::Kind::Randaugment(raw) => randaugment(checker, &path.key("randaugment"), raw),
        raw::Kind::Apply(raw) => StepPlan::Apply { op: op(&raw.op), p: raw.p as f32 },
    }
}

/// The size that is written, or the one of the stream.
fn sized(checker: &mut Checker<'_>, path: &Path, written: Option<[raw::Side; 2]>, size: (u32, u32)) -> (u32, u32) {
    let Some([height, width]) = written else {
        return size;
    };
    check_area(checker, &path.key("size"), (height.0, width.0));
    (height.0, width.0)
}

fn random_resized_crop(
    checker: &mut Checker<'_>,
    path: &Path,
    raw: &raw::RandomResizedCrop,
    size: (u32, u32),
) -> StepPlan {
    let (height, width) = sized(checker, path, raw.size, size);
    for (key, [low, high]) in [("scale", raw.scale), ("ratio", raw.ratio)] {
        if low > high {
            let message = format!("`{key}` goes from {low} down to {high}");
            checker.error(&path.key(key), Code::OutOfRange, message, format!("write [{high}, {low}]"));
        }
    }
    StepPlan::RandomResizedCrop {
        scale: pair(raw.scale),
        ratio: pair(raw.ratio),
        height,
        width,
        filter: filter(raw.filter),
    }
}

fn pair([low, high]: [f64; 2]) -> (f32, f32) {
    (low as f32, high as f32)
}

fn randaugment(checker: &mut Checker<'_>, path: &Path, raw: &raw::RandAugment) -> StepPlan {
    if raw.magnitude >= raw.bins {
        let message = format!("`magnitude` must be below `bins`, but {} is not below {}", raw.magnitude, raw.bins);
        let help = format!("the strongest is {}", raw.bins.saturating_sub(1));
        checker.error(&path.key("magnitude"), Code::Conflict, message, help);
    }
    StepPlan::RandAugment { ops: raw.ops, magnitude: raw.magnitude, bins: raw.bins, fill: raw.fill }
}

fn filter(raw: raw::Filter) -> FilterPlan {
    match raw {
        raw::Filter::Nearest => FilterPlan::Nearest,
        raw::Filter::Bilinear => FilterPlan::Bilinear,
        raw::Filter::Bicubic => FilterPlan::Bicubic,
        raw::Filter::Lanczos => FilterPlan::Lanczos,
    }
}

fn op(raw: &raw::Op) -> OpPlan {
    match *raw {
        raw::Op::Identity(_) => OpPlan::Identity,
        raw::Op::AutoContrast(_) => OpPlan::AutoContrast,
        raw::Op::Equalize(_) => OpPlan::Equalize,
        raw::Op::Invert(_) => OpPlan::Invert,
        raw::Op::Rotate(degrees) => OpPlan::Rotate(degrees as f32),
        raw::Op::ShearX(tangent) => OpPlan::ShearX(tangent as f32),
        raw::Op::ShearY(tangent) => OpPlan::ShearY(tangent as f32),
        raw::Op::TranslateX(pixels) => OpPlan::TranslateX(pixels),
        raw::Op::TranslateY(pixels) => OpPlan::TranslateY(pixels),
        raw::Op::Brightness(factor) => OpPlan::Brightness(factor as f32),
        raw::Op::Color(factor) => OpPlan::Color(factor as f32),
        raw::Op::Contrast(factor) => OpPlan::Contrast(factor as f32),
        raw::Op::Sharpness(factor) => OpPlan::Sharpness(factor as f32),
        raw::Op::Posterize(bits) => OpPlan::Posterize(bits),
        raw::Op::Solarize(threshold) => OpPlan::Solarize(threshold as f32),
        raw::Op::FlipHorizontal(_) => OpPlan::FlipHorizontal,
        raw::Op::FlipVertical(_) => OpPlan::FlipVertical,
    }
}
