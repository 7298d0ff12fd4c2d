//! The pass along y.

use std::ops::Range;

use super::weights::Weights;
use super::{Axis, Path, scalar};
use crate::Filter;

/// The pass along y, ready to run.
#[derive(Default)]
pub(super) struct Vertical {
    weights: Weights,
    path: Path,
    #[cfg(target_arch = "x86_64")]
    avx2: super::avx2::Rows,
    #[cfg(target_arch = "x86_64")]
    avx512: super::avx512::Rows,
}

impl Vertical {
    /// Computes weights and tables.
    pub(super) fn prepare(&mut self, axis: &Axis, filter: Filter, path: Path) {
        self.weights.prepare(axis, filter, false);
        self.path = self.tabulate(path);
    }

    fn tabulate(&mut self, path: Path) -> Path {
        match path {
            _ if !self.weights.small => return Path::Scalar,
            Path::Scalar => {}
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => self.avx2.prepare(&self.weights),
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => self.avx512.prepare(&self.weights),
        }
        path
    }

    /// The most source rows that an output row reads.
    pub(super) fn taps(&self) -> usize {
        self.weights.taps
    }

    /// Source rows that an output row reads.
    pub(super) fn span(&self, index: usize) -> Range<u32> {
        let span = self.weights.spans[index];
        span.first..span.first + span.count
    }

    /// The first source row that an output row reads.
    pub(super) fn first(&self, index: usize) -> u32 {
        self.weights.spans[index].first
    }

    /// Behind the last source row that is read.
    pub(super) fn end(&self) -> u32 {
        self.weights.reach.end
    }

    /// Makes one output row. `rows` begins with the first source row that it reads; they lie `stride` apart.
    pub(super) fn run(&self, index: usize, rows: &[u8], stride: usize, out: &mut [u8]) {
        match self.path {
            Path::Scalar => scalar::vertical(self.weights.of(&self.weights.spans[index]), rows, stride, out),
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => self.avx2.run(index, rows, stride, out),
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => self.avx512.run(index, rows, stride, out),
        }
    }

    /// Gives back memory if there is more than `keep` bytes of it.
    pub(super) fn trim(&mut self, keep: usize) {
        let mut held = self.weights.capacity();
        #[cfg(target_arch = "x86_64")]
        {
            held += self.avx2.capacity() + self.avx512.capacity();
        }
        if held > keep {
            *self = Self::default();
        }
    }
}
