//! From a stream of upserts to an arrangement of what holds now.
//!
//! Differential has an operator for this, which keeps what waits in a heap and sorts it into a tree of lists: five times
//! the memory of the labels themselves, at the moment a whole corpus is told. This one lets a batcher sort and merge
//! what waits while it comes in, and builds the arrangement in one pass over the sorted upserts and the labels before.

use std::rc::Rc;

use differential_dataflow::batcher::{Batcher, Extract};
use differential_dataflow::consolidation::consolidate_updates;
use differential_dataflow::difference::Present;
use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::cursor::{CursorList, cursor_list};
use differential_dataflow::trace::implementations::{ValBatcher, ValBuilder, ValSpine};
use differential_dataflow::trace::{BatchCursor, Builder, Cursor, Description, Navigable, Span, Trace, TraceReader};
use differential_dataflow::{ExchangeData, Hashable};
use millstream_data::Key;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Capability, Operator};
use timely::order::TotalOrder;
use timely::progress::{Antichain, Stamp, Timestamp};

/// What each slot of a key holds.
pub(crate) type Latest<S, V, T> = ValSpine<Key, (S, V), T, isize>;

type LatestCursor<S, V, T> = CursorList<BatchCursor<Latest<S, V, T>>>;

/// An upsert as the update of a collection.
type Saying<S, V, T> = ((Key, (S, Option<V>)), T, Present);

/// Upserts as a batch: sorted by key, then slot, value and time.
type Told<S, V, T> = <ValBatcher<Key, (S, Option<V>), T, Present> as Extract>::Output;

type Changes<S, V, T> = Vec<((Key, (S, V)), T, isize)>;

/// Arranges upserts by key. A value replaces what the same slot of the key held, `None` takes it away. If one slot is told
/// twice at one time, the greater wins.
pub(crate) fn upsert<'scope, T, S, V>(
    upserts: StreamVec<'scope, T, (Key, S, Option<V>, T)>,
    name: &str,
) -> Arranged<'scope, TraceAgent<Latest<S, V, T>>>
where
    T: Timestamp + Lattice + TotalOrder,
    S: ExchangeData + Copy,
    V: ExchangeData,
{
    let mut published = None;
    let publish = &mut published;
    let told = upserts.map(|(key, slot, value, time)| ((key, (slot, value)), time, Present));
    let by_key = Exchange::new(|((key, _), _, _): &Saying<S, V, T>| key.hashed());
    let scope = told.scope();
    let stream = told.unary_frontier(by_key, name, move |_, info| {
        let activator = Some(scope.activator_for(Rc::clone(&info.address)));
        let mut batcher = ValBatcher::new(None, info.global_id);
        let trace = Latest::<S, V, T>::new(info.clone(), None, activator);
        let (mut latest, mut writer) = TraceAgent::new(trace, info, None);
        *publish = Some(latest.clone());
        // For the earliest time that is still open.
        let mut held: Option<Capability<T>> = None;
        let mut sealed = Antichain::from_elem(T::minimum());
        move |(input, frontier), output| {
            input.for_each(|capability, told| {
                let earlier = |time: &T| held.as_ref().is_none_or(|held| time < held.time());
                if capability.least().is_some_and(earlier) {
                    held = capability.retain_least(0);
                }
                batcher.insert(told);
            });
            if sealed.borrow() != frontier.frontier() {
                let upper = frontier.frontier().to_owned();
                match held.take_if(|held| !frontier.less_equal(held.time())) {
                    Some(capability) => {
                        let (told, open) = batcher.extract(upper.borrow());
                        let changes = told.and_then(|told| revise(told, &mut latest));
                        held = open.iter().next().and_then(|time| capability.try_delayed(time));
                        let least = Antichain::from_elem(T::minimum());
                        let span = Span::new(Description::new(sealed.clone(), upper.clone(), least), changes);
                        writer.insert(span.clone(), Stamp::from_elem(capability.time().clone()));
                        output.session(&capability).give(span);
                    }
                    None => writer.seal(upper.clone()),
                }
                latest.set_logical_compaction(upper.borrow());
                latest.set_physical_compaction(upper.borrow());
                sealed = upper;
            }
            writer.exert();
        }
    });
    Arranged { stream, trace: published.expect("building the operator publishes its trace") }
}

/// What the upserts change about the latest values.
fn revise<S, V, T>(
    told: Told<S, V, T>,
    latest: &mut TraceAgent<Latest<S, V, T>>,
) -> Option<<Latest<S, V, T> as TraceReader>::Batch>
where
    T: Timestamp + Lattice + TotalOrder,
    S: ExchangeData + Copy,
    V: ExchangeData,
{
    let before = latest.batches_through(Antichain::new().borrow()).unwrap_or_default();
    let (mut before, history) = cursor_list(before);
    let mut builder = ValBuilder::<Key, (S, V), T, isize>::with_capacity(told.updates, told.updates, 1);
    let mut changes: Changes<S, V, T> = Vec::new();
    let mut cursor = told.cursor();
    while let Some(key) = cursor.get_key(&told) {
        before.seek_key(&history, key);
        let mut held = if before.get_key(&history) == Some(key) { values(&mut before, &history) } else { Vec::new() };
        let mut said = Vec::new();
        while let Some((slot, value)) = cursor.get_val(&told) {
            cursor.map_times(&told, |time, _| said.push((*slot, time.clone(), value.clone())));
            cursor.step_val(&told);
        }
        said.sort();
        turn(*key, said, &mut held, &mut changes);
        builder.push(&mut changes);
        cursor.step_key(&told);
    }
    builder.done().map(Rc::new)
}

/// The values that the key under the cursor holds, by slot.
fn values<S, V, T>(
    cursor: &mut LatestCursor<S, V, T>,
    history: &<LatestCursor<S, V, T> as Cursor>::Storage,
) -> Vec<(S, V)>
where
    T: Timestamp + Lattice,
    S: ExchangeData + Copy,
    V: ExchangeData,
{
    let mut held = Vec::new();
    while let Some(value) = cursor.get_val(history) {
        let mut count = 0;
        cursor.map_times(history, |_, change| count += change);
        if count > 0 {
            held.push(value.clone());
        }
        cursor.step_val(history);
    }
    held
}

/// Takes in what is said of one key, sorted by slot, time and value.
fn turn<S, V, T>(key: Key, said: Vec<(S, T, Option<V>)>, held: &mut Vec<(S, V)>, changes: &mut Changes<S, V, T>)
where
    T: Ord + Clone,
    S: Ord + Copy,
    V: Ord + Clone,
{
    let mut said = said.into_iter().peekable();
    while let Some((slot, time, value)) = said.next() {
        if said.peek().is_some_and(|next| (next.0, &next.1) == (slot, &time)) {
            continue;
        }
        let at = held.iter().position(|held| held.0 == slot);
        let before = at.map(|at| held.swap_remove(at).1);
        if before != value {
            changes.extend(before.map(|before| ((key, (slot, before)), time.clone(), -1)));
            changes.extend(value.clone().map(|value| ((key, (slot, value)), time, 1)));
        }
        held.extend(value.map(|value| (slot, value)));
    }
    // The builder wants them in order, and no change twice.
    consolidate_updates(changes);
}
