//! The architectures: one file each, built from named parameters and fallible layers.
//!
//! To add a model, write a file with a struct that implements [`Model`], name its tensors as torchvision does,
//! and give it a kind and an arm in [`build`].

mod alexnet;
mod layers;
mod params;
mod smallnet;

#[cfg(test)]
mod tests;

use tch::Tensor;

pub(crate) use params::{Builder, Init, Origin, Param, Params, Role};

use crate::random::Seeded;
use crate::{ModelKind, TrainError};

/// What a forward pass is for.
#[derive(Clone, Copy)]
pub(crate) enum Mode<'a> {
    /// Dropout is on, and batch norms use and update the statistics of the batch. Dropout draws random numbers,
    /// so whoever trains must have seeded them.
    Train(&'a Seeded),
    /// No noise, and batch norms use their running statistics.
    Predict,
}

impl Mode<'_> {
    fn trains(self) -> bool {
        matches!(self, Mode::Train(_))
    }
}

/// A network from images to logits.
pub(crate) trait Model: Send {
    /// Logits, `rows x classes`, of images, `rows x channels x height x width`, normalised.
    fn forward(&self, images: &Tensor, mode: Mode<'_>) -> Result<Tensor, tch::TchError>;
}

/// Size of what a network takes and gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dimensions {
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) channels: i64,
    pub(crate) classes: i64,
}

/// A network and its tensors.
pub(crate) struct Net {
    pub(crate) params: Params,
    pub(crate) model: Box<dyn Model>,
}

impl Net {
    /// Builds a network whose tensors come from `origin`.
    pub(crate) fn build(kind: &ModelKind, dimensions: Dimensions, origin: Origin) -> Result<Net, TrainError> {
        let mut builder = Builder::new(origin);
        let model: Box<dyn Model> = match *kind {
            ModelKind::SmallNet { width, dropout } => {
                Box::new(smallnet::SmallNet::new(&mut builder, dimensions, width, dropout)?)
            }
            ModelKind::AlexNet { dropout } => Box::new(alexnet::AlexNet::new(&mut builder, dimensions, dropout)?),
        };
        Ok(Net { params: builder.finish()?, model })
    }
}

/// Refuses images that are smaller than the poolings of a model allow.
fn require_side(model: &'static str, dimensions: Dimensions, minimum: u32) -> Result<(), TrainError> {
    let Dimensions { height, width, .. } = dimensions;
    if height.min(width) < minimum {
        return Err(TrainError::ImageTooSmall { model, height, width, minimum });
    }
    Ok(())
}
