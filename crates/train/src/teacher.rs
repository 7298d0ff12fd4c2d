//! A teacher that is asked about each batch that its student learns from.

use std::ops::Range;

use tch::Tensor;

use crate::config::TeacherConfig;
use crate::error::While;
use crate::gradients::{in_parts, parts_of};
use crate::input::Normalise;
use crate::loss::{Targets, narrow};
use crate::model::{Dimensions, Mode, Net, Origin};
use crate::weights;
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
        let told = |error: TrainError| unusable(error.to_string());
        let (card, tensors) = weights::load(&config.path, device)?;
        let (kind, its) = card.into_parts(session.device).map_err(told)?;
        agree(&its, session).map_err(unusable)?;
        let at = Dimensions::new(&session.shape, session.classes.len()).with(its.precision);
        let net = Net::build(&kind, at, Origin::Given(tensors)).map_err(told)?;
        let normalise = Normalise::between([&session.mean, &session.std], [&its.mean, &its.std], device)?;
        Ok(Teacher { net, normalise, config: config.clone() })
    }

    /// Adds its word on the very images that the student learns from, noised and mixed as they are (Beyer et al. 2022, "Knowledge
    /// distillation: A good teacher is patient and consistent": both see the same crop), in so many parts.
    pub(crate) fn teach(&self, images: &Tensor, parts: u32, targets: &mut Targets) -> Result<(), TrainError> {
        let TeacherConfig { temperature, task, weight, .. } = self.config;
        let part = |rows: Range<usize>| self.shares(&narrow(images, &rows)?);
        let shares = in_parts(targets.rows(), parts_of(targets.rows(), parts), part).during("asking the teacher")?;
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
fn agree(teacher: &SessionConfig, session: &SessionConfig) -> Result<(), String> {
    if teacher.classes != session.classes {
        let [its, ours] = [&teacher.classes, &session.classes].map(|classes| classes.join(", "));
        return Err(format!("it knows the classes {its}; a teacher of this run must know {ours}"));
    }
    if teacher.shape.channels != session.shape.channels {
        let [its, ours] = [teacher.shape, session.shape].map(|shape| shape.channels);
        return Err(format!("it was made for images of {its} channels, these have {ours}"));
    }
    Ok(())
}
