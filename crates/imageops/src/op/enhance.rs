//! Pillow's `ImageEnhance`: each op blends the image with a duller version of itself.

use super::histogram;
use super::point;
use crate::Image;
use crate::pixels::luma;
use crate::scratch::Scratch;

/// `dull + factor (value - dull)`, cut to 0..255 and to an integer, in f32 as Pillow's `ImagingBlend` computes it.
#[inline]
fn blend(dull: u8, value: u8, factor: f32) -> u8 {
    (f32::from(dull) + factor * f32::from(i16::from(value) - i16::from(dull))) as u8
}

/// Blends with black.
pub(super) fn brightness(image: &mut Image, factor: f32) {
    point::map(image, &point::table(|v| blend(0, v, factor)));
}

/// Blends with the mean gray value, rounded half up.
pub(super) fn contrast(image: &mut Image, factor: f32) {
    let mean = mean_gray(image);
    point::map(image, &point::table(|v| blend(mean, v, factor)));
}

fn mean_gray(image: &Image) -> u8 {
    let histogram = match image.channels {
        1 => histogram::count(image.pixels.iter().copied()),
        _ => histogram::count(image.pixels.as_chunks().0.iter().map(|&[r, g, b]| luma(r, g, b))),
    };
    let weigh = |(value, &n): (usize, &u32)| value as u64 * u64::from(n);
    let sum: u64 = histogram.iter().enumerate().map(weigh).sum();
    let pixels = u64::from(image.width) * u64::from(image.height);
    (sum as f64 / pixels as f64 + 0.5) as u8
}

/// Blends each pixel with its gray value; a gray image stays.
pub(super) fn color(image: &mut Image, factor: f32) {
    if image.channels == 1 {
        return;
    }
    for pixel in image.pixels.as_chunks_mut::<3>().0 {
        let gray = luma(pixel[0], pixel[1], pixel[2]);
        *pixel = pixel.map(|v| blend(gray, v, factor));
    }
}

/// Blends with Pillow's `SMOOTH` filter (3x3 of ones, 5 in the middle, over 13). The filter leaves the border as it
/// is, so blending does too.
pub(super) fn sharpness(image: &mut Image, factor: f32, scratch: &mut Scratch) {
    if image.width < 3 || image.height < 3 {
        return;
    }
    let (stride, channels) = (image.stride(), usize::from(image.channels));
    let source = &mut scratch.pixels;
    source.clear();
    source.extend_from_slice(&image.pixels);
    let rows = source.windows(3 * stride).step_by(stride);
    for (target, rows) in image.pixels[stride..].chunks_exact_mut(stride).zip(rows) {
        let inner = &mut target[channels..stride - channels];
        sharpen_row(inner, rows, stride, channels, factor);
    }
}

/// One row without its first and last pixel; `rows` are the source rows above, at and below it.
fn sharpen_row(target: &mut [u8], rows: &[u8], stride: usize, channels: usize, factor: f32) {
    let n = target.len();
    let cut = |row: usize, column: usize| &rows[row * stride + column * channels..][..n];
    let around = [cut(0, 0), cut(0, 1), cut(0, 2), cut(1, 0), cut(1, 2), cut(2, 0), cut(2, 1), cut(2, 2)];
    let middle = cut(1, 1);
    for (i, value) in target.iter_mut().enumerate() {
        let ring: u16 = around.iter().map(|neighbour| u16::from(neighbour[i])).sum();
        let sum = ring + 5 * u16::from(middle[i]);
        // sum / 13 rounded to nearest; 13 is odd, so there is no tie and no need for floats.
        *value = blend(((2 * sum + 13) / 26) as u8, middle[i], factor);
    }
}
