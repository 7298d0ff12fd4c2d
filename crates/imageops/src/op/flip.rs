//! Mirrors, in place.

use crate::Image;

/// Left-right.
pub(super) fn horizontal(image: &mut Image) {
    let stride = image.stride();
    for row in image.pixels.chunks_exact_mut(stride) {
        match image.channels {
            1 => row.reverse(),
            _ => row.as_chunks_mut::<3>().0.reverse(),
        }
    }
}

/// Top-bottom.
pub(super) fn vertical(image: &mut Image) {
    let stride = image.stride();
    let mut rows = image.pixels.chunks_exact_mut(stride);
    while let (Some(top), Some(bottom)) = (rows.next(), rows.next_back()) {
        top.swap_with_slice(bottom);
    }
}
