//! A threshold for each class that keeps a promise of precision on held-out records.

use millstream_data::most_probable;

use crate::calibration::Validated;

/// As many held-out answers as a class needs to have a threshold of its own, about.
pub const ENOUGH: usize = 50;

/// For each class the least confidence from which on at least a share `target`, in (0, 1], of the held-out records that
/// the model puts into the class are right; infinity where no confidence is enough.
///
/// A class that the model names fewer than `enough` times ([`ENOUGH`]) has the threshold that all answers together have.
/// The threshold is the confidence of an answer, so a class has at most as many as it has answers. Answers that are
/// no numbers or whose label is no class are left out.
pub fn class_thresholds(answers: &[Validated], classes: u32, target: f64, enough: usize) -> Vec<f32> {
    let mut all: Vec<Judged> = answers.iter().filter(|answer| answer.counts()).map(Judged::new).collect();
    all.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let pooled = least(all.iter(), target);
    let own = |class| {
        let mine = || all.iter().filter(move |judged| judged.class == class);
        if mine().count() < enough { pooled } else { least(mine(), target) }
    };
    (0..classes).map(own).collect()
}

/// What the model named, how sure it was, and whether it was right.
struct Judged {
    class: u32,
    confidence: f32,
    right: bool,
}

impl Judged {
    fn new(answer: &Validated) -> Judged {
        let class = most_probable(&answer.probabilities);
        Judged { class, confidence: answer.probabilities[class as usize], right: class == answer.label }
    }
}

/// The least confidence at which the share of right ones among all at or above it reaches the target. The most confident
/// come first.
fn least<'a>(answers: impl Iterator<Item = &'a Judged>, target: f64) -> f32 {
    let (mut seen, mut right) = (0_u64, 0_u64);
    let mut found = f32::INFINITY;
    let mut answers = answers.peekable();
    while let Some(answer) = answers.next() {
        (seen, right) = (seen + 1, right + u64::from(answer.right));
        // Equal ones pass together.
        let last = answers.peek().is_none_or(|next| next.confidence < answer.confidence);
        if last && right as f64 >= target * seen as f64 {
            found = answer.confidence;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The model names class 0 of 2 with this confidence.
    fn zero(confidence: f32, right: bool) -> Validated {
        Validated { label: u32::from(!right), probabilities: vec![confidence, 1.0 - confidence] }
    }

    #[test]
    fn the_least_threshold_that_keeps_the_promise() {
        // From the top: 1/1, 2/2, 2/3, 3/4, 3/5.
        let answers = [(0.95, true), (0.9, true), (0.8, false), (0.7, true), (0.6, false)].map(|(p, r)| zero(p, r));
        for (target, threshold) in [(1.0, 0.9), (0.75, 0.7), (0.7, 0.7), (0.6, 0.6), (0.5, 0.6)] {
            assert_eq!(class_thresholds(&answers, 1, target, 1), [threshold], "{target}");
        }
    }

    #[test]
    fn equal_confidences_pass_together() {
        let answers = [zero(0.9, true), zero(0.9, false), zero(0.9, true)];
        assert_eq!(class_thresholds(&answers, 1, 1.0, 1), [f32::INFINITY]);
        assert_eq!(class_thresholds(&answers, 1, 0.6, 1), [0.9]);
    }

    #[test]
    fn a_class_with_too_few_answers_has_the_common_threshold() {
        let one = Validated { label: 0, probabilities: vec![0.25, 0.75] };
        let answers = [zero(0.875, true), zero(0.625, true), one, zero(f32::NAN, true)];
        assert_eq!(class_thresholds(&answers, 3, 1.0, 2), [0.625, 0.875, 0.875]);
        assert_eq!(class_thresholds(&answers, 2, 1.0, 1), [0.625, f32::INFINITY]);
        assert_eq!(class_thresholds(&[], 2, 0.5, 1), [f32::INFINITY; 2]);
    }
}
