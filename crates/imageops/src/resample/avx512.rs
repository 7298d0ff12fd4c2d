//! AVX-512 with VBMI and VNNI: sums of four products of bytes.
//!
//! A weight is split into three signed digits: `d2 * 2^16 + d1 * 2^8 + d0`. `vpdpbusd` adds four products of pixels and
//! digits to an i32, and the three sums together are exactly the sum that the scalar path has.

use std::arch::x86_64::*;

use super::weights::{BITS, Span, Weights};

/// Where the sum of the upper digits starts: half of the last place, for rounding.
const HALF: i32 = 1 << (BITS - 1 - 16);

/// Values in a register.
const LANES: usize = 16;

/// The digits of up to four weights, highest first, four i8 in each i32.
fn digits(weights: &[i32]) -> [i32; 3] {
    let mut digits = [[0; 4]; 3];
    for (index, &weight) in weights.iter().enumerate().take(4) {
        let low = weight as i8;
        let rest = (weight - i32::from(low)) >> 8;
        let middle = rest as i8;
        let high = (rest - i32::from(middle)) >> 8;
        for (digits, digit) in digits.iter_mut().zip([high as u8, middle as u8, low as u8]) {
            digits[index] = digit;
        }
    }
    digits.map(i32::from_le_bytes)
}

/// One step towards 16 output bytes: up to four source pixels for each of them.
#[repr(align(64))]
struct Step {
    /// For each output byte, the digits of its four weights.
    digits: [[i32; LANES]; 3],
    /// For each output byte, where its four source bytes are in the block that is read.
    places: [i32; LANES],
    /// Where that block begins, in bytes behind the first byte of the whole source's row.
    start: usize,
    /// Whether the block has 128 bytes, not 64.
    wide: bool,
}

impl Step {
    /// The step from the source pixels number `tap` on of the output pixels `spans`, the first of which has `skip` bytes
    /// before the first lane. None if the source pixels are too far apart for one block.
    fn new(weights: &Weights, spans: &[Span], skip: usize, tap: u32, channels: usize) -> Option<Self> {
        let used = || spans.iter().enumerate().filter(|(_, span)| span.count > tap);
        let start = used().map(|(_, span)| span.first + tap).min()?;
        let (digits, places) = ([[0; LANES]; 3], [0; LANES]);
        let mut step = Self { digits, places, start: start as usize * channels, wide: false };
        for (index, span) in used() {
            let four = weights.of(span)[tap as usize..].chunks(4).next()?;
            let near = (span.first + tap - start) as usize * channels;
            let end = near + four.len() * channels;
            if end > 128 {
                return None;
            }
            step.wide |= end > 64;
            step.place(index * channels, skip, near, channels, four);
        }
        Some(step)
    }

    /// Fills the lanes of one output pixel. Weights that are missing are 0, and their bytes any in the block.
    fn place(&mut self, pixel: usize, skip: usize, near: usize, channels: usize, weights: &[i32]) {
        let digits = digits(weights);
        for channel in (0..channels).filter(|channel| (skip..skip + LANES).contains(&(pixel + channel))) {
            let lane = pixel + channel - skip;
            for (all, digits) in self.digits.iter_mut().zip(digits) {
                all[lane] = digits;
            }
            let byte = |tap: usize| (near + channel + tap * channels).min(127) as u8;
            self.places[lane] = i32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)]);
        }
    }

    /// Adds the products of all lanes for the row that begins at `row`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vnni")]
    fn add(&self, rows: &[u8], row: usize, origin: isize, sums: [__m512i; 3]) -> [__m512i; 3] {
        let at = row.wrapping_add(self.start).wrapping_add_signed(-origin);
        let places = lanes(&self.places);
        let pixels = if self.wide {
            _mm512_permutex2var_epi8(load(rows, at), places, load(rows, at + 64))
        } else {
            _mm512_permutexvar_epi8(places, load(rows, at))
        };
        let [high, middle, low] = &self.digits;
        [
            _mm512_dpbusd_epi32(sums[0], pixels, lanes(high)),
            _mm512_dpbusd_epi32(sums[1], pixels, lanes(middle)),
            _mm512_dpbusd_epi32(sums[2], pixels, lanes(low)),
        ]
    }
}

/// The table of the pass along x, for any number of channels.
#[derive(Default)]
pub(super) struct Columns {
    width: usize,
    /// For each 16 output bytes, where in `steps` theirs end.
    ends: Vec<usize>,
    steps: Vec<Step>,
}

impl Columns {
    /// None if the image shrinks so much (about seven times) that what 16 output bytes read lies too far apart.
    pub(super) fn prepare(&mut self, weights: &Weights, channels: usize) -> Option<()> {
        self.width = weights.spans.len() * channels;
        self.ends.clear();
        self.steps.clear();
        for first in (0..self.width).step_by(LANES) {
            let last = self.width.min(first + LANES) - 1;
            let spans = &weights.spans[first / channels..=last / channels];
            let taps = spans.iter().map(|span| span.count).max()?;
            for tap in (0..taps).step_by(4) {
                self.steps.push(Step::new(weights, spans, first % channels, tap, channels)?);
            }
            self.ends.push(self.steps.len());
        }
        Some(())
    }

    pub(super) fn capacity(&self) -> usize {
        self.steps.capacity() * size_of::<Step>() + self.ends.capacity() * 8
    }

    /// Resamples rows; see `Horizontal::kernel`. `origin` is in bytes.
    #[allow(unsafe_code)]
    pub(super) fn run(&self, rows: &[u8], stride: usize, origin: isize, out: &mut [u8]) {
        // SAFETY: this path is taken only where the CPU has these instructions.
        unsafe { self.all_rows(rows, stride, origin, out) }
    }

    /// Column by column, for a step then stays in registers.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    fn all_rows(&self, rows: &[u8], stride: usize, origin: isize, out: &mut [u8]) {
        let mut begin = 0;
        for (group, &end) in self.ends.iter().enumerate() {
            let steps = &self.steps[begin..end];
            let columns = group * LANES..self.width.min(group * LANES + LANES);
            for (index, line) in out.chunks_exact_mut(self.width).enumerate() {
                let start = start();
                let sums = match steps {
                    [step] => step.add(rows, index * stride, origin, start),
                    _ => steps.iter().fold(start, |sums, step| step.add(rows, index * stride, origin, sums)),
                };
                store16(&mut line[columns.clone()], bytes(finish(sums)));
            }
            begin = end;
        }
    }
}

/// The sums of the three digits of no pixel.
#[inline]
#[target_feature(enable = "avx512f")]
fn start() -> [__m512i; 3] {
    [_mm512_set1_epi32(HALF), _mm512_setzero_si512(), _mm512_setzero_si512()]
}

/// Pixel values from the three sums, not yet cut to 8 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn finish([high, middle, low]: [__m512i; 3]) -> __m512i {
    let upper = _mm512_add_epi32(_mm512_slli_epi32::<8>(high), middle);
    let sum = _mm512_add_epi32(_mm512_slli_epi32::<8>(upper), low);
    _mm512_srai_epi32::<{ BITS }>(sum)
}

/// Cuts 16 values to 8 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn bytes(values: __m512i) -> __m128i {
    _mm512_cvtusepi32_epi8(_mm512_max_epi32(values, _mm512_setzero_si512()))
}

#[inline]
#[target_feature(enable = "avx512f")]
#[allow(unsafe_code)]
fn lanes(values: &[i32; LANES]) -> __m512i {
    // SAFETY: the array has 64 bytes.
    unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
#[allow(unsafe_code)]
fn load(bytes: &[u8], at: usize) -> __m512i {
    let bytes = &bytes[at..at + 64];
    // SAFETY: the slice has 64 bytes.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// Loads up to 64 bytes; what is missing is 0.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
#[allow(unsafe_code)]
fn load_part(bytes: &[u8], at: usize, length: usize) -> __m512i {
    let bytes = &bytes[at..at + length];
    let mask = u64::MAX >> (64 - length.clamp(1, 64));
    // SAFETY: the mask has one bit for each byte of the slice.
    unsafe { _mm512_maskz_loadu_epi8(mask, bytes.as_ptr().cast()) }
}

/// Writes up to 64 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
#[allow(unsafe_code)]
fn store_part(out: &mut [u8], values: __m512i) {
    let mask = u64::MAX >> (64 - out.len().clamp(1, 64));
    // SAFETY: the mask has one bit for each byte of the slice, which is never empty.
    unsafe { _mm512_mask_storeu_epi8(out.as_mut_ptr().cast(), mask, values) }
}

/// Writes up to 16 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[allow(unsafe_code)]
fn store16(out: &mut [u8], values: __m128i) {
    let mask = u16::MAX >> (16 - out.len().clamp(1, 16));
    // SAFETY: the mask has one bit for each byte of the slice, which is never empty.
    unsafe { _mm_mask_storeu_epi8(out.as_mut_ptr().cast(), mask, values) }
}

/// The table of the pass along y.
#[derive(Default)]
pub(super) struct Rows {
    /// Of each output row, how many source rows, and where in `digits` their weights begin.
    spans: Vec<(usize, usize)>,
    /// For each four source rows.
    digits: Vec<[i32; 3]>,
}

impl Rows {
    pub(super) fn prepare(&mut self, weights: &Weights) {
        self.spans.clear();
        self.digits.clear();
        for span in &weights.spans {
            self.spans.push((span.count as usize, self.digits.len()));
            self.digits.extend(weights.of(span).chunks(4).map(digits));
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.spans.capacity() * 16 + self.digits.capacity() * 12
    }

    /// Makes one output row; see `Vertical::run`.
    #[allow(unsafe_code)]
    pub(super) fn run(&self, index: usize, rows: &[u8], stride: usize, out: &mut [u8]) {
        let (count, start) = self.spans[index];
        let digits = &self.digits[start..start + count.div_ceil(4)];
        // SAFETY: this path is taken only where the CPU has these instructions.
        unsafe { sum_rows(rows, stride, count, digits, out) };
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn sum_rows(rows: &[u8], stride: usize, count: usize, digits: &[[i32; 3]], out: &mut [u8]) {
    for (block, part) in out.chunks_mut(64).enumerate() {
        let at = |row: usize| row * stride + 64 * block;
        let values = match part.len() {
            64 => sum_columns(|row| load(rows, at(row)), count, digits),
            length => sum_columns(|row| load_part(rows, at(row), length), count, digits),
        };
        store_part(part, values);
    }
}

/// 64 columns of `count` rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn sum_columns(load: impl Fn(usize) -> __m512i, count: usize, digits: &[[i32; 3]]) -> __m512i {
    let mut sums = [start(); 4];
    for (four, digits) in digits.iter().enumerate() {
        // Missing rows are the last one again, with weight 0.
        let row = |index: usize| load((4 * four + index).min(count - 1));
        let pixels = interleave([row(0), row(1), row(2), row(3)]);
        for (sums, pixels) in sums.iter_mut().zip(pixels) {
            for (sum, &digits) in sums.iter_mut().zip(digits) {
                *sum = _mm512_dpbusd_epi32(*sum, pixels, _mm512_set1_epi32(digits));
            }
        }
    }
    let [a, b, c, d] = [finish(sums[0]), finish(sums[1]), finish(sums[2]), finish(sums[3])];
    _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d))
}

/// Brings the bytes of each column together.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn interleave([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (ab_low, ab_high) = (_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b));
    let (cd_low, cd_high) = (_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d));
    [
        _mm512_unpacklo_epi16(ab_low, cd_low),
        _mm512_unpackhi_epi16(ab_low, cd_low),
        _mm512_unpacklo_epi16(ab_high, cd_high),
        _mm512_unpackhi_epi16(ab_high, cd_high),
    ]
}
