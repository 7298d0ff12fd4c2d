//! What tells images apart, or shows that they are the same.

use serde::{Deserialize, Serialize};

use crate::Key;

/// What identifies the image of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint {
    /// A hash of its bytes.
    pub content: Key,
    /// A hash of how it looks: the fewer bits differ, the more alike two images are.
    pub perceptual: u64,
}
