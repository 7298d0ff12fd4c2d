//! The loss of one concatenated batch of labelled and unlabelled images.

use std::ops::Range;

use millstream_data::{Row, Target, most_probable};
use tch::{TchError, Tensor};

use crate::TrainError;
use crate::error::While;

/// How labels become what the loss compares with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels {
    /// How many classes there are.
    pub(crate) classes: usize,
    /// Hard targets, human or not, become `(1 - s) onehot + s / K`. Soft targets are taken as they are.
    pub(crate) smoothing: f64,
    /// The temperature T of soft targets of unlabelled rows, where students are compared with them at T, too; none: at 1.
    pub(crate) distilled: Option<f64>,
    /// Whether unlabelled rows may come without a target, because a teacher has a word on them.
    pub(crate) taught: bool,
}

/// What the loss compares a batch's logits with: a sum of terms, to which each row adds by its weight.
#[derive(Debug)]
pub(crate) struct Targets {
    terms: Vec<Term>,
    /// The weight of each row, `rows x 1`.
    weights: Tensor,
    /// The class of each labelled row, by row.
    labelled: Vec<(usize, i64)>,
}

/// A comparison of each row's logits `z` with a distribution `q`: the cross-entropy `CE(q, softmax(z))`, or, at a temperature T,
/// `T^2 KL(q || softmax(z / T))` (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", section 2).
#[derive(Debug)]
struct Term {
    /// `rows x classes`.
    distribution: Tensor,
    /// `rows x 1`.
    weights: Tensor,
    temperature: Option<f64>,
}

impl Targets {
    /// The targets of rows, each with its weight in the loss. A row without a target, where that is allowed, is left to a teacher;
    /// those that have one weigh `whole` together, over all ranks.
    pub(crate) fn new(rows: &[Row], weights: &[f32], whole: f64, labels: &Labels) -> Result<Targets, TrainError> {
        let mut distribution = Vec::with_capacity(rows.len() * labels.classes);
        let mut labelled = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let target = push_distribution(&mut distribution, row, labels)?;
            if row.labelled {
                labelled.push((index, target));
            }
        }
        let terms = || Ok((terms(rows, &distribution, (weights, whole), labels)?, matrix(weights, rows.len(), 1)?));
        let (terms, weights) = terms().during("preparing targets")?;
        Ok(Targets { terms, weights, labelled })
    }

    /// Adds a teacher's word on every row: its distribution at that temperature, `rows x classes`. What there was weighs `task`
    /// of what it did, the teacher `weight` of it.
    pub(crate) fn teach(
        &mut self,
        distribution: Tensor,
        temperature: f64,
        [task, weight]: [f64; 2],
    ) -> Result<(), TchError> {
        for term in &mut self.terms {
            term.weights = term.weights.f_mul_scalar(task)?;
        }
        let weights = self.weights.f_mul_scalar(weight)?;
        self.terms.push(Term { distribution, weights, temperature: Some(temperature) });
        Ok(())
    }

    /// The loss of `logits`, `rows x classes`: one number.
    pub(crate) fn loss(&self, logits: &Tensor) -> Result<Tensor, TchError> {
        let mut losses = self.terms.iter().map(|term| term.loss(logits));
        let first = losses.next().unwrap_or_else(|| logits.f_sum(None)?.f_mul_scalar(0.0))?;
        losses.try_fold(first, |sum, loss| sum.f_add(&loss?))
    }

    /// The targets of these rows, which weigh in the loss what they weigh in that of all rows.
    pub(crate) fn part(&self, rows: &Range<usize>) -> Result<Targets, TchError> {
        let labelled = self.labelled.iter().filter(|(row, _)| rows.contains(row));
        Ok(Targets {
            terms: self.terms.iter().map(|term| term.part(rows)).collect::<Result<_, _>>()?,
            weights: narrow(&self.weights, rows)?,
            labelled: labelled.map(|(row, class)| (row - rows.start, *class)).collect(),
        })
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.weights.numel()
    }

    /// How many labelled rows there are, and how many of them `predicted`, a class for each row, gets right.
    pub(crate) fn score(&self, predicted: &[i64]) -> (u32, u32) {
        let right = self.labelled.iter().filter(|(row, class)| predicted.get(*row) == Some(class)).count();
        (count(self.labelled.len()), count(right))
    }
}

pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Term {
    fn loss(&self, logits: &Tensor) -> Result<Tensor, TchError> {
        let distribution = self.distribution.f_to_device(logits.device())?;
        let weighted = distribution.f_mul(&self.weights.f_to_device(logits.device())?)?;
        let Some(temperature) = self.temperature else {
            return logits.f_log_softmax(1, None)?.f_mul(&weighted)?.f_sum(None)?.f_neg();
        };
        let student = logits.f_div_scalar(temperature)?.f_log_softmax(1, None)?;
        // 0 log 0 is 0.
        let teacher = weighted.f_xlogy(&distribution)?;
        teacher.f_sub(&student.f_mul(&weighted)?)?.f_sum(None)?.f_mul_scalar(temperature * temperature)
    }

    fn part(&self, rows: &Range<usize>) -> Result<Term, TchError> {
        let (distribution, weights) = (narrow(&self.distribution, rows)?, narrow(&self.weights, rows)?);
        Ok(Term { distribution, weights, temperature: self.temperature })
    }
}

/// These rows of a tensor, sharing its memory.
pub(crate) fn narrow(tensor: &Tensor, rows: &Range<usize>) -> Result<Tensor, TchError> {
    tensor.f_narrow(0, rows.start as i64, rows.len() as i64)
}

fn matrix(values: &[f32], rows: usize, columns: usize) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(values)?.f_reshape([rows as i64, columns as i64])
}

fn told(row: &Row) -> bool {
    row.target != Target::None
}

/// How many rows have no target, and what those that have one weigh.
pub(crate) fn told_weight(rows: &[Row], weights: &[f32]) -> [f64; 2] {
    let share = |(row, weight): (&Row, &f32)| if told(row) { f64::from(*weight) } else { 0.0 };
    let untold = rows.iter().filter(|row| !told(row)).count();
    [untold as f64, rows.iter().zip(weights).map(share).sum()]
}

/// The terms of given labels: one, and one more at its temperature for the rows that are distilled.
fn terms(
    rows: &[Row],
    distribution: &[f32],
    (weights, whole): (&[f32], f64),
    labels: &Labels,
) -> Result<Vec<Term>, TchError> {
    let term = |temperature: Option<f64>| {
        let ours = |row: &Row| told(row) && labels.distilled.filter(|_| distilled(row)) == temperature;
        let weights: Vec<f32> = rows
            .iter()
            .zip(weights)
            .map(|(row, weight)| if ours(row) { (f64::from(*weight) / whole) as f32 } else { 0.0 })
            .collect();
        let distribution = matrix(distribution, rows.len(), labels.classes)?;
        Ok(Term { distribution, weights: matrix(&weights, rows.len(), 1)?, temperature })
    };
    let temperature = labels.distilled.filter(|_| rows.iter().any(distilled));
    std::iter::once(None).chain(temperature.map(Some)).map(term).collect()
}

/// Whether students learn a row as a student of whoever gave its target. What people say of an image has no temperature.
fn distilled(row: &Row) -> bool {
    !row.labelled && matches!(row.target, Target::Soft(_))
}

/// Appends the distribution of one row and returns its likeliest class.
fn push_distribution(distribution: &mut Vec<f32>, row: &Row, labels: &Labels) -> Result<i64, TrainError> {
    let Labels { classes, smoothing, .. } = *labels;
    let refuse = |what: String| Err(TrainError::Batch(format!("the target of record {} {what}", row.key)));
    match &row.target {
        Target::None if labels.taught && !row.labelled => {
            distribution.extend(std::iter::repeat_n(0.0, classes));
            Ok(0)
        }
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
            Ok(i64::from(most_probable(soft)))
        }
    }
}

/// How many labelled rows there are, and how many others.
pub(crate) fn sides(rows: &[Row]) -> [f64; 2] {
    let labelled = rows.iter().filter(|row| row.labelled).count();
    [labelled as f64, (rows.len() - labelled) as f64]
}

/// The weight of a labelled row and of any other, of so many, where labelled and pseudo-labelled rows are a side each, which share the loss as 1 to `weight`:
/// `(mean_lab + w mean_unl) / (1 + w)`. That is the Noisy Student loss (of its paper's code) up to the division, which keeps the
/// learning rate independent of `w`. A side without rows falls away together with its weight.
pub(crate) fn shared([labelled, others]: [f64; 2], weight: f64) -> [f32; 2] {
    let sides = [(labelled, 1.0), (others, weight)].map(|(rows, weight)| if rows == 0.0 { 0.0 } else { weight });
    let total = sides[0] + sides[1];
    let share = |side: f64, rows: f64| {
        if total > 0.0 && rows > 0.0 { (side / total / rows) as f32 } else { 0.0 }
    };
    [share(sides[0], labelled), share(sides[1], others)]
}

/// The weights of the rows of a session that is alone.
#[cfg(test)]
pub(crate) fn shared_by(rows: &[Row], weight: f64) -> Vec<f32> {
    let [human, other] = shared(sides(rows), weight);
    rows.iter().map(|row| if row.labelled { human } else { other }).collect()
}

#[cfg(test)]
impl Targets {
    /// The targets of a session that is alone.
    pub(crate) fn alone(rows: &[Row], weights: &[f32], labels: &Labels) -> Result<Targets, TrainError> {
        let [untold, told] = told_weight(rows, weights);
        Targets::new(rows, weights, if untold == 0.0 { 1.0 } else { told }, labels)
    }
}

#[cfg(test)]
mod tests;
