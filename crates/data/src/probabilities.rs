//! Distributions over classes.

/// The index of the largest probability, the first of equal ones; 0 if there are none.
pub fn most_probable(probabilities: &[f32]) -> u32 {
    let mut best = 0;
    for (class, p) in probabilities.iter().enumerate() {
        if *p > probabilities[best] {
            best = class;
        }
    }
    best as u32
}

/// q = p^(1/T) / sum p^(1/T): a distribution at temperature T, above 0. Below 1 it gets sharper, above 1 flatter. The same bits on
/// every processor.
pub fn temper(p: &[f32], temperature: f64) -> Vec<f32> {
    // In shares of the largest: the powers of small numbers would all be 0.
    let largest = f64::from(p.get(most_probable(p) as usize).copied().unwrap_or_default());
    let raised: Vec<f64> = p.iter().map(|p| libm::pow(f64::from(*p) / largest, 1.0 / temperature)).collect();
    let sum: f64 = raised.iter().sum();
    raised.iter().map(|q| (q / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temperature_below_one_sharpens_and_above_one_flattens() {
        let q = temper(&[0.25, 0.75], 0.5);
        assert!((q[1] - 0.9).abs() < 1e-6 && (q[0] - 0.1).abs() < 1e-6);
        let flat = temper(&[0.1, 0.9], 2.0);
        assert!((flat[0] - 0.25).abs() < 1e-6);
        assert_eq!(temper(&[0.25, 0.75], 1.0), [0.25, 0.75]);
        assert!(temper(&[], 1.0).is_empty());
    }

    #[test]
    fn a_thousand_small_probabilities_have_powers_too() {
        let mut p = vec![1e-4; 10_000];
        p[7] = 2e-4;
        let q = temper(&p, 0.01);
        assert!(q.iter().all(|q| q.is_finite()) && q[7] > 0.999, "{}", q[7]);
    }

    #[test]
    fn the_first_of_the_largest_is_the_most_probable() {
        assert_eq!([most_probable(&[0.2, 0.4, 0.4]), most_probable(&[]), most_probable(&[f32::NAN, 0.1])], [1, 0, 0]);
    }
}
