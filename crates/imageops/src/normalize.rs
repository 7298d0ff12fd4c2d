//! From bytes to the floats that a model reads.

use crate::ImageError;

/// Order of the values of a batch of images.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A plane for each channel.
    Nchw,
    /// Channels side by side.
    Nhwc,
}

/// The result for each pixel value.
type Table = [f32; 256];

/// Writes `(v / 255 - mean) / std` of each pixel value `v`, computed in f32 as torchvision does.
///
/// `pixels` is any number of images of `shape` (height, width, channels), rows from the top, channels interleaved.
/// `mean` and `std` have one value for each channel, of pixels scaled to 0..=1. `out` has as many values as `pixels`, in
/// the order of `layout`.
///
/// # Errors
/// [`ImageError::Argument`] if lengths do not fit together, a value is not finite or a standard deviation not above 0.
pub fn normalize(
    pixels: &[u8],
    shape: (u32, u32, u8),
    mean: &[f32],
    std: &[f32],
    layout: Layout,
    out: &mut [f32],
) -> Result<(), ImageError> {
    check(pixels.len(), shape, mean, std, out.len())?;
    let (height, width, channels) = shape;
    let area = height as usize * width as usize;
    match channels {
        1 => write(pixels, area, &tables::<1>(mean, std), layout, out),
        _ => write(pixels, area, &tables::<3>(mean, std), layout, out),
    }
    Ok(())
}

fn check(pixels: usize, shape: (u32, u32, u8), mean: &[f32], std: &[f32], out: usize) -> Result<(), ImageError> {
    let (height, width, channels) = shape;
    let sample = u64::from(height) * u64::from(width) * u64::from(channels);
    let whole = matches!(channels, 1 | 3) && sample > 0 && (pixels as u64).is_multiple_of(sample);
    require(whole, "pixels", || format!("{pixels} bytes for {height}x{width}x{channels}"), "a whole number of images")?;
    require(out == pixels, "values", || format!("{out} for {pixels} bytes"), "as many as bytes")?;
    for (name, values) in [("mean", mean), ("std", std)] {
        let fits = values.len() == usize::from(channels) && values.iter().all(|v| v.is_finite());
        require(fits, name, || format!("{values:?}"), "one finite number a channel")?;
    }
    require(std.iter().all(|&v| v > 0.0), "std", || format!("{std:?}"), "above 0")
}

fn require(good: bool, name: &str, found: impl Fn() -> String, allowed: &'static str) -> Result<(), ImageError> {
    let refusal = || ImageError::Argument { what: format!("normalize: {name}"), found: found(), allowed };
    if good { Ok(()) } else { Err(refusal()) }
}

/// A table for each channel: faster than two divisions a pixel, and exact.
fn tables<const C: usize>(mean: &[f32], std: &[f32]) -> [Table; C] {
    let mut tables = [[0.0; 256]; C];
    for (table, (mean, std)) in tables.iter_mut().zip(mean.iter().zip(std)) {
        for (value, entry) in table.iter_mut().enumerate() {
            *entry = (value as f32 / 255.0 - mean) / std;
        }
    }
    tables
}

fn write<const C: usize>(pixels: &[u8], area: usize, tables: &[Table; C], layout: Layout, out: &mut [f32]) {
    for (pixels, out) in pixels.chunks_exact(area * C).zip(out.chunks_exact_mut(area * C)) {
        let pixels = pixels.as_chunks::<C>().0;
        match layout {
            Layout::Nchw => planes(pixels, tables, out),
            Layout::Nhwc => interleaved(pixels, tables, out),
        }
    }
}

/// Blocks stay in the first cache while each channel in turn is taken out of them.
fn planes<const C: usize>(pixels: &[[u8; C]], tables: &[Table; C], out: &mut [f32]) {
    const BLOCK: usize = 1024;
    let area = pixels.len();
    for (number, block) in pixels.chunks(BLOCK).enumerate() {
        for (channel, table) in tables.iter().enumerate() {
            let values = &mut out[channel * area + number * BLOCK..][..block.len()];
            for (value, pixel) in values.iter_mut().zip(block) {
                *value = table[usize::from(pixel[channel])];
            }
        }
    }
}

fn interleaved<const C: usize>(pixels: &[[u8; C]], tables: &[Table; C], out: &mut [f32]) {
    for (values, pixel) in out.as_chunks_mut::<C>().0.iter_mut().zip(pixels) {
        for (channel, table) in tables.iter().enumerate() {
            values[channel] = table[usize::from(pixel[channel])];
        }
    }
}

#[cfg(test)]
mod tests;
