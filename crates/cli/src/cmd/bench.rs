//! `bench`: how fast the stream is with nothing to train, and how fast training and labelling are with the stream and without it.

mod decode;
mod images;
mod label;
mod meter;
mod pipeline;
mod steps;
mod stream;
mod task;
mod train;

pub(crate) use label::label;
pub(crate) use stream::stream;
pub(crate) use train::train;
