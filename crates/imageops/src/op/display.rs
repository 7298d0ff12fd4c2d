//! Ops in words, for people: `rotate 9.0`, `crop 224x224+12+40`.

use std::fmt::{self, Display, Formatter};

use super::{Area, Erasure, Filter, Op, Sampling};

/// The name and the argument, as in `rotate 9.0`. Numbers are exact, or have as many decimals as the format asks for
/// (`{op:.2}`). Sampling is named unless it is nearest.
impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Op::Rotate { degrees, sampling } => with_sampling(f, &[*degrees], *sampling),
            Op::ShearX { tangent, sampling } | Op::ShearY { tangent, sampling } => {
                with_sampling(f, &[*tangent], *sampling)
            }
            Op::TranslateX { pixels, sampling } | Op::TranslateY { pixels, sampling } => {
                with_sampling(f, &[*pixels], *sampling)
            }
            Op::Brightness(value) | Op::Color(value) | Op::Contrast(value) | Op::Sharpness(value) => number(f, *value),
            Op::Solarize(value) | Op::Hue(value) | Op::GaussianBlur(value) => number(f, *value),
            Op::GaussianNoise { sigma, .. } => number(f, *sigma),
            Op::Posterize(bits) => write!(f, " {bits}"),
            Op::SolarizeAdd { add, threshold } => write!(f, " {add} below {threshold}"),
            Op::Erase { area, with: Erasure::Fill } | Op::Crop(area) => write!(f, " {area}"),
            Op::Erase { area, with: Erasure::Noise { .. } } => write!(f, " {area} with noise"),
            Op::Affine { degrees, shear_x, shear_y, translate_x, translate_y, sampling } => {
                number(f, *degrees)?;
                f.write_str(" shear")?;
                [shear_x, shear_y].into_iter().try_for_each(|tangent| number(f, *tangent))?;
                f.write_str(" translate")?;
                with_sampling(f, &[*translate_x, *translate_y], *sampling)
            }
            Op::AugMix { keep, chains } => augmix(f, *keep, chains),
            Op::Resize { area, height, width, filter } => {
                write!(f, " {width}x{height} {}", filter.name())?;
                area.map_or(Ok(()), |area| write!(f, " of {area}"))
            }
            Op::Identity | Op::AutoContrast | Op::Equalize | Op::Invert | Op::Grayscale => Ok(()),
            Op::FlipHorizontal | Op::FlipVertical => Ok(()),
        }
    }
}

/// Width, height, left and top as X11 writes them: `224x224+12+40`.
impl Display for Area {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}{:+}{:+}", self.width, self.height, self.left, self.top)
    }
}

impl Filter {
    fn name(self) -> &'static str {
        match self {
            Filter::Nearest => "nearest",
            Filter::Bilinear => "bilinear",
            Filter::Bicubic => "bicubic",
            Filter::Lanczos => "lanczos",
        }
    }
}

fn with_sampling(f: &mut Formatter<'_>, values: &[f32], sampling: Sampling) -> fmt::Result {
    values.iter().try_for_each(|value| number(f, *value))?;
    f.write_str(match sampling {
        Sampling::Nearest => "",
        Sampling::Bilinear => " bilinear",
        Sampling::Bicubic => " bicubic",
    })
}

fn number(f: &mut Formatter<'_>, value: f32) -> fmt::Result {
    match f.precision() {
        Some(decimals) => write!(f, " {value:.decimals$}"),
        None => write!(f, " {value:?}"),
    }
}

fn augmix(f: &mut Formatter<'_>, keep: f32, chains: &[(f32, Vec<Op>)]) -> fmt::Result {
    f.write_str(" keep")?;
    number(f, keep)?;
    for (weight, ops) in chains {
        f.write_str(" +")?;
        number(f, *weight)?;
        f.write_str(" (")?;
        for (position, op) in ops.iter().enumerate() {
            f.write_str(if position == 0 { "" } else { ", " })?;
            op.fmt(f)?;
        }
        f.write_str(")")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
