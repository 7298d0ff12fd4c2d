//! Gaussian blur as Pillow has it: three box blurs whose boxes end between pixels.
//!
//! Gwosdek, Grewenig, Bruhn, Weickert: "Theoretical foundations of Gaussian convolution by extended box filtering" (2011).

use super::canvas::Canvas;
use crate::scratch::Scratch;

/// How many box blurs make a Gaussian.
const PASSES: u32 = 3;

/// Blurs with this standard deviation in pixels.
pub(super) fn gaussian(canvas: &mut Canvas<'_>, sigma: f32, scratch: &mut Scratch) {
    if sigma <= 0.0 {
        return;
    }
    let weights = Kernel::of(sigma);
    let (width, height, channels) = (canvas.width as usize, canvas.height as usize, usize::from(canvas.channels));
    let (line, out) = (&mut scratch.pixels, &mut scratch.chain);
    for row in 0..height {
        for channel in 0..channels {
            blur_line(canvas.pixels, (row * width * channels + channel, channels, width), &weights, line, out);
        }
    }
    for column in 0..width * channels {
        blur_line(canvas.pixels, (column, width * channels, height), &weights, line, out);
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

/// Blurs one line of `(first, step, length)` values `PASSES` times.
fn blur_line(
    pixels: &mut [u8],
    (first, step, length): (usize, usize, usize),
    weights: &Kernel,
    line: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    line.clear();
    line.extend(pixels[first..].iter().step_by(step).take(length));
    out.resize(length, 0);
    for _ in 0..PASSES {
        box_blur(line, out, weights);
        std::mem::swap(line, out);
    }
    for (value, blurred) in pixels[first..].iter_mut().step_by(step).zip(line.iter()) {
        *value = *blurred;
    }
}

/// One box blur; beyond the ends the outermost values go on.
fn box_blur(line: &[u8], out: &mut [u8], weights: &Kernel) {
    let last = line.len() - 1;
    let radius = weights.radius as isize;
    let at = |i: isize| u32::from(line[i.clamp(0, last as isize) as usize]);
    let mut sum: u32 = (-radius..=radius).map(at).sum();
    for (i, value) in (0..).zip(out.iter_mut()) {
        let edges = at(i - radius - 1) + at(i + radius + 1);
        *value =
            ((sum.wrapping_mul(weights.inner)).wrapping_add(edges.wrapping_mul(weights.outer)).wrapping_add(1 << 23)
                >> 24) as u8;
        sum = sum + at(i + radius + 1) - at(i - radius);
    }
}
