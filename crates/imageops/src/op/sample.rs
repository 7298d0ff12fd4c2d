//! Reading between pixels. Beyond the outer pixel centres the edge pixels go on; outside of the image it is the fill value.
//!
//! Which pixels lie inside is decided in Pillow's floats. Between them weights are integers, which keeps a value within one
//! step of Pillow's.

use std::ops::Range;

use super::canvas::Canvas;
#[cfg(target_arch = "x86_64")]
use super::simd::{self, Level};
use super::warp::{Matrix, paint};
use crate::Fill;
use crate::scratch::Scratch;

/// Fractional bits of the coordinates.
const BITS: u32 = 32;

/// Bytes after the padded image, so that whole vectors can be read at its end.
const SLACK: usize = 16;

/// Fractions of bilinear sampling have 11 bits, and so have its weights.
const LINEAR: u32 = 11;

/// Fractions of bicubic sampling have 10 bits, weights 12.
const CUBIC: u32 = 10;

/// Weighted mean of the four pixels around.
pub(super) fn bilinear<const C: usize>(canvas: &mut Canvas<'_>, matrix: &Matrix, fill: Fill, scratch: &mut Scratch) {
    let padded = pad_edges::<C, 1>(canvas, &mut scratch.pixels);
    #[cfg(target_arch = "x86_64")]
    if C == 3 && simd::level() >= Level::Avx2 {
        // SAFETY: the CPU has AVX2.
        #[allow(unsafe_code)]
        return unsafe { x86::bilinear(canvas, matrix, fill, &padded) };
    }
    sample::<C, LINEAR>(canvas, matrix, fill, &padded, |at, [x, y]| {
        let [top, bottom] = [0, 1].map(|row| padded.row(at, row));
        let [x, y] = [x as u32, y as u32];
        std::array::from_fn(|i| {
            // Fifteen bits after the first mean, which is what fits into the vectors of the quick path.
            let mean = |row: &[u8]| (u32::from(row[i]) * (2048 - x) + u32::from(row[i + C]) * x) >> 4;
            ((mean(top) * (2048 - y) + mean(bottom) * y) >> 18) as u8
        })
    });
}

/// Weighted mean of the sixteen pixels around.
pub(super) fn bicubic<const C: usize>(canvas: &mut Canvas<'_>, matrix: &Matrix, fill: Fill, scratch: &mut Scratch) {
    let padded = pad_edges::<C, 2>(canvas, &mut scratch.pixels);
    #[cfg(target_arch = "x86_64")]
    if C == 3 && simd::level() >= Level::Avx2 {
        // SAFETY: the CPU has AVX2.
        #[allow(unsafe_code)]
        return unsafe { x86::bicubic(canvas, matrix, fill, &padded) };
    }
    sample::<C, CUBIC>(canvas, matrix, fill, &padded, |at, [x, y]| {
        let [across, down] = [WEIGHTS[x], WEIGHTS[y]];
        let rows = [0, 1, 2, 3].map(|row| padded.row(at, row));
        std::array::from_fn(|i| {
            // Six bits after the point in between: with the overshoot that is what fits into 16.
            let mean = |row: &[u8]| (0..4).map(|k| i32::from(row[i + k * C]) * i32::from(across[k])).sum::<i32>() >> 6;
            let sum: i32 = rows.iter().zip(down).map(|(row, weight)| mean(row) * i32::from(weight)).sum();
            (sum >> 18).clamp(0, 255) as u8
        })
    });
}

/// The image with more pixels on each side, the edge repeated, and some slack.
struct Padded<'a> {
    bytes: &'a [u8],
    stride: usize,
}

impl Padded<'_> {
    /// What begins at `at`, some rows further down.
    #[inline(always)]
    fn row(&self, at: usize, rows: usize) -> &[u8] {
        &self.bytes[at + rows * self.stride..]
    }
}

/// Copies the image with `PAD` more pixels on each side.
fn pad_edges<'a, const C: usize, const PAD: usize>(canvas: &Canvas<'_>, bytes: &'a mut Vec<u8>) -> Padded<'a> {
    let stride = canvas.stride();
    let last = canvas.height as usize - 1;
    bytes.clear();
    for y in 0..=last + 2 * PAD {
        let row = &canvas.pixels[y.saturating_sub(PAD).min(last) * stride..][..stride];
        (0..PAD).for_each(|_| bytes.extend_from_slice(&row[..C]));
        bytes.extend_from_slice(row);
        (0..PAD).for_each(|_| bytes.extend_from_slice(&row[stride - C..]));
    }
    bytes.extend_from_slice(&[0; SLACK]);
    Padded { bytes, stride: stride + 2 * PAD * C }
}

/// Computes each pixel whose source lies inside by `pixel` from the place of its first neighbour in the padded image and its
/// fractions of `F` bits; all others are `fill`.
#[inline(always)]
fn sample<const C: usize, const F: u32>(
    canvas: &mut Canvas<'_>,
    matrix: &Matrix,
    fill: Fill,
    padded: &Padded<'_>,
    pixel: impl Fn(usize, [usize; 2]) -> [u8; C],
) {
    let size = (canvas.width, canvas.height);
    let paint = paint::<C>(fill);
    let [dx, dy] = [matrix[0], matrix[3]].map(fixed);
    for (y, row) in canvas.pixels.as_chunks_mut::<C>().0.chunks_exact_mut(size.0 as usize).enumerate() {
        let span = span(matrix, y, size);
        row[..span.start].fill(paint);
        row[span.end..].fill(paint);
        // Half a pixel from corners to centres and the padding come to half a pixel on; and half a fraction, to round.
        let [mut sx, mut sy] =
            place(matrix, span.start, y).map(|place| fixed(place) + (1 << (BITS - 1)) + (1 << (BITS - F - 1)));
        for out in &mut row[span] {
            let at = (sy >> BITS) as usize * padded.stride + (sx >> BITS) as usize * C;
            *out = pixel(at, [sx, sy].map(|place| (place >> (BITS - F)) as usize & ((1 << F) - 1)));
            sx += dx;
            sy += dy;
        }
    }
}

fn fixed(value: f64) -> i64 {
    (value * (1_u64 << BITS) as f64).round() as i64
}

/// The source of a pixel; the order of the operations is Pillow's.
fn place(&[a, b, c, d, e, f]: &Matrix, x: usize, y: usize) -> [f64; 2] {
    let (x, y) = (x as f64 + 0.5, y as f64 + 0.5);
    [a * x + b * y + c, d * x + e * y + f]
}

/// The pixels of row `y` whose source lies inside.
fn span(matrix: &Matrix, y: usize, (width, height): (u32, u32)) -> Range<usize> {
    let along = |axis: usize, limit: u32| {
        inside(matrix[3 * axis], f64::from(limit), width as usize, |x| place(matrix, x, y)[axis])
    };
    let (columns, rows) = (along(0, width), along(1, height));
    let start = columns.start.max(rows.start);
    start..columns.end.min(rows.end).max(start)
}

/// The `x` in `0..n` with `0 <= place(x) < limit`; `place` rises or falls by `step` but for rounding. An empty range may
/// lie anywhere.
fn inside(step: f64, limit: f64, n: usize, place: impl Fn(usize) -> f64) -> Range<usize> {
    let first = place(0);
    // The first x beyond a bound: a guess, which rounding may have put aside.
    let beyond = |bound: f64| {
        let is_beyond = |x: usize| if step < 0.0 { place(x) < bound } else { place(x) >= bound };
        let mut x = (((bound - first) / step).max(0.0) as usize).min(n);
        while x > 0 && is_beyond(x - 1) {
            x -= 1;
        }
        while x < n && !is_beyond(x) {
            x += 1;
        }
        x
    };
    if step < 0.0 { beyond(limit)..beyond(0.0) } else { beyond(0.0)..beyond(limit) }
}

/// The four weights at a fraction of `d / 1024` between the middle two of four pixels: Keys' cubic with a = -1 (Keys
/// 1981, equation 8), as Pillow's transforms have it. They sum to 4096.
const fn cubic(d: i64) -> [i16; 4] {
    let (linear, square, cube) = (d << (2 * CUBIC), (d * d) << CUBIC, d * d * d);
    let first = shorten(2 * square - linear - cube);
    let third = shorten(linear + square - cube);
    let fourth = shorten(cube - square);
    [first as i16, (4096 - first - third - fourth) as i16, third as i16, fourth as i16]
}

/// Rounds from three times the bits of a fraction to 12.
const fn shorten(weight: i64) -> i64 {
    const REST: u32 = 3 * CUBIC - 12;
    (weight + (1 << (REST - 1))) >> REST
}

static WEIGHTS: [[i16; 4]; 1 << CUBIC] = {
    let mut weights = [[0; 4]; 1 << CUBIC];
    let mut d = 0;
    while d < weights.len() {
        weights[d] = cubic(d as i64);
        d += 1;
    }
    weights
};

#[cfg(target_arch = "x86_64")]
mod x86;
