//! Cutting out areas and moving by whole pixels.

use std::mem::swap;
use std::ops::Range;

use super::Area;
use crate::Image;
use crate::scratch::Scratch;

/// Moves the image right and down.
pub(super) fn shift(image: &mut Image, right: i32, down: i32, fill: u8, scratch: &mut Scratch) {
    let area = Area { left: -right, top: -down, width: image.width, height: image.height };
    crop(image, area, fill, scratch);
}

/// Makes the area the image.
pub(super) fn crop(image: &mut Image, area: Area, fill: u8, scratch: &mut Scratch) {
    let (stride, channels) = (image.stride(), usize::from(image.channels));
    let columns = overlap(area.left, area.width, image.width);
    let rows = overlap(area.top, area.height, image.height);
    let target = &mut scratch.pixels;
    let width = area.width as usize * channels;
    target.clear();
    target.resize(width * area.height as usize, fill);
    if !columns.is_empty() && !rows.is_empty() {
        let from = columns.start * channels..columns.end * channels;
        let to = offset(columns.start, area.left) * channels;
        let lines = target.chunks_exact_mut(width).skip(offset(rows.start, area.top));
        for (y, line) in rows.zip(lines) {
            line[to..to + from.len()].copy_from_slice(&image.pixels[y * stride..][from.clone()]);
        }
    }
    swap(&mut image.pixels, target);
    (image.width, image.height) = (area.width, area.height);
}

/// Which of `size` source positions lie within `start .. start + length`.
pub(super) fn overlap(start: i32, length: u32, size: u32) -> Range<usize> {
    let clamp = |position: i64| position.clamp(0, i64::from(size)) as usize;
    clamp(i64::from(start))..clamp(i64::from(start) + i64::from(length))
}

/// Where a source position lies in an area that begins at `start`.
fn offset(position: usize, start: i32) -> usize {
    usize::try_from(position as i64 - i64::from(start)).unwrap_or(0)
}
