//! How good a model is on a labelled split.

use serde::{Deserialize, Serialize};

use crate::tally::{BINS, Bin, Tally};

/// Up to so many classes every answer is among the best five.
const TOP: usize = 5;

/// The figures of a model over a labelled split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Records that were counted, at least 1.
    pub total: u64,
    /// Records whose most probable class is their label.
    pub correct: u64,
    /// The share of these, 0 to 1 (top-1 accuracy).
    pub accuracy: f64,
    /// The share of records whose label is among the five most probable classes; none up to five classes.
    pub top5: Option<f64>,
    /// Mean negative log-likelihood of the labels, in nats.
    pub loss: f64,
    /// Expected calibration error, 0 to 1: the mean over all records of `|accuracy - confidence|` of their bin, with 15 equal
    /// bins of the largest probability (Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3).
    pub ece: f64,
    /// These bins, the least confident first.
    pub reliability: Vec<Reliability>,
    /// How the records of each class fared, by class number.
    pub classes: Vec<ClassAccuracy>,
}

/// One bin of confidence: from `i / 15` (not included) to `(i + 1) / 15` (included).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Records in it.
    pub total: u64,
    /// Their mean confidence, if there are any.
    pub confidence: Option<f64>,
    /// The share of them that the model gets right, if there are any.
    pub accuracy: Option<f64>,
}

/// The records of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassAccuracy {
    /// The name of the class.
    pub class: String,
    /// Records with this label.
    pub total: u64,
    /// Those that the model gets right.
    pub correct: u64,
    /// The share of these (recall), if there are any records.
    pub accuracy: Option<f64>,
}

impl Evaluation {
    /// The figures of what was counted, or none if nothing was.
    pub fn new(tally: &Tally, classes: &[String]) -> Option<Self> {
        let total = tally.total();
        Some(Evaluation {
            total,
            correct: tally.correct(),
            accuracy: share(tally.correct(), total)?,
            top5: share(tally.in_top5, total).filter(|_| classes.len() > TOP),
            loss: tally.loss() / total as f64,
            ece: calibration_error(tally.bins(), total),
            reliability: tally.bins().iter().map(reliability).collect(),
            classes: by_class(tally, classes),
        })
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// `sum over bins of n / N * |correct / n - confidence / n|`, in which `n` cancels out.
fn calibration_error(bins: &[Bin; BINS], total: u64) -> f64 {
    bins.iter().map(|bin| (bin.correct as f64 - bin.confidence()).abs()).sum::<f64>() / total as f64
}

fn reliability(bin: &Bin) -> Reliability {
    let confidence = (bin.total > 0).then(|| bin.confidence() / bin.total as f64);
    Reliability { total: bin.total, confidence, accuracy: share(bin.correct, bin.total) }
}

fn by_class(tally: &Tally, classes: &[String]) -> Vec<ClassAccuracy> {
    let empty = |class: &String| ClassAccuracy { class: class.clone(), total: 0, correct: 0, accuracy: None };
    let mut figures: Vec<ClassAccuracy> = classes.iter().map(empty).collect();
    for ((label, answer), count) in &tally.confusion {
        if let Some(class) = figures.get_mut(*label as usize) {
            class.total += count;
            class.correct += if label == answer { *count } else { 0 };
            class.accuracy = share(class.correct, class.total);
        }
    }
    figures
}

#[cfg(test)]
mod tests;
