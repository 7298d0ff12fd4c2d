//! Ops with fixed arguments.

use millstream_imageops::{Area, Erasure, Op, Sampling};

use super::Checker;
use super::stream::check_area;
use crate::raw;
use crate::yaml::Path;

/// Builds the op at a path.
pub(super) fn op(checker: &mut Checker<'_>, path: &Path, raw: &raw::Op) -> Op {
    let sampling = Sampling::Nearest;
    match *raw {
        raw::Op::Identity(_) => Op::Identity,
        raw::Op::AutoContrast(_) => Op::AutoContrast,
        raw::Op::Equalize(_) => Op::Equalize,
        raw::Op::Invert(_) => Op::Invert,
        raw::Op::Rotate(degrees) => Op::Rotate { degrees: degrees as f32, sampling },
        raw::Op::ShearX(tangent) => Op::ShearX { tangent: tangent as f32, sampling },
        raw::Op::ShearY(tangent) => Op::ShearY { tangent: tangent as f32, sampling },
        raw::Op::TranslateX(pixels) => Op::TranslateX { pixels: pixels as f32, sampling },
        raw::Op::TranslateY(pixels) => Op::TranslateY { pixels: pixels as f32, sampling },
        raw::Op::Brightness(factor) => Op::Brightness(factor as f32),
        raw::Op::Color(factor) => Op::Color(factor as f32),
        raw::Op::Contrast(factor) => Op::Contrast(factor as f32),
        raw::Op::Sharpness(factor) => Op::Sharpness(factor as f32),
        raw::Op::Posterize(bits) => Op::Posterize(bits),
        raw::Op::Solarize(threshold) => Op::Solarize(threshold as f32),
        raw::Op::SolarizeAdd(raw::Brief(ref raw)) => Op::SolarizeAdd { add: raw.add, threshold: raw.threshold },
        raw::Op::Hue(turn) => Op::Hue(turn as f32),
        raw::Op::Grayscale(_) => Op::Grayscale,
        raw::Op::GaussianBlur(radius) => Op::GaussianBlur(radius as f32),
        raw::Op::Erase(ref raw) => Op::Erase { area: area(checker, &path.key("erase"), raw), with: Erasure::Fill },
        raw::Op::Crop(ref raw) => Op::Crop(area(checker, &path.key("crop"), raw)),
        raw::Op::FlipHorizontal(_) => Op::FlipHorizontal,
        raw::Op::FlipVertical(_) => Op::FlipVertical,
    }
}

fn area(checker: &mut Checker<'_>, path: &Path, raw: &raw::Area) -> Area {
    let (width, height) = (raw.width.0, raw.height.0);
    check_area(checker, path, (height, width));
    Area { left: raw.left, top: raw.top, width, height }
}
