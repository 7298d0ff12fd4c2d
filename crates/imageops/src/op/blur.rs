//! Gaussian blur as Pillow has it: three box blurs whose boxes end between pixels.
//!
//! Gwosdek, Grewenig, Bruhn, Weickert: "Theoretical foundations of Gaussian convolution by extended box filtering" (2011).

use super::canvas::Canvas;
use super::simd::vectorized;
use crate::scratch::Scratch;

/// How many box blurs make a Gaussian.
const PASSES: u32 = 3;

/// Blurs with this standard deviation in pixels: along the columns of the image on its side, then along its own.
pub(super) fn gaussian(canvas: &mut Canvas<'_>, sigma: f32, scratch: &mut Scratch) {
    if sigma <= 0.0 {
        return;
    }
    let kernel = Kernel::of(sigma);
    let (width, height, stride) = (canvas.width as usize, canvas.height as usize, canvas.stride());
    let mut side = std::mem::take(&mut scratch.side);
    side.resize(canvas.pixels.len(), 0);
    let channels = usize::from(canvas.channels);
    transpose(canvas.pixels, width, channels, &mut side);
    blur_columns(&mut side, height * channels, &kernel, scratch);
    transpose(&side, height, channels, canvas.pixels);
    blur_columns(canvas.pixels, stride, &kernel, scratch);
    scratch.side = side;
}

/// Lays an image whose rows have `width` pixels on its side.
fn transpose(source: &[u8], width: usize, channels: usize, out: &mut [u8]) {
    match channels {
        1 => transpose_pixels::<1>(source, width, out),
        _ => transpose_pixels::<3>(source, width, out),
    }
}

fn transpose_pixels<const C: usize>(source: &[u8], width: usize, out: &mut [u8]) {
    // Squares of pixels that stay in the fastest cache.
    const SIDE: usize = 16;
    let (source, out) = (source.as_chunks::<C>().0, out.as_chunks_mut::<C>().0);
    let height = source.len() / width;
    for top in (0..height).step_by(SIDE) {
        for left in (0..width).step_by(SIDE) {
            for x in left..width.min(left + SIDE) {
                for y in top..height.min(top + SIDE) {
                    out[x * height + y] = source[y * width + x];
                }
            }
        }
    }
}

/// A box: whole pixels on each side of the middle, and the share of the ones beyond, in 24-bit fixed point.
struct Kernel {
    radius: usize,
    inner: u32,
    outer: u32,
}

impl Kernel {
    /// The box whose repeated blur has the variance of the Gaussian (the paper's section 2.3; f32 as in Pillow).
    fn of(sigma: f32) -> Self {
        let passes = PASSES as f32;
        let sigma2 = sigma * sigma / passes;
        let length = libm::sqrt(12.0 * f64::from(sigma2) + 1.0) as f32;
        let whole = ((length - 1.0) / 2.0).floor();
        let mut part = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * sigma2);
        part /= 6.0 * (sigma2 - (whole + 1.0) * (whole + 1.0));
        let radius = whole + part;
        // In f32 throughout, as in Pillow: the rounding shows at a radius of 1.
        let inner = ((1_u32 << 24) as f32 / (radius * 2.0 + 1.0)) as u32;
        let radius = radius as usize;
        let outer = ((1 << 24) - (radius as u32 * 2 + 1) * inner) / 2;
        Self { radius, inner, outer }
    }
}

/// Blurs along the columns `PASSES` times; rows have `stride` bytes.
fn blur_columns(pixels: &mut [u8], stride: usize, kernel: &Kernel, scratch: &mut Scratch) {
    for _ in 0..PASSES {
        scratch.pixels.clear();
        scratch.pixels.extend_from_slice(pixels);
        box_blur(&scratch.pixels, pixels, stride, kernel, &mut scratch.boxes);
    }
}

/// One box blur along the columns; beyond the ends the outermost rows go on.
fn box_blur(source: &[u8], out: &mut [u8], stride: usize, kernel: &Kernel, sums: &mut Vec<u32>) {
    let last = source.len() / stride - 1;
    let radius = kernel.radius as isize;
    let row = |y: isize| &source[y.clamp(0, last as isize) as usize * stride..][..stride];
    sums.clear();
    sums.resize(stride, 0);
    (-radius..=radius).for_each(|y| add_row(sums, row(y)));
    for (y, out) in (0..).zip(out.chunks_exact_mut(stride)) {
        let (above, below) = (row(y - radius - 1), row(y + radius + 1));
        weigh_row(out, sums, above, below, row(y - radius), kernel.inner, kernel.outer);
    }
}

vectorized! {
    fn add_row(sums: &mut [u32], row: &[u8]) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += u32::from(value);
        }
    }
}

vectorized! {
    /// One row out of the sums over the whole rows of its box and the rows `above` and `below` it; the sums move on.
    fn weigh_row(
        out: &mut [u8], sums: &mut [u32], above: &[u8], below: &[u8], first: &[u8], inner: u32, outer: u32,
    ) {
        let n = out.len();
        let (sums, above, below, first) = (&mut sums[..n], &above[..n], &below[..n], &first[..n]);
        for i in 0..n {
            let edges = u32::from(above[i]) + u32::from(below[i]);
            let weighted = sums[i].wrapping_mul(inner).wrapping_add(edges.wrapping_mul(outer));
            out[i] = (weighted.wrapping_add(1 << 23) >> 24) as u8;
            sums[i] = sums[i] + u32::from(below[i]) - u32::from(first[i]);
        }
    }
}
