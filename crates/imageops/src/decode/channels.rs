//! From the values that decoders give to gray or RGB with 8 bits, in place, as Pillow's `convert` does.

use crate::Image;
use crate::pixels::luma;

/// Replaces each group of `from` bytes by `N` that are made of it; `N` is at most `from`.
pub(super) fn shrink<const N: usize>(pixels: &mut Vec<u8>, from: usize, convert: impl Fn(&[u8]) -> [u8; N]) {
    let count = pixels.len() / from;
    for i in 0..count {
        let value = convert(&pixels[i * from..][..from]);
        pixels[i * N..][..N].copy_from_slice(&value);
    }
    pixels.truncate(count * N);
}

/// Converts between gray (1) and RGB (3).
pub(super) fn convert(image: &mut Image, channels: u8) {
    match (image.channels, channels) {
        (3, 1) => shrink(&mut image.pixels, 3, |p| [luma(p[0], p[1], p[2])]),
        (1, 3) => repeat(&mut image.pixels),
        _ => {}
    }
    image.channels = channels;
}

/// RGB from gray; from the end, so that no value is overwritten before it was read.
fn repeat(pixels: &mut Vec<u8>) {
    let count = pixels.len();
    pixels.resize(count * 3, 0);
    for i in (0..count).rev() {
        let value = pixels[i];
        pixels[i * 3..][..3].fill(value);
    }
}

/// RGB of a CMYK pixel as JPEGs hold it, inverted as Adobe does (Pillow takes all of them for such). 255 is no ink.
///
/// Pillow's formula on the right way round is `K' - C K' / 255` with `K' = 255 - K`, the quotient rounded.
pub(super) fn rgb_of_inverted_cmyk(pixel: &[u8; 4]) -> [u8; 3] {
    let black = u32::from(pixel[3]);
    [pixel[0], pixel[1], pixel[2]].map(|ink| {
        let product = (255 - u32::from(ink)) * black + 128;
        let quotient = (product + (product >> 8)) >> 8;
        black.saturating_sub(quotient) as u8
    })
}
