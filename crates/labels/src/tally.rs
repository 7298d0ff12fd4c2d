//! Counts what happens in the book, and turns the counts of each time into [`RoundStats`].

use std::collections::BTreeMap;

use differential_dataflow::lattice::Lattice;
use differential_dataflow::{AsCollection, VecCollection};
use millstream_data::Key;
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Capability, Operator};
use timely::order::TotalOrder;
use timely::progress::Timestamp;

use crate::label::Selected;
use crate::rule::Rule;
use crate::select::Candidate;
use crate::stats::{ClassStats, RoundStats};
use crate::threshold::{Cut, edge, first_bin};

/// What is counted, for one class each. Where the class does not matter it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Tally {
    /// Upserts that came in: a time that was told nothing new still has its statistics.
    Heard,
    Churn,
    Joined,
    Left,
    Labelled,
    Accepted,
    Copies,
    Known,
    Correct,
    /// Labels at or above the class's threshold.
    Pool,
    /// Bins between the least threshold and the class's own.
    Raised,
}

impl Tally {
    /// Whether the count starts anew at every time, instead of being carried on.
    fn is_event(self) -> bool {
        matches!(self, Tally::Heard | Tally::Churn | Tally::Joined | Tally::Left)
    }
}

/// Counts, as weights.
pub(crate) type Tallies<'scope, T> = VecCollection<'scope, T, (Tally, u32)>;

/// Counts upserts as they come in, with news in them or not.
pub(crate) fn heard<'scope, T, V: 'static>(upserts: StreamVec<'scope, T, (Key, V, T)>) -> Tallies<'scope, T>
where
    T: Timestamp,
{
    upserts.map(|(_, _, time)| ((Tally::Heard, 0), time, 1)).as_collection()
}

/// Counts candidates, and those whose class changed.
pub(crate) fn labelled<'scope, T>(candidates: VecCollection<'scope, T, (Key, Candidate)>) -> Tallies<'scope, T>
where
    T: Timestamp + Lattice,
{
    let now = candidates.clone().map(|(_, candidate)| (Tally::Labelled, candidate.class));
    let classes = candidates.map(|(key, candidate)| (key, candidate.class)).consolidate();
    // Churn is the records that lost a class less those that lost their label altogether.
    let lost_class = losses(classes.clone());
    let lost_label = losses(classes.map(|(key, _)| key).consolidate()).negate();
    now.concatenate([lost_class, lost_label])
}

fn losses<'scope, T: Timestamp, D: 'static>(changes: VecCollection<'scope, T, D>) -> Tallies<'scope, T> {
    changes
        .inner
        .flat_map(|(_, time, change)| (change < 0).then_some(((Tally::Churn, 0), time, -change)))
        .as_collection()
}

/// Counts what is selected, what came and went, and what is known to be right.
pub(crate) fn selected<'scope, T>(
    selected: VecCollection<'scope, T, (Key, Selected)>,
    truth: VecCollection<'scope, T, (Key, u32)>,
) -> Tallies<'scope, T>
where
    T: Timestamp + Lattice,
{
    let taken = selected.clone().explode(|(_, label)| {
        let copies = isize::try_from(label.copies).unwrap_or(isize::MAX);
        [((Tally::Accepted, label.class), 1), ((Tally::Copies, label.class), copies)]
    });
    let judged = selected
        .clone()
        .map(|(key, label)| (key, label.class))
        .join_map(truth, |_, class, truth| (*class, class == truth));
    let judged =
        judged.explode(|(class, right)| [((Tally::Known, class), 1), ((Tally::Correct, class), isize::from(right))]);
    taken.concatenate([judged, membership(selected)])
}

fn membership<'scope, T>(selected: VecCollection<'scope, T, (Key, Selected)>) -> Tallies<'scope, T>
where
    T: Timestamp + Lattice,
{
    let changes = selected.map(|(key, _)| key).consolidate();
    changes
        .inner
        .map(|(_, time, change)| {
            let tally = if change > 0 { Tally::Joined } else { Tally::Left };
            ((tally, 0), time, change.abs())
        })
        .as_collection()
}

/// Records where each class was cut.
pub(crate) fn cut<'scope, T: Timestamp>(cuts: VecCollection<'scope, T, (u32, Cut)>, rule: &Rule) -> Tallies<'scope, T> {
    let floor = first_bin(rule.threshold);
    cuts.explode(move |(class, cut)| {
        let pool = isize::try_from(cut.pool).unwrap_or(isize::MAX);
        [((Tally::Pool, class), pool), ((Tally::Raised, class), isize::from(cut.bin.saturating_sub(floor)))]
    })
}

/// Gathers all counts on worker 0, and sends the statistics of each time once that time is complete.
pub(crate) fn report<'scope, T>(tallies: Tallies<'scope, T>, rule: &Rule) -> StreamVec<'scope, T, (T, RoundStats)>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let mut ledger = Ledger { rule: *rule, levels: BTreeMap::new() };
    // Summed where they arise, then once more per count, so that little travels.
    let sums = tallies.consolidate_stream().consolidate().inner;
    sums.unary_frontier(Exchange::new(|_| 0), "Report", move |_, _| {
        let mut open: BTreeMap<T, Vec<Change>> = BTreeMap::new();
        // For the earliest time that is still open.
        let mut held: Option<Capability<T>> = None;
        move |(input, frontier), output| {
            input.for_each(|capability, changes| {
                let earlier = |time: &T| held.as_ref().is_none_or(|held| time < held.time());
                if capability.least().is_some_and(earlier) {
                    held = capability.retain_least(0);
                }
                for (tally, time, change) in changes.drain(..) {
                    open.entry(time).or_default().push((tally, change));
                }
            });
            while let Some(first) = open.first_entry() {
                if frontier.less_equal(first.key()) {
                    break;
                }
                let (time, changes) = first.remove_entry();
                let stats = ledger.enter(changes);
                if let Some(capability) = held.as_ref().and_then(|held| held.try_delayed(&time)) {
                    output.session(&capability).give((time, stats));
                }
            }
            held = open.keys().next().and_then(|time| held.take()?.try_delayed(time));
        }
    })
}

type Change = ((Tally, u32), isize);

/// The counts so far.
struct Ledger {
    rule: Rule,
    levels: BTreeMap<(Tally, u32), i64>,
}

impl Ledger {
    /// Enters the changes of one time and draws the balance.
    fn enter(&mut self, changes: Vec<Change>) -> RoundStats {
        let mut events = BTreeMap::new();
        for (tally, change) in changes {
            let counts = if tally.0.is_event() { &mut events } else { &mut self.levels };
            *counts.entry(tally).or_default() += change as i64;
        }
        self.levels.retain(|_, count| *count != 0);
        let event = |tally| count(&events, tally, 0);
        RoundStats {
            labelled_by_teacher: self.total(Tally::Labelled),
            accepted: self.total(Tally::Accepted),
            copies: self.total(Tally::Copies),
            known: self.total(Tally::Known),
            correct: self.total(Tally::Correct),
            per_class: (0..self.rule.classes).map(|class| self.class(class)).collect(),
            churn: event(Tally::Churn),
            joined: event(Tally::Joined),
            left: event(Tally::Left),
        }
    }

    fn total(&self, tally: Tally) -> u64 {
        let classes = self.levels.range((tally, 0)..=(tally, u32::MAX));
        classes.map(|(_, count)| u64::try_from(*count).unwrap_or(0)).sum()
    }

    fn class(&self, class: u32) -> ClassStats {
        let level = |tally| count(&self.levels, tally, class);
        let (threshold, factor) = match &self.rule.balance {
            None => (self.rule.threshold, 1.0),
            Some(balance) => {
                let raised = u8::try_from(level(Tally::Raised)).unwrap_or(u8::MAX);
                (edge(first_bin(self.rule.threshold).saturating_add(raised)), balance.factor(level(Tally::Pool)))
            }
        };
        ClassStats {
            labelled: level(Tally::Labelled),
            accepted: level(Tally::Accepted),
            copies: level(Tally::Copies),
            threshold,
            factor,
            known: level(Tally::Known),
            correct: level(Tally::Correct),
        }
    }
}

fn count(counts: &BTreeMap<(Tally, u32), i64>, tally: Tally, class: u32) -> u64 {
    counts.get(&(tally, class)).map_or(0, |count| u64::try_from(*count).unwrap_or(0))
}
