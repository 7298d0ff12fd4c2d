//! What can go wrong with an image, a step or an argument.

use thiserror::Error;

impl ImageError {
    /// Whether the fault lies in the encoded bytes, not in what was asked for.
    #[must_use]
    pub fn is_in_the_bytes(&self) -> bool {
        matches!(self, Self::UnknownFormat { .. } | Self::Broken { .. } | Self::TooLarge { .. })
    }
}

/// Every way in which this crate refuses something. The caller knows which record or file it was and says so.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ImageError {
    /// The bytes start like no image format that this build reads.
    #[error(
        "not an image of a known format (first bytes: {head}); supported are JPEG, PNG, WebP, GIF, BMP, TIFF, ICO, PNM and QOI"
    )]
    UnknownFormat {
        /// The first bytes, in hex.
        head: String,
    },
    /// The decoder gave up: broken, truncated or of an unsupported kind.
    #[error("broken {format} image: {reason}")]
    Broken {
        /// The format that the first bytes announce.
        format: String,
        /// The decoder's own words.
        reason: String,
    },
    /// More pixels or memory than the limits allow (a decompression bomb, or limits set too low).
    #[error("image too large ({found}); the limit is {limit}; raise it if this size is meant")]
    TooLarge {
        /// The size that was found, in words.
        found: String,
        /// The limits that were passed, in words.
        limit: String,
    },
    /// Width, height, channels and the number of bytes do not fit together.
    #[error(
        "{width}x{height} pixels of {channels} channels need {expected} bytes, found {found}; sides are 1 to 65535, channels 1 (gray) or 3 (RGB)"
    )]
    Shape {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Channels per pixel.
        channels: u8,
        /// Bytes that such an image has.
        expected: u64,
        /// Bytes that were given.
        found: u64,
    },
    /// An argument of a step or an op lies outside its range.
    #[error("{what} is {found}, but it must be {allowed}")]
    Argument {
        /// Which argument of which step, as in `augment step 2: posterize`.
        what: String,
        /// The value that was given.
        found: String,
        /// The values that are allowed.
        allowed: &'static str,
    },
    /// An encoder gave up.
    #[error("cannot encode as {format}: {reason}")]
    Encode {
        /// The format.
        format: &'static str,
        /// The encoder's own words.
        reason: String,
    },
    /// The resampler refused; sizes have been checked before, so this names a bug or a lack of memory.
    #[error("cannot resize {from} to {to}: {reason}")]
    Resize {
        /// Source size, `WxH`.
        from: String,
        /// Target size, `WxH`.
        to: String,
        /// The resampler's own words.
        reason: String,
    },
}
