//! The same with vectors: one RGB pixel at a time, its channels side by side.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_blend_epi16, _mm_cvtsi32_si128, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_madd_epi16,
    _mm_packs_epi32, _mm_packus_epi16, _mm_setr_epi8, _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_slli_epi32,
    _mm_srai_epi32,
};

use super::{CUBIC, LINEAR, Padded, WEIGHTS, sample};
use crate::Fill;
use crate::op::canvas::Canvas;
use crate::op::warp::Matrix;

/// The sixteen bytes some rows below a place. The slack after the padded image holds them.
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
fn load(padded: &Padded<'_>, at: usize, rows: usize) -> __m128i {
    let bytes = &padded.row(at, rows)[..16];
    // SAFETY: 16 bytes are there, and the load asks for no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// Two weights of 16 bits for all channels.
#[target_feature(enable = "avx2")]
fn pair(first: i16, second: i16) -> __m128i {
    _mm_shuffle_epi32::<0>(_mm_cvtsi32_si128(i32::from(second) << 16 | i32::from(first) & 0xFFFF))
}

/// Two rows of sums side by side as pairs of 16 bits, after a shift to the right by `RIGHT` (`LEFT` is 16 less that).
#[target_feature(enable = "avx2")]
fn zip<const RIGHT: i32, const LEFT: i32>(upper: __m128i, lower: __m128i) -> __m128i {
    _mm_blend_epi16::<0xAA>(_mm_srai_epi32::<RIGHT>(upper), _mm_slli_epi32::<LEFT>(lower))
}

/// The sums of 18 fractional bits as bytes; the fourth means nothing.
#[target_feature(enable = "avx2")]
fn pixel(sums: __m128i) -> [u8; 3] {
    let sums = _mm_srai_epi32::<18>(sums);
    let words = _mm_packs_epi32(sums, sums);
    let [r, g, b, _] = _mm_cvtsi128_si32(_mm_packus_epi16(words, words)).to_le_bytes();
    [r, g, b]
}

/// Moves two neighbouring pixels, the first at byte `at`, to pairs of 16 bits by channel.
#[target_feature(enable = "avx2")]
fn pairs(row: __m128i, at: i8) -> __m128i {
    let no = -1;
    let [r, g, b] = [at, at + 1, at + 2];
    _mm_shuffle_epi8(row, _mm_setr_epi8(r, no, r + 3, no, g, no, g + 3, no, b, no, b + 3, no, no, no, no, no))
}

#[target_feature(enable = "avx2")]
pub(super) fn bilinear(canvas: &mut Canvas<'_>, matrix: &Matrix, fill: Fill, padded: &Padded<'_>) {
    sample::<3, LINEAR>(canvas, matrix, fill, padded, |at, [x, y]| {
        let (x, y) = (x as i16, y as i16);
        let (across, down) = (pair(2048 - x, x), pair(2048 - y, y));
        let [top, bottom] = [0, 1].map(|row| _mm_madd_epi16(pairs(load(padded, at, row), 0), across));
        pixel(_mm_madd_epi16(zip::<4, 12>(top, bottom), down))
    });
}

#[target_feature(enable = "avx2")]
pub(super) fn bicubic(canvas: &mut Canvas<'_>, matrix: &Matrix, fill: Fill, padded: &Padded<'_>) {
    sample::<3, CUBIC>(canvas, matrix, fill, padded, |at, [x, y]| {
        let [a, b, c, d] = WEIGHTS[x];
        let (left, right) = (pair(a, b), pair(c, d));
        let [first, second, third, fourth] = [0, 1, 2, 3].map(|row| {
            let row = load(padded, at, row);
            _mm_add_epi32(_mm_madd_epi16(pairs(row, 0), left), _mm_madd_epi16(pairs(row, 6), right))
        });
        let [a, b, c, d] = WEIGHTS[y];
        let above = _mm_madd_epi16(zip::<6, 10>(first, second), pair(a, b));
        pixel(_mm_add_epi32(above, _mm_madd_epi16(zip::<6, 10>(third, fourth), pair(c, d))))
    });
}
