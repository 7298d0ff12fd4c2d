//! How much a corpus is, as far as its listing says.

use serde::Serialize;

use super::Shard;

/// Shards, counted without reading them.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Shards.
    pub shards: u64,
    /// Parts of the corpus that cannot be found.
    pub lost: u64,
    /// Bytes of the shards that say how large they are.
    pub bytes: u64,
    /// Records of the shards that say how many they have.
    pub records: u64,
    /// Shards that do not say how large they are.
    pub without_bytes: u64,
    /// Shards that do not say how many records they have.
    pub without_records: u64,
}

impl Counted {
    /// Counts a shard; none is a part that cannot be found.
    pub fn add(&mut self, shard: Option<&Shard>) {
        let Some(shard) = shard else {
            self.lost += 1;
            return;
        };
        self.shards += 1;
        self.bytes += shard.bytes.unwrap_or(0);
        self.records += shard.records.unwrap_or(0);
        self.without_bytes += u64::from(shard.bytes.is_none());
        self.without_records += u64::from(shard.records.is_none());
    }
}
