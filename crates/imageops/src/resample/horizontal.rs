//! The pass along x.

use std::ops::Range;

use super::weights::Weights;
use super::{Axis, Path, scalar};
use crate::Filter;

/// Bytes behind the last pixel of a row that SIMD code may read, never use.
pub(super) const MARGIN: usize = 128;

/// The pass along x, ready to run.
#[derive(Default)]
pub(super) struct Horizontal {
    weights: Weights,
    channels: usize,
    path: Path,
    #[cfg(target_arch = "x86_64")]
    avx2: super::avx2::Columns,
    #[cfg(target_arch = "x86_64")]
    avx512: super::avx512::Columns,
    /// A row with margin behind it.
    edge: Vec<u8>,
}

impl Horizontal {
    /// Computes weights and tables.
    pub(super) fn prepare(&mut self, axis: &Axis, filter: Filter, mirror: bool, channels: u8, path: Path) {
        self.weights.prepare(axis, filter, mirror);
        self.channels = usize::from(channels);
        self.path = self.tabulate(path);
    }

    /// Fills the table of a path; gives the path that can do it.
    fn tabulate(&mut self, path: Path) -> Path {
        match path {
            _ if !self.weights.small => Path::Scalar,
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => match self.avx512.prepare(&self.weights, self.channels) {
                Some(()) => path,
                None => self.tabulate(Path::Avx2),
            },
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 if self.channels == 3 => {
                self.avx2.prepare(&self.weights);
                path
            }
            _ => Path::Scalar,
        }
    }

    /// Bytes of an output row.
    pub(super) fn width(&self) -> usize {
        self.weights.spans.len() * self.channels
    }

    /// Source columns that are read.
    pub(super) fn reach(&self) -> Range<u32> {
        self.weights.reach.clone()
    }

    /// Resamples as many rows as `out` holds. They begin `stride` apart; `origin` is the column of their first byte.
    pub(super) fn run(&mut self, rows: &[u8], stride: usize, origin: i32, out: &mut [u8]) {
        if self.path == Path::Scalar {
            return self.kernel(rows, stride, origin, out);
        }
        let width = self.width();
        let needed = (i64::from(self.reach().end) - i64::from(origin)) as usize * self.channels;
        let roomy = match rows.len().checked_sub(needed + MARGIN) {
            Some(spare) => (spare / stride + 1).min(out.len() / width),
            None => 0,
        };
        let (head, tail) = out.split_at_mut(roomy * width);
        self.kernel(rows, stride, origin, head);
        for (index, line) in tail.chunks_exact_mut(width).enumerate() {
            self.edge_row(&rows[(roomy + index) * stride..][..needed], origin, line);
        }
    }

    /// Resamples a row that lies at the end of memory.
    fn edge_row(&mut self, row: &[u8], origin: i32, out: &mut [u8]) {
        let mut edge = std::mem::take(&mut self.edge);
        edge.clear();
        edge.extend_from_slice(row);
        edge.resize(row.len() + MARGIN, 0);
        self.kernel(&edge, edge.len(), origin, out);
        self.edge = edge;
    }

    /// As `run`; the SIMD paths need [`MARGIN`] bytes behind what they use of each row.
    fn kernel(&self, rows: &[u8], stride: usize, origin: i32, out: &mut [u8]) {
        match self.path {
            Path::Scalar => self.scalar(rows, stride, origin, out),
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => self.avx2.run(rows, stride, origin, out),
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => self.avx512.run(rows, stride, origin as isize * self.channels as isize, out),
        }
    }

    fn scalar(&self, rows: &[u8], stride: usize, origin: i32, out: &mut [u8]) {
        for (index, line) in out.chunks_exact_mut(self.width()).enumerate() {
            let row = &rows[index * stride..];
            match self.channels {
                1 => scalar::horizontal::<1>(&self.weights, origin, row, line),
                _ => scalar::horizontal::<3>(&self.weights, origin, row, line),
            }
        }
    }

    /// Gives back memory if there is more than `keep` bytes of it.
    pub(super) fn trim(&mut self, keep: usize) {
        let mut held = self.weights.capacity() + self.edge.capacity();
        #[cfg(target_arch = "x86_64")]
        {
            held += self.avx2.capacity() + self.avx512.capacity();
        }
        if held > keep {
            *self = Self::default();
        }
    }
}
