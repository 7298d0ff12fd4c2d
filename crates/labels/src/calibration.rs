//! Temperature scaling: makes a model's probabilities mean what they say (Guo et al. 2017, "On Calibration of Modern Neural
//! Networks", section 4.2).
//!
//! With logits z the calibrated probabilities are softmax(z / T). Since p = softmax(z), that is p^(1/T), normalised: no logits
//! are needed. One number for all classes, so the most probable class stays what it was.

use millstream_data::{most_probable, temper};
use serde::{Deserialize, Serialize};

/// An answer about a record whose label is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Validated {
    /// The label.
    pub label: u32,
    /// The probability of each class.
    pub probabilities: Vec<f32>,
}

impl Validated {
    /// Whether a temperature makes a difference to it: what is no number, or is no class, stays as it is.
    pub(crate) fn counts(&self) -> bool {
        (self.label as usize) < self.probabilities.len() && sound(&self.probabilities)
    }
}

/// The temperature T of a model, from [`Temperature::MIN`] to [`Temperature::MAX`]: above 1 the model was too sure of itself,
/// below 1 not sure enough.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Temperature(f64);

/// Newton's method is there after half a dozen steps; where it has to halve the range, after this many.
const MOST_STEPS: u32 = 64;
/// Relative size of the step at which the search ends.
const CLOSE: f64 = 1e-10;

impl Temperature {
    /// The least temperature. A model that is right about every record would have 0.
    pub const MIN: f64 = 0.05;
    /// The highest temperature. A model whose probabilities say nothing would have infinity.
    pub const MAX: f64 = 20.0;

    /// The temperature with the least mean negative log-likelihood of the labels; none if there are no answers.
    ///
    /// The same bits on every machine, as long as the answers come in the same order. They should be of records that the model
    /// was not trained on, some hundred of them: without a single wrong one the temperature ends at its bound.
    pub fn fit(answers: &[Validated]) -> Option<Temperature> {
        let answers: Vec<&Validated> = answers.iter().filter(|answer| answer.counts()).collect();
        (!answers.is_empty()).then(|| Temperature(1.0 / coldest(&answers)))
    }

    /// The number T.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Whether the search ended at a bound: the answers do not tell what the temperature is.
    pub fn is_bound(self) -> bool {
        self.0 <= Self::MIN || self.0 >= Self::MAX
    }

    /// Brings the probabilities of one record to this temperature. The most probable class stays; what is no number stays too.
    pub fn apply(self, probabilities: &mut [f32]) {
        if !sound(probabilities) {
            return;
        }
        let best = most_probable(probabilities) as usize;
        let floored: Vec<f32> = probabilities.iter().map(|p| p.max(f32::MIN_POSITIVE)).collect();
        probabilities.copy_from_slice(&temper(&floored, self.0));
        if most_probable(probabilities) as usize != best {
            // Two that were not equal have been rounded to the same number.
            probabilities[best] = probabilities[best].next_up();
        }
    }
}

/// `ln p`, with the same bits on every processor. A probability that came out as 0 counts as the smallest normal one.
pub fn log_probability(p: f32) -> f64 {
    libm::log(f64::from(p.max(f32::MIN_POSITIVE)))
}

fn sound(probabilities: &[f32]) -> bool {
    probabilities.iter().all(|p| p.is_finite())
}

/// 1 / T of the best temperature. In b = 1 / T the mean negative log-likelihood is convex, so its slope has one root: Newton's
/// method, kept within a bracket that every step narrows.
fn coldest(answers: &[&Validated]) -> f64 {
    let (mut low, mut high) = (1.0 / Temperature::MAX, 1.0 / Temperature::MIN);
    let (at_low, at_high) = (bend(answers, low).slope, bend(answers, high).slope);
    match (at_low >= 0.0, at_high <= 0.0) {
        (true, true) => return 1.0,
        (true, false) => return low,
        (false, true) => return high,
        (false, false) => {}
    }
    let mut cold = 1.0;
    for _ in 0..MOST_STEPS {
        let Bend { slope, curvature } = bend(answers, cold);
        let step = slope / curvature;
        if slope == 0.0 || step.abs() <= CLOSE * cold {
            break;
        }
        if slope > 0.0 {
            high = cold
        } else {
            low = cold
        }
        let next = cold - step;
        cold = if next > low && next < high { next } else { (low * high).sqrt() };
    }
    cold
}

/// First and second derivative of a negative log-likelihood in b = 1 / T.
#[derive(Default)]
struct Bend {
    slope: f64,
    curvature: f64,
}

fn bend(answers: &[&Validated], cold: f64) -> Bend {
    let mut sum = Bend::default();
    for answer in answers {
        let Bend { slope, curvature } = bend_of(answer, cold);
        sum.slope += slope;
        sum.curvature += curvature;
    }
    sum
}

/// Of `-ln softmax(b z)[label]` for one record, with z = ln p: the mean of z under softmax(b z) less the label's z, and the
/// variance of z. Logits are taken relative to the largest, so that no power overflows.
fn bend_of(answer: &Validated, cold: f64) -> Bend {
    let largest = answer.probabilities.iter().copied().fold(0.0, f32::max);
    let logit = |p: f32| log_probability(p) - log_probability(largest);
    let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
    for z in answer.probabilities.iter().map(|p| logit(*p)) {
        let weight = libm::exp(cold * z);
        sum += weight;
        first += weight * z;
        second += weight * z * z;
    }
    let mean = first / sum;
    Bend { slope: mean - logit(answer.probabilities[answer.label as usize]), curvature: second / sum - mean * mean }
}

#[cfg(test)]
mod tests;
