//! The book itself: keyed upserts in, the selection and its statistics out.

use std::collections::BTreeMap;

use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::ThresholdTotal;
use differential_dataflow::operators::arrange::upsert::arrange_from_upsert;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::implementations::{ValBuilder, ValSpine};
use differential_dataflow::{AsCollection, VecCollection};
use millstream_data::Key;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Operator;
use timely::order::TotalOrder;
use timely::progress::Timestamp;

use crate::label::{Pseudo, Selected};
use crate::rule::Rule;
use crate::select::{Candidate, select};
use crate::stats::RoundStats;
use crate::tally;

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

type Labels<'scope, T> = Arranged<'scope, TraceAgent<ValSpine<Key, Pseudo, T, isize>>>;

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
    let heard = tally::heard(upserts.clone());
    let labels: Labels<'scope, T> = arrange_from_upsert::<ValBuilder<_, _, _, _>, _, _, _>(upserts, "Book");
    let candidates = candidates(labels.clone(), human);
    let choice = select(candidates.clone(), rule);
    // Distributions are large: they stay in the book until the very end, and only changed ones leave it.
    let selected = choice
        .copies
        .arrange_by_key_named("Copies")
        .join_core(labels, |key, copies, label| Some((*key, Selected::new(label, *copies))));
    let selected = settle(selected.arrange_by_key_named("Selected").as_collection(|key, label| (*key, label.clone())));

    let cuts = choice.cuts.map(|cuts| tally::cut(cuts, rule));
    let counted = [tally::labelled(candidates), tally::selected(selected.clone(), truth)];
    let stats = tally::report(heard.concatenate(counted.into_iter().chain(cuts)), rule);
    Book { selected, stats }
}

/// The labels of records that no human labelled.
fn candidates<'scope, T>(
    labels: Labels<'scope, T>,
    human: VecCollection<'scope, T, (Key, u32)>,
) -> VecCollection<'scope, T, (Key, Candidate)>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let human = human.map(|(key, _)| key).distinct_total().arrange_by_self_named("Human");
    let all = labels.clone().as_collection(|key, label| (*key, Candidate::from(label)));
    let overruled = labels.join_core(human, |key, label, ()| Some((*key, Candidate::from(label))));
    all.concat(overruled.negate())
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
