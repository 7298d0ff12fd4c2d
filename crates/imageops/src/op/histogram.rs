//! What ops need to know about all values of a channel, and the tables that come of it.

use super::canvas::Canvas;
use super::point::{Table, table};
use super::simd::vectorized;

/// How often each value occurs in one channel.
pub(super) type Histogram = [u32; 256];

/// `ImageOps.autocontrast` without cut-off: darkest value to 0, brightest to 255. A flat channel stays.
pub(super) fn stretch((low, high): (u8, u8)) -> Option<Table> {
    let scale = (high > low).then(|| 255.0 / f64::from(high - low))?;
    let offset = -f64::from(low) * scale;
    // A float that is cast to u8 is cut off at 0 and 255, as Pillow does by hand.
    Some(table(|v| (f64::from(v) * scale + offset) as u8))
}

/// `ImageOps.equalize`. A channel of fewer than two values, or too few pixels to spread, stays.
pub(super) fn flatten(histogram: &Histogram) -> Option<Table> {
    let last = *histogram.iter().rfind(|&&n| n > 0)?;
    let step = (histogram.iter().sum::<u32>() - last) / 255;
    let mut below = step / 2;
    let mut table = [0; 256];
    for (entry, &count) in table.iter_mut().zip(histogram) {
        *entry = below.checked_div(step)?.min(255) as u8;
        below += count;
    }
    Some(table)
}

/// Lowest and highest value that occurs.
pub(super) fn ends(histogram: &Histogram) -> (u8, u8) {
    let low = histogram.iter().position(|&n| n > 0).unwrap_or(0);
    let high = histogram.iter().rposition(|&n| n > 0).unwrap_or(0);
    (low as u8, high as u8)
}

/// Lowest and highest value of each channel; of gray in the first, repeated.
pub(super) fn extremes(canvas: &Canvas<'_>) -> [(u8, u8); 3] {
    let (mut low, mut high) = ([u8::MAX; WIDE], [0; WIDE]);
    fold_extremes(canvas.pixels, &mut low, &mut high);
    let apart = usize::from(canvas.channels);
    std::array::from_fn(|channel| {
        let first = channel % apart;
        let low = low.iter().skip(first).step_by(apart).fold(u8::MAX, |a, &b| a.min(b));
        (low, high.iter().skip(first).step_by(apart).fold(0, |a, &b| a.max(b)))
    })
}

/// Values taken at a time: whole pixels and whole vectors.
const WIDE: usize = 96;

vectorized! {
    /// Lowest and highest value at each place of a block of `WIDE`.
    fn fold_extremes(values: &[u8], low: &mut [u8; WIDE], high: &mut [u8; WIDE]) {
        let (blocks, rest) = values.as_chunks::<WIDE>();
        for block in blocks {
            for i in 0..WIDE {
                low[i] = low[i].min(block[i]);
                high[i] = high[i].max(block[i]);
            }
        }
        for (i, &value) in rest.iter().enumerate() {
            low[i] = low[i].min(value);
            high[i] = high[i].max(value);
        }
    }
}

/// Counts the values of each channel; those of gray in the first.
pub(super) fn count(canvas: &Canvas<'_>) -> [Histogram; 3] {
    match canvas.channels {
        1 => {
            let [a, b, c, d] = count_lanes::<4>(canvas.pixels);
            [std::array::from_fn(|v| a[v] + b[v] + c[v] + d[v]), [0; 256], [0; 256]]
        }
        _ => {
            let lanes = count_lanes::<6>(canvas.pixels);
            std::array::from_fn(|channel| std::array::from_fn(|v| lanes[channel][v] + lanes[channel + 3][v]))
        }
    }
}

/// Counts values in `N` histograms by turns: an increment need not wait for the one just before it, which is often
/// of the same value.
fn count_lanes<const N: usize>(values: &[u8]) -> [Histogram; N] {
    let mut lanes = [[0; 256]; N];
    let (blocks, rest) = values.as_chunks::<N>();
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            lane[usize::from(value)] += 1;
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        lane[usize::from(value)] += 1;
    }
    lanes
}
