//! The architectures: one file each, built from named parameters and fallible layers.
//!
//! To add a model, write a file with a struct that implements [`Model`], name its tensors as torchvision does,
//! and give it a [`ModelKind`] and an arm in [`model`].

mod alexnet;
mod efficientnet;
mod efficientnet_lite;
mod layers;
mod mbconv;
mod params;
mod resnet;
mod smallnet;
mod vgg;

#[cfg(test)]
mod tests;

use millstream_c10d::ProcessGroup;
use millstream_data::Shape;
use tch::Tensor;

pub(crate) use layers::Linear;
pub(crate) use params::{Builder, Init, Map, Origin, Param, Params, Role};

use crate::random::Seeded;
use crate::{ModelKind, Precision, TrainError};

/// What a forward pass is for.
#[derive(Clone, Copy)]
pub(crate) enum Mode<'a> {
    /// Dropout and drop path are on and draw random numbers; batch norms use and update the statistics of the batch: of what a group's
    /// ranks have of it, or of this one's rows.
    Train(&'a Seeded, Option<&'a ProcessGroup>),
    /// No noise; batch norms use the statistics of the batch, and keep nothing of them.
    Ask(Option<&'a ProcessGroup>),
    /// No noise, and batch norms use their running statistics.
    Predict,
}

/// A network from images to logits.
pub(crate) trait Model: Send {
    /// Features, `rows x width`, of images, `rows x channels x height x width`, normalised.
    fn body(&self, images: &Tensor, mode: Mode<'_>) -> Result<Tensor, tch::TchError>;

    /// What the last linear layer takes, `rows x its width`, of features.
    fn embedding(&self, features: &Tensor, mode: Mode<'_>) -> Result<Tensor, tch::TchError>;

    /// The last linear layer, from embeddings to logits, `rows x classes`.
    fn last(&self) -> &Linear;

    /// Logits, `rows x classes`, of features: the linear layers at the end.
    fn head(&self, features: &Tensor, mode: Mode<'_>) -> Result<Tensor, tch::TchError> {
        self.last().forward(&self.embedding(features, mode)?)
    }

    /// Logits of images.
    fn forward(&self, images: &Tensor, mode: Mode<'_>) -> Result<Tensor, tch::TchError> {
        self.head(&self.body(images, mode)?, mode)
    }
}

/// Size of what a network takes and gives, and how it computes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dimensions {
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) channels: i64,
    pub(crate) classes: i64,
    pub(crate) precision: Precision,
    /// Whether norms become part of the convolutions before them when it predicts. Its tensors must not change then.
    pub(crate) folds: bool,
}

impl Dimensions {
    pub(crate) fn new(shape: &Shape, classes: usize) -> Dimensions {
        let Shape { height, width, channels } = *shape;
        let classes = i64::try_from(classes).unwrap_or(i64::MAX);
        Dimensions {
            height,
            width,
            channels: i64::from(channels),
            classes,
            precision: Precision::Float32,
            folds: false,
        }
    }

    pub(crate) fn with(self, precision: Precision) -> Dimensions {
        Dimensions { precision, ..self }
    }

    pub(crate) fn folded(self) -> Dimensions {
        Dimensions { folds: true, ..self }
    }

    fn images(self) -> Map {
        Map { channels: self.channels, height: i64::from(self.height), width: i64::from(self.width) }
    }
}

/// A network and its tensors.
pub(crate) struct Net {
    pub(crate) params: Params,
    pub(crate) model: Box<dyn Model>,
}

impl Net {
    /// Builds a network whose tensors come from `origin`.
    pub(crate) fn build(kind: &ModelKind, dimensions: Dimensions, origin: Origin) -> Result<Net, TrainError> {
        let mut builder = Builder::new(origin, dimensions);
        let model = model(kind, &mut builder, dimensions.classes)?;
        Ok(Net { params: builder.finish()?, model })
    }
}

fn model(kind: &ModelKind, builder: &mut Builder<'_>, classes: i64) -> Result<Box<dyn Model>, TrainError> {
    Ok(match *kind {
        ModelKind::SmallNet { width, dropout } => Box::new(smallnet::SmallNet::new(builder, classes, width, dropout)?),
        ModelKind::AlexNet { dropout } => Box::new(alexnet::AlexNet::new(builder, classes, dropout)?),
        ModelKind::AlexNetLrn { dropout } => Box::new(alexnet::AlexNet::original(builder, classes, dropout)?),
        ModelKind::Vgg { depth, norm, dropout } => Box::new(vgg::Vgg::new(builder, classes, (depth, norm, dropout))?),
        ModelKind::ResNet { depth, dropout, drop_path } => {
            Box::new(resnet::ResNet::new(builder, classes, depth, (dropout, drop_path))?)
        }
        ModelKind::EfficientNet { size, dropout, drop_path } => {
            Box::new(efficientnet::build(builder, classes, size, (dropout, drop_path))?)
        }
        ModelKind::EfficientNetLite0 { dropout, drop_path } => {
            Box::new(efficientnet_lite::build(builder, classes, (dropout, drop_path))?)
        }
    })
}

/// What a model weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelSize {
    /// Numbers that are trained.
    pub parameters: u64,
    /// Multiplications with weights that one image takes, each with its addition.
    pub macs: u64,
}

impl ModelSize {
    /// Of a model for images of that shape, added up from its layers without making any weights.
    ///
    /// # Errors
    /// A setting out of range, or images too small for the model.
    pub fn of(kind: &ModelKind, images: &Shape, classes: usize) -> Result<ModelSize, TrainError> {
        kind.check()?;
        let dimensions = Dimensions::new(images, classes);
        let mut builder = Builder::new(Origin::Nowhere, dimensions);
        drop(model(kind, &mut builder, dimensions.classes)?);
        let macs = u64::try_from(builder.macs).unwrap_or(u64::MAX);
        let parameters = builder.finish()?.trained().map(|param| param.tensor.numel() as u64).sum();
        Ok(ModelSize { parameters, macs })
    }
}

/// Refuses images that are smaller than the poolings of a model allow.
fn require_side(model: &'static str, images: Map, minimum: u32) -> Result<(), TrainError> {
    let Map { height, width, .. } = images;
    if height.min(width) < i64::from(minimum) {
        let side = |side| u32::try_from(side).unwrap_or(u32::MAX);
        return Err(TrainError::ImageTooSmall { model, height: side(height), width: side(width), minimum });
    }
    Ok(())
}
