//! From encoded bytes to pixels.

use crate::{Image, ImageError};

/// How large a decoded image may be: encoded bytes come from anywhere, and a few hundred of them can ask for gigabytes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels (width x height).
    pub pixels: u64,
    /// Most bytes that the decoder may allocate.
    pub memory: u64,
}

impl Default for Limits {
    /// 178,956,970 pixels, where Pillow refuses too, and 1 GiB.
    fn default() -> Self {
        Self {
            pixels: 178_956_970,
            memory: 1 << 30,
        }
    }
}

/// Decodes an image of any supported format into gray (`channels` 1) or RGB (3), upright.
///
/// # Errors
/// [`ImageError::UnknownFormat`], [`ImageError::Broken`] or [`ImageError::TooLarge`].
pub fn decode(bytes: &[u8], channels: u8, limits: &Limits) -> Result<Image, ImageError> {
    todo!()
}
