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

    /// A hash of a number: xor, shift and multiply.
    fn scatter(number: u32) -> u32 {
        let mut bits = number.wrapping_mul(0x9e37_79b1).wrapping_add(0x9e37_79b9);
        bits = (bits ^ (bits >> 15)).wrapping_mul(0x85eb_ca6b);
        bits = (bits ^ (bits >> 13)).wrapping_mul(0xc2b2_ae35);
        bits ^ (bits >> 16)
    }

    /// Eight by eight patches of random grey.
    fn image(seed: u32) -> Grey {
        std::array::from_fn(|at| {
            let patch = (at / PHASH_SIDE / 4) * 8 + at % PHASH_SIDE / 4;
            (40 + scatter(seed * 64 + patch as u32) % 176) as u8
        })
    }

    fn apart(a: &Grey, b: &Grey) -> u32 {
        (phash(a) ^ phash(b)).count_ones()
    }

    /// By the double sum of the definition, written in Python.
    #[test]
    fn the_hash_is_that_of_the_definition() {
        assert_eq!(phash(&image(1)), 0x9e14_10d7_b81d_d717);
    }

    #[test]
    fn noise_and_brightness_change_few_bits() {
        for seed in 1..20 {
            let plain = image(seed);
            let brighter = plain.map(|pixel| pixel.saturating_add(30));
            let mut noisy = plain;
            for (at, pixel) in (0_u32..).zip(&mut noisy) {
                *pixel = pixel.saturating_add((scatter(7777 + at) >> 28) as u8);
            }
            assert!(apart(&plain, &brighter) <= 4, "{seed}: {}", apart(&plain, &brighter));
            assert!(apart(&plain, &noisy) <= 4, "{seed}: {}", apart(&plain, &noisy));
        }
    }

    #[test]
    fn other_images_have_other_hashes() {
        for (a, b) in (1..20).flat_map(|a| (1..a).map(move |b| (a, b))) {
            assert!(apart(&image(a), &image(b)) > 16, "{a} and {b}: {}", apart(&image(a), &image(b)));
        }
    }
}
