//! What a round in training has, and its step.

use std::ops::Range;

use millstream_data::Row;
use tch::{TchError, Tensor};

use crate::consistency::{Consistency, Lesson, probabilities};
use crate::ema::Ema;
use crate::error::While;
use crate::gradients::{Gradients, clip, gradients, in_parts};
use crate::input::select;
use crate::loss::{self, Labels, Targets};
use crate::model::{Mode, Net};
use crate::optim::Optimizer;
use crate::parallel::Peers;
use crate::random::{Purpose, seeded};
use crate::schedule::learning_rate;
use crate::teacher::Teacher;
use crate::transfer::Features;
use crate::{Loaded, RoundConfig, TrainError};

/// What only a model in training has.
pub(super) struct Training {
    pub(super) round: u32,
    pub(super) config: RoundConfig,
    /// The tensors that gradients are taken of.
    pub(super) trained: Vec<Tensor>,
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) ema: Option<Ema>,
    /// What came of the weights that the round starts from.
    pub(super) loaded: Option<Loaded>,
    /// The features of images, if the body is frozen.
    pub(super) features: Option<Features>,
    /// What unlabelled images without targets teach.
    pub(super) consistency: Option<Consistency>,
    pub(super) teacher: Option<Teacher>,
}

impl Training {
    pub(super) fn rate(&self, step: u32) -> f64 {
        learning_rate(&self.config.schedule, self.config.optimizer.lr(), step, self.config.steps)
    }

    pub(super) fn labels(&self, classes: usize) -> Labels {
        let RoundConfig { label_smoothing: smoothing, distilled, .. } = self.config;
        Labels { classes, smoothing, distilled, taught: self.teacher.is_some() }
    }

    /// What the step trains on: the batch as it is, or what the model says of its unlabelled images.
    pub(super) fn lesson<'a>(
        &mut self,
        net: &Net,
        step: u32,
        images: &Tensor,
        rows: &'a [Row],
        peers: &Peers,
    ) -> Result<Lesson<'a>, TrainError> {
        let together = self.together(net);
        let Some(consistency) = &mut self.consistency else {
            return Ok(Lesson::given(rows));
        };
        let asked = consistency.asks(rows);
        let averaged = self.ema.as_ref().filter(|_| consistency.asks_average());
        // A single image of all ranks is asked about by its own: over one place a batch norm has no variance.
        let over = (together && averaged.is_none()).then_some(2);
        let passes = peers.passes(asked.len(), self.config.accumulate, over)?;
        let (net, mode) = averaged.map_or((net, Mode::Ask(passes.norms)), |ema| (&ema.net, Mode::Predict));
        let shares = ask((&mut self.features, net, mode), (images, rows), &asked, passes.parts)
            .during("asking the model about unlabelled images")?;
        if !shares.iter().all(|share| share.is_finite()) {
            return Err(TrainError::Diverged { round: self.round, step, loss: f64::NAN });
        }
        let lesson = consistency.lesson(rows, &asked, &shares);
        if let Some(sure) = consistency.sure() {
            consistency.learn(&peers.tell(sure)?);
        }
        Ok(lesson)
    }

    /// Whether batch norms act as one over all ranks: they are asked to, and images go through some that follow them.
    fn together(&self, net: &Net) -> bool {
        self.config.sync_batch_norm && self.features.is_none() && net.params.follow()
    }

    /// The weight of a labelled row and of any other in the loss of a step, of so many over all ranks.
    pub(super) fn weights(&self, sides: [f64; 2], step: u32) -> [f32; 2] {
        match &self.consistency {
            None => loss::shared(sides, self.config.unlabelled_weight),
            Some(consistency) => consistency.weights(sides, f64::from(step) / f64::from(self.config.steps)),
        }
    }

    /// The whole of training: forward, loss, backward, clipping, update, average. What the model said is still to be read.
    pub(super) fn step(
        &mut self,
        net: &Net,
        (seed, step): (u64, u32),
        images: (&Tensor, &[Row]),
        targets: &Targets,
        peers: &Peers,
    ) -> Result<Gradients, TrainError> {
        let over = self.together(net).then_some(1);
        let passes = peers.passes(targets.rows(), self.config.accumulate, over)?;
        let mut batch = {
            let seeded = seeded(seed, self.round, Purpose::Step(step, peers.rank()));
            let (features, mode) = (&mut self.features, Mode::Train(&seeded, passes.norms));
            let logits = |part| logits(features, net, images, part, mode);
            gradients(&self.trained, targets, passes.parts, logits)?
        };
        peers.sum(&mut batch.tensors)?;
        if passes.norms.is_none() {
            peers.mean_statistics(net.params.entries())?;
        }
        if let Some(how) = self.config.clip {
            clip(&mut batch.tensors, how).during("clipping gradients")?;
        }
        self.optimizer.update(&mut batch.tensors, self.rate(step)).during("updating the weights")?;
        if let Some(ema) = &mut self.ema {
            ema.update(&net.params).during("averaging the weights")?;
        }
        Ok(batch)
    }
}

/// The probabilities that the model gives some rows of a batch, row after row, in so many parts.
fn ask(
    (features, net, mode): (&mut Option<Features>, &Net, Mode<'_>),
    (images, rows): (&Tensor, &[Row]),
    asked: &[usize],
    parts: usize,
) -> Result<Vec<f32>, TchError> {
    if parts == 0 {
        return Ok(Vec::new());
    }
    let _no_grad = tch::no_grad_guard();
    let images = select(images, asked)?;
    let rows: Vec<Row> = asked.iter().filter_map(|at| rows.get(*at)).cloned().collect();
    let logits = |part| logits(features, net, (&images, &rows), part, mode);
    probabilities(&in_parts(rows.len(), parts, logits)?)
}

/// Of some rows of a batch: of the whole network, or of the head alone over the features of a frozen body.
fn logits(
    features: &mut Option<Features>,
    net: &Net,
    (images, rows): (&Tensor, &[Row]),
    part: Range<usize>,
    mode: Mode<'_>,
) -> Result<Tensor, TchError> {
    let images = loss::narrow(images, &part)?;
    match features {
        None => net.model.forward(&images, mode),
        Some(features) => net.model.head(&features.of(&*net.model, &images, &rows[part])?, mode),
    }
}
