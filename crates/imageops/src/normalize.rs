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

/// Lanes that the compiler turns into SIMD.
const BLOCK: usize = 32;

/// Writes `(v / 255 - mean) / std` of each pixel value `v`. `pixels` is any number of images of `shape` (height, width,
/// channels), rows from the top, channels interleaved; `mean` and `std` have one value for each channel, of pixels
/// scaled to 0..=1. `out` has as many values as `pixels`, in the order of `layout`.
///
/// # Errors
/// [`ImageError::Argument`] if lengths do not fit together, a standard deviation is not above 0 or a value not finite.
pub fn normalize(
    pixels: &[u8],
    shape: (u32, u32, u8),
    mean: &[f32],
    std: &[f32],
    layout: Layout,
    out: &mut [f32],
) -> Result<(), ImageError> {
    check(pixels, shape, mean, std, out)?;
    let (height, width, channels) = shape;
    let area = height as usize * width as usize;
    match channels {
        1 => write::<1>(pixels, area, mean, std, layout, out),
        _ => write::<3>(pixels, area, mean, std, layout, out),
    }
    Ok(())
}
