//! AVX2: products of 16-bit halves.
//!
//! A weight does not fit into 16 bits, so it is split into `high * 2^11 + low`. `pmaddwd` multiplies two pixels by two
//! halves and adds, and `sum(high) * 2^11 + sum(low)` is exactly the sum that the scalar path has.

use std::arch::x86_64::*;

use super::weights::{BITS, Weights};

/// Bits of the lower half of a weight.
const LOW: i32 = 11;

const HALF: i32 = 1 << (BITS - 1);

/// The upper halves of two weights, and their lower halves, each as two i16 in an i32.
fn halves(weights: &[i32]) -> [i32; 2] {
    let at = |index: usize| weights.get(index).copied().unwrap_or(0);
    let join = |first: i32, second: i32| first & 0xFFFF | second << 16;
    let low = |weight: i32| weight & ((1 << LOW) - 1);
    [join(at(0) >> LOW, at(1) >> LOW), join(low(at(0)), low(at(1)))]
}

/// Source pixels of an output pixel: where they begin, and the part of the table with their weights.
#[derive(Copy, Clone)]
struct Place {
    first: u32,
    start: u32,
    end: u32,
}

/// The table of the pass along x, for RGB.
#[derive(Default)]
pub(super) struct Columns {
    places: Vec<Place>,
    /// For each four source pixels: halves of the first two weights, then of the others.
    halves: Vec<[i32; 4]>,
}

impl Columns {
    pub(super) fn prepare(&mut self, weights: &Weights) {
        self.places.clear();
        self.halves.clear();
        for span in &weights.spans {
            let start = self.halves.len() as u32;
            for four in weights.of(span).chunks(4) {
                let ([a, b], [c, d]) = (halves(four), halves(four.get(2..).unwrap_or(&[])));
                self.halves.push([a, b, c, d]);
            }
            self.places.push(Place { first: span.first, start, end: self.halves.len() as u32 });
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.places.capacity() * size_of::<Place>() + self.halves.capacity() * 16
    }

    /// Resamples rows of RGB; see `Horizontal::kernel`.
    #[allow(unsafe_code)]
    pub(super) fn run(&self, rows: &[u8], stride: usize, origin: i32, out: &mut [u8]) {
        let width = self.places.len() * 3;
        for (pair, lines) in out.chunks_mut(2 * width).enumerate() {
            let first = &rows[2 * pair * stride..];
            let second = if lines.len() > width { &first[stride..] } else { first };
            // SAFETY: this path is taken only where the CPU has AVX2.
            unsafe { self.two_rows([first, second], origin, lines) };
        }
    }

    /// Resamples two rows, one in each half of a register; `out` has one row if they are the same.
    #[target_feature(enable = "avx2")]
    fn two_rows(&self, rows: [&[u8]; 2], origin: i32, out: &mut [u8]) {
        let width = self.places.len() * 3;
        let second = out.len() - width;
        for (group, places) in self.places.chunks(4).enumerate() {
            let mut sums = [_mm256_setzero_si256(); 4];
            for (sum, place) in sums.iter_mut().zip(places) {
                let start = (i64::from(place.first) - i64::from(origin)) as usize * 3;
                let halves = &self.halves[place.start as usize..place.end as usize];
                *sum = pixel(rows, start, halves);
            }
            let bytes = join_pixels(sums);
            let length = 3 * places.len();
            store(&mut out[12 * group..][..length], _mm256_castsi256_si128(bytes));
            store(&mut out[second + 12 * group..][..length], _mm256_extracti128_si256::<1>(bytes));
        }
    }
}

/// One output pixel of two rows: red, green, blue and nothing as i32, twice.
#[inline]
#[target_feature(enable = "avx2")]
fn pixel(rows: [&[u8]; 2], start: usize, halves: &[[i32; 4]]) -> __m256i {
    // Red, green and blue of pixels 0 and 1, and of pixels 2 and 3, as i16 side by side.
    let near = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    let far = _mm256_broadcastsi128_si256(_mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
    let (mut high, mut low) = (_mm256_setzero_si256(), _mm256_set1_epi32(HALF));
    for (chunk, &[near_high, near_low, far_high, far_low]) in halves.iter().enumerate() {
        let at = start + 12 * chunk;
        let pixels = _mm256_set_m128i(load16(rows[1], at), load16(rows[0], at));
        let (first, second) = (_mm256_shuffle_epi8(pixels, near), _mm256_shuffle_epi8(pixels, far));
        high = multiply_add(multiply_add(high, first, near_high), second, far_high);
        low = multiply_add(multiply_add(low, first, near_low), second, far_low);
    }
    finish(high, low)
}

/// `sum` plus the products of pairs of i16 with a pair.
#[inline]
#[target_feature(enable = "avx2")]
fn multiply_add(sum: __m256i, pixels: __m256i, pair: i32) -> __m256i {
    _mm256_add_epi32(sum, _mm256_madd_epi16(pixels, _mm256_set1_epi32(pair)))
}

/// Pixel values from the two sums, not yet cut to 8 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn finish(high: __m256i, low: __m256i) -> __m256i {
    _mm256_srai_epi32::<{ BITS as i32 }>(_mm256_add_epi32(_mm256_slli_epi32::<LOW>(high), low))
}

/// Cuts 32 values to 8 bits; in each half, those of the first vector come first.
#[inline]
#[target_feature(enable = "avx2")]
fn pack([a, b, c, d]: [__m256i; 4]) -> __m256i {
    _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d))
}

/// In each half, the 12 bytes of four RGB pixels.
#[inline]
#[target_feature(enable = "avx2")]
fn join_pixels(pixels: [__m256i; 4]) -> __m256i {
    let close = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    _mm256_shuffle_epi8(pack(pixels), _mm256_broadcastsi128_si256(close))
}

#[inline]
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
fn load16(bytes: &[u8], at: usize) -> __m128i {
    let bytes = &bytes[at..at + 16];
    // SAFETY: the slice has 16 bytes.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
fn load32(bytes: &[u8], at: usize) -> __m256i {
    let bytes = &bytes[at..at + 32];
    // SAFETY: the slice has 32 bytes.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// Writes the first bytes of a vector, at most 12.
#[inline]
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
fn store(out: &mut [u8], vector: __m128i) {
    if let Some(pixels) = out.first_chunk_mut::<12>() {
        let (front, back) = pixels.split_at_mut(8);
        // SAFETY: the parts have 8 and 4 bytes.
        unsafe {
            _mm_storeu_si64(front.as_mut_ptr(), vector);
            _mm_storeu_si32(back.as_mut_ptr(), _mm_srli_si128::<8>(vector));
        }
        return;
    }
    let mut bytes = [0; 16];
    // SAFETY: the array has 16 bytes.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), vector) };
    out.copy_from_slice(&bytes[..out.len()]);
}

/// The table of the pass along y.
#[derive(Default)]
pub(super) struct Rows {
    /// Of each output row, how many source rows, and where in `halves` their weights begin.
    spans: Vec<(usize, usize)>,
    /// For each two source rows.
    halves: Vec<[i32; 2]>,
}

impl Rows {
    pub(super) fn prepare(&mut self, weights: &Weights) {
        self.spans.clear();
        self.halves.clear();
        for span in &weights.spans {
            self.spans.push((span.count as usize, self.halves.len()));
            self.halves.extend(weights.of(span).chunks(2).map(halves));
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.spans.capacity() * 16 + self.halves.capacity() * 8
    }

    /// Makes one output row; see `Vertical::run`.
    #[allow(unsafe_code)]
    pub(super) fn run(&self, index: usize, rows: &[u8], stride: usize, out: &mut [u8]) {
        let (count, start) = self.spans[index];
        let halves = &self.halves[start..start + count.div_ceil(2)];
        // SAFETY: this path is taken only where the CPU has AVX2.
        unsafe { sum_rows(rows, stride, count, halves, out) };
    }
}

/// Sums `count` rows. The last columns are done again with those before them to fill a register.
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
fn sum_rows(rows: &[u8], stride: usize, count: usize, halves: &[[i32; 2]], out: &mut [u8]) {
    let width = out.len();
    if width < 32 {
        return narrow(rows, stride, count, halves, out);
    }
    let mut column = 0;
    while column < width {
        let at = column.min(width - 32);
        let values = sum_columns(|row| load32(rows, row * stride + at), count, halves);
        let part = &mut out[at..at + 32];
        // SAFETY: the slice has 32 bytes.
        unsafe { _mm256_storeu_si256(part.as_mut_ptr().cast(), values) };
        column += 32;
    }
}

/// As `sum_rows`, of less than 32 columns.
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
fn narrow(rows: &[u8], stride: usize, count: usize, halves: &[[i32; 2]], out: &mut [u8]) {
    let load = |row: usize| {
        let mut bytes = [0; 32];
        bytes[..out.len()].copy_from_slice(&rows[row * stride..][..out.len()]);
        load32(&bytes, 0)
    };
    let values = sum_columns(load, count, halves);
    let mut bytes = [0; 32];
    // SAFETY: the array has 32 bytes.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), values) };
    out.copy_from_slice(&bytes[..out.len()]);
}

/// 32 columns of `count` rows.
#[inline]
#[target_feature(enable = "avx2")]
fn sum_columns(load: impl Fn(usize) -> __m256i, count: usize, halves: &[[i32; 2]]) -> __m256i {
    let zero = _mm256_setzero_si256();
    let (mut high, mut low) = ([zero; 4], [_mm256_set1_epi32(HALF); 4]);
    for (pair, &[upper, lower]) in halves.iter().enumerate() {
        // An odd last row comes twice, the second time with weight 0.
        let (first, second) = (load(2 * pair), load((2 * pair + 1).min(count - 1)));
        let (left, right) = (_mm256_unpacklo_epi8(first, second), _mm256_unpackhi_epi8(first, second));
        let pixels = [
            _mm256_unpacklo_epi8(left, zero),
            _mm256_unpackhi_epi8(left, zero),
            _mm256_unpacklo_epi8(right, zero),
            _mm256_unpackhi_epi8(right, zero),
        ];
        for (index, &pixels) in pixels.iter().enumerate() {
            high[index] = multiply_add(high[index], pixels, upper);
            low[index] = multiply_add(low[index], pixels, lower);
        }
    }
    pack([finish(high[0], low[0]), finish(high[1], low[1]), finish(high[2], low[2]), finish(high[3], low[3])])
}
