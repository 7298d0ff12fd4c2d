//! Pillow's `ImageEnhance` beyond plain tables: each op blends the image with a duller version of itself.

use super::canvas::Canvas;
use super::simd::vectorized;
use crate::pixels::luma_of;
use crate::scratch::Scratch;

/// `dull + factor (value - dull)`, cut to 0..255 and to an integer, in f32 as Pillow's `ImagingBlend` computes it.
#[inline(always)]
pub(super) fn blend(dull: u8, value: u8, factor: f32) -> u8 {
    cut(f32::from(dull) + factor * f32::from(i16::from(value) - i16::from(dull)))
}

/// A finite value cut to 0..=255 and to an integer.
#[inline(always)]
pub(super) fn cut(value: f32) -> u8 {
    let inside = value.clamp(0.0, 255.0);
    // SAFETY: all of 0.0..=255.0 fits, and no NaN comes from finite numbers. `as` would check for both once more,
    // which costs more than the rest.
    #[allow(unsafe_code)]
    unsafe {
        inside.to_int_unchecked::<i32>() as u8
    }
}

vectorized! {
    /// Blends values with dull ones, one by one.
    fn blend_all(values: &mut [u8], dull: &[u8], factor: f32) {
        for (value, &dull) in values.iter_mut().zip(dull) {
            *value = blend(dull, *value, factor);
        }
    }
}

/// Pixels that are worked on at a time; their gray values stay in the fastest cache.
const BLOCK: usize = 512;

/// The mean gray value, rounded half up.
pub(super) fn mean_gray(canvas: &Canvas<'_>) -> u8 {
    let sum: u64 = match canvas.channels {
        1 => canvas.pixels.chunks(BLOCK).map(sum_of).sum(),
        _ => {
            let mut gray = [0; BLOCK];
            let grays = canvas.pixels.chunks(3 * BLOCK).map(|block| {
                let gray = &mut gray[..block.len() / 3];
                luma_of(block, gray);
                sum_of(gray)
            });
            grays.sum()
        }
    };
    let pixels = u64::from(canvas.width) * u64::from(canvas.height);
    (sum as f64 / pixels as f64 + 0.5) as u8
}

vectorized! {
    /// Sum of at most `BLOCK` values.
    fn sum_of(values: &[u8]) -> u64 {
        u64::from(values.iter().map(|&value| u32::from(value)).sum::<u32>())
    }
}

/// Makes every channel the gray value.
pub(super) fn grayscale(canvas: &mut Canvas<'_>) {
    per_block(canvas, |block, gray| block.copy_from_slice(gray));
}

/// Blends each pixel with its gray value.
pub(super) fn color(canvas: &mut Canvas<'_>, factor: f32) {
    per_block(canvas, |block, gray| blend_all(block, gray, factor));
}

/// Hands out RGB pixels and their gray values, each repeated for the three channels. Gray images stay.
fn per_block(canvas: &mut Canvas<'_>, work: impl Fn(&mut [u8], &[u8])) {
    if canvas.channels == 1 {
        return;
    }
    let (mut gray, mut tripled) = ([0; BLOCK], [0; 3 * BLOCK]);
    for block in canvas.pixels.chunks_mut(3 * BLOCK) {
        let (gray, tripled) = (&mut gray[..block.len() / 3], &mut tripled[..block.len()]);
        luma_of(block, gray);
        triple(gray, tripled);
        work(block, tripled);
    }
}

vectorized! {
    fn triple(gray: &[u8], tripled: &mut [u8]) {
        for (pixel, &value) in tripled.as_chunks_mut::<3>().0.iter_mut().zip(gray) {
            *pixel = [value; 3];
        }
    }
}

/// Blends with Pillow's `SMOOTH` filter (3x3 of ones, 5 in the middle, over 13). The filter leaves the border as it
/// is, so blending does too.
pub(super) fn sharpness(canvas: &mut Canvas<'_>, factor: f32, scratch: &mut Scratch) {
    if canvas.width < 3 || canvas.height < 3 {
        return;
    }
    let (stride, channels) = (canvas.stride(), usize::from(canvas.channels));
    let source = &mut scratch.pixels;
    source.clear();
    source.extend_from_slice(canvas.pixels);
    let rows = source.windows(3 * stride).step_by(stride);
    for (target, rows) in canvas.pixels[stride..].chunks_exact_mut(stride).zip(rows) {
        sharpen_row(&mut target[channels..stride - channels], rows, stride, channels, factor);
    }
}

vectorized! {
    /// One row without its first and last pixel; `rows` are the source rows above, at and below it.
    fn sharpen_row(target: &mut [u8], rows: &[u8], stride: usize, channels: usize, factor: f32) {
        let n = target.len();
        let cut = |row: usize, column: usize| &rows[row * stride + column * channels..][..n];
        let [a, b, c] = [cut(0, 0), cut(0, 1), cut(0, 2)];
        let [d, middle, e] = [cut(1, 0), cut(1, 1), cut(1, 2)];
        let [f, g, h] = [cut(2, 0), cut(2, 1), cut(2, 2)];
        for (i, value) in target.iter_mut().enumerate() {
            let ring: u16 = [a[i], b[i], c[i], d[i], e[i], f[i], g[i], h[i]].into_iter().map(u16::from).sum();
            let sum = ring + 5 * u16::from(middle[i]);
            // sum / 13 rounded to nearest; 13 is odd, so there is no tie and no need for floats.
            *value = blend(((2 * sum + 13) / 26) as u8, middle[i], factor);
        }
    }
}
