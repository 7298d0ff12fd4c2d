//! The loss of one concatenated batch of labelled and pseudo-labelled images.

use std::ops::Range;

use millstream_data::{Batch, Row, Target};
use tch::{TchError, Tensor};

use crate::TrainError;

/// What the loss compares a batch's logits with.
///
/// With `CE(q, p) = -sum_k q_k log p_k`, the loss is `(mean_lab CE(y, p) + w * mean_unl CE(q, p)) / (1 + w)`, the Noisy Student
/// loss (algorithm 4.2 of its paper's code) up to the division, which only keeps the learning rate independent of
/// `w`. A side without rows falls away together with its weight. Hard targets, human or pseudo, are smoothed:
/// `(1 - s) onehot + s / K`. Soft targets are taken as they are.
#[derive(Debug, PartialEq)]
pub(crate) struct Targets {
    /// `rows x classes`, row after row.
    distribution: Vec<f32>,
    /// The weight of each row in the loss. They sum to 1.
    weights: Vec<f32>,
    /// The class of each labelled row, by row.
    labelled: Vec<(usize, i64)>,
}

impl Targets {
    /// The targets of a batch that is not empty.
    pub(crate) fn new(batch: &Batch, classes: usize, smoothing: f64, weight: f64) -> Result<Targets, TrainError> {
        let mut distribution = Vec::with_capacity(batch.rows.len() * classes);
        let mut labelled = Vec::new();
        for (index, row) in batch.rows.iter().enumerate() {
            let target = push_distribution(&mut distribution, row, classes, smoothing)?;
            if row.labelled {
                labelled.push((index, target));
            }
        }
        Ok(Targets { distribution, weights: weights(&batch.rows, labelled.len(), weight), labelled })
    }

    /// The loss of `logits`, `rows x classes`: one number.
    pub(crate) fn loss(&self, logits: &Tensor) -> Result<Tensor, TchError> {
        let device = logits.device();
        let weights = Tensor::f_from_slice(&self.weights)?.f_to_device(device)?;
        let targets = Tensor::f_from_slice(&self.distribution)?.f_reshape(logits.size())?.f_to_device(device)?;
        let weighted = targets.f_mul(&weights.f_unsqueeze(1)?)?;
        logits.f_log_softmax(1, None)?.f_mul(&weighted)?.f_sum(None)?.f_neg()
    }

    /// The targets of these rows, which weigh in the loss what they weigh in that of all rows.
    pub(crate) fn part(&self, rows: &Range<usize>) -> Targets {
        let classes = self.distribution.len() / self.weights.len().max(1);
        let distribution = self.distribution.chunks(classes.max(1)).skip(rows.start).take(rows.len());
        let labelled = self.labelled.iter().filter(|(row, _)| rows.contains(row));
        Targets {
            distribution: distribution.flatten().copied().collect(),
            weights: self.weights.iter().skip(rows.start).take(rows.len()).copied().collect(),
            labelled: labelled.map(|(row, class)| (row - rows.start, *class)).collect(),
        }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.weights.len()
    }

    /// How many labelled rows there are, and how many of them `predicted`, a class for each row, gets right.
    pub(crate) fn score(&self, predicted: &[i64]) -> (u32, u32) {
        let right = self.labelled.iter().filter(|(row, class)| predicted.get(*row) == Some(class)).count();
        (count(self.labelled.len()), count(right))
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Appends the distribution of one row and returns its likeliest class.
fn push_distribution(
    distribution: &mut Vec<f32>,
    row: &Row,
    classes: usize,
    smoothing: f64,
) -> Result<i64, TrainError> {
    let refuse = |what: String| Err(TrainError::Batch(format!("the target of record {} {what}", row.key)));
    match &row.target {
        Target::None => refuse("is missing: training needs a label for every row".to_owned()),
        Target::Hard(class) if *class as usize >= classes => {
            refuse(format!("is class {class}, but there are only {classes} classes"))
        }
        Target::Hard(class) => {
            let start = distribution.len();
            distribution.resize(start + classes, (smoothing / classes as f64) as f32);
            distribution[start + *class as usize] = (1.0 - smoothing + smoothing / classes as f64) as f32;
            Ok(i64::from(*class))
        }
        Target::Soft(soft) if soft.len() != classes => {
            refuse(format!("has {} probabilities, but there are {classes} classes", soft.len()))
        }
        Target::Soft(soft) if !soft.iter().all(|share| (0.0..=1.0).contains(share)) => {
            refuse("has a probability outside 0 to 1".to_owned())
        }
        Target::Soft(soft) => {
            distribution.extend_from_slice(soft);
            Ok(likeliest(soft))
        }
    }
}

/// The first of the largest.
fn likeliest(shares: &[f32]) -> i64 {
    let mut best = 0;
    for (class, share) in shares.iter().enumerate() {
        if *share > shares[best] {
            best = class;
        }
    }
    best as i64
}

/// The weight of each row: a side's share of the loss, spread evenly over its rows.
fn weights(rows: &[Row], labelled: usize, weight: f64) -> Vec<f32> {
    let unlabelled = rows.len() - labelled;
    let sides = [(labelled, 1.0), (unlabelled, weight)].map(|(rows, weight)| if rows == 0 { 0.0 } else { weight });
    let total = sides[0] + sides[1];
    let share = |side: f64, rows: usize| {
        if total > 0.0 { (side / total / rows as f64) as f32 } else { 0.0 }
    };
    let (human, pseudo) = (share(sides[0], labelled), share(sides[1], unlabelled));
    rows.iter().map(|row| if row.labelled { human } else { pseudo }).collect()
}

#[cfg(test)]
mod tests;
