//! Nearest: one source pixel for each output pixel.

use std::ops::Range;

use super::{Axis, Source};

/// Source positions of an axis' window. They are summed up step by step because Pillow does so and the rounding shows.
pub(super) fn places(axis: &Axis) -> impl Iterator<Item = u32> {
    let step = f64::from(axis.to as f32 - axis.from as f32) / f64::from(axis.size);
    let mut place = f64::from(axis.from as f32) + step * 0.5;
    let last = axis.length - 1;
    let all = (0..axis.window.end).map(move |_| {
        let here = (place as u32).min(last);
        place += step;
        here
    });
    all.skip(axis.window.start as usize)
}

/// Source pixels from the first to the last position.
pub(super) fn reach(axis: &Axis) -> Range<u32> {
    let mut places = places(axis);
    let first = places.next().unwrap_or(0);
    first..places.last().unwrap_or(first) + 1
}

/// Fills `out`; `columns` is a buffer.
pub(super) fn resample(source: &Source<'_>, x: &Axis, y: &Axis, mirror: bool, columns: &mut Vec<u32>, out: &mut [u8]) {
    columns.clear();
    columns.extend(places(x).map(|place| source.column(place) as u32));
    if mirror {
        columns.reverse();
    }
    let rows = places(y).map(|place| source.rows_from(place));
    match source.channels {
        1 => pick::<1>(rows, columns, out),
        _ => pick::<3>(rows, columns, out),
    }
}

fn pick<'a, const C: usize>(rows: impl Iterator<Item = &'a [u8]>, columns: &[u32], out: &mut [u8]) {
    let lines = out.as_chunks_mut::<C>().0.chunks_exact_mut(columns.len());
    for (line, row) in lines.zip(rows) {
        let row = row.as_chunks::<C>().0;
        for (pixel, &column) in line.iter_mut().zip(columns) {
            *pixel = row[column as usize];
        }
    }
}
