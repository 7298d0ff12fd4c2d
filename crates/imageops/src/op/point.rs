//! Ops that look at one value at a time: each is a table of 256 entries.

use crate::Image;

/// New value of every old value.
pub(super) type Table = [u8; 256];

/// Tabulates a function of a value.
pub(super) fn table(f: impl Fn(u8) -> u8) -> Table {
    let mut table = [0; 256];
    for value in 0..=255 {
        table[usize::from(value)] = f(value);
    }
    table
}

/// Looks up every value of every channel.
pub(super) fn map(image: &mut Image, table: &Table) {
    for value in &mut image.pixels {
        *value = table[usize::from(*value)];
    }
}

/// 255 - value.
pub(super) fn invert(image: &mut Image) {
    for value in &mut image.pixels {
        *value = 255 - *value;
    }
}

/// Keeps the upper `bits` bits (`ImageOps.posterize`).
pub(super) fn posterize(image: &mut Image, bits: u8) {
    let mask = 0xFF_u8.checked_shl(8 - u32::from(bits.min(8))).unwrap_or(0);
    for value in &mut image.pixels {
        *value &= mask;
    }
}

/// Inverts values at or above the threshold (`ImageOps.solarize`).
pub(super) fn solarize(image: &mut Image, threshold: f32) {
    map(image, &table(|v| if f32::from(v) < threshold { v } else { 255 - v }));
}
