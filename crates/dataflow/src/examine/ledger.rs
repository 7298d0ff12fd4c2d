//! What was found so far, by all workers and of all splits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use millstream_data::corpus::Label;
use millstream_data::{DataError, Spill};
use millstream_imageops::{Moments, PHASH_SIDE};
use serde::{Deserialize, Serialize};

use super::{At, Broken, Look, MEAN_SIDE, MOST_BROKEN, MOST_MEANS};

/// Bits behind the point of the means of an image that are summed up.
const FRACTION: u32 = 32;

/// A small gray picture of an image, as it is hashed.
pub(super) type Thumbnail = [u8; PHASH_SIDE * PHASH_SIDE];

/// What one worker found in a shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Share {
    pub(super) turn: u32,
    pub(super) looks: Vec<Look>,
    pub(super) broken: Vec<Broken>,
    pub(super) sums: Sums,
    /// What the numbers of labels in `looks` mean.
    labels: BTreeMap<Label, u32>,
}

impl Share {
    pub(super) fn new(turn: u32) -> Self {
        let (looks, broken, sums, labels) = Default::default();
        Share { turn, looks, broken, sums, labels }
    }

    pub(super) fn number(&mut self, label: Label) -> u32 {
        let next = self.labels.len() as u32;
        *self.labels.entry(label).or_insert(next)
    }
}

/// Sums over images, in whole numbers: in whatever order they are added up, they are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sums {
    /// Images.
    images: u64,
    /// Those without colours.
    gray: u64,
    /// Sums of the means of the images, and of the means of their squares, with 32 bits behind the point.
    means: [u128; 3],
    squares: [u128; 3],
    /// The images of each of the first labels, and the sums of their pixels at 64 x 64.
    pictures: BTreeMap<Option<Label>, (u32, Vec<u32>)>,
}

impl Sums {
    pub(super) fn add(&mut self, moments: &Moments, label: Option<&Label>, pixels: &[u8]) {
        self.images += 1;
        self.gray += u64::from(moments.gray);
        let mean = |sum: u64| (u128::from(sum) << FRACTION) / u128::from(moments.pixels.max(1));
        for channel in 0..3 {
            self.means[channel] += mean(moments.sums[channel]);
            self.squares[channel] += mean(moments.squares[channel]);
        }
        let empty = || (0, vec![0; MEAN_SIDE * MEAN_SIDE * 3]);
        let (count, sums) = self.pictures.entry(label.cloned()).or_insert_with(empty);
        *count += 1;
        sums.iter_mut().zip(pixels).for_each(|(sum, pixel)| *sum = sum.saturating_add(u32::from(*pixel)));
        self.trim();
    }

    /// Only the first labels keep their pictures. Whoever is among the first of all is among the first everywhere, so none of those lacks a part.
    fn trim(&mut self) {
        while self.pictures.len() > MOST_MEANS {
            self.pictures.pop_last();
        }
    }

    fn join(&mut self, other: Sums) {
        self.images += other.images;
        self.gray += other.gray;
        for channel in 0..3 {
            self.means[channel] += other.means[channel];
            self.squares[channel] += other.squares[channel];
        }
        for (label, (count, pixels)) in other.pictures {
            let (all, sums) = self.pictures.entry(label).or_insert_with(|| (0, vec![0; pixels.len()]));
            *all += count;
            sums.iter_mut().zip(pixels).for_each(|(sum, pixel)| *sum = sum.saturating_add(pixel));
        }
        self.trim();
    }

    pub(super) fn images(&self) -> u64 {
        self.images
    }

    pub(super) fn gray(&self) -> u64 {
        self.gray
    }

    /// The mean of each channel and the mean of its squares, in [0, 255] and [0, 255^2].
    pub(super) fn moments(&self) -> ([f64; 3], [f64; 3]) {
        let all = self.images.max(1) as f64 * (1_u64 << FRACTION) as f64;
        (self.means.map(|sum| sum as f64 / all), self.squares.map(|sum| sum as f64 / all))
    }

    /// The mean image of each of the first labels, RGB, 64 x 64.
    pub(super) fn mean_images(&self) -> impl Iterator<Item = (&Option<Label>, Vec<u8>)> {
        self.pictures.iter().map(|(label, (count, sums))| {
            let half = count / 2;
            let mean = |sum: &u32| u8::try_from(sum.saturating_add(half) / (*count).max(1)).unwrap_or(u8::MAX);
            (label, sums.iter().map(mean).collect())
        })
    }
}

/// What was found so far. Small parts are in memory, the rest is on a disk.
#[derive(Debug)]
pub struct Ledger {
    pub(super) spill: Spill,
    state: Mutex<Book>,
}

/// The small parts.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) looks: Vec<Vec<Look>>,
    pub(super) broken: BTreeMap<At, Broken>,
    /// Broken records of each split, those that are not told in words too.
    pub(super) broken_count: BTreeMap<u32, u64>,
    /// Sums of each split.
    pub(super) sums: BTreeMap<u32, Sums>,
    /// What the numbers of labels in `looks` mean.
    pub(super) labels: BTreeMap<Label, u32>,
}

impl Ledger {
    /// An empty one, whose larger parts lie on the disk of a folder until it is dropped: about 1.1 kB for each record.
    ///
    /// # Errors
    /// Those of [`Spill::new`].
    pub fn new(folder: &Path) -> Result<Self, DataError> {
        Ok(Ledger { spill: Spill::new(folder)?, state: Mutex::default() })
    }

    /// Keeps what is needed of a record only if it turns out to matter. Returns where it lies.
    pub(super) fn spill(&self, thumbnail: &Thumbnail, place: &str) -> Result<u64, DataError> {
        let mut entry = thumbnail.to_vec();
        entry.extend((place.len() as u64).to_le_bytes());
        entry.extend(place.as_bytes());
        self.spill.push(&entry)
    }

    /// Adds what a worker found in a shard of a split.
    pub(super) fn add(&self, split: u32, share: Share) {
        let mut book = self.book();
        let Share { mut looks, broken, sums, labels, .. } = share;
        let known = &mut book.labels;
        let mut numbers = vec![0; labels.len()];
        for (label, number) in labels {
            let next = known.len() as u32;
            numbers[number as usize] = *known.entry(label).or_insert(next);
        }
        for look in &mut looks {
            look.label = look.label.map(|label| numbers[label as usize]);
        }
        book.looks.push(looks);
        book.sums.entry(split).or_default().join(sums);
        *book.broken_count.entry(split).or_default() += broken.len() as u64;
        book.broken.extend(broken.into_iter().map(|broken| (broken.at, broken)));
        while book.broken.len() > MOST_BROKEN {
            book.broken.pop_last();
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is in memory.
    pub(super) fn take(&self) -> Book {
        std::mem::take(&mut *self.book())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sums over some images, each gray and of a label of its own number.
    fn sums(numbers: impl Iterator<Item = u32>) -> Sums {
        let mut sums = Sums::default();
        for number in numbers {
            let (sum, pixels) = (u64::from(number), vec![number as u8; MEAN_SIDE * MEAN_SIDE * 3]);
            let moments = Moments { pixels: 3, sums: [sum; 3], squares: [sum * sum; 3], gray: true };
            sums.add(&moments, Some(&Label::Index(number % 200)), &pixels);
        }
        sums
    }

    #[test]
    fn sums_are_the_same_in_any_order_and_of_any_parts() {
        let all = sums(0..400);
        let mut joined = sums((0..400).rev().step_by(2));
        joined.join(sums((0..400).step_by(2)));
        assert_eq!(joined, all);
        assert_eq!((all.images(), all.gray(), all.pictures.len()), (400, 400, MOST_MEANS));
        let (label, mean) = all.mean_images().nth(1).unwrap();
        // Images 1 and 201.
        assert_eq!((label, mean[0]), (&Some(Label::Index(1)), 101));
        let (mean, _) = all.moments();
        assert!((mean[0] - 399.0 / 6.0).abs() < 1e-6, "{mean:?}");
    }
}
