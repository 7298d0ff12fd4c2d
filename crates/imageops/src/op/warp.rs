//! Affine maps: rotate, shear, and both with a shift.
//!
//! A map goes from the result to the source: the pixel at `(x, y)` shows the source at
//! `(a x + b y + c, d x + e y + f)`, both measured from the top-left corner, pixel centres at halves.
//!
//! What is here reads the nearest pixel, bit for bit as Pillow does: by fixed-point coordinates, and for each row the run of
//! pixels that lie inside the source is computed up front, so that the inner loop has no conditions.

use std::ops::Range;

use super::canvas::{Canvas, flood};
use super::crop::{shift_columns, shift_rows};
use super::{Sampling, sample};
use crate::Fill;
use crate::scratch::{Run, Scratch};

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

/// Rounds to 15 decimals as Pillow does, so that a right angle has a cosine of exactly 0. Correct to the last bit as
/// Python's `round` is: `rest` is what the product lost.
fn round15(value: f64) -> f64 {
    let product = value * 1e15;
    let rest = libm::fma(value, 1e15, -product);
    let whole = product.floor();
    let up = (product - whole) + rest >= 0.5;
    (whole + f64::from(u8::from(up))) / 1e15
}

/// Replaces the image by its map; what comes from outside is `fill`.
pub(super) fn warp(canvas: &mut Canvas<'_>, matrix: &Matrix, sampling: Sampling, fill: Fill, scratch: &mut Scratch) {
    match (sampling, canvas.channels) {
        (Sampling::Nearest, _) if matrix[1] == 0.0 && matrix[3] == 0.0 => straight(canvas, matrix, fill, scratch),
        (Sampling::Nearest, 1) if is_far(canvas, matrix) => drifting::<1>(canvas, matrix, fill, scratch),
        (Sampling::Nearest, _) if is_far(canvas, matrix) => drifting::<3>(canvas, matrix, fill, scratch),
        (Sampling::Nearest, 1) => nearest::<1>(canvas, matrix, fill, scratch),
        (Sampling::Nearest, _) => nearest::<3>(canvas, matrix, fill, scratch),
        (Sampling::Bilinear, 1) => sample::bilinear::<1>(canvas, matrix, fill, scratch),
        (Sampling::Bilinear, _) => sample::bilinear::<3>(canvas, matrix, fill, scratch),
        (Sampling::Bicubic, 1) => sample::bicubic::<1>(canvas, matrix, fill, scratch),
        (Sampling::Bicubic, _) => sample::bicubic::<3>(canvas, matrix, fill, scratch),
    }
}

/// Fractional bits of Pillow's fixed point.
const BITS: u32 = 16;

/// The map in fixed point: the source of the first pixel and the steps to the next one along x and along y.
struct Fixed {
    start: [i64; 2],
    along_x: [i64; 2],
    along_y: [i64; 2],
}

impl Fixed {
    fn new(&[a, b, c, d, e, f]: &Matrix) -> Self {
        let fix = |v: f64| (v * f64::from(1 << BITS) + 0.5).floor() as i64;
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

/// Nearest sampling in fixed point.
fn nearest<const C: usize>(canvas: &mut Canvas<'_>, matrix: &Matrix, fill: Fill, scratch: &mut Scratch) {
    let fixed = Fixed::new(matrix);
    let (width, height) = (canvas.width as usize, canvas.height as usize);
    let size = [(width as i64) << BITS, (height as i64) << BITS];
    scratch.pixels.clear();
    scratch.pixels.extend_from_slice(canvas.pixels);
    let (source, rows) = (scratch.pixels.as_chunks::<C>().0, canvas.pixels.as_chunks_mut::<C>().0);
    let paint = paint::<C>(fill);
    for (y, row) in rows.chunks_exact_mut(width).enumerate() {
        let from = fixed.row(y);
        let span = fixed.span(from, size, width);
        flood(row[..span.start].as_flattened_mut(), &paint);
        flood(row[span.end..].as_flattened_mut(), &paint);
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

/// Nearest sampling where nothing turns: rows stay rows. As in Pillow coordinates are floats that are added up, with their
/// rounding errors, from pixel to pixel and row to row.
fn straight(canvas: &mut Canvas<'_>, matrix: &Matrix, fill: Fill, scratch: &mut Scratch) {
    let [a, _, c, _, e, f] = *matrix;
    let (stride, channels) = (canvas.stride(), usize::from(canvas.channels));
    scratch.pixels.clear();
    scratch.pixels.extend_from_slice(canvas.pixels);
    scratch.runs.clear();
    find_runs(c + a * 0.5, a, canvas.width as usize, &mut scratch.runs);
    let mut y = f + e * 0.5;
    let lines = 0.0..f64::from(canvas.height);
    for row in canvas.pixels.chunks_exact_mut(stride) {
        flood(row, &fill[..channels.min(fill.len())]);
        if lines.contains(&y) {
            let source = &scratch.pixels[y as usize * stride..][..stride];
            for &Run { to, from, length } in &scratch.runs {
                let bytes = |start: usize| start * channels..(start + length) * channels;
                row[bytes(to)].copy_from_slice(&source[bytes(from)]);
            }
        }
        y += e;
    }
}

/// The runs of columns that stay neighbours, where `x` is the source of the first column and `step` that of the next.
fn find_runs(mut x: f64, step: f64, width: usize, runs: &mut Vec<Run>) {
    for to in 0..width {
        if (0.0..width as f64).contains(&x) {
            let from = x as usize;
            match runs.last_mut() {
                Some(run) if run.to + run.length == to && run.from + run.length == from => run.length += 1,
                _ => runs.push(Run { to, from, length: 1 }),
            }
        }
        x += step;
    }
}

/// Whether a corner is too far away for Pillow's fixed point.
fn is_far(canvas: &Canvas<'_>, &[a, b, c, d, e, f]: &Matrix) -> bool {
    let (width, height) = (f64::from(canvas.width), f64::from(canvas.height));
    let far = |x: f64, y: f64| (x * a + y * b + c).abs() >= 32768.0 || (x * d + y * e + f).abs() >= 32768.0;
    far(0.0, 0.0) || far(width, height) || far(0.0, height) || far(width, 0.0)
}

/// Nearest sampling in floats that are added up, too.
fn drifting<const C: usize>(canvas: &mut Canvas<'_>, matrix: &Matrix, fill: Fill, scratch: &mut Scratch) {
    let [a, b, c, d, e, f] = *matrix;
    let (width, height) = (canvas.width as usize, canvas.height as usize);
    scratch.pixels.clear();
    scratch.pixels.extend_from_slice(canvas.pixels);
    let (source, rows) = (scratch.pixels.as_chunks::<C>().0, canvas.pixels.as_chunks_mut::<C>().0);
    let (columns, lines) = (0.0..width as f64, 0.0..height as f64);
    let paint = paint::<C>(fill);
    let [mut row_x, mut row_y] = [c + b * 0.5 + a * 0.5, f + e * 0.5 + d * 0.5];
    for row in rows.chunks_exact_mut(width) {
        let [mut x, mut y] = [row_x, row_y];
        for pixel in row {
            let inside = columns.contains(&x) && lines.contains(&y);
            *pixel = if inside { source[y as usize * width + x as usize] } else { paint };
            x += a;
            y += d;
        }
        row_x += b;
        row_y += e;
    }
}

/// The fill value of a pixel of `C` channels.
pub(super) fn paint<const C: usize>(fill: Fill) -> [u8; C] {
    std::array::from_fn(|channel| fill[channel.min(2)])
}
