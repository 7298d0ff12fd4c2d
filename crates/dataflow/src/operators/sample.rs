//! `sample`: the source of the stream. Says which record fills which slot of each step.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use millstream_labels::Selected;
use serde::{Deserialize, Serialize};
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;
use timely::progress::frontier::MutableAntichain;

use crate::flow::Credit;
use crate::job::Job;
use crate::schedule::{Schedule, Share, Slot};
use crate::time::Time;

/// A change of the set of selected pseudo-labels: `+1` joins it, `-1` leaves it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Choice {
    pub(crate) record: u32,
    pub(crate) selected: Selected,
    pub(crate) diff: isize,
}

/// Emits this worker's share of each step, at the step's time.
///
/// Holds the only capability that drives the stream. A round begins when the frontier of `choices` has
/// passed its start: then the labels of the round are complete, on every worker.
pub(crate) fn sample<'scope>(
    choices: Stream<'scope, Time, Vec<Choice>>,
    job: Arc<Job>,
    credit: Credit,
) -> Stream<'scope, Time, Vec<Slot>> {
    let scope = choices.scope();
    let (index, peers) = (scope.index(), scope.peers());
    choices.unary_frontier(Pipeline, "Sample", move |capability, info| {
        let activator = scope.activator_for(std::rc::Rc::clone(&info.address));
        let source = scope.activator_for(info.address);
        credit.wakes(move || source.activate());
        let mut sampler = Sampler::new(job, credit, capability, index, peers);
        move |(input, frontier), output| {
            input.for_each(|_, data| sampler.pending.append(data));
            if let Some((capability, slots)) = sampler.next(frontier) {
                output.session(&capability).give_iterator(slots.into_iter());
                // One step at a time, so that what follows gets its turn.
                activator.activate();
            }
        }
    })
}

struct Sampler {
    job: Arc<Job>,
    credit: Credit,
    index: usize,
    peers: usize,
    capability: Option<Capability<Time>>,
    chosen: BTreeMap<u32, Selected>,
    pending: Vec<Choice>,
    schedule: Option<Schedule>,
    /// Slots of the current step that are this worker's.
    share: Share,
    /// Those of them that are still to be emitted.
    left: Option<Range<u32>>,
}

impl Sampler {
    fn new(job: Arc<Job>, credit: Credit, mut capability: Capability<Time>, index: usize, peers: usize) -> Self {
        capability.downgrade(&Time::start_of(job.first_round));
        let capability = ((job.first_round as usize) < job.rounds.len()).then_some(capability);
        let (chosen, pending) = (BTreeMap::new(), Vec::new());
        Sampler {
            job,
            credit,
            index,
            peers,
            capability,
            chosen,
            pending,
            schedule: None,
            share: Share::default(),
            left: None,
        }
    }

    /// The next slots to emit, if labels and credit allow any.
    fn next(&mut self, frontier: &MutableAntichain<Time>) -> Option<(Capability<Time>, Vec<Slot>)> {
        loop {
            let time = *self.capability.as_ref()?.time();
            if self.schedule.is_none() {
                if frontier.less_equal(&Time::start_of(time.round)) {
                    return None;
                }
                self.begin_round(time.round);
                continue;
            }
            if self.left.is_none() && !self.begin_step(time) {
                return None;
            }
            let slots = self.take(time);
            let capability = self.capability.clone()?;
            if self.left.as_ref().is_some_and(|left| left.start == left.end) {
                self.end_step(time);
            } else if slots.is_empty() {
                return None;
            }
            if !slots.is_empty() {
                return Some((capability, slots));
            }
        }
    }

    fn begin_round(&mut self, round: u32) {
        apply(&mut self.chosen, std::mem::take(&mut self.pending));
        let schedule = Schedule::new(&self.job, round, &self.chosen);
        self.move_to(schedule.first(&self.job));
        self.schedule = Some(schedule);
    }

    fn begin_step(&mut self, time: Time) -> bool {
        if !self.credit.step_fits() {
            return false;
        }
        self.credit.begin_step(time);
        let workers = (self.index, self.peers);
        self.share =
            self.schedule.as_ref().map_or_else(Share::default, |schedule| schedule.share(&self.job, &time, workers));
        self.left = Some(self.share.slots.clone());
        true
    }

    /// As many of the step's slots as there is room for.
    fn take(&mut self, time: Time) -> Vec<Slot> {
        let mut slots = Vec::new();
        if let (Some(left), Some(schedule)) = (&mut self.left, &mut self.schedule) {
            while left.start < left.end && self.credit.record_fits() {
                self.credit.begin_record();
                slots.push(schedule.slot(&self.job, &time, left.start, self.share.clone()));
                left.start += 1;
            }
        }
        slots
    }

    fn end_step(&mut self, time: Time) {
        self.left = None;
        let Some(schedule) = &self.schedule else {
            return;
        };
        let next = schedule.after(&self.job, &time);
        if next.round > time.round {
            self.schedule = None;
        }
        self.move_to(next);
    }

    fn move_to(&mut self, time: Time) {
        if time.round as usize >= self.job.rounds.len() {
            self.capability = None;
        } else if let Some(capability) = &mut self.capability {
            capability.downgrade(&time);
        }
    }
}

/// Brings a set of selected records up to date. Departures come first: a changed label is one departure and
/// one arrival of the same record.
pub(crate) fn apply(chosen: &mut BTreeMap<u32, Selected>, mut choices: Vec<Choice>) {
    choices.sort_by_key(|choice| choice.diff);
    for Choice { record, selected, diff } in choices {
        if diff < 0 {
            chosen.remove(&record);
        } else {
            chosen.insert(record, selected);
        }
    }
}
