//! A random share of the records of a corpus.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Key;

/// Parts of a whole.
const WHOLE: u32 = 1_000_000_000;

/// A share of all records, in billionths: more than none, all at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Share(u32);

/// A text or number that is no share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is no share of the records: it is a percentage as `1%` or a fraction as `0.01`, more than 0 and at most all"
)]
pub struct ShareError {
    /// What was found.
    pub found: String,
}

impl TryFrom<u32> for Share {
    type Error = ShareError;

    fn try_from(billionths: u32) -> Result<Self, ShareError> {
        match (1..=WHOLE).contains(&billionths) {
            true => Ok(Share(billionths)),
            false => Err(ShareError { found: format!("{billionths} billionths") }),
        }
    }
}

impl From<Share> for u32 {
    fn from(share: Share) -> u32 {
        share.0
    }
}

impl fmt::Display for Share {
    /// As a percentage.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 1e7)
    }
}

impl FromStr for Share {
    type Err = ShareError;

    /// A percentage with its sign, or a fraction with a point, so that `1` is not taken for one record or for one percent.
    /// Rounded to billionths.
    fn from_str(text: &str) -> Result<Self, ShareError> {
        let refuse = || ShareError { found: text.to_string() };
        let (number, whole) = match text.strip_suffix('%') {
            Some(percent) => (percent.trim_end(), 100.0),
            None if text.contains('.') => (text, 1.0),
            None => return Err(refuse()),
        };
        let share = number.parse::<f64>().map_err(|_| refuse())? / whole;
        // A cast takes what is no number, or below 0, for 0, which is refused.
        let billionths = (share * f64::from(WHOLE)).round() as u32;
        Share::try_from(billionths).map_err(|_| refuse())
    }
}

/// A random subset of the records, the same wherever it is drawn: whether a record is in it depends on its key and the seed
/// alone. With one seed a smaller share is part of every larger one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// How large it is, about.
    pub share: Share,
    /// Another one, another subset.
    pub seed: u64,
}

impl Sample {
    /// Whether the record of that key is in it.
    pub fn has(&self, key: Key) -> bool {
        let mut hasher = blake3::Hasher::new_derive_key("millstream: sample of a corpus, version 1");
        hasher.update(&self.seed.to_le_bytes()).update(&key.0.to_le_bytes());
        let place = Key::from_hash(hasher.finalize().as_bytes()).0 >> 64;
        // Both sides are below 2^94.
        place * u128::from(WHOLE) < u128::from(self.share.0) << 64
    }

    /// How many of so many records are in it, about.
    pub fn of(&self, records: u64) -> u64 {
        (u128::from(records) * u128::from(self.share.0) / u128::from(WHOLE)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(share: &str, seed: u64) -> Sample {
        Sample { share: share.parse().unwrap(), seed }
    }

    fn chosen(sample: Sample) -> Vec<u128> {
        (0..100_000).filter(|key| sample.has(Key(*key))).collect()
    }

    #[test]
    fn a_share_is_a_percentage_or_a_fraction() {
        for (text, billionths) in
            [("1%", 10_000_000), ("0.01", 10_000_000), ("12.5 %", 125_000_000), ("100%", WHOLE), ("0.0000001%", 1)]
        {
            assert_eq!(text.parse::<Share>(), Ok(Share(billionths)), "{text}");
        }
        for wrong in
            ["", "%", "1", "100", "0%", "0.0", "-1%", "100.1%", "1.5", "nan%", "inf%", "1e400%", "0.00000001%", "x"]
        {
            assert!(wrong.parse::<Share>().is_err_and(|error| error.to_string().contains(wrong)), "{wrong}");
        }
    }

    #[test]
    fn a_sample_has_about_its_share_and_is_always_the_same() {
        let tenth = chosen(sample("10%", 0));
        // Five standard deviations: 95 each.
        assert!((9_525..10_475).contains(&tenth.len()), "{}", tenth.len());
        assert_eq!(tenth, chosen(sample("0.1", 0)));
        // Sets of answers that are there are gone on with: the hash must stay what it is.
        assert_eq!(tenth[..5], [11, 14, 18, 27, 29]);
        assert_eq!(chosen(sample("100%", 7)).len(), 100_000);
        assert_eq!(sample("10%", 0).of(u64::MAX), u64::MAX / 10);
    }

    #[test]
    fn a_smaller_sample_is_part_of_a_larger_one_and_seeds_differ() {
        let large = chosen(sample("10%", 3));
        assert!(chosen(sample("1%", 3)).iter().all(|key| large.binary_search(key).is_ok()));
        let both = chosen(sample("10%", 4)).iter().filter(|key| large.binary_search(key).is_ok()).count();
        assert!((850..1_150).contains(&both), "{both}");
    }

    #[test]
    fn a_share_in_a_file_is_checked() {
        let text = serde_json::to_string(&sample("1%", 2)).unwrap();
        assert_eq!(text, r#"{"share":10000000,"seed":2}"#);
        assert_eq!(serde_json::from_str::<Sample>(&text).unwrap(), sample("1%", 2));
        assert!(serde_json::from_str::<Share>("0").is_err() && serde_json::from_str::<Share>("1000000001").is_err());
    }
}
