//! The operators of the stream, one a file, in the order in which a record meets them.

pub(crate) mod batch;
pub(crate) mod conclude;
pub(crate) mod credit;
pub(crate) mod learn;
pub(crate) mod mix;
pub(crate) mod pixels;
pub(crate) mod prepare;
pub(crate) mod read;
pub(crate) mod sample;
