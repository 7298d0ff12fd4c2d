//! Cutting out areas and moving by whole pixels.

use std::ops::Range;

use super::Area;
use super::canvas::{Canvas, flood};
use crate::Fill;

/// Copies an area of an image of (width, height, channels), which may reach over the edges, to `out` (the bytes of an
/// image of the area's size).
pub(crate) fn crop_into(pixels: &[u8], (w, h, channels): (u32, u32, u8), area: Area, fill: Fill, out: &mut [u8]) {
    let channels = usize::from(channels);
    let stride = w as usize * channels;
    let columns = overlap(area.left, area.width, w);
    let rows = overlap(area.top, area.height, h);
    let width = area.width as usize * channels;
    if columns.len() * channels < width || rows.len() < area.height as usize {
        flood(out, &fill[..channels.min(fill.len())]);
    }
    if columns.is_empty() {
        return;
    }
    let from = columns.start * channels..columns.end * channels;
    let to = offset(columns.start, area.left) * channels;
    let lines = out.chunks_exact_mut(width).skip(offset(rows.start, area.top));
    for (y, line) in rows.zip(lines) {
        line[to..to + from.len()].copy_from_slice(&pixels[y * stride..][from.clone()]);
    }
}

/// Moves the rows down (up if negative) in one go.
pub(super) fn shift_rows(canvas: &mut Canvas<'_>, down: i64, fill: Fill) {
    let gap = (down.unsigned_abs().min(u64::from(canvas.height)) as usize) * canvas.stride();
    let stay = canvas.pixels.len() - gap;
    let paint = canvas.paint(&fill);
    if down >= 0 {
        canvas.pixels.copy_within(..stay, gap);
        flood(&mut canvas.pixels[..gap], paint);
    } else {
        canvas.pixels.copy_within(gap.., 0);
        flood(&mut canvas.pixels[stay..], paint);
    }
}

/// Moves the columns right (left if negative), row by row.
pub(super) fn shift_columns(canvas: &mut Canvas<'_>, right: i64, fill: Fill) {
    let (stride, channels) = (canvas.stride(), usize::from(canvas.channels));
    let gap = right.unsigned_abs().min(u64::from(canvas.width)) as usize * channels;
    let paint = &fill[..channels.min(fill.len())];
    for row in canvas.pixels.chunks_exact_mut(stride) {
        if right >= 0 {
            row.copy_within(..stride - gap, gap);
            flood(&mut row[..gap], paint);
        } else {
            row.copy_within(gap.., 0);
            flood(&mut row[stride - gap..], paint);
        }
    }
}

/// Which of `size` source positions lie within `start .. start + length`.
pub(crate) fn overlap(start: i32, length: u32, size: u32) -> Range<usize> {
    let clamp = |position: i64| position.clamp(0, i64::from(size)) as usize;
    clamp(i64::from(start))..clamp(i64::from(start) + i64::from(length))
}

/// Where a source position lies in an area that begins at `start`.
fn offset(position: usize, start: i32) -> usize {
    usize::try_from(position as i64 - i64::from(start)).unwrap_or(0)
}
