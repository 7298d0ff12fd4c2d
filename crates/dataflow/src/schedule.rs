//! Which record lies in which slot of which step: a pure function of (seed, round, step, labels of the round).
//!
//! Neither threads, processes nor a restart enter into it. Any worker computes its own share of a step
//! without a shuffled list of all records.

use std::collections::BTreeMap;
use std::ops::Range;

use millstream_data::{Permutation, Target, temper};
use millstream_labels::Selected;
use serde::{Deserialize, Serialize};

use crate::job::{Job, RoundJob, Unlabelled};
use crate::ranks::Lane;
use crate::time::Time;

/// What a batch is for. The passes of a round follow each other in this order; those without records are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Pass {
    /// An optimisation step.
    Train,
    /// Looking at the model before its labels count, on labelled records that it did not learn from.
    Validate,
    /// Measuring accuracy.
    Test,
    /// Labelling what nobody labelled.
    Label,
}

impl Pass {
    /// The pass that a time lies in.
    pub(crate) fn of(time: &Time) -> Self {
        match time.epoch {
            Time::VALIDATE => Pass::Validate,
            Time::TEST => Pass::Test,
            Time::LABEL => Pass::Label,
            _ => Pass::Train,
        }
    }

    /// The records that a pass asks the model about; none in training.
    fn records(self, job: &Job) -> &[u32] {
        match self {
            Pass::Train => &[],
            Pass::Validate => &job.validation,
            Pass::Test => &job.test,
            Pass::Label => &job.unlabelled,
        }
    }
}

/// The slots of a step that one worker fills.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Share {
    /// The slots of the step that this is about, and by which they are numbered here.
    pub(crate) lane: Lane,
    pub(crate) slots: Range<u32>,
    /// How many slots there are in the lane, over all workers.
    pub(crate) width: u32,
    /// The ranks that get them.
    pub(crate) ranks: Range<u32>,
}

/// One place in a batch and the record that fills it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot {
    /// Position within the lane of its share, over all workers.
    pub(crate) number: u32,
    /// The positions that this worker fills.
    pub(crate) share: Share,
    /// Record number.
    pub(crate) record: u32,
    /// How often the record's own list has been gone through: part of the random key of its view.
    pub(crate) epoch: u32,
    /// Which of its copies in that list, where balancing repeats a record.
    pub(crate) copy: u32,
    /// The label to learn.
    pub(crate) target: Target,
    /// Whether a human gave it.
    pub(crate) labelled: bool,
}

/// An endless walk over `[0, n)`, each epoch in a fresh keyed order.
struct Deck {
    n: u64,
    key: [u64; 3],
    dealt: Option<(u64, Permutation)>,
}

impl Deck {
    fn new(n: usize, seed: u64, round: u32, stream: u64) -> Self {
        Deck { n: n as u64, key: [seed, u64::from(round), stream], dealt: None }
    }

    /// The epoch and the index of the `position`-th draw.
    fn draw(&mut self, position: u64) -> (u32, usize) {
        let epoch = position / self.n;
        let [seed, round, stream] = self.key;
        let fresh = || (epoch, Permutation::new(self.n, &[seed, round, stream, epoch]));
        let dealt = match self.dealt.take() {
            Some(dealt) if dealt.0 == epoch => dealt,
            _ => fresh(),
        };
        let index = dealt.1.get(position % self.n) as usize;
        self.dealt = Some(dealt);
        (epoch as u32, index)
    }
}

/// One entry of the list of images without human labels that a round trains on.
struct Pseudo {
    record: u32,
    copy: u32,
    target: Target,
}

/// The steps of one round.
pub(crate) struct Schedule {
    round: u32,
    labelled: Deck,
    unlabelled: Deck,
    pseudo: Vec<Pseudo>,
}

impl Schedule {
    /// Lays out a round, given the selected pseudo-labels by record number.
    pub(crate) fn new(job: &Job, round: u32, chosen: &BTreeMap<u32, Selected>) -> Self {
        let settings = &job.rounds[round as usize];
        let pseudo: Vec<Pseudo> = match settings.unlabelled {
            Unlabelled::Selected => {
                chosen.iter().flat_map(|(record, chosen)| copies(*record, chosen, settings)).collect()
            }
            Unlabelled::All => {
                let untold = |record| Pseudo { record, copy: 0, target: Target::None };
                job.untold().into_iter().map(untold).collect()
            }
        };
        Schedule {
            round,
            labelled: Deck::new(job.labelled.len(), job.seed, round, 0),
            unlabelled: Deck::new(pseudo.len(), job.seed, round, 1),
            pseudo,
        }
    }

    /// The time of the first step of the round that is to be done, or of the next round if it has none.
    pub(crate) fn first(&self, job: &Job) -> Time {
        self.at(job, Pass::Train, if self.round == job.first_round { job.first_step } else { 0 })
    }

    /// The time of the step after `time`, or the start of the next round.
    pub(crate) fn after(&self, job: &Job, time: &Time) -> Time {
        self.at(job, Pass::of(time), time.step + 1)
    }

    fn at(&self, job: &Job, pass: Pass, step: u32) -> Time {
        if step < steps(job, self.round, pass) {
            let epoch = match pass {
                Pass::Train => self.epoch(job, step),
                Pass::Validate => Time::VALIDATE,
                Pass::Test => Time::TEST,
                Pass::Label => Time::LABEL,
            };
            return Time::new(self.round, epoch, step);
        }
        match pass {
            Pass::Train => self.at(job, Pass::Validate, 0),
            Pass::Validate => self.at(job, Pass::Test, 0),
            Pass::Test => self.at(job, Pass::Label, 0),
            Pass::Label => Time::start_of(self.round + 1),
        }
    }

    /// Epochs are counted on labelled images.
    fn epoch(&self, job: &Job, step: u32) -> u32 {
        let drawn = u64::from(step) * u64::from(job.rounds[self.round as usize].batch);
        (drawn / self.labelled.n).min(u64::from(Time::VALIDATE - 1)) as u32
    }

    /// How many slots the step has.
    pub(crate) fn width(&self, job: &Job, time: &Time) -> u32 {
        let pass = Pass::of(time);
        if pass == Pass::Train {
            let round = &job.rounds[self.round as usize];
            return round.batch + if self.pseudo.is_empty() { 0 } else { round.unlabelled_batch };
        }
        let (all, first) = (pass.records(job).len() as u64, u64::from(time.step) * u64::from(job.eval_batch));
        all.saturating_sub(first).min(u64::from(job.eval_batch)) as u32
    }

    /// What one of so many workers does of a step. What trains is dealt out to the ranks, each of which has workers of its own; but
    /// where samples are mixed with each other all ranks need all of them. What only asks goes to one rank as a whole, since
    /// answers depend a little on what else is in a batch; but all must hear what the model is calibrated by.
    pub(crate) fn share(&self, job: &Job, time: &Time, (index, peers): (usize, usize)) -> Share {
        let (width, ranks) = (self.width(job, time), job.ranks.count);
        let Some((index, peers)) = job.ranks.preparing(index, peers) else {
            return Share { lane: Lane::ALL, slots: 0..0, width, ranks: 0..0 };
        };
        let mixed = job.rounds[self.round as usize].mix.is_some();
        match Pass::of(time) {
            Pass::Train if !mixed => {
                let (rank, mine) = job.ranks.served_by(index, peers);
                let lane = Lane { rank, ranks };
                share(lane, lane.count(width), mine, rank..rank + 1)
            }
            Pass::Train | Pass::Validate => share(Lane::ALL, width, (index, peers), 0..ranks),
            Pass::Test | Pass::Label => {
                let rank = time.step % ranks;
                share(Lane::ALL, width, (index, peers), rank..rank + 1)
            }
        }
    }

    /// What fills a slot.
    pub(crate) fn slot(&mut self, job: &Job, time: &Time, number: u32, share: Share) -> Slot {
        let pass = Pass::of(time);
        if pass == Pass::Train {
            return self.train_slot(job, time.step, number, share);
        }
        let place = share.lane.global(number);
        let record = pass.records(job)[time.step as usize * job.eval_batch as usize + place as usize];
        let labelled = pass != Pass::Label;
        let target = if labelled { label_of(job, record) } else { Target::None };
        Slot { number, share, record, epoch: 0, copy: 0, target, labelled }
    }

    fn train_slot(&mut self, job: &Job, step: u32, number: u32, share: Share) -> Slot {
        let round = &job.rounds[self.round as usize];
        let position = |batch: u32, j: u32| u64::from(step) * u64::from(batch) + u64::from(j);
        let place = share.lane.global(number);
        if place < round.batch {
            let (epoch, index) = self.labelled.draw(position(round.batch, place));
            let record = job.labelled[index];
            return Slot { number, share, record, epoch, copy: 0, target: label_of(job, record), labelled: true };
        }
        let (epoch, index) = self.unlabelled.draw(position(round.unlabelled_batch, place - round.batch));
        let Pseudo { record, copy, target } = &self.pseudo[index];
        Slot { number, share, record: *record, epoch, copy: *copy, target: target.clone(), labelled: false }
    }
}

/// The label that the manifest has for a record.
fn label_of(job: &Job, record: u32) -> Target {
    job.manifest.entries()[record as usize].label.map_or(Target::None, Target::Hard)
}

/// Steps of a pass of a round.
fn steps(job: &Job, round: u32, pass: Pass) -> u32 {
    match pass {
        Pass::Train => job.rounds[round as usize].steps,
        Pass::Label if !job.label_last && round as usize + 1 == job.rounds.len() => 0,
        _ => pass.records(job).len().div_ceil(job.eval_batch.max(1) as usize) as u32,
    }
}

/// A selected record, as often as balancing wants it.
fn copies(record: u32, chosen: &Selected, round: &RoundJob) -> Vec<Pseudo> {
    let target = match round.soft {
        Some(temperature) if !chosen.distribution.is_empty() => {
            let distribution: Vec<f32> = chosen.distribution.iter().map(|p| p.get()).collect();
            Target::Soft(temper(&distribution, temperature))
        }
        _ => Target::Hard(chosen.class),
    };
    (0..chosen.copies).map(|copy| Pseudo { record, copy, target: target.clone() }).collect()
}

/// A worker's share of a lane: contiguous, so that parts are joined by whole blocks.
fn share(lane: Lane, width: u32, (index, peers): (usize, usize), ranks: Range<u32>) -> Share {
    let cut = |i: usize| (u64::from(width) * i as u64 / peers as u64) as u32;
    Share { lane, slots: cut(index)..cut(index + 1), width, ranks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_a_step_once() {
        for (width, peers) in [(64, 3), (5, 5), (2, 7), (256, 1)] {
            let all: Vec<u32> = (0..peers).flat_map(|i| share(Lane::ALL, width, (i, peers), 0..1).slots).collect();
            assert_eq!(all, (0..width).collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_epoch_of_a_deck_deals_each_record_once_in_another_order() {
        let mut deck = Deck::new(10, 1, 0, 0);
        let mut epochs = vec![Vec::new(); 3];
        for position in 0..30 {
            let (epoch, index) = deck.draw(position);
            epochs[epoch as usize].push(index);
        }
        assert_ne!(epochs[0], epochs[1]);
        for mut epoch in epochs {
            epoch.sort_unstable();
            assert_eq!(epoch, (0..10).collect::<Vec<_>>());
        }
    }
}
