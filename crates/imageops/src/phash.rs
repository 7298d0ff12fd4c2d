//! A hash of how an image looks: images that look alike have hashes that differ in few bits.

/// Width and height of the image that is hashed, in pixels.
pub const PHASH_SIDE: usize = 32;
/// Frequencies that count, each way.
const LOW: usize = 8;

/// The perceptual hash of a grey image of 32 x 32 pixels, row by row: bit `8 v + u`, from the lowest, says whether the
/// coefficient of vertical frequency v and horizontal frequency u lies above the median of the 64 lowest (pHash: Zauner 2010,
/// "Implementation and Benchmarking of Perceptual Image Hash Functions", section 3.2; in the form of Python's `imagehash.phash`,
/// which keeps the constant term). Shrink the image to that size with a filter that does not alias.
pub fn phash(grey: &[u8; PHASH_SIDE * PHASH_SIDE]) -> u64 {
    let waves = waves();
    let mut rows = [[0.0; LOW]; PHASH_SIDE];
    for (row, pixels) in rows.iter_mut().zip(grey.chunks_exact(PHASH_SIDE)) {
        *row = waves.map(|wave| wave.iter().zip(pixels).map(|(weight, pixel)| weight * f64::from(*pixel)).sum());
    }
    let mut coefficients = [0.0; LOW * LOW];
    for (at, coefficient) in coefficients.iter_mut().enumerate() {
        let wave = waves[at / LOW].iter();
        *coefficient = wave.zip(&rows).map(|(weight, row)| weight * row[at % LOW]).sum();
    }
    let median = median(coefficients);
    coefficients.iter().rev().fold(0, |hash, coefficient| hash << 1 | u64::from(*coefficient > median))
}

/// `cos(pi k (2 n + 1) / 64)`: the discrete cosine transform, type II, at its lowest frequencies k.
fn waves() -> [[f64; PHASH_SIDE]; LOW] {
    let step = std::f64::consts::PI / (2 * PHASH_SIDE) as f64;
    std::array::from_fn(|k| std::array::from_fn(|n| libm::cos(step * (k * (2 * n + 1)) as f64)))
}

/// Half way between the two in the middle.
fn median(mut values: [f64; LOW * LOW]) -> f64 {
    values.sort_by(f64::total_cmp);
    let [low, high] = [values[LOW * LOW / 2 - 1], values[LOW * LOW / 2]];
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    type Grey = [u8; PHASH_SIDE * PHASH_SIDE];

    /// Waves of a few directions, strengths by `seed`.
    fn image(seed: u32) -> Grey {
        std::array::from_fn(|at| {
            let (x, y) = ((at % PHASH_SIDE) as f64 / 5.0, (at / PHASH_SIDE) as f64 / 5.0);
            let phase = f64::from(seed);
            let (sine, cosine) = (libm::sin(phase), libm::cos(phase));
            let wave = libm::sin(x * (1.0 + sine) + phase) + libm::cos(y * (1.0 + cosine) - x * 0.3 * cosine);
            (128.0 + 45.0 * wave) as u8
        })
    }

    fn apart(a: &Grey, b: &Grey) -> u32 {
        (phash(a) ^ phash(b)).count_ones()
    }

    #[test]
    fn noise_and_brightness_change_few_bits() {
        for seed in 1..20 {
            let plain = image(seed);
            let brighter = plain.map(|pixel| pixel.saturating_add(12));
            let mut noisy = plain;
            for (at, pixel) in (0_u32..).zip(&mut noisy) {
                *pixel = pixel.saturating_add((at.wrapping_mul(2_654_435_761) >> 30) as u8);
            }
            assert!(apart(&plain, &brighter) <= 4, "{seed}: {}", apart(&plain, &brighter));
            assert!(apart(&plain, &noisy) <= 8, "{seed}: {}", apart(&plain, &noisy));
        }
    }

    #[test]
    fn other_images_have_other_hashes() {
        for (a, b) in (1..20).flat_map(|a| (1..a).map(move |b| (a, b))) {
            assert!(apart(&image(a), &image(b)) > 8, "{a} and {b}: {}", apart(&image(a), &image(b)));
        }
    }

    #[test]
    fn a_single_wave_sets_its_own_bit() {
        let step = std::f64::consts::PI / 64.0;
        let wave: Grey = std::array::from_fn(|at| {
            (128.0 + 100.0 * libm::cos(step * (3 * (2 * (at % PHASH_SIDE) + 1)) as f64)) as u8
        });
        // The constant term is bit 0; three half waves across and none down are bit 3.
        assert_eq!(phash(&wave) & 0b1111, 0b1001);
    }
}
