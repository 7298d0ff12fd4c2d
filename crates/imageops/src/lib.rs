//! Pixel arithmetic: decode, resize, augmentation operators, RandAugment, and the counter-based random numbers behind them.
//!
//! A [`View`] turns a decoded [`Image`] into the pixels of one sample. It works in two strokes: first every random
//! choice is made and the view becomes a plain list of [`Op`]s whose arguments are numbers ([`Renderer::last_ops`]), then
//! the ops run. All randomness comes from [`Rng`], a pure function of the sample's identity, so the pixels depend on
//! nothing else: not on threads, not on order, not on what was rendered before.
//!
//! Nothing here reads files, knows labels or keeps state between samples.
//!
//! ```
//! use millstream_imageops::{Image, Renderer, SampleKey, Step, Variant, View};
//!
//! let (variant, bins, fill) = (Variant::Torchvision, 31, [0; 3]);
//! let view = View::new(
//!     vec![
//!         Step::RandomFlip { horizontal: true, p: 0.5 },
//!         Step::RandAugment { variant, ops: 2, magnitude: 9.0, deviation: 0.0, bins, p: 1.0, fill },
//!     ],
//!     (28, 28, 1),
//! )?;
//! let image = Image::from_pixels(28, 28, 1, vec![7; 28 * 28])?;
//! let sample = SampleKey { seed: 1, round: 0, epoch: 0, key: 42, copy: 0, view: 0 };
//! let mut pixels = vec![0; 28 * 28];
//! Renderer::default().render(&view, image.picture(), &sample, &mut pixels)?;
//! # Ok::<(), millstream_imageops::ImageError>(())
//! ```

mod decode;
mod encode;
mod error;
#[cfg(test)]
mod golden;
mod measure;
mod mix;
mod normalize;
mod op;
mod phash;
mod pixels;
mod policy;
mod renderer;
mod resample;
mod rng;
mod scratch;
mod step;
mod view;

pub use decode::{Header, JPEG_LIBRARY, Limits, Options, Shelf, Truncated, decode, header};
pub use encode::{encode_jpeg, encode_png};
pub use error::ImageError;
pub use measure::{Likeness, Moments, likeness, sharpness};
pub use mix::{How, Mix, MixKey, Mixing, Per, mix, mix_targets};
pub use normalize::{Layout, normalize};
pub use op::{Area, Erasure, Fill, Filter, Op, Sampling, apply};
pub use phash::{PHASH_SIDE, phash};
pub use pixels::{Image, MAX_PIXELS, MAX_SIDE};
pub use renderer::{Picture, Renderer};
pub use rng::{Rng, SampleKey};
pub use step::{LearnedPolicy, Step, Variant};
pub use view::View;
