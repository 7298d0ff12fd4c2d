//! Figures that were measured several times.

use serde_json::{Value, json};

use super::meter::rounded;

/// The middle of some figures and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Middle {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Middle {
    /// Of nothing there is none.
    pub(super) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Middle> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) };
        Some(Middle { median, least, most })
    }

    /// For programs.
    pub(super) fn as_json(self, digits: i32) -> Value {
        let [median, least, most] = [self.median, self.least, self.most].map(|figure| rounded(figure, digits));
        json!({ "median": median, "least": least, "most": most })
    }

    /// For people.
    pub(super) fn as_text(self, digits: usize) -> String {
        let Middle { median, least, most } = self;
        format!("{median:.digits$} [{least:.digits$}-{most:.digits$}]")
    }
}

/// How many times the one figure is the other: by their medians, and the median of the ratios of each round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratio {
    pub(super) of_medians: f64,
    pub(super) by_round: Middle,
}

impl Ratio {
    /// Of figures that were measured in turn; none where there are none.
    pub(super) fn of(ours: &[f64], theirs: &[f64]) -> Option<Ratio> {
        let of_medians = Middle::of(ours.iter().copied())?.median / Middle::of(theirs.iter().copied())?.median;
        Some(Ratio { of_medians, by_round: Middle::of(ours.iter().zip(theirs).map(|(our, their)| our / their))? })
    }

    /// For programs.
    pub(super) fn as_json(self) -> Value {
        json!({ "of_medians": rounded(self.of_medians, 3), "by_round": self.by_round.as_json(3) })
    }

    /// For people.
    pub(super) fn as_text(self) -> String {
        format!("{:.3}, round by round {}", self.of_medians, self.by_round.as_text(3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_lies_between_the_ends() {
        assert_eq!(Middle::of([]), None);
        assert_eq!(Middle::of([3.0, 1.0, 2.0]), Some(Middle { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(Middle::of([4.0, 1.0]).map(|middle| middle.as_text(1)), Some("2.5 [1.0-4.0]".to_owned()));
    }

    #[test]
    fn ratios_are_those_of_the_medians_and_of_each_round() {
        let ratio = Ratio::of(&[1.0, 2.0, 3.0], &[1.0, 4.0, 1.0]).unwrap();
        assert_eq!((ratio.of_medians, ratio.by_round.median), (2.0, 1.0));
        assert_eq!(Ratio::of(&[], &[1.0]), None);
    }
}
