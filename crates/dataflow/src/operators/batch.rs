//! `batch`: brings the parts of a step together at the rank that trains on it.

use std::collections::BTreeMap;

use millstream_data::{Batch, Shape};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use super::prepare::Part;
use crate::ranks::Ranks;
use crate::time::Time;

/// Joins parts into whole batches, in slot order and in time order. A step whose records were all bad gives
/// an empty batch: every rank sees the same number of steps, whatever the data.
pub(crate) fn batch<'scope>(
    parts: StreamVec<'scope, Time, Part>,
    shape: Shape,
    ranks: Ranks,
) -> StreamVec<'scope, Time, Batch> {
    parts.unary_frontier(Exchange::new(move |part: &Part| ranks.worker(part.rank) as u64), "Batch", move |_, _| {
        let mut steps: BTreeMap<Time, (Capability<Time>, Vec<Part>)> = BTreeMap::new();
        move |(input, frontier), output| {
            input.for_each(|capability, parts| {
                let Some(capability) = capability.retain_least(0) else {
                    return;
                };
                let time = *capability.time();
                steps.entry(time).or_insert_with(|| (capability, Vec::new())).1.append(parts);
            });
            while let Some(entry) = steps.first_entry()
                && !frontier.less_than(entry.key())
                && is_complete(&entry.get().1)
            {
                let (capability, parts) = entry.remove();
                output.session(&capability).give(join(parts, shape));
            }
        }
    })
}

/// Whether all workers have sent their parts. This is known before the frontier has passed the step.
fn is_complete(parts: &[Part]) -> bool {
    let slots: usize = parts.iter().map(|part| part.share.slots.len()).sum();
    parts.first().is_some_and(|part| slots == part.share.width as usize)
}

/// One batch of several parts. Each is in slot order and no two overlap, so their pixels stay where they are.
fn join(mut parts: Vec<Part>, shape: Shape) -> Batch {
    parts.sort_unstable_by_key(|part| part.share.slots.start);
    let mut batch = Batch {
        shape,
        blocks: Vec::with_capacity(parts.len()),
        rows: Vec::new(),
        mixing: Vec::new(),
        dead: Vec::new(),
    };
    for mut part in parts {
        batch.rows.append(&mut part.rows);
        batch.blocks.push(part.pixels.into_block());
        batch.dead.append(&mut part.dead);
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::pixels::Pixels;
    use crate::pool::Pool;
    use crate::ranks::Lane;
    use crate::schedule::Share;
    use millstream_data::{Key, Row, Target};

    fn part(slots: &[u32]) -> Part {
        let row = |slot: &u32| Row {
            record: *slot,
            key: Key(u128::from(*slot)),
            view: 0,
            epoch: 0,
            copy: 0,
            target: Target::None,
            labelled: true,
        };
        let first = slots.first().copied().unwrap_or(0);
        Part {
            share: Share { lane: Lane::ALL, slots: first..first + slots.len() as u32, width: 6, ranks: 0..1 },
            rows: slots.iter().map(row).collect(),
            pixels: Pixels::of(&Pool::new(0, 0), slots.iter().flat_map(|slot| [*slot as u8; 4]).collect()),
            dead: Vec::new(),
            rank: 0,
        }
    }

    #[test]
    fn rows_and_pixels_follow_slot_order_however_the_parts_came() {
        let shape = Shape { height: 2, width: 2, channels: 1 };
        let batch = join(vec![part(&[3, 4]), part(&[7]), part(&[0, 1, 2])], shape);
        let records: Vec<u32> = batch.rows.iter().map(|row| row.record).collect();
        assert_eq!(records, [0, 1, 2, 3, 4, 7]);
        for (image, record) in batch.images().zip(records) {
            assert_eq!(image, [record as u8; 4]);
        }
        assert!(join(vec![part(&[]), part(&[])], shape).rows.is_empty());
    }

    #[test]
    fn a_step_is_complete_when_the_parts_have_all_its_slots() {
        assert!(!is_complete(&[]));
        assert!(!is_complete(&[part(&[3, 4, 5])]));
        assert!(is_complete(&[part(&[3, 4, 5]), part(&[0, 1, 2])]));
    }
}
