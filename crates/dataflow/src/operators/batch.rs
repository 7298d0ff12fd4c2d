//! `batch`: brings the parts of a step together at the rank that trains on it.

use std::collections::BTreeMap;

use millstream_data::{Batch, Row, Shape};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use super::augment::Part;
use crate::time::Time;

/// Joins parts into whole batches, in slot order and in time order. A step whose records were all bad gives
/// an empty batch: every rank sees the same number of steps, whatever the data.
pub(crate) fn batch<'scope>(
    parts: StreamVec<'scope, Time, Part>,
    shape: Shape,
    rank_worker: u64,
) -> StreamVec<'scope, Time, Batch> {
    parts.unary_frontier(Exchange::new(move |_: &Part| rank_worker), "Batch", move |_, _| {
        let mut steps: BTreeMap<Time, (Capability<Time>, Vec<Part>)> = BTreeMap::new();
        move |(input, frontier), output| {
            input.for_each(|capability, parts| {
                let Some(capability) = capability.retain_least(0) else {
                    return;
                };
                let time = *capability.time();
                steps.entry(time).or_insert_with(|| (capability, Vec::new())).1.append(parts);
            });
            while let Some(entry) = steps.first_entry() {
                if frontier.less_equal(entry.key()) {
                    break;
                }
                let (capability, parts) = entry.remove();
                output.session(&capability).give(join(parts, shape));
            }
        }
    })
}

/// One batch of several parts, rows in slot order. Pixels are moved, not copied, where one part is all.
fn join(mut parts: Vec<Part>, shape: Shape) -> Batch {
    if let [part] = &mut parts[..]
        && part.slots.is_sorted()
    {
        let part = std::mem::take(part);
        return Batch { shape, pixels: part.pixels, rows: part.rows };
    }
    let mut order: Vec<(u32, usize, usize)> = Vec::new();
    for (p, part) in parts.iter().enumerate() {
        order.extend(part.slots.iter().enumerate().map(|(row, slot)| (*slot, p, row)));
    }
    order.sort_unstable();
    let bytes = shape.bytes();
    let mut pixels = Vec::with_capacity(order.len() * bytes);
    let mut rows: Vec<Row> = Vec::with_capacity(order.len());
    for (_, part, row) in order {
        pixels.extend_from_slice(&parts[part].pixels[row * bytes..(row + 1) * bytes]);
        rows.push(parts[part].rows[row].clone());
    }
    Batch { shape, pixels, rows }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_data::{Key, Target};

    fn part(slots: &[u32]) -> Part {
        let row = |slot: &u32| Row { record: *slot, key: Key(u128::from(*slot)), target: Target::None, labelled: true };
        Part {
            slots: slots.to_vec(),
            rows: slots.iter().map(row).collect(),
            pixels: slots.iter().flat_map(|slot| [*slot as u8; 4]).collect(),
        }
    }

    #[test]
    fn rows_and_pixels_follow_slot_order_however_the_parts_came() {
        let shape = Shape { height: 2, width: 2, channels: 1 };
        let whole = join(vec![part(&[0, 1, 2, 3, 4])], shape);
        assert_eq!(whole.pixels[..8], [0, 0, 0, 0, 1, 1, 1, 1]);
        for parts in
            [vec![part(&[3, 4]), part(&[0, 1, 2])], vec![part(&[4, 0]), part(&[2, 1, 3])], vec![part(&[1, 0, 4, 3, 2])]]
        {
            assert_eq!(join(parts, shape), whole);
        }
        assert!(join(vec![part(&[]), part(&[])], shape).rows.is_empty());
    }
}
