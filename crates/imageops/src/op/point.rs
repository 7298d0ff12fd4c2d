//! Ops that look at one value at a time: each is a table of 256 entries. Tables in a row become one.

use super::canvas::Canvas;
use super::enhance::{self, blend};
use super::histogram::{self, Histogram};
use super::{Op, lookup};

/// New value of every old value.
pub(super) type Table = [u8; 256];

/// The table that changes nothing.
const SAME: Table = {
    let mut table = [0; 256];
    let mut value = 0;
    while value < 256 {
        table[value] = value as u8;
        value += 1;
    }
    table
};

/// Tabulates a function of a value.
pub(super) fn table(f: impl Fn(u8) -> u8) -> Table {
    SAME.map(f)
}

/// What is still to be done to the values of a canvas: a table a channel.
pub(super) struct Curves {
    /// All three are equal unless `split`; gray uses the first.
    tables: [Table; 3],
    /// Whether the channels have tables of their own.
    split: bool,
    /// Whether there is anything to do.
    pending: bool,
    /// Histograms of the canvas as it lies there, once they have been needed.
    counted: Option<[Histogram; 3]>,
}

impl Curves {
    pub(super) fn new() -> Self {
        Self { tables: [SAME; 3], split: false, pending: false, counted: None }
    }

    /// Takes in an op if it works value by value; the canvas changes only where an op needs to see it changed. False
    /// means that it is another kind of op: then the canvas is up to date.
    pub(super) fn take(&mut self, op: &Op, canvas: &mut Canvas<'_>) -> bool {
        match *op {
            Op::Identity => {}
            Op::Invert => self.then(|v| !v),
            Op::Posterize(bits) => self.then(|v| v & upper(bits)),
            Op::Solarize(threshold) => self.then(|v| if f32::from(v) < threshold { v } else { !v }),
            Op::SolarizeAdd { add, threshold } => {
                self.then(|v| if v < threshold { (i16::from(v) + add).clamp(0, 255) as u8 } else { v });
            }
            Op::Brightness(factor) => self.then(|v| blend(0, v, factor)),
            Op::Contrast(factor) => {
                self.settle(canvas);
                let mean = enhance::mean_gray(canvas);
                self.then(|v| blend(mean, v, factor));
            }
            Op::AutoContrast => {
                let ends = self.extremes(canvas);
                self.then_each(canvas, ends.map(histogram::stretch));
            }
            Op::Equalize => {
                let histograms = self.histograms(canvas);
                self.then_each(canvas, histograms.map(|histogram| histogram::flatten(&histogram)));
            }
            _ => {
                self.settle(canvas);
                return false;
            }
        }
        true
    }

    /// Does what is to be done. The curves are as new afterwards.
    pub(super) fn settle(&mut self, canvas: &mut Canvas<'_>) {
        match (self.pending, self.split) {
            (false, _) => {}
            (true, false) => lookup::map(canvas.pixels, &self.tables[0]),
            (true, true) => lookup::map_rgb(canvas.pixels, &self.tables),
        }
        *self = Self::new();
    }

    /// The same function for all channels.
    fn then(&mut self, f: impl Fn(u8) -> u8) {
        self.pending = true;
        let different = if self.split { 3 } else { 1 };
        self.tables[..different].iter_mut().for_each(|table| *table = table.map(&f));
        if !self.split {
            self.tables = [self.tables[0]; 3];
        }
    }

    /// A table for each channel; none leaves the channel as it is.
    fn then_each(&mut self, canvas: &Canvas<'_>, tables: [Option<Table>; 3]) {
        if tables.iter().all(Option::is_none) {
            return;
        }
        self.pending = true;
        self.split |= canvas.channels == 3;
        for (old, new) in self.tables.iter_mut().zip(tables) {
            if let Some(new) = new {
                *old = old.map(|v| new[usize::from(v)]);
            }
        }
    }

    /// Darkest and brightest value of each channel after the curves.
    fn extremes(&mut self, canvas: &Canvas<'_>) -> [(u8, u8); 3] {
        if self.counted.is_none() {
            let ends = histogram::extremes(canvas);
            let steady = ends.iter().zip(&self.tables).all(|(&ends, table)| is_monotonic(table, ends));
            if steady {
                return std::array::from_fn(|channel| {
                    let (a, b) = ends[channel];
                    let (a, b) = (self.tables[channel][usize::from(a)], self.tables[channel][usize::from(b)]);
                    (a.min(b), a.max(b))
                });
            }
        }
        self.histograms(canvas).map(|histogram| histogram::ends(&histogram))
    }

    /// Histograms of the channels after the curves.
    fn histograms(&mut self, canvas: &Canvas<'_>) -> [Histogram; 3] {
        let counted = self.counted.get_or_insert_with(|| histogram::count(canvas));
        if !self.pending {
            return *counted;
        }
        std::array::from_fn(|channel| {
            let mut moved = [0; 256];
            for (&count, &value) in counted[channel].iter().zip(&self.tables[channel]) {
                moved[usize::from(value)] += count;
            }
            moved
        })
    }
}

/// Whether a table only rises or only falls between two values, so that it takes ends to ends.
fn is_monotonic(table: &Table, (low, high): (u8, u8)) -> bool {
    let part = &table[usize::from(low)..=usize::from(high).max(usize::from(low))];
    part.is_sorted() || part.is_sorted_by(|a, b| a >= b)
}

/// The mask of the upper `bits` bits.
fn upper(bits: u8) -> u8 {
    0xFF_u8.checked_shl(8 - u32::from(bits.min(8))).unwrap_or(0)
}
