//! `conclude`: gathers all that a round produced at worker 0, and says when the round is complete.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millstream_data::{DeadLetter, Key, LabelRow, most_probable};
use millstream_labels::{RoundStats, Selected};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::Operator;
use timely::progress::frontier::MutableAntichain;

use super::learn::{Answer, Prediction};
use super::sample::{Choice, apply};
use crate::event::{Event, EventSink, RoundResult};
use crate::job::Job;
use crate::stop::{Stop, StopReason};
use crate::tally::Tally;
use crate::time::Time;

/// One piece of a round's result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Finding {
    Answer(Answer),
    Choice(Choice),
    Stats(RoundStats),
}

/// Collects findings and reports each round once the frontier has passed its end. Stops the run when the
/// bad records exceed `max_bad`.
pub(crate) fn conclude(findings: StreamVec<'_, Time, Finding>, job: Arc<Job>, events: EventSink, stop: Stop) {
    let mut ledger = Ledger::new(job, events, stop);
    findings.sink(Exchange::new(|_: &Finding| 0), "Conclude", move |(input, frontier)| {
        input.for_each(|capability, findings| {
            if let Some(time) = capability.least() {
                let round = time.round;
                findings.drain(..).for_each(|finding| ledger.enter(round, finding));
            }
        });
        ledger.close(frontier);
        ledger.stop_if_failed(frontier);
    });
}

struct Ledger {
    job: Arc<Job>,
    events: EventSink,
    stop: Stop,
    open: BTreeMap<u32, Open>,
    /// What is selected now, by record number.
    chosen: BTreeMap<u32, Selected>,
    bad: BTreeSet<Key>,
    /// The round in which the training node failed, and why.
    failed: Option<(u32, String)>,
}

/// A round whose findings are still coming in.
#[derive(Default)]
struct Open {
    result: RoundResult,
    predictions: Vec<Prediction>,
    choices: Vec<Choice>,
    /// The count over the test split at the temperature of the round.
    calibrated: Tally,
}

impl Ledger {
    fn new(job: Arc<Job>, events: EventSink, stop: Stop) -> Self {
        let bad = job.known_bad.iter().copied().collect();
        let ledger = Ledger { job, events, stop, open: BTreeMap::new(), chosen: BTreeMap::new(), bad, failed: None };
        ledger.count();
        ledger
    }

    fn enter(&mut self, round: u32, finding: Finding) {
        let finding = match finding {
            Finding::Answer(Answer::Dead(letter)) => return self.bury(letter),
            Finding::Answer(Answer::Failed(why)) => return self.failed = Some((round, why)),
            finding => finding,
        };
        let open = self.open.entry(round).or_default();
        match finding {
            Finding::Answer(Answer::Trained(trained)) => open.result.trained = Some(trained),
            Finding::Answer(Answer::Validated(tally)) => open.result.validation.add(&tally),
            Finding::Answer(Answer::Calibrated(calibration)) => open.result.calibration = Some(*calibration),
            Finding::Answer(Answer::Tested { raw, calibrated }) => {
                open.result.test.add(&raw);
                calibrated.iter().for_each(|tally| open.calibrated.add(tally));
            }
            Finding::Answer(Answer::Labelled(prediction)) => open.predictions.push(prediction),
            Finding::Choice(choice) => open.choices.push(choice),
            Finding::Stats(stats) => open.result.selection = Some(stats),
            Finding::Answer(Answer::Dead(_) | Answer::Failed(_)) => {}
        }
    }

    /// Reports a bad record and counts it. Two workers may meet the same one; it is news once.
    fn bury(&mut self, letter: DeadLetter) {
        if !self.bad.insert(letter.key) {
            return;
        }
        (self.events)(Event::Dead(letter));
        self.count();
    }

    /// Ends the run where more records are bad than it tolerates.
    fn count(&self) {
        let (bad, allowed) = (self.bad.len() as u64, self.job.max_bad);
        if bad > allowed {
            let records = self.job.manifest.entries().len() as u64;
            self.stop.set(StopReason::TooManyBad { bad, records, allowed });
        }
    }

    fn close(&mut self, frontier: &MutableAntichain<Time>) {
        while let Some(entry) = self.open.first_entry() {
            let round = *entry.key();
            if frontier.less_equal(&Time::end_of(round)) {
                return;
            }
            let open = entry.remove();
            let result = self.sum_up(round, open);
            // The labels restored for a resumed run replay the round before it: that one was reported long ago.
            if round >= self.job.first_round {
                (self.events)(Event::Round(Box::new(result)));
            }
        }
    }

    /// A failure ends the run, but not before the rounds that were done by then have been reported: the next may begin
    /// while they are summed up.
    fn stop_if_failed(&mut self, frontier: &MutableAntichain<Time>) {
        if let Some((round, why)) = &self.failed
            && round.checked_sub(1).is_none_or(|before| !frontier.less_equal(&Time::end_of(before)))
        {
            self.stop.set(StopReason::Failed(why.clone()));
        }
    }

    fn sum_up(&mut self, round: u32, mut open: Open) -> RoundResult {
        apply(&mut self.chosen, open.choices);
        open.predictions.sort_by_key(|prediction| prediction.record);
        open.result.round = round;
        open.result.calibration.iter_mut().for_each(|calibration| calibration.test.add(&open.calibrated));
        open.result.labels = open.predictions.into_iter().map(|prediction| self.label(round, prediction)).collect();
        open.result
    }

    fn label(&self, round: u32, prediction: Prediction) -> LabelRow {
        let class = most_probable(&prediction.probabilities);
        let chosen = self.chosen.get(&prediction.record);
        LabelRow {
            key: prediction.key,
            place: self.job.manifest.place(prediction.record),
            class,
            class_name: self.job.classes.get(class as usize).cloned().unwrap_or_default(),
            confidence: prediction.probabilities[class as usize],
            distribution: if self.job.keep_distribution { prediction.probabilities } else { Vec::new() },
            round,
            model: blake3::Hash::from_bytes(prediction.model).to_hex().to_string(),
            selected: chosen.is_some(),
            copies: chosen.map_or(0, |chosen| chosen.copies),
            import: None,
        }
    }
}
