//! Keys: the stable identity of a record.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

/// The stable identity of a record: 128 bits, made of its content or of its place, or given by the user.
///
/// Everything random about a record is a function of its key, never of its position in some list. In text (and in
/// formats for people, such as JSON) a key is 32 hexadecimal digits.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u128);

impl Key {
    /// The key of a record known by its bytes: the first 16 bytes of their BLAKE3 hash in a context of its own.
    ///
    /// The same bytes have the same key wherever they lie; two records with the same bytes cannot be told apart.
    pub fn of_content(bytes: &[u8]) -> Self {
        let mut hasher = Self::content_hasher();
        hasher.update(bytes);
        Self::from_hash(hasher.finalize().as_bytes())
    }

    /// The key of a record known by where it lies: the path as the plan has it, and its position in that file (0
    /// where the file is one record).
    ///
    /// The key stays when the bytes change, and changes when the data is moved to another path.
    pub fn of_place(path: &str, position: u64) -> Self {
        static BEGUN: LazyLock<blake3::Hasher> =
            LazyLock::new(|| blake3::Hasher::new_derive_key("millstream: key of a place, version 1"));
        let mut hasher = BEGUN.clone();
        hasher.update(&position.to_le_bytes()).update(path.as_bytes());
        Self::from_hash(hasher.finalize().as_bytes())
    }

    /// What [`Key::of_content`] hashes with, for bytes that come in pieces.
    pub(crate) fn content_hasher() -> blake3::Hasher {
        blake3::Hasher::new_derive_key("millstream: key of content, version 1")
    }

    /// The key made of a finished hash.
    pub(crate) fn from_hash(hash: &[u8; 32]) -> Self {
        let (head, _) = hash.split_at(16);
        Key(head.iter().fold(0, |key, byte| (key << 8) | u128::from(*byte)))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// A text that is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a key: a key is 32 hexadecimal digits")]
pub struct KeyError {
    /// What was found.
    pub text: String,
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let refuse = || KeyError { text: text.chars().take(64).collect() };
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refuse());
        }
        u128::from_str_radix(text, 16).map(Key).map_err(|_| refuse())
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_u128(self.0) }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        } else {
            u128::deserialize(deserializer).map(Key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_of_content_and_place_stay_what_they_were() {
        // Keys are in label files and lists that people keep: these values may never change.
        assert_eq!(Key::of_content(b"pixels").to_string(), "93fe8d521125f76208d6f33216b9f438");
        assert_eq!(Key::of_place("data/a.png", 0).to_string(), "82768d38bb8a615e0f2efb1bd980d6d5");
    }

    #[test]
    fn content_and_place_and_position_all_tell_keys_apart() {
        let keys = [
            Key::of_content(b"a"),
            Key::of_content(b"b"),
            Key::of_place("a", 0),
            Key::of_place("a", 1),
            Key::of_place("b", 0),
        ];
        let distinct: std::collections::BTreeSet<Key> = keys.into_iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn text_that_is_not_32_hexadecimal_digits_is_no_key() {
        let long = "0".repeat(33);
        for text in ["", "12", "+0000000000000000000000000000001", "g".repeat(32).as_str(), long.as_str()] {
            let error = text.parse::<Key>().unwrap_err();
            assert!(error.to_string().contains("32 hexadecimal digits"), "{error}");
        }
    }

    #[test]
    fn in_json_a_key_is_text() {
        let json = serde_json::to_string(&Key(255)).unwrap();
        assert_eq!(json, "\"000000000000000000000000000000ff\"");
        assert_eq!(serde_json::from_str::<Key>(&json).unwrap(), Key(255));
        assert!(serde_json::from_str::<Key>("\"xyz\"").is_err());
    }

    proptest! {
        #[test]
        fn text_and_bytes_lead_back_to_the_key(number: u128) {
            let key = Key(number);
            prop_assert_eq!(key.to_string().parse::<Key>().unwrap(), key);
            let bytes = bincode::serialize(&key).unwrap();
            prop_assert_eq!(bytes.len(), 16);
            prop_assert_eq!(bincode::deserialize::<Key>(&bytes).unwrap(), key);
        }
    }
}
