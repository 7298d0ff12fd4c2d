//! Resampling and normalization alone; the other parts are at work elsewhere.
#![allow(dead_code)]

mod error;

mod normalize;
mod op {
    use serde::Serialize;
    /// How a resize computes a pixel. All but `Nearest` are antialiased when they shrink, as in Pillow.
    #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Filter {
        /// The one source pixel in the middle.
        Nearest,
        /// Triangle filter.
        Bilinear,
        /// Cubic filter with a = -0.5.
        Bicubic,
        /// Lanczos filter with three lobes.
        Lanczos,
    }
}
mod pixels;
mod resample;
mod rng;

pub use error::ImageError;

pub use normalize::{Layout, normalize};
pub use op::Filter;
pub use pixels::{Image, MAX_PIXELS, MAX_SIDE};
pub use rng::{Rng, SampleKey};
