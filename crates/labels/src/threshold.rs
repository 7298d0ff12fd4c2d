//! The confidence histogram of a class and the threshold cut from it (algorithms of Noisy Student's
//! `filter_unlabel.py`): 101 bins with left edges 0.00, 0.01 ... 1.00, left-closed.

use serde::{Deserialize, Serialize};

use crate::label::Confidence;

/// The bins are 0 ..= LAST.
pub(crate) const LAST: u8 = 100;

/// The left edge of a bin: the `f32` nearest to `bin / 100`, which is also what `0.85` in a YAML file becomes.
pub(crate) fn edge(bin: u8) -> f32 {
    f32::from(bin) / 100.0
}

/// The bin whose left edge is the greatest that `confidence` reaches.
pub(crate) fn bin_of(confidence: Confidence) -> u8 {
    let value = confidence.get();
    // The product may round across an edge either way, by less than one bin.
    let near = ((value * 100.0) as u8).min(LAST);
    if near < LAST && edge(near + 1) <= value {
        near + 1
    } else if edge(near) > value {
        near - 1
    } else {
        near
    }
}

/// The first bin that lies wholly at or above `threshold`; one past the last where there is none.
pub(crate) fn first_bin(threshold: f32) -> u8 {
    (0..=LAST).find(|bin| edge(*bin) >= threshold).unwrap_or(LAST + 1)
}

/// Where a class's histogram is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Cut {
    /// The lowest bin that counts: its edge is the class's threshold.
    pub(crate) bin: u8,
    /// How many labels lie in that bin and above.
    pub(crate) pool: u64,
    /// How many records of the class people have labelled: so many fewer are wanted.
    pub(crate) people: u64,
}

impl Cut {
    /// Walks down from the most confident bin until `per_class` labels are passed, people's included, or the bins are used up.
    /// `bins` is ascending, with the number of labels in each, and reaches down to the lowest bin allowed, `floor`.
    pub(crate) fn walk(
        (people, bins): (u64, impl DoubleEndedIterator<Item = (u8, u64)>),
        per_class: u64,
        floor: u8,
    ) -> Cut {
        let mut pool = 0_u64;
        let wanted = per_class.saturating_sub(people);
        if wanted == 0 {
            return Cut { bin: LAST, pool, people };
        }
        for (bin, count) in bins.rev() {
            pool = pool.saturating_add(count);
            if pool >= wanted {
                return Cut { bin, pool, people };
            }
        }
        Cut { bin: floor, pool, people }
    }
}

/// Takes the number of records that people have labelled, which comes first, out of the counts of a class: `None` stands for
/// them.
pub(crate) fn apart<C: Copy>(counted: &[(&Option<C>, isize)]) -> (u64, impl DoubleEndedIterator<Item = (C, u64)>) {
    let number = |count: isize| u64::try_from(count).unwrap_or(0);
    let people = counted.first().filter(|(cell, _)| cell.is_none()).map_or(0, |(_, count)| number(*count));
    (people, counted.iter().filter_map(move |(cell, count)| cell.map(|cell| (cell, number(*count)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_opens_its_bin() {
        for bin in 0..=LAST {
            let at = edge(bin);
            assert_eq!(bin_of(Confidence::new(at)), bin);
            if bin > 0 {
                assert_eq!(bin_of(Confidence::new(at.next_down())), bin - 1);
            }
            assert_eq!(first_bin(at), bin);
        }
        assert_eq!(bin_of(Confidence::new(0.85)), 85);
        assert_eq!(first_bin(0.333), 34);
        assert_eq!(first_bin(1.5), LAST + 1);
    }

    #[test]
    fn the_walk_stops_where_enough_are_passed() {
        let bins = [(30, 5), (90, 3), (95, 2), (100, 4)];
        for (wanted, cut) in [(4, (100, 4)), (5, (95, 6)), (6, (95, 6)), (9, (90, 9)), (14, (30, 14)), (15, (25, 14))] {
            let (bin, pool) = cut;
            assert_eq!(Cut::walk((0, bins.into_iter()), wanted, 25), Cut { bin, pool, people: 0 }, "{wanted}");
            assert_eq!(Cut::walk((7, bins.into_iter()), wanted + 7, 25), Cut { bin, pool, people: 7 }, "{wanted}");
        }
        assert_eq!(Cut::walk((0, [].into_iter()), 5, 30), Cut { bin: 30, pool: 0, people: 0 });
        assert_eq!(Cut::walk((9, bins.into_iter()), 9, 25), Cut { bin: LAST, pool: 0, people: 9 });
    }
}
