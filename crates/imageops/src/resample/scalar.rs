//! The portable path; the others give the same bits.

use super::weights::{BITS, Weights};

const HALF: i32 = 1 << (BITS - 1);

/// The pixel value of a sum of weighted pixels: without the fixed point, cut to 0..=255.
fn value(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// Resamples one row. `origin` is the column at which `row` begins.
pub(super) fn horizontal<const C: usize>(weights: &Weights, origin: i32, row: &[u8], out: &mut [u8]) {
    let (row, out) = (row.as_chunks::<C>().0, out.as_chunks_mut::<C>().0);
    for (pixel, span) in out.iter_mut().zip(&weights.spans) {
        let start = (i64::from(span.first) - i64::from(origin)) as usize;
        let mut sums = [HALF; C];
        for (source, weight) in row[start..].iter().zip(weights.of(span)) {
            for (sum, &v) in sums.iter_mut().zip(source) {
                *sum = sum.wrapping_add(i32::from(v) * weight);
            }
        }
        *pixel = sums.map(value);
    }
}

/// Sums rows that begin `stride` apart, each with its weight.
pub(super) fn vertical(weights: &[i32], rows: &[u8], stride: usize, out: &mut [u8]) {
    for (column, pixel) in out.iter_mut().enumerate() {
        let place = |index: usize| i32::from(rows[index * stride + column]);
        let add = |sum: i32, (index, weight): (usize, &i32)| sum.wrapping_add(place(index) * weight);
        *pixel = value(weights.iter().enumerate().fold(HALF, add));
    }
}
