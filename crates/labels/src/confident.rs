//! Confident learning: which given labels are probably wrong (Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating
//! Uncertainty in Dataset Labels").
//!
//! The probabilities must be out of sample: of a model that has not learned from the label it judges.

/// How sure a model is of each class where it is the given label: the thresholds that its own confidence has to meet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confidences {
    sums: Vec<f64>,
    counts: Vec<u64>,
}

impl Confidences {
    /// Of so many classes, nothing noted yet.
    pub fn new(classes: usize) -> Self {
        Confidences { sums: vec![0.0; classes], counts: vec![0; classes] }
    }

    /// Takes note of a record with a given label. A label that is no class is passed over.
    pub fn note(&mut self, label: u32, probabilities: &[f32]) {
        let at = label as usize;
        if let (Some(share), Some(sum), Some(count)) =
            (probabilities.get(at), self.sums.get_mut(at), self.counts.get_mut(at))
        {
            *sum += f64::from(*share);
            *count += 1;
        }
    }

    /// The threshold of each class: the mean probability of the class over the records that are labelled so (equation 2); infinite for a
    /// class that no record is labelled with.
    pub fn thresholds(&self) -> Vec<f64> {
        let mean = |(sum, count): (&f64, &u64)| if *count == 0 { f64::INFINITY } else { sum / *count as f64 };
        self.sums.iter().zip(&self.counts).map(mean).collect()
    }
}

/// The class that a record is counted as: the most probable of those whose probability meets the threshold, the first of equals
/// (equation 1). None where no class does.
pub fn confident_class(probabilities: &[f32], thresholds: &[f64]) -> Option<u32> {
    let mut best: Option<(u32, f32)> = None;
    for (class, (share, threshold)) in (0..).zip(probabilities.iter().zip(thresholds)) {
        if f64::from(*share) >= *threshold && best.is_none_or(|(_, most)| *share > most) {
            best = Some((class, *share));
        }
    }
    best.map(|(class, _)| class)
}

/// The normalised margin of a given label, in [0, 1]: (p_y - max over k != y of p_k + 1) / 2. The smaller it is, the more probably the
/// label is wrong. 0 for a label that is no class.
pub fn normalised_margin(label: u32, probabilities: &[f32]) -> f32 {
    let Some(own) = probabilities.get(label as usize) else { return 0.0 };
    let others = (0..).zip(probabilities).filter(|(class, _)| *class != label).map(|(_, share)| *share);
    (own - others.fold(0.0, f32::max) + 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four records of three classes, the thresholds and the counted classes worked out by hand.
    #[test]
    fn a_record_counts_as_the_most_probable_class_that_is_confident_enough() {
        let told: [(u32, [f32; 3]); 4] =
            [(0, [0.75, 0.25, 0.0]), (0, [0.25, 0.5, 0.25]), (1, [0.125, 0.375, 0.5]), (1, [0.25, 0.625, 0.125])];
        let mut confidences = Confidences::new(3);
        told.iter().for_each(|(label, shares)| confidences.note(*label, shares));
        confidences.note(3, &[0.0, 0.0, 0.0]);
        let thresholds = confidences.thresholds();
        assert_eq!(thresholds, [0.5, 0.5, f64::INFINITY]);
        let counted = told.map(|(_, shares)| confident_class(&shares, &thresholds));
        // The second record is labelled 0 and counts as 1; the third is no confident example of anything.
        assert_eq!(counted, [Some(0), Some(1), None, Some(1)]);
        assert_eq!(confident_class(&[0.5, 0.5], &[0.1, 0.1]), Some(0), "the first of equals");
    }

    #[test]
    fn the_margin_is_that_of_cleanlab() {
        // cleanlab.rank.get_normalized_margin_for_each_label: 0.5 p_y - 0.5 max p_k + 0.5.
        for (label, shares, margin) in [
            (0, [0.75, 0.25, 0.0], 0.75),
            (2, [0.75, 0.25, 0.0], 0.125),
            (1, [0.5, 0.5, 0.0], 0.5),
            (0, [1.0, 0.0, 0.0], 1.0),
        ] {
            assert_eq!(normalised_margin(label, &shares), margin);
        }
        assert_eq!(normalised_margin(9, &[1.0]), 0.0);
    }
}
