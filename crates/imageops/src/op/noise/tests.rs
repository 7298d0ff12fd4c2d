use super::*;

/// The share of a normal distribution below `z`.
fn below(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// How many of the pixels have each value.
fn histogram(pixels: &[u8]) -> [u32; 256] {
    let mut counts = [0; 256];
    pixels.iter().for_each(|&value| counts[usize::from(value)] += 1);
    counts
}

/// Kolmogorov's bound: the distribution function is nowhere further off than chance allows (1.95 / sqrt(n) in all but one
/// of a thousand cases).
fn expect_normal(pixels: &[u8], mean: f64, sigma: f64) {
    let n = pixels.len() as f64;
    let mut sum = 0;
    for (value, count) in (0..255).zip(histogram(pixels)) {
        sum += count;
        let expected = below((f64::from(value) + 0.5 - mean) / sigma);
        let off = (f64::from(sum) / n - expected).abs();
        assert!(off < 1.95 / n.sqrt(), "{value}: {off}");
    }
}

fn noisy(value: u8, sigma: f32, seed: u64) -> Vec<u8> {
    let mut pixels = vec![value; 300_000];
    add(&mut Canvas { width: 1000, height: 100, channels: 3, pixels: &mut pixels }, sigma, seed);
    pixels
}

#[test]
fn noise_is_normal_rounded_to_nearest_and_cut() {
    for (value, sigma, seed) in [(128, 20.0, 1), (100, 3.5, 2), (10, 60.0, 3), (250, 0.4, 4)] {
        expect_normal(&noisy(value, sigma, seed), f64::from(value), f64::from(sigma));
    }
}

#[test]
fn noise_has_its_mean_and_deviation() {
    let pixels = noisy(128, 20.0, 7);
    let n = pixels.len() as f64;
    let mean = pixels.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let variance = pixels.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    // Rounding adds a twelfth to the variance.
    assert!((mean - 128.0).abs() < 0.15 && (variance - 400.0 - 1.0 / 12.0).abs() < 4.0, "{mean} {variance}");
}

#[test]
fn neighbours_and_seeds_are_independent() {
    let (a, b) = (noisy(128, 20.0, 1), noisy(128, 20.0, 2));
    let correlation = |a: &[u8], b: &[u8]| {
        let product = |(a, b): (&u8, &u8)| (f64::from(*a) - 128.0) * (f64::from(*b) - 128.0);
        a.iter().zip(b).map(product).sum::<f64>() / (400.0 * a.len().min(b.len()) as f64)
    };
    assert!((0.98..1.02).contains(&correlation(&a, &a)));
    for shift in 1..9 {
        assert!(correlation(&a, &a[shift..]).abs() < 0.01, "{shift}");
    }
    assert!(correlation(&a, &b).abs() < 0.01);
}

#[test]
fn quantiles_are_those_of_the_normal_distribution() {
    for number in [0, 1, 77, 10_000, 32_766, 32_767] {
        let share = below(f64::from(QUANTILES[number])) - 0.5;
        assert!((share * 65_536.0 - 0.5 - number as f64).abs() < 0.01, "{number}");
    }
    assert!(QUANTILES[32_767] > 4.1);
}

#[test]
fn noise_that_erases_has_the_middle_as_its_mean() {
    let mut pixels = vec![3; 300_000];
    let area = Area { left: -5, top: 0, width: 2000, height: 90 };
    let mut canvas = Canvas { width: 1000, height: 100, channels: 3, pixels: &mut pixels };
    erase(&mut canvas, area, Erasure::Noise { seed: 9 }, [0; 3]);
    expect_normal(&pixels[..270_000], 127.5, f64::from(SPREAD));
    assert!(pixels[270_000..].iter().all(|&value| value == 3));
}
