//! Batches: what a training node consumes.

use serde::{Deserialize, Serialize};

use crate::{DeadLetter, Key, Shape};

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
    /// Which view of its record it is, from 0.
    pub view: u8,
    /// How often the list of its record had been gone through before: its random numbers depend on it.
    pub epoch: u32,
    /// Which copy of its record it is, where the list has several.
    pub copy: u32,
    /// What it should be taken for.
    pub target: Target,
    /// Whether the target comes from a human.
    pub labelled: bool,
}

/// Whole samples of one shape in one run of memory, NHWC: sample after sample, rows from the top, channels innermost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Block(#[serde(with = "serde_bytes")] pub Vec<u8>);

/// How the pixels of a sample are to be mixed with those that another sample of its batch had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mixed {
    /// The other sample, by its row.
    pub partner: u32,
    /// The own share of every value, in 65536ths; values are rounded half up.
    pub keep: u32,
    /// Left, top, right and bottom of the area where all is the partner's: columns from left up to right, rows from top up to bottom.
    pub area: [u32; 4],
}

/// Samples of one shape.
///
/// The pixels lie in one block for each worker that made some of them, as they left its hands: whoever moves them to a
/// device copies them anyway, and copies them once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The shape of each sample.
    pub shape: Shape,
    /// Together `rows.len() * shape.bytes()` bytes.
    pub blocks: Vec<Block>,
    /// One row for each sample, in the order of the blocks.
    pub rows: Vec<Row>,
    /// How the samples are still to be mixed, by row: for a training node that does it on its device. Else empty. Targets are
    /// mixed in any case.
    pub mixing: Vec<Mixed>,
    /// Records of this step that could not be used, where that is news: so whoever has seen a step knows of its losses.
    pub dead: Vec<DeadLetter>,
}

impl Batch {
    /// The pixels of each sample, in the order of `rows`.
    pub fn images(&self) -> impl Iterator<Item = &[u8]> {
        self.blocks.iter().flat_map(|block| block.0.chunks_exact(self.shape.bytes().max(1)))
    }

    /// Bytes of all pixels.
    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(|block| block.0.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_crosses_a_wire_unchanged_with_its_pixels_in_one_run() {
        let row = |record, target| Row { record, key: Key(9), view: 0, epoch: 0, copy: 0, target, labelled: true };
        let batch = Batch {
            shape: Shape { height: 2, width: 2, channels: 1 },
            blocks: vec![Block((0..8).collect()), Block((8..12).collect())],
            rows: vec![row(0, Target::None), row(1, Target::Hard(3)), row(2, Target::Soft(vec![0.25, 0.75]))],
            mixing: vec![Mixed { partner: 1, keep: 32768, area: [0, 0, 1, 2] }],
            dead: Vec::new(),
        };
        let wire = bincode::serialize(&batch).unwrap();
        assert!(wire.windows(8).any(|run| run == batch.blocks[0].0));
        assert_eq!((batch.bytes(), batch.images().nth(2)), (12, Some(&[8, 9, 10, 11][..])));
        assert_eq!(bincode::deserialize::<Batch>(&wire).unwrap(), batch);
    }
}
