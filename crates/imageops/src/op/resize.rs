//! Resizing: the resampler crate's SIMD convolution, and nearest by table.

use std::mem::swap;

use fast_image_resize::images::{CroppedImage, Image as Target, ImageRef};
use fast_image_resize::{FilterType, IntoImageView, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::crop::overlap;
use super::{Area, Filter};
use crate::pixels::check_size;
use crate::scratch::Scratch;
use crate::{Image, ImageError};

/// Width and height in pixels.
type Size = (u32, u32);

/// Resizes an area of the image (cut to the image) to `size` (width, height). The area is taken as if it were an image
/// of its own: nothing around it bleeds in.
pub(super) fn resize(
    image: &mut Image,
    area: Option<Area>,
    size: Size,
    filter: Filter,
    scratch: &mut Scratch,
) -> Result<(), ImageError> {
    let area = inside(image, area)?;
    if area.left == 0
        && area.top == 0
        && (area.width, area.height) == (image.width, image.height)
        && (area.width, area.height) == size
    {
        return Ok(());
    }
    let target = &mut scratch.pixels;
    clear(target, size, image.channels);
    match convolution(filter) {
        None => nearest(image, area, size, target),
        Some(filter) => convolve(image, area, size, filter, scratch).map_err(|reason| failure(area, size, reason))?,
    }
    swap(&mut image.pixels, &mut scratch.pixels);
    (image.width, image.height) = size;
    Ok(())
}

fn clear(buffer: &mut Vec<u8>, (width, height): Size, channels: u8) {
    buffer.clear();
    buffer.resize(width as usize * height as usize * usize::from(channels), 0);
}

/// The part of the area that lies in the image.
fn inside(image: &Image, area: Option<Area>) -> Result<Area, ImageError> {
    let whole = Area { left: 0, top: 0, width: image.width, height: image.height };
    let area = area.unwrap_or(whole);
    let columns = overlap(area.left, area.width, image.width);
    let rows = overlap(area.top, area.height, image.height);
    if columns.is_empty() || rows.is_empty() {
        let found = format!("{area:?} of an image of {}x{}", image.width, image.height);
        return Err(super::refuse("op", "resize", found, "an area that overlaps the image"));
    }
    Ok(Area {
        left: columns.start as i32,
        top: rows.start as i32,
        width: columns.len() as u32,
        height: rows.len() as u32,
    })
}

fn convolution(filter: Filter) -> Option<FilterType> {
    match filter {
        Filter::Nearest => None,
        Filter::Bilinear => Some(FilterType::Bilinear),
        Filter::Bicubic => Some(FilterType::CatmullRom),
        Filter::Lanczos => Some(FilterType::Lanczos3),
    }
}

/// Resamples along one axis, then along the other, into `scratch.pixels`.
fn convolve(image: &Image, area: Area, size: Size, filter: FilterType, scratch: &mut Scratch) -> Result<(), String> {
    let kind = if image.channels == 1 { PixelType::U8 } else { PixelType::U8x3 };
    let source = ImageRef::new(image.width, image.height, &image.pixels, kind).map_err(text)?;
    let (left, top) = (area.left as u32, area.top as u32);
    let source = CroppedImage::new(&source, left, top, area.width, area.height).map_err(text)?;
    let between = between((area.width, area.height), size);
    let Scratch { pixels, half, resizer, .. } = scratch;
    if between == (area.width, area.height) || between == size {
        return pass(resizer, &source, pixels, size, kind, filter);
    }
    clear(half, between, image.channels);
    pass(resizer, &source, half, between, kind, filter)?;
    let source = ImageRef::new(between.0, between.1, half, kind).map_err(text)?;
    pass(resizer, &source, pixels, size, kind, filter)
}

/// The size between the two passes. Values are cut to 0..255 in between, so with filters that overshoot the order
/// shows. Pillow 13 begins with y where that takes away more than twice as many rows as x would take columns (found
/// by experiment). An order whose middle image would be huge gives way to the other: the product of both middle
/// areas is that of source and target, so one is small.
fn between(from: Size, to: Size) -> Size {
    let (x_first, y_first) = ((to.0, from.1), (from.0, to.1));
    let rows = i64::from(from.1) - i64::from(to.1);
    let columns = i64::from(from.0) - i64::from(to.0);
    let (wanted, other) = match rows > 0 && rows > 2 * columns {
        true => (y_first, x_first),
        false => (x_first, y_first),
    };
    if check_size(wanted.0, wanted.1) { wanted } else { other }
}

fn pass(
    resizer: &mut Resizer,
    source: &impl IntoImageView,
    target: &mut [u8],
    size: Size,
    kind: PixelType,
    filter: FilterType,
) -> Result<(), String> {
    let mut target = Target::from_slice_u8(size.0, size.1, target, kind).map_err(text)?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
    resizer.resize(source, &mut target, &options).map_err(text)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn failure(area: Area, size: Size, reason: String) -> ImageError {
    let show = |(width, height): (u32, u32)| format!("{width}x{height}");
    ImageError::Resize { from: show((area.width, area.height)), to: show(size), reason }
}

fn nearest(image: &Image, area: Area, size: Size, target: &mut [u8]) {
    match image.channels {
        1 => nearest_of::<1>(image, area, size, target),
        _ => nearest_of::<3>(image, area, size, target),
    }
}

fn nearest_of<const C: usize>(image: &Image, area: Area, size: Size, target: &mut [u8]) {
    let (source, target) = (image.pixels.as_chunks::<C>().0, target.as_chunks_mut::<C>().0);
    let columns: Vec<usize> = places(area.width, size.0).collect();
    let rows = places(area.height, size.1);
    for (row, y) in target.chunks_exact_mut(size.0 as usize).zip(rows) {
        let start = (area.top as usize + y) * image.width as usize + area.left as usize;
        let line = &source[start..start + area.width as usize];
        for (pixel, &x) in row.iter_mut().zip(&columns) {
            *pixel = line[x];
        }
    }
}

/// The source position of each of `to` targets over `from` sources; summed up step by step because Pillow does so and
/// the rounding shows.
fn places(from: u32, to: u32) -> impl Iterator<Item = usize> {
    let step = f64::from(from) / f64::from(to);
    let mut place = step * 0.5;
    (0..to).map(move |_| {
        let here = (place as usize).min(from as usize - 1);
        place += step;
        here
    })
}
