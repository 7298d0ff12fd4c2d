//! Affine maps: rotate, shear, and both with a shift.
//!
//! A map goes from the result to the source: the pixel at `(x, y)` shows the source at
//! `(a x + b y + c, d x + e y + f)`, both measured from the top-left corner, pixel centres at halves.
//!
//! Coordinates are fixed-point integers, and for each row the run of pixels that lie inside the source is computed
//! up front, so that the inner loops have no conditions.

use std::ops::Range;

use super::Sampling;
use super::canvas::Canvas;
use super::crop::{shift_columns, shift_rows};
use crate::Fill;
use crate::scratch::Scratch;

/// `[a, b, c, d, e, f]` of the map above.
pub(super) type Matrix = [f64; 6];

/// Shears along x; the top edge stays.
pub(super) fn shear_x(canvas: &mut Canvas<'_>, tangent: f32, sampling: Sampling, fill: Fill, scratch: &mut Scratch) {
    warp(canvas, &[1.0, f64::from(tangent), 0.0, 0.0, 1.0, 0.0], sampling, fill, scratch);
}

/// Shears along y; the left edge stays.
pub(super) fn shear_y(canvas: &mut Canvas<'_>, tangent: f32, sampling: Sampling, fill: Fill, scratch: &mut Scratch) {
    warp(canvas, &[1.0, 0.0, 0.0, f64::from(tangent), 1.0, 0.0], sampling, fill, scratch);
}

/// Moves right and down; whole pixels are moved as rows.
pub(super) fn translate(
    canvas: &mut Canvas<'_>,
    [right, down]: [f32; 2],
    sampling: Sampling,
    fill: Fill,
    scratch: &mut Scratch,
) {
    if right == 0.0 && down.fract() == 0.0 {
        return shift_rows(canvas, down as i64, fill);
    }
    if right.fract() == 0.0 && down == 0.0 {
        return shift_columns(canvas, right as i64, fill);
    }
    warp(canvas, &[1.0, 0.0, -f64::from(right), 0.0, 1.0, -f64::from(down)], sampling, fill, scratch);
}

/// The map of [`Op::Affine`](super::Op::Affine): `S R (p - centre - translate) + centre`.
pub(super) fn affine(image: &Canvas<'_>, degrees: f32, shear: [f32; 2], translate: [f32; 2]) -> Matrix {
    let angle = -(f64::from(degrees).rem_euclid(360.0)).to_radians();
    let (cos, sin) = (round15(libm::cos(angle)), round15(libm::sin(angle)));
    let [sx, sy] = shear.map(f64::from);
    let [tx, ty] = translate.map(f64::from);
    let (cx, cy) = (f64::from(image.width) / 2.0, f64::from(image.height) / 2.0);
    // S R, row by row.
    let (a, b) = (cos - sx * sin, sin + sx * cos);
    let (d, e) = (sy * cos - sin, sy * sin + cos);
    let (x, y) = (-cx - tx, -cy - ty);
    [a, b, a * x + b * y + cx, d, e, d * x + e * y + cy]
}

/// Rounds to 15 decimals as Pillow does, so that a right angle has a cosine of exactly 0.
fn round15(value: f64) -> f64 {
    (value * 1e15).round() / 1e15
}

/// Replaces the image by its map; what comes from outside is `fill`.
pub(super) fn warp(canvas: &mut Canvas<'_>, matrix: &Matrix, sampling: Sampling, fill: Fill, scratch: &mut Scratch) {
    match (sampling, canvas.channels) {
        (Sampling::Nearest, 1) => nearest::<1>(canvas, matrix, fill, scratch),
        (Sampling::Nearest, _) => nearest::<3>(canvas, matrix, fill, scratch),
        (Sampling::Bilinear, 1) => smooth::<1, 1>(canvas, matrix, fill, scratch, bilinear),
        (Sampling::Bilinear, _) => smooth::<3, 1>(canvas, matrix, fill, scratch, bilinear),
        (Sampling::Bicubic, 1) => smooth::<1, 2>(canvas, matrix, fill, scratch, bicubic),
        (Sampling::Bicubic, _) => smooth::<3, 2>(canvas, matrix, fill, scratch, bicubic),
    }
}

/// The map in fixed point with some number of fractional bits: the source of the first pixel and the steps to
/// the next one along x and along y.
struct Fixed {
    start: [i64; 2],
    along_x: [i64; 2],
    along_y: [i64; 2],
}

impl Fixed {
    fn new(&[a, b, c, d, e, f]: &Matrix, bits: u32) -> Self {
        let one = (1_u64 << bits) as f64;
        let fix = |v: f64| (v * one + 0.5).floor() as i64;
        let start = [fix(c + a * 0.5 + b * 0.5), fix(f + d * 0.5 + e * 0.5)];
        Self { start, along_x: [fix(a), fix(d)], along_y: [fix(b), fix(e)] }
    }

    /// Source of the first pixel of row `y`.
    fn row(&self, y: usize) -> [i64; 2] {
        [0, 1].map(|axis| self.start[axis] + self.along_y[axis] * y as i64)
    }

    /// The pixels of a row of `width` whose source lies in an area of `size` (fixed point).
    fn span(&self, row: [i64; 2], size: [i64; 2], width: usize) -> Range<usize> {
        let [x, y] = [0, 1].map(|axis| inside(row[axis], self.along_x[axis], size[axis], width as i64));
        let start = x.start.max(y.start);
        start..x.end.min(y.end).max(start)
    }
}

/// The `i` in `0..n` with `0 <= start + i step < limit`; an empty range may lie anywhere.
fn inside(start: i64, step: i64, limit: i64, n: i64) -> Range<usize> {
    // First i at which a rising line from `from` reaches `to`.
    let reach = |from: i64, to: i64, step: i64| (to - from + step - 1).div_euclid(step).clamp(0, n) as usize;
    match step {
        0 if (0..limit).contains(&start) => 0..n as usize,
        0 => 0..0,
        1.. => reach(start, 0, step)..reach(start, limit, step),
        // Falling: mirror the line about the middle of the area.
        _ => reach(limit - 1 - start, 0, -step)..reach(limit - 1 - start, limit, -step),
    }
}

/// Nearest sampling with Pillow's 16 fractional bits and its rounding.
fn nearest<const C: usize>(canvas: &mut Canvas<'_>, matrix: &Matrix, fill: Fill, scratch: &mut Scratch) {
    const BITS: u32 = 16;
    let fixed = Fixed::new(matrix, BITS);
    let (width, height) = (canvas.width as usize, canvas.height as usize);
    let size = [(width as i64) << BITS, (height as i64) << BITS];
    scratch.pixels.clear();
    scratch.pixels.extend_from_slice(canvas.pixels);
    let (source, rows) = (scratch.pixels.as_chunks::<C>().0, canvas.pixels.as_chunks_mut::<C>().0);
    let paint = paint::<C>(fill);
    for (y, row) in rows.chunks_exact_mut(width).enumerate() {
        let from = fixed.row(y);
        let span = fixed.span(from, size, width);
        row[..span.start].fill(paint);
        row[span.end..].fill(paint);
        let [dx, dy] = fixed.along_x;
        let [mut sx, mut sy] = [from[0] + dx * span.start as i64, from[1] + dy * span.start as i64];
        if dx == 1 << BITS && dy == 0 && !span.is_empty() {
            // The row is one run of the source, as in every shear along x.
            let first = (sy >> BITS) as usize * width + (sx >> BITS) as usize;
            let length = span.len();
            row[span].copy_from_slice(&source[first..first + length]);
            continue;
        }
        for pixel in &mut row[span] {
            *pixel = source[(sy >> BITS) as usize * width + (sx >> BITS) as usize];
            sx += dx;
            sy += dy;
        }
    }
}

/// The fill value of a pixel of `C` channels.
fn paint<const C: usize>(fill: Fill) -> [u8; C] {
    std::array::from_fn(|channel| fill[channel.min(2)])
}

/// Fractional bits of the smooth samplings' coordinates.
const BITS: u32 = 24;

/// Sampling between pixels. Beyond the outer pixel centres the edge pixels go on; outside of the image it is `fill`.
/// `read` gets the padded source, its width, and the place in it.
fn smooth<const C: usize, const PAD: usize>(
    canvas: &mut Canvas<'_>,
    matrix: &Matrix,
    fill: Fill,
    scratch: &mut Scratch,
    read: impl Fn(&[[u8; C]], usize, [i64; 2]) -> [u8; C],
) {
    let fixed = Fixed::new(matrix, BITS);
    let (width, height) = (canvas.width as usize, canvas.height as usize);
    let size = [(width as i64) << BITS, (height as i64) << BITS];
    pad_edges::<C, PAD>(canvas, &mut scratch.pixels);
    let (source, padded) = (scratch.pixels.as_chunks::<C>().0, width + 2 * PAD);
    let paint = paint::<C>(fill);
    let rows = canvas.pixels.as_chunks_mut::<C>().0.chunks_exact_mut(width);
    for (y, row) in rows.enumerate() {
        let from = fixed.row(y);
        let span = fixed.span(from, size, width);
        row[..span.start].fill(paint);
        row[span.end..].fill(paint);
        let [dx, dy] = fixed.along_x;
        // From corners to centres is half a pixel back, from the image to its padded copy `PAD` pixels on.
        let shift = ((2 * PAD as i64) - 1) << (BITS - 1);
        let [mut sx, mut sy] = [from[0] + dx * span.start as i64 + shift, from[1] + dy * span.start as i64 + shift];
        for pixel in &mut row[span] {
            *pixel = read(source, padded, [sx, sy]);
            sx += dx;
            sy += dy;
        }
    }
}

/// Weighted mean of the four pixels around. Weights have 11 bits, which keeps a result within one step of Pillow's floats;
/// it is cut down like Pillow's.
#[inline]
fn bilinear<const C: usize>(source: &[[u8; C]], padded: usize, [sx, sy]: [i64; 2]) -> [u8; C] {
    let at = (sy >> BITS) as usize * padded + (sx >> BITS) as usize;
    let [a, b, c, d] = [source[at], source[at + 1], source[at + padded], source[at + padded + 1]];
    let [x, y] = [sx, sy].map(|place| (place >> (BITS - 11)) as u32 & 2047);
    std::array::from_fn(|i| {
        let top = u32::from(a[i]) * (2048 - x) + u32::from(b[i]) * x;
        let bottom = u32::from(c[i]) * (2048 - x) + u32::from(d[i]) * x;
        ((top * (2048 - y) + bottom * y) >> 22) as u8
    })
}

/// Cubic with a = -1 over the sixteen pixels around, as in Pillow's transform (a fourth-order polynomial a row, then one
/// over the rows), cut to 0..=255.
#[inline]
fn bicubic<const C: usize>(source: &[[u8; C]], padded: usize, [sx, sy]: [i64; 2]) -> [u8; C] {
    let at = ((sy >> BITS) as usize - 1) * padded + (sx >> BITS) as usize - 1;
    let [x, y] = [sx, sy].map(|place| (place & ((1 << BITS) - 1)) as f64 / f64::from(1 << BITS));
    std::array::from_fn(|i| {
        let rows: [f64; 4] = std::array::from_fn(|row| {
            cubic(std::array::from_fn(|column| f64::from(source[at + row * padded + column][i])), x)
        });
        cubic(rows, y) as u8
    })
}

/// The cubic through four values at -1, 0, 1 and 2, at a place in 0..1.
fn cubic([v1, v2, v3, v4]: [f64; 4], d: f64) -> f64 {
    let p = [v2, v3 - v1, 2.0 * (v1 - v2) + v3 - v4, v2 - v1 + v4 - v3];
    p[0] + d * (p[1] + d * (p[2] + d * p[3]))
}

/// Copies the image with `PAD` more pixels on each side, the edge repeated.
fn pad_edges<const C: usize, const PAD: usize>(canvas: &Canvas<'_>, padded: &mut Vec<u8>) {
    padded.clear();
    let stride = canvas.stride();
    let last = canvas.height as usize - 1;
    for y in (0..last + 1 + 2 * PAD).map(|y| y.saturating_sub(PAD).min(last)) {
        let row = &canvas.pixels[y * stride..][..stride];
        (0..PAD).for_each(|_| padded.extend_from_slice(&row[..C]));
        padded.extend_from_slice(row);
        (0..PAD).for_each(|_| padded.extend_from_slice(&row[stride - C..]));
    }
}
