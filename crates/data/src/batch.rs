//! Batches: what a training node consumes.

use serde::{Deserialize, Serialize};

use crate::{Key, Shape};

/// What a sample should be taken for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Target {
    /// Nobody knows: the model is asked.
    None,
    /// One class.
    Hard(u32),
    /// A probability for each class.
    Soft(Vec<f32>),
}

/// What is known about one sample of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The number of its record in the manifest.
    pub record: u32,
    /// The key of its record.
    pub key: Key,
    /// What it should be taken for.
    pub target: Target,
    /// Whether the target comes from a human.
    pub labelled: bool,
}

/// Samples of one shape in one block of memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The shape of each sample.
    pub shape: Shape,
    /// `rows.len() * shape.bytes()` bytes, NHWC: sample after sample, rows from the top, channels innermost.
    #[serde(with = "serde_bytes")]
    pub pixels: Vec<u8>,
    /// One row for each sample, in the order of `pixels`.
    pub rows: Vec<Row>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_crosses_a_wire_unchanged_with_its_pixels_in_one_run() {
        let row = |record, target| Row { record, key: Key(9), target, labelled: true };
        let batch = Batch {
            shape: Shape { height: 2, width: 2, channels: 1 },
            pixels: (0..12).collect(),
            rows: vec![row(0, Target::None), row(1, Target::Hard(3)), row(2, Target::Soft(vec![0.25, 0.75]))],
        };
        let wire = bincode::serialize(&batch).unwrap();
        assert!(wire.windows(12).any(|run| run == batch.pixels));
        assert_eq!(bincode::deserialize::<Batch>(&wire).unwrap(), batch);
    }
}
