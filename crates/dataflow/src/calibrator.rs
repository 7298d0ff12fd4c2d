//! Fits the temperature of a round's model to its validation pass, and brings what the model says later to it.

use millstream_data::most_probable;
use millstream_labels::{Precision, Temperature, Validated};

use crate::event::Calibration;
use crate::learner::Reply;
use crate::schedule::Pass;
use crate::tally::Tally;

/// Listens to the answers of one round, on the training thread.
pub(crate) struct Calibrator {
    /// The confidence from which on labels are selected.
    threshold: f32,
    /// Of the validation pass, in order, until the temperature is known.
    answers: Vec<Validated>,
    temperature: Option<Temperature>,
}

impl Calibrator {
    pub(crate) fn new(threshold: f32) -> Self {
        Calibrator { threshold, answers: Vec::new(), temperature: None }
    }

    /// Collects the answers of the validation pass. With the first one of a later pass the temperature is fitted, and that and
    /// all others are brought to it.
    pub(crate) fn hear(&mut self, pass: Pass, reply: &mut Reply) {
        if pass == Pass::Validate {
            let known = reply.known(&reply.probabilities);
            self.answers.extend(known.map(|(label, shares)| Validated { label, probabilities: shares.to_vec() }));
            return;
        }
        reply.calibration = self.fit();
        reply.calibrated = self.temperature.map(|temperature| {
            let mut probabilities = reply.probabilities.clone();
            probabilities.chunks_mut(reply.classes()).for_each(|row| temperature.apply(row));
            probabilities
        });
    }

    /// The temperature of the answers that were collected, and what they look like then. Nothing the next time.
    fn fit(&mut self) -> Option<Calibration> {
        let mut answers = std::mem::take(&mut self.answers);
        let temperature = Temperature::fit(&answers)?;
        self.temperature = Some(temperature);
        if temperature.is_bound() {
            let (records, bound) = (answers.len(), temperature.get());
            tracing::warn!("{records} validation records do not tell the temperature of the model: {bound} is taken");
        }
        answers.iter_mut().for_each(|answer| temperature.apply(&mut answer.probabilities));
        let validation = answers.iter().map(|answer| (answer.label, &answer.probabilities[..])).collect();
        let precision = precision(self.threshold, &answers);
        Some(Calibration { temperature, validation, test: Tally::default(), precision })
    }
}

/// How right those are whose confidence reaches the threshold.
fn precision(threshold: f32, answers: &[Validated]) -> Precision {
    let class = |answer: &Validated| most_probable(&answer.probabilities);
    let sure = |answer: &&Validated| {
        answer.probabilities.get(class(answer) as usize).is_some_and(|confidence| *confidence >= threshold)
    };
    let selected: Vec<&Validated> = answers.iter().filter(sure).collect();
    let correct = selected.iter().filter(|answer| class(answer) == answer.label).count();
    Precision::new(threshold, selected.len() as u64, correct as u64)
}
