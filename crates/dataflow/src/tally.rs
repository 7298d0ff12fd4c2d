//! Counts over a labelled split, as they travel in the stream.

use std::collections::BTreeMap;

use millstream_data::most_probable;
use millstream_labels::log_probability;
use serde::{Deserialize, Serialize};

/// Bins of the confidence in (0, 1], all equally wide.
pub const BINS: usize = 15;

/// How often a label may be missed and still count for the top-5 accuracy.
const TOP: usize = 5;

/// One nat of the summed loss, and all of the summed confidence of one record, as whole numbers.
const NAT: f64 = (1_u64 << 24) as f64;
const SURE: f64 = (1_u64 << 32) as f64;

/// What is counted of the answers for labelled records.
///
/// All of it is whole numbers, so that a sum depends neither on the order of its parts nor on how they were grouped. Pairs of
/// classes that never came up take no room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many records there were for each pair of label and most probable class.
    pub confusion: BTreeMap<(u32, u32), u64>,
    /// Records whose label is among the five most probable classes.
    pub in_top5: u64,
    /// In 2^-24 nats.
    loss: u64,
    bins: [Bin; BINS],
}

/// The answers whose confidence lies in one of the bins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bin {
    /// How many there are.
    pub total: u64,
    /// How many of them are right.
    pub correct: u64,
    /// In 2^-32.
    confidence: u64,
}

impl Bin {
    /// The sum of the confidences.
    pub fn confidence(&self) -> f64 {
        self.confidence as f64 / SURE
    }

    fn add(&mut self, other: &Bin) {
        self.total += other.total;
        self.correct += other.correct;
        self.confidence += other.confidence;
    }
}

impl<'a> FromIterator<(u32, &'a [f32])> for Tally {
    /// Counts labels, each with the probability of each class.
    fn from_iter<I: IntoIterator<Item = (u32, &'a [f32])>>(answers: I) -> Self {
        let mut tally = Tally::default();
        answers.into_iter().for_each(|(label, probabilities)| tally.count(label, probabilities));
        tally
    }
}

impl Tally {
    /// Counts one record: its label, and the probability of each class.
    pub fn count(&mut self, label: u32, probabilities: &[f32]) {
        let answer = most_probable(probabilities);
        let at = |class: u32| probabilities.get(class as usize).copied().unwrap_or_default();
        let (confidence, right) = (at(answer), answer == label);
        *self.confusion.entry((label, answer)).or_default() += 1;
        self.in_top5 += u64::from(rank(label, probabilities) < TOP);
        self.loss += (-log_probability(at(label)) * NAT).round() as u64;
        let confidence_units = (f64::from(confidence) * SURE) as u64;
        let one = Bin { total: 1, correct: u64::from(right), confidence: confidence_units };
        self.bins[bin(confidence)].add(&one);
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Tally) {
        for (pair, count) in &other.confusion {
            *self.confusion.entry(*pair).or_default() += count;
        }
        self.in_top5 += other.in_top5;
        self.loss += other.loss;
        self.bins.iter_mut().zip(&other.bins).for_each(|(bin, other)| bin.add(other));
    }

    /// Records that were counted.
    pub fn total(&self) -> u64 {
        self.bins.iter().map(|bin| bin.total).sum()
    }

    /// Records whose most probable class is their label.
    pub fn correct(&self) -> u64 {
        self.bins.iter().map(|bin| bin.correct).sum()
    }

    /// The share of right answers, 0 when nothing was counted.
    pub fn accuracy(&self) -> f64 {
        if self.total() == 0 { 0.0 } else { self.correct() as f64 / self.total() as f64 }
    }

    /// The summed negative log-likelihood of the labels, in nats.
    pub fn loss(&self) -> f64 {
        self.loss as f64 / NAT
    }

    /// The bins of confidence, bin `i` from `i / 15` (not included) to `(i + 1) / 15` (included).
    pub fn bins(&self) -> &[Bin; BINS] {
        &self.bins
    }
}

/// How many classes go before this one, by probability and then by number. One that is not a number goes before all.
fn rank(class: u32, probabilities: &[f32]) -> usize {
    let class = class as usize;
    let Some(own) = probabilities.get(class) else { return usize::MAX };
    let behind = |(other, p): (usize, &f32)| p < own || (p == own && other >= class);
    probabilities.len() - probabilities.iter().enumerate().filter(|entry| behind(*entry)).count()
}

/// The bin of a confidence. The bounds are rounded as the confidence itself is: 0.2 lies in the bin that ends at 3/15.
fn bin(confidence: f32) -> usize {
    (1..BINS).filter(|bound| confidence > *bound as f32 / BINS as f32).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confidence_lies_in_the_bin_whose_upper_bound_it_does_not_exceed() {
        let above = |x: f32| f32::from_bits(x.to_bits() + 1);
        for (confidence, wanted) in [(0.0, 0), (1.0 / 15.0, 0), (0.2, 2), (above(0.2), 3), (0.5, 7), (1.0, 14)] {
            assert_eq!(bin(confidence), wanted, "{confidence}");
        }
    }

    #[test]
    fn equal_probabilities_rank_by_class() {
        let shares = [0.1, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1];
        assert_eq!((0..7).map(|class| rank(class, &shares)).collect::<Vec<_>>(), [3, 0, 1, 2, 4, 5, 6]);
        let mut tally = Tally::default();
        (0..7).for_each(|label| tally.count(label, &shares));
        assert_eq!((tally.total(), tally.correct(), tally.in_top5), (7, 1, 5));
    }

    #[test]
    fn what_is_no_probability_is_no_right_answer() {
        let mut tally = Tally::default();
        tally.count(1, &[0.5, f32::NAN, 0.5, 0.0, 0.0, 0.0]);
        tally.count(9, &[1.0, 0.0]);
        tally.count(0, &[]);
        assert_eq!((tally.total(), tally.in_top5), (3, 0));
        assert!(tally.loss().is_finite());
    }

    #[test]
    fn a_sum_does_not_depend_on_how_it_is_taken() {
        let answers: Vec<(u32, [f32; 3])> =
            (0..60).map(|i| (i % 3, [0.1 + i as f32 / 100.0, 0.2, 0.7 - i as f32 / 100.0])).collect();
        let tally = |answers: &mut dyn Iterator<Item = &(u32, [f32; 3])>| {
            let mut tally = Tally::default();
            answers.for_each(|(label, shares)| tally.count(*label, shares));
            tally
        };
        let whole = tally(&mut answers.iter());
        let parts: Vec<Tally> = answers.chunks(7).map(|part| tally(&mut part.iter())).collect();
        let sum = |parts: &mut dyn Iterator<Item = &Tally>| {
            let mut sum = Tally::default();
            parts.for_each(|part| sum.add(part));
            sum
        };
        assert_eq!(sum(&mut parts.iter()), whole);
        assert_eq!(sum(&mut parts.iter().rev()), whole);
    }

    #[test]
    fn a_batch_of_a_thousand_classes_travels_light() {
        let mut tally = Tally::default();
        let shares = vec![0.001; 1000];
        (0..64).for_each(|label| tally.count(label, &shares));
        assert!(bincode::serialized_size(&tally).unwrap() < 2048);
    }
}
