//! A change of size, and what of a picture it reads.

use super::{Borrowed, Size};
use crate::decode::{self, Wanted};
use crate::op::{self, overlap};
use crate::resample::{Axis, Resampler, Source};
use crate::{Area, Fill, Filter, ImageError, Op};

/// Which part of a picture some pixels are.
#[derive(Copy, Clone, Debug)]
pub(super) struct Placed {
    /// The size of the whole picture in the coordinates of the ops.
    pub(super) size: Size,
    /// Where the first of the pixels lies, in pixels of the scaled picture.
    left: u32,
    top: u32,
    /// Pixels of the scaled picture for each one of the ops' coordinates.
    scale: f64,
}

impl Placed {
    /// All of a picture.
    pub(super) fn whole(size: Size) -> Self {
        Self { size, left: 0, top: 0, scale: 1.0 }
    }

    /// What a decoder has decoded of a picture of this size.
    pub(super) fn of(decoded: &decode::Placed, size: Size) -> Self {
        let (numerator, denominator) = decoded.scale;
        let scale = f64::from(numerator) / f64::from(denominator);
        Self { size, left: decoded.left, top: decoded.top, scale }
    }
}

/// A change of size with what can be done on the way.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stroke {
    /// An area, of which what lies outside of the picture has the fill value.
    Crop { area: Area, fill: Fill },
    /// The area as an image of its own, resized to `size`; of that the window, and that mirrored left-right.
    Resize { area: Area, size: Size, window: Area, filter: Filter, mirror: bool },
}

impl Stroke {
    /// The change of size that these ops, on a picture of `size`, begin with, and how many of them it does.
    pub(super) fn of(ops: &[(Op, Fill)], size: Size) -> Result<(Self, usize), ImageError> {
        match ops {
            [(Op::Crop(area), fill), ..] => Ok((Self::Crop { area: *area, fill: *fill }, 1)),
            [(Op::Resize { area, width, height, filter }, _), rest @ ..] => {
                let area = inside(*area, size)?;
                Ok(resize(area, (*width, *height), *filter, rest))
            }
            _ => Err(op::refuse("op", "stroke", "none".to_string(), "a change of size")),
        }
    }

    /// (width, height) of the result.
    pub(super) fn size(&self) -> Size {
        match self {
            Self::Crop { area, .. } | Self::Resize { window: area, .. } => (area.width, area.height),
        }
    }

    /// What it reads of a picture of `size`, and how small that may be.
    fn wanted(&self, size: Size) -> Wanted {
        match *self {
            Self::Crop { area, .. } => {
                let (columns, rows) = (overlap(area.left, area.width, size.0), overlap(area.top, area.height, size.1));
                Wanted { area: rectangle(columns, rows), least: None }
            }
            Self::Resize { area, size, window, filter, .. } => {
                let (x, y) = axes(area, size, window);
                let (x, y) = (x.reach(filter), y.reach(filter));
                let read = Area {
                    left: area.left + x.start as i32,
                    top: area.top + y.start as i32,
                    width: x.end - x.start,
                    height: y.end - y.start,
                };
                let least = (filter != Filter::Nearest).then(|| least(area, size, read));
                Wanted { area: read, least }
            }
        }
    }

    /// Does it.
    pub(super) fn run(
        &self,
        from: Borrowed<'_>,
        placed: &Placed,
        resampler: &mut Resampler,
        out: &mut [u8],
    ) -> Result<(), ImageError> {
        match *self {
            Self::Crop { area, fill } => {
                let area = Area { left: area.left - placed.left as i32, top: area.top - placed.top as i32, ..area };
                let Borrowed { width, height, channels, pixels } = from;
                op::crop_into(pixels, (width, height, channels), area, fill, out);
                Ok(())
            }
            Self::Resize { area, size, window, filter, mirror } => {
                let Borrowed { pixels, width, height, channels } = from;
                let (left, top) = (placed.left as i32, placed.top as i32);
                if placed.scale == 1.0 {
                    let (x, y) = axes(area, size, window);
                    let source =
                        Source { pixels, width, height, channels, left: left - area.left, top: top - area.top };
                    return resampler.resample(&source, &x, &y, filter, mirror, out);
                }
                let scale = |start: i32, length: u32, size: u32, window: (i32, u32), at: u32, there: u32| {
                    let step = f64::from(length) / f64::from(size);
                    let place = |pixel: f64| (f64::from(start) + pixel * step) * placed.scale - f64::from(at);
                    let (from, to) = (place(f64::from(window.0)), place(f64::from(window.0) + f64::from(window.1)));
                    let limit = f64::from(there);
                    let from = from.clamp(0.0, limit - 0.5);
                    Axis { length: there, from, to: to.clamp(from + 0.5, limit), size: window.1, window: 0..window.1 }
                };
                let columns = (window.left, window.width);
                let x = scale(area.left, area.width, size.0, columns, placed.left, width);
                let y = scale(area.top, area.height, size.1, (window.top, window.height), placed.top, height);
                let source = Source { pixels, width, height, channels, left: 0, top: 0 };
                resampler.resample(&source, &x, &y, filter, mirror, out)
            }
        }
    }
}

/// What must be decoded of a picture of `size` before these ops.
pub(super) fn wanted(ops: &[(Op, Fill)], size: Size) -> Result<Wanted, ImageError> {
    match ops.first() {
        Some((op, _)) if !op.keeps_size() => Ok(Stroke::of(ops, size)?.0.wanted(size)),
        _ => Ok(Wanted { area: rectangle(0..size.0 as usize, 0..size.1 as usize), least: None }),
    }
}

/// A resize, with the crop of its result and the mirror that may follow.
fn resize(area: Area, size: Size, filter: Filter, rest: &[(Op, Fill)]) -> (Stroke, usize) {
    let mut used = 1;
    let mut window = Area { left: 0, top: 0, width: size.0, height: size.1 };
    if let Some((Op::Crop(cut), _)) = rest.first()
        && inside(Some(*cut), size) == Ok(*cut)
    {
        (window, used) = (*cut, 2);
    }
    let mirror = matches!(rest.get(used - 1), Some((Op::FlipHorizontal, _)));
    (Stroke::Resize { area, size, window, filter, mirror }, used + usize::from(mirror))
}

/// The axes of a resize of an area that is an image of its own.
fn axes(area: Area, size: Size, window: Area) -> (Axis, Axis) {
    let axis = |length: u32, size: u32, start: i32, count: u32| Axis {
        length,
        from: 0.0,
        to: f64::from(length),
        size,
        window: start as u32..start as u32 + count,
    };
    (axis(area.width, size.0, window.left, window.width), axis(area.height, size.1, window.top, window.height))
}

/// How small the part that is read may come: such that the area would still have the size of the result.
fn least(area: Area, size: Size, read: Area) -> Size {
    let share = |size: u32, part: u32, whole: u32| {
        let least = u64::from(size) * u64::from(part) / u64::from(whole.max(1));
        u32::try_from(least).unwrap_or(u32::MAX).max(1)
    };
    (share(size.0, read.width, area.width), share(size.1, read.height, area.height))
}

/// The part of the area (everything if none) that lies in a picture of `size`.
fn inside(area: Option<Area>, size: Size) -> Result<Area, ImageError> {
    let area = area.unwrap_or(Area { left: 0, top: 0, width: size.0, height: size.1 });
    let (columns, rows) = (overlap(area.left, area.width, size.0), overlap(area.top, area.height, size.1));
    if columns.is_empty() || rows.is_empty() {
        let found = format!("{area:?} of an image of {}x{}", size.0, size.1);
        return Err(op::refuse("op", "resize", found, "an area that overlaps the image"));
    }
    Ok(rectangle(columns, rows))
}

/// The area of some columns and rows of a picture; one pixel where there are none.
fn rectangle(columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) -> Area {
    let side = |range: std::ops::Range<usize>| {
        if range.is_empty() { (0, 1) } else { (range.start as i32, range.len() as u32) }
    };
    let ((left, width), (top, height)) = (side(columns), side(rows));
    Area { left, top, width, height }
}
