//! All that was found, in the order of the data.

use std::sync::Arc;

use millstream_data::DataError;
use millstream_data::corpus::Label;
use millstream_imageops::PHASH_SIDE;

use super::ledger::{Ledger, Sums, Thumbnail};
use super::{Broken, Look};

/// Longer places are damaged.
const LONGEST_PLACE: u64 = 1 << 20;

/// What was found in all splits.
#[derive(Debug)]
pub struct Catalogue {
    ledger: Arc<Ledger>,
    looks: Vec<Look>,
    labels: Vec<Label>,
    broken: Vec<Broken>,
    broken_count: Vec<u64>,
    sums: Vec<Sums>,
}

/// The channels of the images of a split. Each image counts the same, whatever its size: as it does when all are brought to one size.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChannelStats {
    /// Images.
    pub images: u64,
    /// Those without colours.
    pub gray: u64,
    /// The mean of each channel, in [0, 1].
    pub mean: [f64; 3],
    /// The standard deviation of each channel over all pixels, in [0, 0.5].
    pub std: [f64; 3],
}

impl Catalogue {
    /// Puts what was found in so many splits in order. Nothing may be added to the ledger any more.
    pub fn new(ledger: Arc<Ledger>, splits: u32) -> Self {
        let mut book = ledger.take();
        let mut looks = Vec::with_capacity(book.looks.iter().map(Vec::len).sum());
        book.looks.drain(..).for_each(|mut part| looks.append(&mut part));
        looks.sort_unstable_by_key(|look: &Look| look.at);
        let mut numbers = vec![0; book.labels.len()];
        for (sorted, number) in (0..).zip(book.labels.values()) {
            numbers[*number as usize] = sorted;
        }
        for look in &mut looks {
            look.label = look.label.map(|label| numbers[label as usize]);
        }
        Catalogue {
            ledger,
            looks,
            labels: book.labels.into_keys().collect(),
            broken: book.broken.into_values().collect(),
            broken_count: (0..splits).map(|split| book.broken_count.remove(&split).unwrap_or(0)).collect(),
            sums: (0..splits).map(|split| book.sums.remove(&split).unwrap_or_default()).collect(),
        }
    }

    /// The records that can be used, in the order of the data. Their labels are positions in [`Catalogue::labels`].
    pub fn looks(&self) -> &[Look] {
        &self.looks
    }

    /// The labels that there are, numbers before names.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The first records that cannot be used, at most [`MOST_BROKEN`](super::MOST_BROKEN).
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// How many records of each split cannot be used.
    pub fn broken_count(&self) -> &[u64] {
        &self.broken_count
    }

    /// The channels of the images of a split.
    pub fn channels(&self, split: u32) -> ChannelStats {
        let Some(sums) = self.sums.get(split as usize) else { return ChannelStats::default() };
        let (mean, squares) = sums.moments();
        let deviation = |channel: usize| (squares[channel] - mean[channel] * mean[channel]).max(0.0).sqrt() / 255.0;
        let std = std::array::from_fn(deviation);
        ChannelStats { images: sums.images(), gray: sums.gray(), mean: mean.map(|mean| mean / 255.0), std }
    }

    /// The mean image of each label of a split, RGB, [`MEAN_SIDE`](super::MEAN_SIDE) pixels wide and high; none stands for the images
    /// without a label. At most [`MOST_MEANS`](super::MOST_MEANS), the first.
    pub fn mean_images(&self, split: u32) -> impl Iterator<Item = (&Option<Label>, Vec<u8>)> {
        self.sums.get(split as usize).into_iter().flat_map(Sums::mean_images)
    }

    /// Where a record lies.
    ///
    /// # Errors
    /// Those of [`Spill::read`](millstream_data::Spill::read).
    pub fn place(&self, look: &Look) -> Result<String, DataError> {
        let (spill, at) = (&self.ledger.spill, look.spilled + (PHASH_SIDE * PHASH_SIDE) as u64);
        let mut length = [0; 8];
        spill.read(at, &mut length)?;
        let length = u64::from_le_bytes(length).min(LONGEST_PLACE);
        let mut place = vec![0; usize::try_from(length).unwrap_or(0)];
        spill.read(at + 8, &mut place)?;
        Ok(String::from_utf8_lossy(&place).into_owned())
    }

    /// Its image in gray, 32 x 32.
    pub(super) fn thumbnail(&self, look: &Look) -> Result<Thumbnail, DataError> {
        let mut thumbnail = [0; PHASH_SIDE * PHASH_SIDE];
        self.ledger.spill.read(look.spilled, &mut thumbnail)?;
        Ok(thumbnail)
    }
}
