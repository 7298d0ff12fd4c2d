//! A keyed permutation of the numbers below `n`, without a list of them.

use crate::draw::first_word;

/// Rounds of the Feistel network. Four already pass for random with a good round function (Luby and Rackoff 1988);
/// the rest are for the small domains where halves have few bits.
const ROUNDS: usize = 8;

/// A permutation of [0, n), chosen by a key, in a few words of memory.
///
/// A balanced Feistel network permutes the smallest domain of 2^2h numbers that holds `n`; a result of `n` or more is
/// sent through again until it falls below (cycle walking, Black and Rogaway 2002), fewer than four times on average.
///
/// ```
/// use millstream_data::Permutation;
/// let shuffled = Permutation::new(5, &[42, 7]);
/// let mut all: Vec<u64> = (0..5).map(|i| shuffled.get(i)).collect();
/// all.sort();
/// assert_eq!(all, [0, 1, 2, 3, 4]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permutation {
    n: u64,
    half: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// The permutation of [0, n) that `key` chooses.
    pub fn new(n: u64, key: &[u64]) -> Self {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        Permutation { n, half: bits.div_ceil(2).max(1), keys: round_keys(n, key) }
    }

    /// Where `i` goes, for `i` below n. Any other `i` is first brought below n by division; with n = 0 the answer
    /// is 0.
    pub fn get(&self, i: u64) -> u64 {
        if self.n <= 1 {
            return 0;
        }
        let mut image = self.permute(i % self.n);
        while image >= self.n {
            image = self.permute(image);
        }
        image
    }

    /// One pass over the whole domain of 2^(2 half) numbers.
    fn permute(&self, i: u64) -> u64 {
        let mask = (1u64 << self.half) - 1;
        let (mut left, mut right) = (i >> self.half, i & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right ^ key) & mask));
        }
        (left << self.half) | right
    }
}

fn round_keys(n: u64, key: &[u64]) -> [u64; ROUNDS] {
    let mut hasher = blake3::Hasher::new_derive_key("millstream: permutation, version 1");
    hasher.update(&n.to_le_bytes());
    for part in key {
        hasher.update(&part.to_le_bytes());
    }
    let seed = hasher.finalize();
    std::array::from_fn(|round| first_word(&blake3::keyed_hash(seed.as_bytes(), &[round as u8])))
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit of the input moves every bit of the output.
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    fn all(n: u64, key: &[u64]) -> Vec<u64> {
        let permutation = Permutation::new(n, key);
        (0..n).map(|i| permutation.get(i)).collect()
    }

    #[test]
    fn permutations_stay_what_they_were() {
        // The order of batches in a run follows from these.
        assert_eq!(all(10, &[1, 2, 3]), [0, 3, 6, 9, 8, 2, 1, 4, 5, 7]);
    }

    #[test]
    fn every_order_of_a_few_numbers_comes_equally_often() {
        for (n, orders) in [(2, 2), (3, 6), (4, 24)] {
            let mut counts = BTreeMap::new();
            for seed in 0..orders * 200 {
                *counts.entry(all(n, &[seed])).or_insert(0u32) += 1;
            }
            assert_eq!(counts.len() as u64, orders, "n = {n}");
            let chi2: f64 = counts.values().map(|c| (f64::from(*c) - 200.0).powi(2) / 200.0).sum();
            // With 23 degrees of freedom, above 60 less than once in 10,000 sets of seeds.
            assert!(chi2 < 60.0, "n = {n}: {counts:?}");
        }
    }

    #[test]
    fn numbers_land_evenly_and_neighbours_part() {
        let n = 60_000u64;
        let image = all(n, &[5]);
        let early = image.iter().take(600).filter(|to| **to < n / 2).count();
        assert!((230..370).contains(&early), "{early} of the first 600 land in the first half");
        let close = image.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 60).count();
        assert!(close < 240, "{close} neighbours stay within 60 of each other, 120 are to be expected");
    }

    #[test]
    fn the_edges_of_the_domain_work() {
        assert_eq!(Permutation::new(0, &[1]).get(9), 0);
        assert_eq!(Permutation::new(1, &[1]).get(0), 0);
        let whole = Permutation::new(u64::MAX, &[1]);
        assert_ne!(whole.get(0), whole.get(u64::MAX - 1));
        assert!(whole.get(3) < u64::MAX);
    }

    proptest! {
        #[test]
        fn it_is_a_permutation(n in 1u64..3000, key: [u64; 2]) {
            let mut image = all(n, &key);
            image.sort_unstable();
            prop_assert!(image.into_iter().eq(0..n));
        }

        #[test]
        fn large_domains_are_not_left_and_nothing_is_hit_twice(n in 1u64 << 20.., i: u64, j: u64, key: u64) {
            let permutation = Permutation::new(n, &[key]);
            let (i, j) = (i % n, j % n);
            prop_assert!(permutation.get(i) < n);
            prop_assert_eq!(i == j, permutation.get(i) == permutation.get(j));
        }

        #[test]
        fn another_key_is_another_order(a: u64, b: u64) {
            prop_assume!(a != b);
            prop_assert_ne!(all(50, &[a]), all(50, &[b]));
            prop_assert_ne!(all(50, &[a, b]), all(50, &[b, a]));
        }
    }
}
