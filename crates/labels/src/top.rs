//! The K most confident labels of each class, kept up to date.
//!
//! Each class is divided into cells of like confidence, best first. How many labels a cell has says which cells are wholly in
//! and which one the line goes through; only that one is sorted. So the work follows the change: a round that moves
//! the line looks at the labels of the cells it crosses.

use differential_dataflow::VecCollection;
use differential_dataflow::lattice::Lattice;
use millstream_data::{Key, draw};
use serde::{Deserialize, Serialize};
use timely::order::TotalOrder;
use timely::progress::Timestamp;

use crate::label::Confidence;
use crate::select::Candidate;
use crate::threshold::apart;

/// Cells that labels of confidence 1 are spread over, by chance. Models that are very sure say 1 of many records.
const CERTAIN: u16 = 128;
/// The leading bits of the `f32` before 1, taken from 1: the smallest doubt that there is, 2^-24.
const LEAST_DOUBT: u32 = 103 << 4;
/// Cells of a class: below 1 each takes in a sixteenth of a power of two of doubt.
const CELLS: u16 = CERTAIN + 24 * 16 + 1;

/// A label's place in its class: the best is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Rank {
    /// The bits of the confidence, upside down.
    doubt: u32,
    /// The bits of a number in [0, 1) that decides between equals: a function of the seed and the key.
    tie: u32,
    key: Key,
}

impl Rank {
    /// The rank of a label of record `key`.
    pub(crate) fn new(seed: u64, key: Key, confidence: Confidence) -> Rank {
        let Key(bits) = key;
        let chance = draw(&[seed, (bits >> 64) as u64, bits as u64]) as f32;
        Rank { doubt: !confidence.get().to_bits(), tie: chance.to_bits(), key }
    }

    /// The cell it falls into: a better rank has no later cell.
    fn cell(self) -> u16 {
        let doubt = 1.0 - f32::from_bits(!self.doubt);
        if doubt > 0.0 {
            let step = (doubt.to_bits() >> 19).saturating_sub(LEAST_DOUBT) as u16;
            return CERTAIN.saturating_add(step).min(CELLS - 1);
        }
        ((f32::from_bits(self.tie) * f32::from(CERTAIN)) as u16).min(CERTAIN - 1)
    }
}

/// Where the line between in and out goes through a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Line {
    /// The cell it goes through; all before are in.
    cell: u16,
    /// How many labels of that cell are in.
    best: u64,
}

impl Line {
    /// `cells` has the number of labels in each, best first.
    fn draw(cells: impl Iterator<Item = (u16, u64)>, most: u64) -> Line {
        let mut room = most;
        for (cell, count) in cells {
            if count >= room {
                return Line { cell, best: room };
            }
            room -= count;
        }
        Line { cell: CELLS, best: 0 }
    }

    /// What is taken of each cell: so many of the best, or all.
    fn shares(self) -> impl Iterator<Item = (u16, Option<u64>)> {
        let all = (0..self.cell.min(CELLS)).map(|cell| (cell, None));
        all.chain((self.cell < CELLS).then_some((self.cell, Some(self.best))))
    }
}

/// The most confident labels of each class, each once: so many that there are `most` with those that people have labelled.
pub(crate) fn top<'scope, T>(
    candidates: VecCollection<'scope, T, (Key, Candidate)>,
    by_people: VecCollection<'scope, T, u32>,
    most: u64,
    seed: u64,
) -> VecCollection<'scope, T, (Key, u32)>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let ranked = candidates.map(move |(key, candidate)| {
        let rank = Rank::new(seed, key, candidate.confidence);
        ((candidate.class, rank.cell()), rank)
    });
    let cells = ranked.clone().map(|((class, cell), _)| (class, Some(cell)));
    let cells = cells.concat(by_people.map(|class| (class, None)));
    let lines = cells.consolidate_stream().reduce_named("Line", move |_, cells, line| {
        let (people, counted) = apart(cells);
        line.push((Line::draw(counted, most.saturating_sub(people)), 1));
    });
    // A cell whose share did not change cancels here, and its labels are not looked at.
    let shares = lines
        .flat_map(|(class, line)| line.shares().map(move |(cell, share)| ((class, cell), share)))
        .arrange_by_key_named("Shares");
    let reached = ranked
        .arrange_by_key_named("Ranks")
        .join_core(shares, |(class, _), rank, share| Some((*class, (*share, *rank))));
    let whole = reached.clone().flat_map(|(_, (share, rank))| share.is_none().then_some((rank.key, 1)));
    let split = reached
        .filter(|(_, (share, _))| share.is_some())
        .reduce_named("Split", |_, ranks, best| {
            let room = ranks.first().and_then(|((share, _), _)| *share).unwrap_or(0);
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            best.extend(ranks.iter().take(room).map(|((_, rank), _)| (rank.key, 1)));
        })
        .map(|(_, key)| (key, 1));
    whole.concat(split)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_follow_the_order_of_ranks() {
        let mut confidences: Vec<f32> = (0..2000_u16).map(|step| f32::from(step) / 2000.0).collect();
        confidences.extend([1.0, 1.0_f32.next_down(), f32::MIN_POSITIVE, 0.5, 0.5_f32.next_up()]);
        let mut ranks: Vec<Rank> = (0_u128..)
            .zip(confidences.iter().chain(&[1.0; 500]))
            .map(|(key, confidence)| Rank::new(3, Key(key), Confidence::new(*confidence)))
            .collect();
        ranks.sort();
        assert!(ranks.windows(2).all(|pair| pair[0].cell() <= pair[1].cell()));
        assert!(ranks.iter().all(|rank| rank.cell() < CELLS));
        // The certain ones are spread, and the smallest doubt has a cell of its own.
        assert!(ranks[..501].iter().map(|rank| rank.cell()).collect::<std::collections::BTreeSet<_>>().len() > 100);
        assert_eq!((ranks[501].cell(), ranks[502].cell() > CERTAIN), (CERTAIN, true));
    }

    #[test]
    fn the_line_leaves_as_many_as_there_is_room_for() {
        let cells = [(3, 5), (4, 2), (200, 9)];
        for (most, cell, best) in [(1, 3, 1), (5, 3, 5), (6, 4, 1), (8, 200, 1), (16, 200, 9), (17, CELLS, 0)] {
            assert_eq!(Line::draw(cells.into_iter(), most), Line { cell, best }, "{most}");
        }
        let shares: Vec<_> = Line { cell: 2, best: 7 }.shares().collect();
        assert_eq!(shares, [(0, None), (1, None), (2, Some(7))]);
        assert_eq!(Line { cell: CELLS, best: 0 }.shares().count(), usize::from(CELLS));
    }
}
