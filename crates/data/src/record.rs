//! Records, and what they hold once read.

use serde::{Deserialize, Serialize};

use crate::Key;

/// An image that a source holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its identity.
    pub key: Key,
    /// Its class as an index into the classes of its source, if somebody gave one.
    pub label: Option<u32>,
}

/// The bytes of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// Pixels, as formats without compression have them.
    Pixels {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// 1 for gray, 3 for RGB.
        channels: u8,
        /// `height * width * channels` bytes: rows from the top, channels innermost.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// A whole image file, yet to be decoded.
    Encoded(#[serde(with = "serde_bytes")] Vec<u8>),
}

impl Payload {
    /// What was read, as it is stored.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Payload::Encoded(bytes) | Payload::Pixels { bytes, .. } => bytes,
        }
    }

    /// The same, to keep.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Payload::Encoded(bytes) | Payload::Pixels { bytes, .. } => bytes,
        }
    }
}

/// The shape of every sample of a stream.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
    /// 1 for gray, 3 for RGB.
    pub channels: u8,
}

impl Shape {
    /// Bytes of one sample, `height * width * channels`; the largest number there is where that is larger.
    pub fn bytes(&self) -> usize {
        let rows = self.height as usize;
        rows.saturating_mul(self.width as usize).saturating_mul(usize::from(self.channels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_counts_its_bytes_and_never_overflows() {
        assert_eq!(Shape { height: 28, width: 30, channels: 3 }.bytes(), 2520);
        let huge = Shape { height: u32::MAX, width: u32::MAX, channels: 255 };
        assert_eq!(huge.bytes(), usize::MAX);
    }

    #[test]
    fn a_payload_crosses_a_wire_as_one_run_of_bytes() {
        let payload = Payload::Encoded(vec![7; 1000]);
        let wire = bincode::serialize(&payload).unwrap();
        assert_eq!(wire.len(), 4 + 8 + 1000);
        assert_eq!(bincode::deserialize::<Payload>(&wire).unwrap(), payload);
    }
}
