//! What a model says of images, and of parts of larger images.

use millstream_data::Shape;
use tch::{TchError, Tensor};

use crate::TrainError;
use crate::consistency::{numbers, probabilities};
use crate::error::While;
use crate::model::{Mode, Model};

/// What a model says of the images of a batch, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Class probabilities in [0, 1], `rows x classes`.
    pub probabilities: Vec<f32>,
    /// What the last linear layer takes, `rows x width`, with [`Session::embedding_width`](crate::Session::embedding_width); empty
    /// where it was not asked for.
    pub embeddings: Vec<f32>,
}

/// A part of an image, as large as the model's images are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Crop {
    /// Columns to the left of it, in pixels.
    pub left: u32,
    /// Rows above it, in pixels.
    pub top: u32,
    /// Whether it is seen in a mirror: left is right.
    pub mirrored: bool,
}

impl Crop {
    /// Refuses what is not inside of images of the shape `whole`, where the model takes images of the shape `part`.
    pub(crate) fn check(self, whole: &Shape, part: &Shape) -> Result<(), TrainError> {
        let inside = |start: u32, length: u32, whole: u32| start.checked_add(length).is_some_and(|end| end <= whole);
        if whole.channels == part.channels
            && inside(self.left, part.width, whole.width)
            && inside(self.top, part.height, whole.height)
        {
            return Ok(());
        }
        Err(TrainError::Batch(format!("{self:?} of {part:?} is not inside of images of {whole:?}")))
    }

    /// Cut out of images, `rows x channels x height x width`. In memory the channels are last, and stay so; nothing lies between
    /// the pixels, so that it is as if the images had never been larger.
    pub(crate) fn of(self, images: &Tensor, part: &Shape) -> Result<Tensor, TchError> {
        let rows = images.f_permute([0, 2, 3, 1])?.f_narrow(1, i64::from(self.top), i64::from(part.height))?;
        let cut = rows.f_narrow(2, i64::from(self.left), i64::from(part.width))?.f_contiguous()?;
        let cut = if self.mirrored { cut.f_flip([2])? } else { cut };
        cut.f_permute([0, 3, 1, 2])
    }
}

/// What a model says of normalised images. The network runs once, whether or not embeddings are asked for.
pub(crate) fn predictions(model: &dyn Model, images: &Tensor, embed: bool) -> Result<Predictions, TrainError> {
    let ran = model.body(images, Mode::Predict).and_then(|features| {
        let embedding = model.embedding(&features, Mode::Predict)?;
        Ok((model.last().forward(&embedding)?, embedding))
    });
    let (logits, embedding) = ran.during("running the model")?;
    let embeddings = if embed { numbers(&embedding).during("reading embeddings")? } else { Vec::new() };
    Ok(Predictions { probabilities: probabilities(&logits).during("reading predictions")?, embeddings })
}
