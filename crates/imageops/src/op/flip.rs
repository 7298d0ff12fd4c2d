//! Mirrors, in place.

use super::canvas::Canvas;
use super::simd::vectorized;

/// Left-right.
pub(super) fn horizontal(canvas: &mut Canvas<'_>) {
    let stride = canvas.stride();
    match canvas.channels {
        1 => canvas.pixels.chunks_exact_mut(stride).for_each(reverse_gray),
        _ => canvas.pixels.chunks_exact_mut(stride).for_each(reverse_rgb),
    }
}

vectorized! {
    fn reverse_gray(row: &mut [u8]) {
        row.reverse();
    }
}

vectorized! {
    /// Blocks of pixels from both ends change places, mirrored; each is a shuffle of known places for the compiler.
    fn reverse_rgb(row: &mut [u8]) {
        const BLOCK: usize = 16;
        let mirror = |block: [[u8; 3]; BLOCK]| -> [[u8; 3]; BLOCK] { std::array::from_fn(|i| block[BLOCK - 1 - i]) };
        let (mut pixels, _) = row.as_chunks_mut::<3>();
        while pixels.len() >= 2 * BLOCK {
            let Some((front, rest)) = pixels.split_first_chunk_mut::<BLOCK>() else { return };
            let Some((middle, back)) = rest.split_last_chunk_mut::<BLOCK>() else { return };
            (*front, *back) = (mirror(*back), mirror(*front));
            pixels = middle;
        }
        pixels.reverse();
    }
}

/// Top-bottom.
pub(super) fn vertical(canvas: &mut Canvas<'_>) {
    let stride = canvas.stride();
    let mut rows = canvas.pixels.chunks_exact_mut(stride);
    while let (Some(top), Some(bottom)) = (rows.next(), rows.next_back()) {
        top.swap_with_slice(bottom);
    }
}
