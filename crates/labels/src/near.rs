//! Images that may show the same, among fingerprints that are all at hand: the bands of [`duplicates`](mod@crate::duplicates), and
//! sorting in place of a dataflow. A million images take 8 bytes each.

use crate::duplicates::{MOST_DISTANCE, bands};

/// Tells of every two different hashes that differ in at most `distance` bits, at most [`MOST_DISTANCE`]: their positions, the smaller
/// first, and how many bits. `hashes` are sorted, each there once.
pub fn near_hashes<E>(
    hashes: &[u64],
    distance: u32,
    mut tell: impl FnMut(u32, u32, u32) -> Result<(), E>,
) -> Result<(), E> {
    let distance = distance.min(MOST_DISTANCE);
    let band = |hash: u64, number: u32| bands(hash, distance).nth(number as usize).map_or(0, |(_, bits)| bits);
    let mut order: Vec<u32> = (0..).zip(hashes).map(|(at, _)| at).collect();
    for number in 0..=distance {
        let bits = |at: &u32| band(hashes[*at as usize], number);
        order.sort_unstable_by_key(|at| (bits(at), *at));
        for alike in order.chunk_by(|a, b| bits(a) == bits(b)) {
            for (first, one) in alike.iter().enumerate() {
                for other in &alike[first + 1..] {
                    let differ = hashes[*one as usize] ^ hashes[*other as usize];
                    // Two hashes may share several bands; the first tells of them.
                    let first = || bands(differ, distance).position(|(_, bits)| bits == 0) == Some(number as usize);
                    if differ.count_ones() <= distance && first() {
                        tell(*one, *other, differ.count_ones())?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Records that belong together, joined two by two.
#[derive(Clone, Debug)]
pub struct Groups {
    /// A record of the same group that comes before, or itself.
    before: Vec<u32>,
}

impl Groups {
    /// So many records, each alone.
    pub fn new(count: u32) -> Self {
        Groups { before: (0..count).collect() }
    }

    /// The first record of the group that one is in.
    pub fn first(&mut self, record: u32) -> u32 {
        let mut first = record;
        while self.before[first as usize] != first {
            // Each second step of the way is saved for the next time (path halving).
            let next = self.before[self.before[first as usize] as usize];
            self.before[first as usize] = next;
            first = next;
        }
        first
    }

    /// Joins the groups of two records.
    pub fn join(&mut self, one: u32, other: u32) {
        let (one, other) = (self.first(one), self.first(other));
        self.before[one.max(other) as usize] = one.min(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn found(hashes: &[u64], distance: u32) -> Vec<(u32, u32, u32)> {
        let mut found = Vec::new();
        let tell = |one, other, bits| {
            found.push((one, other, bits));
            Ok::<(), Infallible>(())
        };
        let Ok(()) = near_hashes(hashes, distance, tell);
        found.sort_unstable();
        found
    }

    proptest! {
        #[test]
        fn every_pair_is_told_once(seeds: Vec<(u8, u64, u64)>, distance in 0_u32..=16) {
            // A few centres with a few flipped bits, so that there are pairs.
            let mut hashes: Vec<u64> = seeds.iter().map(|(centre, a, b)| {
                u64::from(*centre % 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (1 << (a % 64)) ^ (1 << (b % 64))
            }).collect();
            hashes.sort_unstable();
            hashes.dedup();
            let mut all = Vec::new();
            for (one, a) in (0_u32..).zip(&hashes) {
                for (other, b) in (0_u32..).zip(&hashes).filter(|(other, _)| *other > one) {
                    all.push((one, other, (a ^ b).count_ones()));
                }
            }
            all.retain(|(_, _, bits)| *bits <= distance);
            prop_assert_eq!(found(&hashes, distance), all);
        }
    }

    #[test]
    fn groups_are_joined_through_their_members() {
        let mut groups = Groups::new(7);
        for (one, other) in [(5, 6), (2, 3), (6, 3)] {
            groups.join(one, other);
        }
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|record| groups.first(record)), [0, 1, 2, 2, 4, 2, 2]);
    }
}
