//! From a class's pool to copies: `f = per_class / pool`, and each label is taken `floor(f)` times plus once more
//! with probability `f - floor(f)` (Noisy Student's `filter_unlabel.py`).
//!
//! The probability is settled by the label's own chance `u`, a hash in [0, 1): one more copy where `u < f - floor(f)`.
//! So a small change of `f` concerns only labels whose chance lies between the old fraction and the new. To reach
//! those and no others, a class is divided into [`BUCKETS`] cells by chance, and a cell's decision names the fraction only
//! where it splits the cell: all other cells of the class keep the decision they had.

use millstream_data::{Key, draw};
use serde::{Deserialize, Serialize};

use crate::rule::Balance;
use crate::threshold::Cut;

/// Cells per class. A power of two, so that the bounds of a cell are exact numbers.
pub(crate) const BUCKETS: u8 = 128;

/// A label's chance: uniform in [0, 1) and a pure function of the seed, the round of the label, and the key.
pub(crate) fn chance(seed: u64, round: u32, key: Key) -> f64 {
    let Key(bits) = key;
    draw(&[seed, u64::from(round), (bits >> 64) as u64, bits as u64])
}

/// The cell that a chance falls into.
pub(crate) fn bucket_of(chance: f64) -> u8 {
    ((chance * f64::from(BUCKETS)) as u8).min(BUCKETS - 1)
}

impl Balance {
    /// How often each label of a pool enters the training set, on average, where people have labelled so many others. 0 for an
    /// empty pool.
    pub(crate) fn factor(&self, pool: u64, people: u64) -> f64 {
        if pool == 0 {
            return 0.0;
        }
        let factor = self.per_class.saturating_sub(people) as f64 / pool as f64;
        if self.upsample { factor } else { factor.min(1.0) }
    }
}

/// What happens to the labels of one class whose chance falls into one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Cell {
    /// Labels in bins below are not taken.
    floor: u8,
    /// Copies for everyone.
    base: u32,
    /// The bits of a number in [0, 1]: labels with a chance below it get one copy more.
    split: u64,
}

impl Cell {
    /// The decision for one bucket of a class.
    pub(crate) fn new(cut: Cut, balance: &Balance, bucket: u8) -> Cell {
        let factor = balance.factor(cut.pool, cut.people);
        let fraction = factor.fract();
        let (low, high) = (f64::from(bucket) / f64::from(BUCKETS), f64::from(bucket + 1) / f64::from(BUCKETS));
        let split = if fraction <= low {
            0.0
        } else if fraction >= high {
            1.0
        } else {
            fraction
        };
        Cell { floor: cut.bin, base: factor as u32, split: split.to_bits() }
    }

    /// How often a label of this cell enters the training set; `None` for not at all. Its chance is drawn again, instead of
    /// kept, where the cell asks for it: few cells do.
    pub(crate) fn copies(&self, bin: u8, chance: impl FnOnce() -> f64) -> Option<u32> {
        let split = f64::from_bits(self.split);
        let extra = u32::from(split >= 1.0 || split > 0.0 && chance() < split);
        let copies = self.base.saturating_add(extra);
        (bin >= self.floor && copies > 0).then_some(copies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(per_class: u64, upsample: bool) -> Balance {
        Balance { per_class, upsample }
    }

    #[test]
    fn the_worked_examples() {
        // algorithm notes: n = 50,000 of 130,000 gives 2.6; n = 400,000 keeps each with .325.
        assert_eq!(balance(130_000, true).factor(50_000, 0), 2.6);
        assert_eq!(balance(130_000, true).factor(400_000, 0), 0.325);
        assert_eq!(balance(130_000, false).factor(50_000, 0), 1.0);
        assert_eq!(balance(130_000, true).factor(0, 0), 0.0);
        // People have labelled some of the class, or more than enough.
        assert_eq!(balance(130_000, true).factor(50_000, 30_000), 2.0);
        assert_eq!(balance(130_000, true).factor(50_000, 130_001), 0.0);
    }

    #[test]
    fn cells_decide_as_the_plain_formula() {
        for (per_class, pool) in
            [(26, 10), (325, 1000), (1, 3), (7, 7), (1, 1000), (999, 1000), (5, 128), (64, 128), (u64::MAX, 1)]
        {
            let balance = balance(per_class, true);
            let factor = balance.factor(pool, 0);
            for step in 0..4096_u32 {
                let chance = f64::from(step) / 4096.0;
                let plain = (factor as u32).saturating_add(u32::from(chance < factor.fract()));
                let cell = Cell::new(Cut { bin: 30, pool, people: 0 }, &balance, bucket_of(chance));
                assert_eq!(cell.copies(30, || chance).unwrap_or(0), plain, "{per_class}/{pool} at {chance}");
                assert_eq!(cell.copies(29, || chance), None);
            }
        }
    }

    #[test]
    fn a_small_drift_of_the_factor_leaves_most_cells_alone() {
        let balance = balance(1000, true);
        let touched = |old: u64, new: u64| {
            let cell = |pool, bucket| Cell::new(Cut { bin: 85, pool, people: 0 }, &balance, bucket);
            let changed = (0..BUCKETS).filter(|bucket| cell(old, *bucket) != cell(new, *bucket));
            changed.count() as f64 / f64::from(BUCKETS)
        };
        assert_eq!(touched(700, 700), 0.0);
        // One label in 700, then thirteen in 1300: about as large a share of the class is looked at again.
        assert!(touched(700, 701) < 0.02);
        assert!(touched(1300, 1313) < 0.03);
    }

    #[test]
    fn chance_depends_on_seed_round_and_the_whole_key() {
        let key = Key(1 << 100 | 7);
        let first = chance(1, 2, key);
        assert!((0.0..1.0).contains(&first));
        assert_eq!(first, chance(1, 2, key));
        for other in [chance(2, 2, key), chance(1, 3, key), chance(1, 2, Key(7)), chance(1, 2, Key(1 << 100))] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn buckets_cover_the_unit_interval() {
        assert_eq!(bucket_of(0.0), 0);
        assert_eq!(bucket_of(1.0_f64.next_down()), BUCKETS - 1);
    }
}
