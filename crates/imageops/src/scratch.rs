//! Buffers that a renderer keeps between images, so that the steady state allocates nothing.

/// Larger buffers are given back: one huge image must not hold its memory for the rest of the run.
const KEEP: usize = 64 << 20;

/// What ops read the image from while they change it. Contents mean nothing between two ops.
#[derive(Default)]
pub(crate) struct Scratch {
    /// The image before the op, or padded.
    pub(crate) pixels: Vec<u8>,
    /// The image after one chain of AugMix.
    pub(crate) chain: Vec<u8>,
    /// The image on its side.
    pub(crate) side: Vec<u8>,
    /// Weighted sums of AugMix.
    pub(crate) sums: Vec<f32>,
    /// Sums of a blur, one a column and channel.
    pub(crate) boxes: Vec<u32>,
    /// Runs of columns that move together.
    pub(crate) runs: Vec<Run>,
}

/// Columns that come from neighbouring columns.
pub(crate) struct Run {
    /// First column of the result.
    pub(crate) to: usize,
    /// First column of the source.
    pub(crate) from: usize,
    /// Columns.
    pub(crate) length: usize,
}

impl Scratch {
    /// Gives back what has grown too large.
    pub(crate) fn trim(&mut self) {
        for buffer in [&mut self.pixels, &mut self.chain, &mut self.side] {
            if buffer.capacity() > KEEP {
                *buffer = Vec::new();
            }
        }
        if self.sums.capacity() > KEEP / 4 {
            self.sums = Vec::new();
        }
    }
}
