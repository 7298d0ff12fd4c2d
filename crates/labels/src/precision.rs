//! How far a share of right labels can be trusted.

use serde::{Deserialize, Serialize};

/// The 97.5 % quantile of the normal distribution: both sides together leave out 5 %.
const Z: f64 = 1.959_963_984_540_054;

/// How right labels at or above a threshold are, measured on records whose label is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Precision {
    /// The least confidence, in (0, 1).
    pub threshold: f32,
    /// Records at or above it.
    pub selected: u64,
    /// Those among them that are right.
    pub correct: u64,
    /// The share of these, 0 to 1; none if no record is selected.
    pub precision: Option<f64>,
    /// Where the true share lies with 95 % confidence: Wilson's interval (Wilson 1927, "Probable Inference, the Law of
    /// Succession, and Statistical Inference"), which is 0 to 1 if no record is selected.
    pub low: f64,
    /// The upper end of it.
    pub high: f64,
}

impl Precision {
    /// Of so many right ones, `correct`, among so many `selected`.
    pub fn new(threshold: f32, selected: u64, correct: u64) -> Self {
        let precision = (selected > 0).then(|| correct as f64 / selected as f64);
        let (low, high) = precision.map_or((0.0, 1.0), |share| wilson(share, selected as f64));
        Precision { threshold, selected, correct, precision, low, high }
    }
}

/// `(p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)`.
fn wilson(share: f64, count: f64) -> (f64, f64) {
    let doubt = Z * Z / count;
    let half = Z * (share * (1.0 - share) / count + doubt / (4.0 * count)).sqrt();
    let end = |sign: f64| ((share + doubt / 2.0 + sign * half) / (1.0 + doubt)).clamp(0.0, 1.0);
    (end(-1.0), end(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Right, selected, and both ends.
    const CASES: [(u64, u64, f64, f64); 4] = [
        (8, 10, 0.490_162_471_536_641_8, 0.943_317_848_545_624_8),
        (0, 7, 0.0, 0.354_330_435_066_687_43),
        (970, 1000, 0.957_496_585_852_412_8, 0.978_906_261_171_165_4),
        (5, 5, 0.565_517_535_216_825_1, 1.0),
    ];

    /// Ends by scipy 1.17, `scipy.stats.binomtest(correct, selected).proportion_ci(method="wilson")`.
    #[test]
    fn the_interval_is_wilsons() {
        for (correct, selected, low, high) in CASES {
            let found = Precision::new(0.5, selected, correct);
            assert!((found.low - low).abs() < 1e-12 && (found.high - high).abs() < 1e-12, "{found:?}");
            assert_eq!(found.precision, Some(correct as f64 / selected as f64));
        }
    }

    #[test]
    fn nothing_selected_says_nothing() {
        let found = Precision::new(0.5, 0, 0);
        assert_eq!((found.precision, found.low, found.high), (None, 0.0, 1.0));
    }
}
