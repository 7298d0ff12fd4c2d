//! Records that show the same image: copies among the unlabelled, and leaks of test images into them.
//!
//! Two records are neighbours if their bytes are the same or their perceptual hashes differ in few bits. A record is a copy if
//! it has a neighbour that comes before it in an order: that of keys, or one in which what people have labelled is first. That is
//! decided pair by pair and not by connected groups, for two reasons: a
//! chain of images, each close to the next, may lead far away from where it began, and a change concerns
//! neighbours only, not a whole chain again and again. What is left has no neighbours.
//!
//! Neighbours are found by bands (Manku, Jain and Sarma 2007, "Detecting Near-Duplicates for Web Crawling"): of two hashes
//! that differ in at most d bits, cut into d + 1 bands, one band is the same. Equal hashes become one before, so that a
//! thousand blank images are one member of their bands. A band has 64 / (d + 1) bits; of n different hashes about
//! n / 2^(64 / (d + 1)) share it, and each of those is looked at: for corpora of millions take a d of 3 or less.

use differential_dataflow::lattice::Lattice;
use differential_dataflow::{ExchangeData, VecCollection};
use millstream_data::{Fingerprint, Key};
use serde::{Deserialize, Serialize};
use timely::order::TotalOrder;
use timely::progress::Timestamp;

/// The record that another one repeats: the nearest, and of the nearest the first in the order of records.
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
    /// These, and of each two neighbours that could both be in the training set one: the other is labelled by a person, or else
    /// came with a trusted label, or else has the smaller key.
    KeepOne,
}

/// The images of a corpus, and what is done about duplicates among them.
pub struct Looks<'scope, T: Timestamp> {
    /// The fingerprints of records: one of each, told any number of times.
    pub records: VecCollection<'scope, T, (Key, Fingerprint)>,
    /// Those of test images.
    pub test: VecCollection<'scope, T, (Key, Fingerprint)>,
    /// Hashes within so many bits are near, at most [`MOST_DISTANCE`].
    pub distance: u32,
    /// What is done.
    pub what: Deduplication,
}

/// The duplicates among the records of a corpus.
#[derive(Clone)]
pub struct Duplicates<'scope, T: Timestamp> {
    /// Records that repeat a test image, and which.
    pub leaks: VecCollection<'scope, T, (Key, Match)>,
    /// Records that repeat a record that comes before them, and which.
    pub copies: VecCollection<'scope, T, (Key, Match)>,
}

/// Perceptual hashes that differ in more bits are never near.
pub const MOST_DISTANCE: u32 = 16;

type Prints<'scope, T, I> = VecCollection<'scope, T, (I, Fingerprint)>;
/// Records, each with another one and how far that is.
type Pairs<'scope, T, I> = VecCollection<'scope, T, (I, (u32, I))>;

/// What stands for a record, in the order in which records stay.
pub(crate) trait Identity: ExchangeData + std::hash::Hash + Copy {}

impl<I: ExchangeData + std::hash::Hash + Copy> Identity for I {}

/// Finds the duplicates among `records`, and those of `test` images. A record has one fingerprint. Hashes within `distance`
/// bits, at most [`MOST_DISTANCE`], are near. Of two records the one with the smaller key comes first.
pub fn duplicates<'scope, T>(
    records: Prints<'scope, T, Key>,
    test: Prints<'scope, T, Key>,
    distance: u32,
) -> Duplicates<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let alike = Alike::new(records, distance);
    Duplicates { leaks: alike.leaks(test), copies: alike.copies().map(|(key, found)| (key, matched(found))) }
}

/// A pair as it is told.
pub(crate) fn matched((distance, of): (u32, Key)) -> Match {
    Match { distance, of }
}

/// Records by what is the same of them.
pub(crate) struct Alike<'scope, T: Timestamp, I: Identity> {
    content: Grouped<'scope, T, Key, I>,
    looks: Grouped<'scope, T, u64, I>,
    distance: u32,
}

/// What is the same, with each record of it and the first of all.
type Grouped<'scope, T, G, I> = VecCollection<'scope, T, (G, (I, I))>;

impl<'scope, T: Timestamp + Lattice + TotalOrder, I: Identity> Alike<'scope, T, I> {
    pub(crate) fn new(records: Prints<'scope, T, I>, distance: u32) -> Self {
        Alike {
            content: grouped(records.clone().map(|(record, print)| (print.content, record))),
            looks: grouped(records.map(|(record, print)| (print.perceptual, record))),
            distance: distance.min(MOST_DISTANCE),
        }
    }

    /// Records that repeat one that comes before them.
    pub(crate) fn copies(&self) -> Pairs<'scope, T, I> {
        let own = near(firsts(self.looks.clone()), firsts(self.looks.clone()), self.distance);
        let near = own.flat_map(|(distance, one, other)| (other < one).then_some((one, (distance, other))));
        nearest(near.concatenate([repeats(self.content.clone()), repeats(self.looks.clone())]))
    }
}

impl<'scope, T: Timestamp + Lattice + TotalOrder> Alike<'scope, T, Key> {
    /// Records that repeat a test image.
    pub(crate) fn leaks(&self, test: Prints<'scope, T, Key>) -> VecCollection<'scope, T, (Key, Match)> {
        let test = Alike::new(test, self.distance);
        let near = near(firsts(self.looks.clone()), firsts(test.looks), self.distance);
        let near = near.map(|(distance, one, of)| (one, (distance, of)));
        // From the first record of each look to all that look the same.
        let members = self.looks.clone().map(|(_, (key, first))| (first, key));
        let near_leaks = members.join_map(near, |_, key, found| (*key, *found));
        let members = self.content.clone().map(|(content, (key, _))| (content, key));
        let exact_leaks = members.join_map(firsts(test.content), |_, key, of| (*key, (0, *of)));
        nearest(near_leaks.concat(exact_leaks)).map(|(key, found)| (key, matched(found)))
    }
}

/// Each record of a group, with the first of the group.
fn grouped<'scope, T, G, I>(records: VecCollection<'scope, T, (G, I)>) -> Grouped<'scope, T, G, I>
where
    T: Timestamp + Lattice,
    G: ExchangeData + std::hash::Hash,
    I: Identity,
{
    records.reduce_named("Groups", |_, records, marked| {
        if let Some((first, _)) = records.first() {
            marked.extend(records.iter().map(|(record, _)| ((**record, **first), 1)));
        }
    })
}

/// The first record of each group.
fn firsts<'scope, T: Timestamp, G: Clone + 'static, I: Identity>(
    groups: Grouped<'scope, T, G, I>,
) -> VecCollection<'scope, T, (G, I)> {
    groups.flat_map(|(group, (record, first))| (record == first).then_some((group, record)))
}

/// All but the first of each group.
fn repeats<'scope, T: Timestamp, G: Clone + 'static, I: Identity>(
    groups: Grouped<'scope, T, G, I>,
) -> Pairs<'scope, T, I> {
    groups.flat_map(|(_, (record, of))| (record != of).then_some((record, (0, of))))
}

/// Every two hashes that are near: how far apart they are, and the record of each.
fn near<'scope, T, I>(
    one: VecCollection<'scope, T, (u64, I)>,
    other: VecCollection<'scope, T, (u64, I)>,
    distance: u32,
) -> VecCollection<'scope, T, (u32, I, I)>
where
    T: Timestamp + Lattice,
    I: Identity,
{
    let banded = move |(hash, record): (u64, I)| bands(hash, distance).map(move |band| (band, (hash, record)));
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
pub(crate) fn bands(hash: u64, distance: u32) -> impl Iterator<Item = (u32, u64)> {
    let count = distance + 1;
    (0..count).map(move |band| {
        let (start, end) = (64 * band / count, 64 * (band + 1) / count);
        (band, (hash >> start) & (u64::MAX >> (64 - (end - start))))
    })
}

/// The best match of each record.
fn nearest<'scope, T, I>(found: Pairs<'scope, T, I>) -> Pairs<'scope, T, I>
where
    T: Timestamp + Lattice,
    I: Identity,
{
    found.reduce_named("Nearest", |_, found, best| best.extend(found.first().map(|(nearest, _)| (**nearest, 1))))
}

#[cfg(test)]
mod tests;
