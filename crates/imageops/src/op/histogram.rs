//! Ops whose table comes from the image's own histogram, channel by channel.

use super::point::{self, Table};
use crate::Image;

/// How often each value occurs in one channel.
pub(super) type Histogram = [u32; 256];

/// `ImageOps.autocontrast` without cut-off: darkest value to 0, brightest to 255. A flat channel stays.
pub(super) fn auto_contrast(image: &mut Image) {
    per_channel(image, |histogram| {
        let low = histogram.iter().position(|&n| n > 0)?;
        let high = histogram.iter().rposition(|&n| n > 0)?;
        let scale = (high > low).then(|| 255.0 / (high - low) as f64)?;
        let offset = -(low as f64) * scale;
        // A float that is cast to u8 is cut off at 0 and 255, as Pillow does by hand.
        Some(point::table(|v| (f64::from(v) * scale + offset) as u8))
    });
}

/// `ImageOps.equalize`. A channel of fewer than two values, or too few pixels to spread, stays.
pub(super) fn equalize(image: &mut Image) {
    per_channel(image, |histogram| {
        let last = *histogram.iter().rfind(|&&n| n > 0)?;
        let step = (histogram.iter().sum::<u32>() - last) / 255;
        let mut below = step / 2;
        let mut table = [0; 256];
        for (entry, &count) in table.iter_mut().zip(histogram) {
            *entry = below.checked_div(step)?.min(255) as u8;
            below += count;
        }
        Some(table)
    });
}

/// Maps each channel by the table that `make` derives from its histogram; none leaves the channel as it is.
fn per_channel(image: &mut Image, make: impl Fn(&Histogram) -> Option<Table>) {
    match image.channels {
        1 => {
            if let Some(table) = make(&count(image.pixels.iter().copied())) {
                point::map(image, &table);
            }
        }
        _ => per_rgb(&mut image.pixels, make),
    }
}

fn per_rgb(pixels: &mut [u8], make: impl Fn(&Histogram) -> Option<Table>) {
    let (pixels, _) = pixels.as_chunks_mut::<3>();
    let mut histograms = [[0; 256]; 3];
    for pixel in pixels.iter() {
        for (histogram, &value) in histograms.iter_mut().zip(pixel) {
            histogram[usize::from(value)] += 1;
        }
    }
    let tables = histograms.map(|h| make(&h).unwrap_or_else(|| point::table(|v| v)));
    for pixel in pixels {
        for (value, table) in pixel.iter_mut().zip(&tables) {
            *value = table[usize::from(*value)];
        }
    }
}

/// Counts values.
pub(super) fn count(values: impl Iterator<Item = u8>) -> Histogram {
    let mut histogram = [0; 256];
    for value in values {
        histogram[usize::from(value)] += 1;
    }
    histogram
}
