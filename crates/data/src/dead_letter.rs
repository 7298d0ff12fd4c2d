//! Dead letters: records that could not be used, with the reason.

use serde::{Deserialize, Serialize};

use crate::Key;

/// Where a record failed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Its bytes could not be had.
    Read,
    /// Its bytes are no image.
    Decode,
    /// Its image could not be augmented.
    Augment,
}

/// A record that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its identity.
    pub key: Key,
    /// Where it lies.
    pub place: String,
    /// Where it failed.
    pub stage: Stage,
    /// Why it failed.
    pub reason: String,
    /// The BLAKE3 hash of its bytes, where there were any.
    pub bytes_hash: Option<[u8; 32]>,
    /// The round in which it failed first.
    pub round: u32,
}
