//! Counts what happens in the book, and turns the counts of each time into [`RoundStats`].

use std::collections::BTreeMap;

use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::implementations::ValSpine;
use differential_dataflow::trace::{Cursor, Navigable, TraceReader};
use differential_dataflow::{AsCollection, VecCollection};
use millstream_data::Key;
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Capability, Operator};
use timely::order::TotalOrder;
use timely::progress::Timestamp;

use crate::book::Labels;
use crate::label::{Pseudo, Selected};
use crate::policy::Policy;
use crate::select::Candidate;
use crate::stats::{ClassStats, RoundStats};
use crate::threshold::{Cut, LAST, edge};
use crate::upsert::Latest;

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
    /// Records that people have labelled, where a class is cut.
    People,
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
pub(crate) fn heard<'scope, T: Timestamp>(upserts: StreamVec<'scope, T, T>) -> Tallies<'scope, T> {
    upserts.map(|time| ((Tally::Heard, 0), time, 1)).as_collection()
}

/// Counts candidates.
pub(crate) fn labelled<'scope, T: Timestamp>(
    candidates: VecCollection<'scope, T, (Key, Candidate)>,
) -> Tallies<'scope, T> {
    candidates.map(|(_, candidate)| (Tally::Labelled, candidate.class))
}

/// Counts candidates whose class changed: those that lost a class less those that lost their label altogether.
///
/// Only records that lost something are looked at. Those are few, where the corpus as a whole may just have been told.
pub(crate) fn turned<'scope, T>(
    labels: Labels<'scope, T>,
    overruled: VecCollection<'scope, T, (Key, Candidate)>,
) -> Tallies<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let classes = labels.as_container(|span| span.inner.map(|batch| losers(&batch)));
    let classes = classes.concat(overruled.map(|(key, candidate)| (key, candidate.class))).consolidate();
    let lost_label = losses(classes.clone().map(|(key, _)| key).consolidate()).negate();
    losses(classes).concat(lost_label)
}

/// All changes of the class of those keys in a batch that lose a label in it.
fn losers<T>(batch: &Batch<T>) -> Vec<((Key, u32), T, isize)>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let mut found = Vec::new();
    let mut cursor = batch.cursor();
    while let Some(key) = cursor.get_key(batch) {
        let start = found.len();
        while let Some(((), label)) = cursor.get_val(batch) {
            cursor.map_times(batch, |time, change| found.push(((*key, label.class), time.clone(), *change)));
            cursor.step_val(batch);
        }
        if found[start..].iter().all(|(_, _, change)| *change > 0) {
            found.truncate(start);
        }
        cursor.step_key(batch);
    }
    found
}

type Batch<T> = <Latest<(), Pseudo, T> as TraceReader>::Batch;

fn losses<'scope, T: Timestamp, D: 'static>(changes: VecCollection<'scope, T, D>) -> Tallies<'scope, T> {
    changes
        .inner
        .flat_map(|(_, time, change)| (change < 0).then_some(((Tally::Churn, 0), time, -change)))
        .as_collection()
}

/// Counts what is selected, and what came and went.
pub(crate) fn selected<'scope, T>(selected: VecCollection<'scope, T, (Key, Selected)>) -> Tallies<'scope, T>
where
    T: Timestamp + Lattice,
{
    let taken = selected.clone().explode(|(_, label)| {
        let copies = isize::try_from(label.copies).unwrap_or(isize::MAX);
        [((Tally::Accepted, label.class), 1), ((Tally::Copies, label.class), copies)]
    });
    taken.concat(membership(selected))
}

/// Counts the selected whose true class is known, and the right ones among them. The hidden labels are the smallest of the
/// three: what is known of them comes first, so that nothing is arranged for it that is as large as the book.
pub(crate) fn judged<'scope, T>(
    labels: Labels<'scope, T>,
    truth: VecCollection<'scope, T, (Key, u32)>,
    copies: Arranged<'scope, TraceAgent<ValSpine<Key, u32, T, isize>>>,
    classes: u32,
) -> Tallies<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let known = truth.arrange_by_key_named("Truth").join_core(labels, move |key, truth, ((), label)| {
        (label.class < classes).then_some((*key, (label.class, label.class == *truth)))
    });
    let judged = known.arrange_by_key_named("Known").join_core(copies, |_, known, _| Some(*known));
    judged.explode(|(class, right)| [((Tally::Known, class), 1), ((Tally::Correct, class), isize::from(right))])
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
pub(crate) fn cut<'scope, T: Timestamp>(
    cuts: VecCollection<'scope, T, (u32, Cut)>,
    policy: &Policy,
) -> Tallies<'scope, T> {
    let policy = policy.clone();
    cuts.explode(move |(class, cut)| {
        let number = |count: u64| isize::try_from(count).unwrap_or(isize::MAX);
        [
            ((Tally::Pool, class), number(cut.pool)),
            ((Tally::People, class), number(cut.people)),
            ((Tally::Raised, class), isize::from(cut.bin.saturating_sub(policy.floor(class)))),
        ]
    })
}

/// Gathers all counts on worker 0, and sends the statistics of each time once that time is complete.
pub(crate) fn report<'scope, T>(tallies: Tallies<'scope, T>, policy: &Policy) -> StreamVec<'scope, T, (T, RoundStats)>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let mut ledger = Ledger { policy: policy.clone(), levels: BTreeMap::new() };
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
    policy: Policy,
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
            per_class: (0..self.policy.rule.classes).map(|class| self.class(class)).collect(),
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
        let (threshold, factor) = match self.policy.balance() {
            None => (self.policy.threshold(class), 1.0),
            Some(balance) => {
                let raised = u8::try_from(level(Tally::Raised)).unwrap_or(u8::MAX);
                let bin = self.policy.floor(class).saturating_add(raised).min(LAST);
                (edge(bin), balance.factor(level(Tally::Pool), level(Tally::People)))
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
