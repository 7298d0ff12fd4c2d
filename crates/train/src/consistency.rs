//! Learning from images without labels by the model's own word on them, asked anew in each step: Pseudo-Label (Lee 2013),
//! FixMatch (Sohn et al. 2020) and FlexMatch (Zhang et al. 2021).
//!
//! The model says what an unlabelled image is: of its weak view, without gradients. Where it is sure, its word is the
//! target of the image's other views. The loss is `mean_lab CE + lambda(t) mean_unl(m CE)`, and the second mean is over all
//! unlabelled rows, those with m = 0 included.

mod curriculum;

use std::borrow::Cow;
use std::collections::BTreeMap;

use millstream_data::{Row, Target, most_probable, temper};
use tch::{Kind, TchError, Tensor};

use crate::config::{ConsistencyConfig, Threshold};
use crate::input::select;
use crate::loss::count;
use crate::{StepMetrics, TrainError};
use curriculum::Curriculum;

/// What a round has learnt about its unlabelled images beside the weights.
pub(crate) struct Consistency {
    config: ConsistencyConfig,
    /// FlexMatch's.
    curriculum: Option<Curriculum>,
    /// The images of this step, by record, that the model was sure of, and its word on them.
    sure: Vec<[i64; 2]>,
}

/// What a step trains on.
#[derive(Debug, Default)]
pub(crate) struct Lesson<'a> {
    /// The rows of the batch that are trained on, by their place in it.
    pub(crate) places: Vec<usize>,
    /// These rows, each with a target.
    pub(crate) rows: Cow<'a, [Row]>,
    /// What each counts among its like, 0 or 1; weighed, its weight in the loss.
    pub(crate) weights: Vec<f32>,
    /// Images that the model was asked about, and those about which it was sure enough.
    pub(crate) asked: u32,
    pub(crate) accepted: u32,
}

/// The model's word on an image.
#[derive(Clone, Debug)]
struct Answer {
    target: Target,
    accepted: bool,
}

/// What an answer is about: a record, by its number and its place in the list of records, and there all views or one.
type Subject = (u32, u32, u32, Option<u8>);

impl Consistency {
    pub(crate) fn new(config: &ConsistencyConfig, classes: usize) -> Consistency {
        let flexible = matches!(config.threshold, Threshold::Flexible { .. });
        let curriculum = flexible.then(|| Curriculum::new(config.images, classes));
        Consistency { config: config.clone(), curriculum, sure: Vec::new() }
    }

    /// Whether the averaged weights are asked.
    pub(crate) fn asks_average(&self) -> bool {
        self.config.mean_teacher
    }

    fn subject(&self, row: &Row) -> Subject {
        (row.record, row.epoch, row.copy, self.config.weak.is_none().then_some(row.view))
    }

    /// The places of the rows that the model is asked about.
    pub(crate) fn asks(&self, rows: &[Row]) -> Vec<usize> {
        let weak = |row: &Row| !row.labelled && self.config.weak.is_none_or(|weak| row.view == weak);
        (0..rows.len()).filter(|at| weak(&rows[*at])).collect()
    }

    /// What to train on, given the probabilities that the model gave `asked`, row after row.
    pub(crate) fn lesson(&mut self, rows: &[Row], asked: &[usize], probabilities: &[f32]) -> Lesson<'static> {
        let classes = probabilities.len() / asked.len().max(1);
        let thresholds = self.thresholds(classes);
        let answers: BTreeMap<Subject, Answer> = asked
            .iter()
            .zip(probabilities.chunks(classes.max(1)))
            .map(|(at, shares)| (self.subject(&rows[*at]), self.answer(&rows[*at], shares, &thresholds)))
            .collect();
        let accepted = answers.values().filter(|answer| answer.accepted).count();
        let mut lesson = Lesson { asked: count(answers.len()), accepted: count(accepted), ..Lesson::default() };
        for (at, row) in rows.iter().enumerate() {
            if row.labelled {
                lesson.push(at, row.clone(), 1.0);
            } else if self.config.weak != Some(row.view)
                && let Some(Answer { target, accepted }) = answers.get(&self.subject(row))
            {
                lesson.push(at, Row { target: target.clone(), ..row.clone() }, f32::from(u8::from(*accepted)));
            }
        }
        lesson
    }

    /// The weight of a labelled row and of any other, of so many, after a share of the round: 1 is spread over the labelled rows, and
    /// the weight of that moment over the others.
    pub(crate) fn weights(&self, [labelled, others]: [f64; 2], done: f64) -> [f32; 2] {
        let share = |side: f64, rows: f64| (side / rows.max(1.0)) as f32;
        [share(1.0, labelled), share(self.config.weight * ramp(self.config.ramp, done), others)]
    }

    /// Takes to heart what the model was sure of in a step: records and their classes, over all ranks.
    pub(crate) fn learn(&mut self, sure: &[[i64; 2]]) {
        for [record, class] in sure {
            if let (Some(curriculum), Ok(record), Ok(class)) =
                (&mut self.curriculum, u32::try_from(*record), u32::try_from(*class))
            {
                curriculum.learnt(record, class);
            }
        }
    }

    /// What the step before told of single records, where that is kept: only then ranks have to tell each other.
    pub(crate) fn sure(&mut self) -> Option<Vec<[i64; 2]>> {
        self.curriculum.as_ref()?;
        Some(std::mem::take(&mut self.sure))
    }

    fn thresholds(&self, classes: usize) -> Vec<f64> {
        match (&self.curriculum, self.config.threshold) {
            (Some(curriculum), Threshold::Flexible { tau, warmup, mapping }) => {
                curriculum.thresholds(tau, warmup, mapping)
            }
            (_, Threshold::Fixed(tau) | Threshold::Flexible { tau, .. }) => vec![tau; classes],
        }
    }

    /// Thresholds are those before the step; what the model says now counts from the next on.
    fn answer(&mut self, row: &Row, shares: &[f32], thresholds: &[f64]) -> Answer {
        let class = most_probable(shares);
        let confidence = f64::from(shares.get(class as usize).copied().unwrap_or_default());
        if let Threshold::Flexible { tau, .. } = self.config.threshold
            && confidence >= tau
        {
            self.sure.push([i64::from(row.record), i64::from(class)]);
        }
        let target = match self.config.soft {
            Some(temperature) => Target::Soft(temper(shares, temperature)),
            None => Target::Hard(class),
        };
        Answer { target, accepted: thresholds.get(class as usize).is_some_and(|threshold| confidence >= *threshold) }
    }

    /// What must be kept for the rest of the round, by name.
    pub(crate) fn state(&self) -> Result<Option<(String, Tensor)>, TchError> {
        self.curriculum.as_ref().map(Curriculum::state).transpose()
    }

    /// Takes back what [`state`](Self::state) gave.
    pub(crate) fn restore(&mut self, kept: &mut BTreeMap<String, Tensor>) -> Result<(), TrainError> {
        match &mut self.curriculum {
            Some(curriculum) => curriculum.restore(kept),
            None => Ok(()),
        }
    }
}

impl<'a> Lesson<'a> {
    /// All rows of a batch, with the targets that they have.
    pub(crate) fn given(rows: &'a [Row]) -> Lesson<'a> {
        let weights = vec![1.0; rows.len()];
        Lesson { places: (0..rows.len()).collect(), rows: Cow::Borrowed(rows), weights, asked: 0, accepted: 0 }
    }

    /// Those of a batch's images that are trained on.
    pub(crate) fn images(&self, batch: Tensor) -> Result<Tensor, TchError> {
        if batch.size().first() == Some(&(self.places.len() as i64)) { Ok(batch) } else { select(&batch, &self.places) }
    }

    fn push(&mut self, place: usize, row: Row, weight: f32) {
        self.places.push(place);
        self.rows.to_mut().push(row);
        self.weights.push(weight);
    }

    /// Weighs labelled rows and the others.
    pub(crate) fn weigh(&mut self, [human, other]: [f32; 2]) {
        for (row, weight) in self.rows.iter().zip(&mut self.weights) {
            *weight *= if row.labelled { human } else { other };
        }
    }

    /// Adds what was asked to what a step says.
    pub(crate) fn count(&self, metrics: StepMetrics) -> StepMetrics {
        StepMetrics { asked: self.asked, accepted: self.accepted, ..metrics }
    }
}

/// The share of the full weight after a share of the round: 0 up to the first bound, 1 from the second on, linear between (Lee
/// 2013, equation 16).
fn ramp([from, to]: [f64; 2], done: f64) -> f64 {
    if done >= to { 1.0 } else { ((done - from) / (to - from)).max(0.0) }
}

/// Probabilities, row after row, on this side of the device.
pub(crate) fn probabilities(logits: &Tensor) -> Result<Vec<f32>, TchError> {
    numbers(&logits.f_softmax(1, Kind::Float)?)
}

/// The numbers of a tensor of floats, row after row.
pub(crate) fn numbers(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let tensor = tensor.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut values = vec![0.0; tensor.numel()];
    tensor.f_copy_data(&mut values, tensor.numel())?;
    Ok(values)
}

#[cfg(test)]
mod tests;
