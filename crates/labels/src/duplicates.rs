//! Records that show the same image: copies among the unlabelled, and leaks of test images into them.
//!
//! Two records are neighbours if their bytes are the same or their perceptual hashes differ in few bits. A record is a copy if
//! it has a neighbour with a smaller key. That is decided pair by pair and not by connected groups, for two reasons: a
//! chain of images, each close to the next, may lead far away from where it began, and a change concerns
//! neighbours only, not a whole chain again and again. What is left has no neighbours.
//!
//! Neighbours are found by bands (Manku, Jain and Sarma 2007, "Detecting Near-Duplicates for Web Crawling"): of two hashes
//! that differ in at most d bits, cut into d + 1 bands, one band is the same. Equal hashes become one before, so that a
//! thousand blank images are one member of their bands. A band has 64 / (d + 1) bits; of n different hashes about
//! n / 2^(64 / (d + 1)) share it, and each of those is looked at: for corpora of millions take a d of 3 or less.

use differential_dataflow::VecCollection;
use differential_dataflow::lattice::Lattice;
use millstream_data::{Fingerprint, Key};
use serde::{Deserialize, Serialize};
use timely::order::TotalOrder;
use timely::progress::Timestamp;

/// The record that another one repeats: the nearest, and of the nearest the one with the smallest key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Match {
    /// How many bits of the perceptual hashes differ; 0 where the bytes are the same.
    pub distance: u32,
    /// The other record.
    pub of: Key,
}

/// What is done about duplicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deduplication {
    /// Nothing: they are reported.
    Report,
    /// Records that repeat a test image are barred.
    Drop,
    /// These, and of each two neighbours the one with the greater key.
    KeepOne,
}

/// The duplicates among the records of a corpus.
#[derive(Clone)]
pub struct Duplicates<'scope, T: Timestamp> {
    /// Records that repeat a test image, and which.
    pub leaks: VecCollection<'scope, T, (Key, Match)>,
    /// Records that repeat a record with a smaller key, and which.
    pub copies: VecCollection<'scope, T, (Key, Match)>,
}

impl<'scope, T: Timestamp> Duplicates<'scope, T> {
    /// The records to bar from training: see [`Sayings::barred`](crate::Sayings::barred). One that is a leak and a copy occurs twice.
    pub fn barred(self, what: Deduplication) -> VecCollection<'scope, T, Key> {
        let keys = |found: VecCollection<'scope, T, (Key, Match)>| found.map(|(key, _)| key);
        match what {
            Deduplication::Report => keys(self.leaks).filter(|_| false),
            Deduplication::Drop => keys(self.leaks),
            Deduplication::KeepOne => keys(self.leaks).concat(keys(self.copies)),
        }
    }
}

/// Perceptual hashes that differ in more bits are never near.
pub const MOST_DISTANCE: u32 = 16;

type Prints<'scope, T> = VecCollection<'scope, T, (Key, Fingerprint)>;
type Matches<'scope, T> = VecCollection<'scope, T, (Key, Match)>;

/// Finds the duplicates among `records`, and those of `test` images. A record has one fingerprint. Hashes within `distance`
/// bits, at most [`MOST_DISTANCE`], are near.
pub fn duplicates<'scope, T>(
    records: Prints<'scope, T>,
    test: Prints<'scope, T>,
    distance: u32,
) -> Duplicates<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let distance = distance.min(MOST_DISTANCE);
    let content = grouped(records.clone().map(|(key, print)| (print.content, key)));
    let looks = grouped(records.map(|(key, print)| (print.perceptual, key)));
    let tests = firsts(grouped(test.clone().map(|(key, print)| (print.perceptual, key))));
    let test_content = firsts(grouped(test.map(|(key, print)| (print.content, key))));

    let own = near(firsts(looks.clone()), firsts(looks.clone()), distance);
    let near_copies =
        own.flat_map(|(near, one, other)| (other < one).then_some((one, Match { distance: near, of: other })));
    let copies = near_copies.concatenate([repeats(content.clone()), repeats(looks.clone())]);

    let foreign = near(firsts(looks.clone()), tests, distance).map(|(distance, one, of)| (one, Match { distance, of }));
    // From the first record of each look to all that look the same.
    let members = looks.map(|(_, (key, first))| (first, key));
    let near_leaks = members.join_map(foreign, |_, key, found| (*key, *found));
    let members = content.map(|(content, (key, _))| (content, key));
    let exact_leaks = members.join_map(test_content, |_, key, of| (*key, Match { distance: 0, of: *of }));
    Duplicates { leaks: nearest(near_leaks.concat(exact_leaks)), copies: nearest(copies) }
}

/// Each key of a group, with the smallest of the group.
fn grouped<'scope, T, G>(keys: VecCollection<'scope, T, (G, Key)>) -> VecCollection<'scope, T, (G, (Key, Key))>
where
    T: Timestamp + Lattice,
    G: differential_dataflow::ExchangeData + std::hash::Hash,
{
    keys.reduce_named("Groups", |_, keys, marked| {
        if let Some((first, _)) = keys.first() {
            marked.extend(keys.iter().map(|(key, _)| ((**key, **first), 1)));
        }
    })
}

/// The smallest key of each group.
fn firsts<'scope, T: Timestamp, G: Clone + 'static>(
    groups: VecCollection<'scope, T, (G, (Key, Key))>,
) -> VecCollection<'scope, T, (G, Key)> {
    groups.flat_map(|(group, (key, first))| (key == first).then_some((group, key)))
}

/// All but the smallest of each group.
fn repeats<'scope, T: Timestamp, G: Clone + 'static>(
    groups: VecCollection<'scope, T, (G, (Key, Key))>,
) -> Matches<'scope, T> {
    groups.flat_map(|(_, (key, of))| (key != of).then_some((key, Match { distance: 0, of })))
}

/// Every two hashes that are near: how far apart they are, and the key of each.
fn near<'scope, T>(
    one: VecCollection<'scope, T, (u64, Key)>,
    other: VecCollection<'scope, T, (u64, Key)>,
    distance: u32,
) -> VecCollection<'scope, T, (u32, Key, Key)>
where
    T: Timestamp + Lattice,
{
    let banded = move |(hash, key): (u64, Key)| bands(hash, distance).map(move |band| (band, (hash, key)));
    let one = one.flat_map(banded).arrange_by_key_named("Bands");
    let other = other.flat_map(banded).arrange_by_key_named("Other bands");
    one.join_core(other, move |(band, _), (a, one), (b, other)| {
        let apart = (a ^ b).count_ones();
        // Two hashes may share several bands; the first tells of them.
        let first = || bands(a ^ b, distance).find(|(_, bits)| *bits == 0).is_some_and(|(first, _)| first == *band);
        (apart <= distance && first()).then_some((apart, *one, *other))
    })
}

/// The bands of a hash: the number of each, and its bits.
fn bands(hash: u64, distance: u32) -> impl Iterator<Item = (u32, u64)> {
    let count = distance + 1;
    (0..count).map(move |band| {
        let (start, end) = (64 * band / count, 64 * (band + 1) / count);
        (band, (hash >> start) & (u64::MAX >> (64 - (end - start))))
    })
}

/// The best match of each record.
fn nearest<'scope, T>(found: Matches<'scope, T>) -> Matches<'scope, T>
where
    T: Timestamp + Lattice,
{
    found.reduce_named("Nearest", |_, found, best| best.extend(found.first().map(|(nearest, _)| (**nearest, 1))))
}

#[cfg(test)]
mod tests;
