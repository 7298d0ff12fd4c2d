//! Resampling with antialiasing, bit for bit what Pillow 13's `Image.resize` gives.
//!
//! Two passes, one an axis, with values cut to 8 bits in between. Sums are integer, so SIMD and scalar code agree
//! exactly. The passes run interleaved over bands of rows, and only over what the wanted window reads.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod horizontal;
mod nearest;
mod scalar;
mod vertical;
mod weights;

use std::ops::Range;

use horizontal::Horizontal;
use vertical::Vertical;
use weights::Scale;

use crate::{Filter, ImageError, MAX_SIDE};

/// Larger buffers are given back after use.
const KEEP: usize = 64 << 20;

/// Rows that the horizontal pass makes at a time, besides those that one output row needs.
const BAND: usize = 16;

/// One axis of a resample: of a source of `length` pixels, the interval `from..to` becomes `size` pixels, of which
/// only `window` is computed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    /// Source pixels, 1 to [`MAX_SIDE`].
    pub(crate) length: u32,
    /// Where the interval begins, from 0 on; as in Pillow, taken as f32.
    pub(crate) from: f64,
    /// Where the interval ends, at most `length`; as in Pillow, taken as f32.
    pub(crate) to: f64,
    /// Output pixels for the interval, 1 to [`MAX_SIDE`].
    pub(crate) size: u32,
    /// Output pixels that are wanted, at least one.
    pub(crate) window: Range<u32>,
}

impl Axis {
    /// Source pixels that any output pixel of the window may read.
    pub(crate) fn reach(&self, filter: Filter) -> Range<u32> {
        if filter == Filter::Nearest {
            return nearest::reach(self);
        }
        let scale = Scale::new(self, filter);
        scale.reach(self.window.start).start..scale.reach(self.window.end.max(1) - 1).end
    }

    /// Whether output pixels are source pixels, so that Pillow skips the pass.
    fn is_identity(&self) -> bool {
        self.from as f32 == 0.0 && self.length == self.size && self.to as f32 == self.size as f32
    }

    fn is_valid(&self) -> bool {
        let (from, to) = (self.from as f32, self.to as f32);
        let side = 1..=MAX_SIDE;
        let inside = from >= 0.0 && from < to && to <= self.length as f32;
        let window = self.window.start < self.window.end && self.window.end <= self.size;
        inside && window && side.contains(&self.length) && side.contains(&self.size)
    }
}

/// The part of the source that is in memory.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Source<'a> {
    /// `width * height * channels` bytes (HWC).
    pub(crate) pixels: &'a [u8],
    /// Columns in memory.
    pub(crate) width: u32,
    /// Rows in memory.
    pub(crate) height: u32,
    /// 1 (gray) or 3 (RGB).
    pub(crate) channels: u8,
    /// Place of the first column in memory on the axis; negative where memory holds more than the axis' source.
    pub(crate) left: i32,
    /// Place of the first row in memory on the axis; negative where memory holds more than the axis' source.
    pub(crate) top: i32,
}

impl<'a> Source<'a> {
    /// Column in memory of a place on the x axis.
    fn column(&self, place: u32) -> usize {
        (i64::from(place) - i64::from(self.left)) as usize
    }

    /// Pixels from this place on the y axis on.
    fn rows_from(&self, place: u32) -> &'a [u8] {
        &self.pixels[(i64::from(place) - i64::from(self.top)) as usize * self.stride()..]
    }

    fn stride(&self) -> usize {
        self.width as usize * usize::from(self.channels)
    }

    fn is_valid(&self) -> bool {
        matches!(self.channels, 1 | 3) && self.pixels.len() as u64 == self.stride() as u64 * u64::from(self.height)
    }

    /// Whether memory has these columns and rows.
    fn covers(&self, columns: &Range<u32>, rows: &Range<u32>) -> bool {
        let inside = |range: &Range<u32>, first: i32, length: u32| {
            let first = i64::from(first);
            i64::from(range.start) >= first && i64::from(range.end) <= first + i64::from(length)
        };
        inside(columns, self.left, self.width) && inside(rows, self.top, self.height)
    }
}

/// The instructions to use. All give the same bits.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Path {
    #[default]
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Path {
    /// Those that this CPU has, the fastest last.
    fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let simd = {
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vbmi")
                && is_x86_feature_detected!("avx512vnni");
            let avx2 = is_x86_feature_detected!("avx2");
            [(Path::Avx2, avx2), (Path::Avx512, avx2 && avx512)]
        };
        #[cfg(not(target_arch = "x86_64"))]
        let simd = [];
        let simd = simd.into_iter().filter_map(|(path, there)| there.then_some(path));
        std::iter::once(Path::Scalar).chain(simd)
    }
}

/// Resamples images; keeps its weights and buffers for the next one.
pub(crate) struct Resampler {
    path: Path,
    horizontal: Horizontal,
    vertical: Vertical,
    /// Rows between the passes.
    rows: Vec<u8>,
    /// Source columns of the nearest filter.
    columns: Vec<u32>,
}

impl Default for Resampler {
    fn default() -> Self {
        Self::with_path(Path::available().last().unwrap_or_default())
    }
}

impl Resampler {
    fn with_path(path: Path) -> Self {
        let (horizontal, vertical) = Default::default();
        Self { path, horizontal, vertical, rows: Vec::new(), columns: Vec::new() }
    }

    /// Writes the windows' pixels (height x width x channels bytes, HWC) to `out`. `mirror` writes each row reversed.
    ///
    /// # Errors
    /// [`ImageError::Resize`] if an axis is out of range, memory lacks pixels that are needed, or `out` has another
    /// length.
    pub(crate) fn resample(
        &mut self,
        source: &Source<'_>,
        x: &Axis,
        y: &Axis,
        filter: Filter,
        mirror: bool,
        out: &mut [u8],
    ) -> Result<(), ImageError> {
        check(source, x, y, filter, out.len())?;
        if filter == Filter::Nearest {
            nearest::resample(source, x, y, mirror, &mut self.columns, out);
        } else {
            self.horizontal.prepare(x, filter, mirror, source.channels, self.path);
            self.vertical.prepare(y, filter, self.path);
            self.convolve(source, x, y, mirror, out);
        }
        self.trim();
        Ok(())
    }

    fn convolve(&mut self, source: &Source<'_>, x: &Axis, y: &Axis, mirror: bool, out: &mut [u8]) {
        let channels = usize::from(source.channels);
        if x.is_identity() && !mirror {
            let skip = source.column(x.window.start) * channels;
            self.vertical_only(source, skip, x.window.len() * channels, out);
        } else if y.is_identity() {
            let rows = source.rows_from(y.window.start);
            self.horizontal.run(rows, source.stride(), source.left, out);
        } else if y_first(x, y) {
            self.vertical_then_horizontal(source, out);
        } else {
            self.horizontal_then_vertical(source, out);
        }
    }

    fn vertical_only(&self, source: &Source<'_>, skip: usize, width: usize, out: &mut [u8]) {
        for (index, line) in out.chunks_exact_mut(width).enumerate() {
            let rows = source.rows_from(self.vertical.first(index));
            self.vertical.run(index, &rows[skip..], source.stride(), line);
        }
    }

    /// Row by row: the first pass makes one row of the columns that the second one reads.
    fn vertical_then_horizontal(&mut self, source: &Source<'_>, out: &mut [u8]) {
        let channels = usize::from(source.channels);
        let reach = self.horizontal.reach();
        let skip = source.column(reach.start) * channels;
        let width = reach.len() * channels;
        let band = BAND.min(out.len() / self.horizontal.width());
        self.rows.resize(band * width + horizontal::MARGIN, 0);
        for (number, lines) in out.chunks_mut(band * self.horizontal.width()).enumerate() {
            let count = lines.len() / self.horizontal.width();
            for (index, row) in self.rows.chunks_exact_mut(width).take(count).enumerate() {
                let index = number * band + index;
                let rows = source.rows_from(self.vertical.first(index));
                self.vertical.run(index, &rows[skip..], source.stride(), row);
            }
            self.horizontal.run(&self.rows, width, reach.start as i32, lines);
        }
    }

    /// The first pass fills a band of rows; when the second one needs the next, those still needed move to its front.
    fn horizontal_then_vertical(&mut self, source: &Source<'_>, out: &mut [u8]) {
        let width = self.horizontal.width();
        let room = self.vertical.taps() + BAND;
        self.rows.resize(room * width, 0);
        let mut held = 0..0;
        for (index, line) in out.chunks_exact_mut(width).enumerate() {
            let needed = self.vertical.span(index);
            if needed.end > held.end {
                held = self.refill(source, held, needed.start, room);
            }
            let skip = (needed.start - held.start) as usize * width;
            self.vertical.run(index, &self.rows[skip..], width, line);
        }
    }

    /// Makes `rows` hold as many rows from `start` on as there is room for.
    fn refill(&mut self, source: &Source<'_>, held: Range<u32>, start: u32, room: usize) -> Range<u32> {
        let width = self.horizontal.width();
        let end = self.vertical.end().min(start + room as u32);
        let next = held.end.max(start);
        let kept = (next - start) as usize * width;
        let from = held.len() * width - kept;
        self.rows.copy_within(from..from + kept, 0);
        let lines = &mut self.rows[kept..(end - start) as usize * width];
        self.horizontal.run(source.rows_from(next), source.stride(), source.left, lines);
        start..end
    }

    fn trim(&mut self) {
        if self.rows.capacity() > KEEP {
            self.rows = Vec::new();
        }
        self.horizontal.trim(KEEP);
        self.vertical.trim(KEEP);
    }
}

/// Pillow 13 begins with y where that takes away more than twice as many rows as x would take columns.
fn y_first(x: &Axis, y: &Axis) -> bool {
    let rows = i64::from(y.length) - i64::from(y.size);
    let columns = i64::from(x.length) - i64::from(x.size);
    rows > 0 && rows > 2 * columns
}

fn check(source: &Source<'_>, x: &Axis, y: &Axis, filter: Filter, length: usize) -> Result<(), ImageError> {
    let reason = if !x.is_valid() || !y.is_valid() {
        "the interval or the window is out of range".to_string()
    } else if !source.is_valid() {
        format!("{} bytes are not {} channels of that size", source.pixels.len(), source.channels)
    } else if !source.covers(&x.reach(filter), &y.reach(filter)) {
        format!("only {}x{} pixels from {},{} on are there", source.width, source.height, source.left, source.top)
    } else if length != x.window.len() * y.window.len() * usize::from(source.channels) {
        format!("{length} bytes are there for the result")
    } else {
        return Ok(());
    };
    let show = |x: &dyn std::fmt::Display, y: &dyn std::fmt::Display| format!("{x}x{y}");
    let from = show(
        &format_args!("{}..{} of {}", x.from, x.to, x.length),
        &format_args!("{}..{} of {}", y.from, y.to, y.length),
    );
    Err(ImageError::Resize { from, to: show(&x.size, &y.size), reason })
}

#[cfg(test)]
mod tests;
