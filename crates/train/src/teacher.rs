//! A teacher that is asked about each batch that its student learns from.

use tch::Tensor;

use crate::config::TeacherConfig;
use crate::error::While;
use crate::input::Normalise;
use crate::loss::Targets;
use crate::model::{Dimensions, Mode, Net, Origin};
use crate::weights::{self, Card};
use crate::{SessionConfig, TrainError};

/// A model that answers and does not learn.
pub(crate) struct Teacher {
    net: Net,
    /// From the student's normalisation to the teacher's own.
    normalise: Normalise,
    config: TeacherConfig,
}

impl Teacher {
    /// Reads a model file for images of the session's shape: a network takes any size that its architecture allows.
    pub(crate) fn new(
        config: &TeacherConfig,
        session: &SessionConfig,
        device: tch::Device,
    ) -> Result<Teacher, TrainError> {
        let unusable = |reason: String| TrainError::Weights { path: config.path.clone(), reason };
        let (card, tensors) = weights::load(&config.path, device)?;
        agree(&card, session).map_err(unusable)?;
        let at = Dimensions::new(&session.shape, session.classes.len());
        let net = Net::build(&card.model, at, Origin::Given(tensors)).map_err(|error| unusable(error.to_string()))?;
        let ours = [&session.mean[..], &session.std];
        let normalise = Normalise::between(ours, [&card.mean, &card.std], device)?;
        Ok(Teacher { net, normalise, config: config.clone() })
    }

    /// Adds its word on the very images that the student learns from, noised and mixed as they are (Beyer et al. 2022, "Knowledge
    /// distillation: A good teacher is patient and consistent": both see the same crop).
    pub(crate) fn teach(&self, images: &Tensor, targets: &mut Targets) -> Result<(), TrainError> {
        let TeacherConfig { temperature, task, weight, .. } = self.config;
        let shares = self.shares(images).during("asking the teacher")?;
        targets.teach(shares, temperature, [task, weight]).during("preparing targets")
    }

    /// Its distribution at the temperature, `rows x classes`.
    fn shares(&self, images: &Tensor) -> Result<Tensor, tch::TchError> {
        let _no_grad = tch::no_grad_guard();
        let images = self.normalise.again(images)?;
        let logits = self.net.model.forward(&images, Mode::Predict)?;
        logits.f_div_scalar(self.config.temperature)?.f_softmax(1, tch::Kind::Float)
    }
}

/// A teacher speaks of the same classes, in the same order, and sees the same channels.
fn agree(card: &Card, session: &SessionConfig) -> Result<(), String> {
    if card.classes != session.classes {
        let [its, ours] = [&card.classes, &session.classes].map(|classes| classes.join(", "));
        return Err(format!("it knows the classes {its}; a teacher of this run must know {ours}"));
    }
    if card.shape.channels != session.shape.channels {
        let [its, ours] = [card.shape, session.shape].map(|shape| shape.channels);
        return Err(format!("it was made for images of {its} channels, these have {ours}"));
    }
    Ok(())
}
