//! Affine maps: rotate, shear, and both with a shift.
//!
//! A map goes from the result to the source: the pixel at `(x, y)` shows the source at
//! `(a x + b y + c, d x + e y + f)`, both measured from the top-left corner, pixel centres at halves.
//!
//! Coordinates are fixed-point integers, and for each row the run of pixels that lie inside the source is computed
//! up front, so that the inner loops have no conditions.

use std::mem::swap;
use std::ops::Range;

use super::Sampling;
use crate::Image;
use crate::scratch::Scratch;

/// `[a, b, c, d, e, f]` of the map above.
pub(super) type Matrix = [f64; 6];

/// Rotates about the centre as Pillow's `Image.rotate` does.
pub(super) fn rotate(image: &mut Image, degrees: f32, fill: u8, scratch: &mut Scratch) {
    let matrix = affine(image, degrees, [0.0; 2], [0.0; 2]);
    warp(image, &matrix, Sampling::Nearest, fill, scratch);
}

/// Shears along x; the top edge stays.
pub(super) fn shear_x(image: &mut Image, tangent: f32, fill: u8, scratch: &mut Scratch) {
    let matrix = [1.0, f64::from(tangent), 0.0, 0.0, 1.0, 0.0];
    warp(image, &matrix, Sampling::Nearest, fill, scratch);
}

/// Shears along y; the left edge stays.
pub(super) fn shear_y(image: &mut Image, tangent: f32, fill: u8, scratch: &mut Scratch) {
    let matrix = [1.0, 0.0, 0.0, f64::from(tangent), 1.0, 0.0];
    warp(image, &matrix, Sampling::Nearest, fill, scratch);
}

/// The map of [`Op::Affine`](super::Op::Affine): `S R (p - centre - translate) + centre`.
pub(super) fn affine(image: &Image, degrees: f32, shear: [f32; 2], translate: [f32; 2]) -> Matrix {
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
pub(super) fn warp(image: &mut Image, matrix: &Matrix, sampling: Sampling, fill: u8, scratch: &mut Scratch) {
    match (sampling, image.channels) {
        (Sampling::Nearest, 1) => nearest::<1>(image, matrix, fill, scratch),
        (Sampling::Nearest, _) => nearest::<3>(image, matrix, fill, scratch),
        (Sampling::Bilinear | Sampling::Bicubic, 1) => bilinear::<1>(image, matrix, fill, scratch),
        (_, _) => bilinear::<3>(image, matrix, fill, scratch),
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
fn nearest<const C: usize>(image: &mut Image, matrix: &Matrix, fill: u8, scratch: &mut Scratch) {
    const BITS: u32 = 16;
    let fixed = Fixed::new(matrix, BITS);
    let (width, height) = (image.width as usize, image.height as usize);
    let size = [(width as i64) << BITS, (height as i64) << BITS];
    let target = &mut scratch.pixels;
    target.clear();
    target.resize(image.pixels.len(), fill);
    let (source, rows) = (image.pixels.as_chunks::<C>().0, target.as_chunks_mut::<C>().0);
    for (y, row) in rows.chunks_exact_mut(width).enumerate() {
        let from = fixed.row(y);
        let span = fixed.span(from, size, width);
        let [dx, dy] = fixed.along_x;
        let [mut sx, mut sy] = [from[0] + dx * span.start as i64, from[1] + dy * span.start as i64];
        for pixel in &mut row[span] {
            *pixel = source[(sy >> BITS) as usize * width + (sx >> BITS) as usize];
            sx += dx;
            sy += dy;
        }
    }
    swap(&mut image.pixels, target);
}

/// Bilinear sampling. Beyond the outer pixel centres the edge pixels go on; outside of the image it is `fill`.
/// Weights have 11 bits, which keeps a result within one step of Pillow's floats.
fn bilinear<const C: usize>(image: &mut Image, matrix: &Matrix, fill: u8, scratch: &mut Scratch) {
    const BITS: u32 = 24;
    let fixed = Fixed::new(matrix, BITS);
    let (width, height) = (image.width as usize, image.height as usize);
    let size = [(width as i64) << BITS, (height as i64) << BITS];
    pad_edges::<C>(image, &mut scratch.pixels);
    image.pixels.fill(fill);
    let (source, padded) = (scratch.pixels.as_chunks::<C>().0, width + 2);
    let rows = image.pixels.as_chunks_mut::<C>().0.chunks_exact_mut(width);
    for (y, row) in rows.enumerate() {
        let from = fixed.row(y);
        let span = fixed.span(from, size, width);
        let [dx, dy] = fixed.along_x;
        // Half a pixel from corners to centres, one pixel of padding.
        let half = 1 << (BITS - 1);
        let [mut sx, mut sy] = [from[0] + dx * span.start as i64 + half, from[1] + dy * span.start as i64 + half];
        for pixel in &mut row[span] {
            let at = (sy >> BITS) as usize * padded + (sx >> BITS) as usize;
            let corners = [source[at], source[at + 1], source[at + padded], source[at + padded + 1]];
            *pixel = mix(corners, (sx >> (BITS - 11)) as u32 & 2047, (sy >> (BITS - 11)) as u32 & 2047);
            sx += dx;
            sy += dy;
        }
    }
}

/// Weighted mean of four pixels; weights are 11-bit fractions, the result is cut down like Pillow's.
#[inline]
fn mix<const C: usize>([a, b, c, d]: [[u8; C]; 4], x: u32, y: u32) -> [u8; C] {
    let mut pixel = [0; C];
    for (i, value) in pixel.iter_mut().enumerate() {
        let top = u32::from(a[i]) * (2048 - x) + u32::from(b[i]) * x;
        let bottom = u32::from(c[i]) * (2048 - x) + u32::from(d[i]) * x;
        *value = ((top * (2048 - y) + bottom * y) >> 22) as u8;
    }
    pixel
}

/// Copies the image with one more pixel on each side, the edge repeated.
fn pad_edges<const C: usize>(image: &Image, padded: &mut Vec<u8>) {
    padded.clear();
    let stride = image.stride();
    let last = image.height as usize - 1;
    for y in [0].into_iter().chain(0..=last).chain([last]) {
        let row = &image.pixels[y * stride..][..stride];
        padded.extend_from_slice(&row[..C]);
        padded.extend_from_slice(row);
        padded.extend_from_slice(&row[stride - C..]);
    }
}
