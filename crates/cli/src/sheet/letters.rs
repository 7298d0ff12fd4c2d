//! Letters, drawn in advance: Noto Sans Mono, ASCII.

use noto_sans_mono_bitmap::{RasterHeight, get_raster, get_raster_width};

pub(super) use noto_sans_mono_bitmap::FontWeight as Weight;

const SIZE: RasterHeight = RasterHeight::Size16;
/// Columns of pixels of every letter.
pub(super) const WIDTH: u32 = get_raster_width(Weight::Regular, SIZE) as u32;
/// Rows of pixels of every letter.
pub(super) const HEIGHT: u32 = SIZE.val() as u32;

/// The pixels of a letter that are not blank: column, row, and how black. Letters that the font lacks are question marks.
pub(super) fn ink(letter: char, weight: Weight) -> impl Iterator<Item = (u32, u32, u8)> {
    let raster = get_raster(letter, weight, SIZE).or_else(|| get_raster('?', weight, SIZE));
    let rows = raster.into_iter().flat_map(|raster| (0..).zip(raster.rows()));
    let pixels = rows.flat_map(|(y, row)| (0..).zip(row).map(move |(x, ink)| (x, y, *ink)));
    pixels.filter(|(_, _, ink)| *ink > 0)
}
