//! The book itself: keyed upserts in, the selection and its statistics out.

use std::collections::BTreeMap;

use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::ThresholdTotal;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::implementations::KeySpine;
use differential_dataflow::{AsCollection, VecCollection};
use millstream_data::Key;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Operator;
use timely::dataflow::operators::vec::{Filter, Map};
use timely::order::TotalOrder;
use timely::progress::Timestamp;

use crate::label::{Pseudo, Selected};
use crate::policy::Policy;
use crate::rule::Rule;
use crate::select::{Candidate, Choice, select};
use crate::stats::RoundStats;
use crate::tally::{self, Tallies};
use crate::upsert::{Latest, upsert};

/// What the label book yields.
pub struct Book<'scope, T: Timestamp> {
    /// The pseudo-labels to train on, one for each selected record, with the number of copies.
    ///
    /// A record lies on the worker that its key hashes to. Each change is sent once, under its own time, after
    /// that time is complete; what did not change is not sent.
    pub selected: VecCollection<'scope, T, (Key, Selected)>,
    /// The statistics of each time at which upserts came in or anything changed, under that time, in order, on worker 0.
    pub stats: StreamVec<'scope, T, (T, RoundStats)>,
}

pub(crate) type Labels<'scope, T> = Arranged<'scope, TraceAgent<Latest<(), Pseudo, T>>>;

/// Builds the label book into a dataflow.
///
/// - `human`: labels given by people. Whatever a teacher says of such a record is not selected and not counted.
/// - `truth`: hidden labels, at most one a record, used for nothing but precision.
/// - `upserts`: what teachers say, each with the time at which it holds, which no capability may have passed: a label replaces
///   the record's label so far, `None` takes it away. If one record is told twice at one time, the greater wins.
/// - `rule`: as checked by [`Rule::check`].
///
/// What is said of all records at one time takes effect together, when the frontier of all three inputs passes that time.
pub fn book<'scope, T>(
    human: VecCollection<'scope, T, (Key, u32)>,
    truth: VecCollection<'scope, T, (Key, u32)>,
    upserts: StreamVec<'scope, T, (Key, Option<Pseudo>, T)>,
    rule: &Rule,
) -> Book<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let heard = tally::heard(upserts.clone().map(|(_, _, time)| time));
    let labels = upsert(upserts.map(|(key, label, time)| (key, (), label, time)), "Book");
    // The labelled images of a run are no part of what balancing aims at.
    let by_people = human.clone().flat_map(|_| None);
    let pages = Pages { labels, heard, taken: human.map(|(key, _)| key), by_people, truth };
    open(pages, &Policy::from(*rule), None)
}

/// What the book is made of.
pub(crate) struct Pages<'scope, T: Timestamp + Lattice> {
    /// One pseudo-label a record.
    pub(crate) labels: Labels<'scope, T>,
    /// How much was told.
    pub(crate) heard: Tallies<'scope, T>,
    /// Records that are no candidates, each any number of times.
    pub(crate) taken: VecCollection<'scope, T, Key>,
    /// The classes of records that are chosen already; they take up room in their class.
    pub(crate) by_people: VecCollection<'scope, T, u32>,
    /// Hidden labels.
    pub(crate) truth: VecCollection<'scope, T, (Key, u32)>,
}

/// Selects among the labels, and keeps the members of the time `frozen` from then on.
pub(crate) fn open<'scope, T>(pages: Pages<'scope, T>, policy: &Policy, frozen: Option<T>) -> Book<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let Pages { labels, heard, taken, by_people, truth } = pages;
    let taken = taken.distinct_total().arrange_by_self_named("Taken");
    let overruled =
        labels.clone().join_core(taken.clone(), |key, ((), label), ()| Some((*key, Candidate::from(label)))).negate();
    let candidates = labels.clone().as_collection(|key, ((), label)| (*key, Candidate::from(label)));
    let candidates = candidates.concat(overruled.clone());
    let mut choice = select(candidates.clone(), by_people, policy);
    if let Some(frozen) = frozen {
        choice = freeze(choice, &frozen, taken);
    }
    let classes = policy.rule.classes;
    let copies = choice.copies.arrange_by_key_named("Copies");
    let judged = tally::judged(labels.clone(), truth, copies.clone(), classes);
    let turned = tally::turned(labels.clone(), overruled);
    // Distributions are large: they stay in the book until the very end, and only changed ones leave it.
    let selected = copies.join_core(labels, move |key, copies, ((), label)| {
        (label.class < classes).then(|| (*key, Selected::new(label, *copies)))
    });
    let selected = settle(selected.arrange_by_key_named("Selected").as_collection(|key, label| (*key, label.clone())));

    let cuts = choice.cuts.map(|cuts| tally::cut(cuts, policy));
    let counted = [tally::labelled(candidates), turned, judged, tally::selected(selected.clone())];
    let stats = tally::report(heard.concatenate(counted.into_iter().chain(cuts)), policy);
    Book { selected, stats }
}

/// The choice as it was at the end of a time; records that have been taken since are out.
fn freeze<'scope, T>(choice: Choice<'scope, T>, frozen: &T, taken: Taken<'scope, T>) -> Choice<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let members = as_of(choice.copies, frozen.clone());
    let lost =
        members.clone().arrange_by_key_named("Members").join_core(taken, |key, copies, ()| Some((*key, *copies)));
    Choice { copies: members.concat(lost.negate()), cuts: choice.cuts.map(|cuts| as_of(cuts, frozen.clone())) }
}

type Taken<'scope, T> = Arranged<'scope, TraceAgent<KeySpine<Key, T, isize>>>;

/// A collection as it was at the end of a time, and stays.
///
/// Of [`Book::selected`] it is the training set of a past round: whoever feeds the upserts again up to that round gets the same.
pub fn as_of<'scope, T, D>(changes: VecCollection<'scope, T, D>, time: T) -> VecCollection<'scope, T, D>
where
    T: Timestamp + TotalOrder,
    D: 'static,
{
    changes.inner.filter(move |(_, at, _)| *at <= time).as_collection()
}

/// Sends every change under its own time.
///
/// An arrangement sends under the earliest capability that it holds, which may be a time long before. What
/// follows the book in a loop, or goes by the time of a message, is better off with the time of the change.
fn settle<'scope, T, D>(changes: VecCollection<'scope, T, D>) -> VecCollection<'scope, T, D>
where
    T: Timestamp + TotalOrder,
    D: Clone + 'static,
{
    let settled = changes.inner.unary(Pipeline, "Settle", |_, _| {
        |input, output| {
            input.for_each(|capability, changes| {
                let Some(held) = capability.retain_least(0) else {
                    return;
                };
                let mut by_time: BTreeMap<T, Vec<_>> = BTreeMap::new();
                for change in changes.drain(..) {
                    by_time.entry(change.1.clone()).or_default().push(change);
                }
                for (time, mut changes) in by_time {
                    if let Some(capability) = held.try_delayed(&time) {
                        output.session(&capability).give_container(&mut changes);
                    }
                }
            });
        }
    });
    settled.as_collection()
}

#[cfg(test)]
mod tests;
