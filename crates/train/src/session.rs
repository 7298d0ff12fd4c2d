//! The session: one training node, from the first batch of a round to the saved model.

mod training;

use std::path::Path;

use millstream_c10d::ProcessGroup;
use millstream_data::{Batch, Shape};
use tch::Tensor;

use crate::consistency::Consistency;
use crate::device;
use crate::ema::Ema;
use crate::error::While;
use crate::gradients::{Gradients, Score};
use crate::input::Normalise;
use crate::loss::{self, Targets};
use crate::model::{Dimensions, Net, Origin};
use crate::optim::optimizer;
use crate::parallel::Peers;
use crate::predict::{Crop, Predictions, predictions};
use crate::random::{Purpose, seeded};
use crate::snapshot::{self, Snapshot};
use crate::teacher::Teacher;
use crate::transfer::{self, Features};
use crate::upload::Uploads;
use crate::weights::{self, Card};
use crate::{Device, Freeze, Loaded, ModelKind, RoundConfig, SessionConfig, TrainError};
use training::Training;

/// What one step of training says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepMetrics {
    /// The loss of the batch; 0 for an empty batch.
    pub loss: f64,
    /// Rows of the batch, over all sessions that train together.
    pub images: u32,
    /// How many labelled rows the model took for what they are, before the update.
    pub labelled_correct: u32,
    /// Labelled rows in the batch.
    pub labelled: u32,
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// Unlabelled images that the model was asked about in this step.
    pub asked: u32,
    /// How many of them it was sure enough of.
    pub accepted: u32,
    /// Seconds that this session waited for the others, and for what it sent them.
    pub peers: f64,
}

/// One training node: it trains a model a round and answers with its predictions. It lives on one thread.
///
/// ```no_run
/// # fn run(config: millstream_train::SessionConfig, round: millstream_train::RoundConfig,
/// #        batches: Vec<millstream_data::Batch>, images: millstream_data::Batch) -> Result<(), millstream_train::TrainError> {
/// let mut session = millstream_train::Session::new(config)?;
/// session.begin(0, &round)?;
/// for (step, batch) in (0..).zip(&batches) {
///     session.step(step, batch)?;
/// }
/// let hash = session.save("model.safetensors".as_ref())?;
/// let probabilities = session.predict(&images)?;
/// # Ok(()) }
/// ```
pub struct Session {
    config: SessionConfig,
    device: tch::Device,
    normalise: Normalise,
    /// The way to the device, where that is not our own memory.
    uploads: Option<Uploads>,
    current: Option<Current>,
    under_way: Option<UnderWay>,
    peers: Peers,
}

/// A step that the device was given to do.
struct UnderWay {
    round: u32,
    step: u32,
    /// What is known of it already.
    metrics: StepMetrics,
    /// None for a batch without rows.
    gradients: Option<Gradients>,
    /// Memory that the device reads until the step is done.
    _pixels: Option<Tensor>,
}

/// The model of the round, or the one that was loaded.
struct Current {
    kind: ModelKind,
    net: Net,
    training: Option<Training>,
}

impl Session {
    /// A session without a model. libtorch then works with `config.threads` threads in the whole process.
    ///
    /// # Errors
    /// A setting out of range, or CUDA asked for and not there.
    pub fn new(config: SessionConfig) -> Result<Session, TrainError> {
        config.check()?;
        let device = config.device.resolve()?;
        tch::set_num_threads(i32::try_from(config.threads).unwrap_or(1));
        if device.is_cuda() {
            device::prepare_cuda(config.deterministic)?;
        }
        let normalise = Normalise::new(&config.mean, &config.std, device)?;
        let uploads = Uploads::to(device)?;
        let peers = Peers::default();
        Ok(Session { config, device, normalise, uploads, current: None, under_way: None, peers })
    }

    /// Trains together with other sessions from now on, one a rank: all begin the same rounds and do the same steps, each with its part of
    /// the batch, and have the same model.
    #[must_use]
    pub fn with_peers(self, group: ProcessGroup) -> Session {
        Session { peers: Peers::of(group), ..self }
    }

    /// Which of the sessions that train together this one is, from 0.
    pub fn rank(&self) -> usize {
        self.peers.rank()
    }

    /// Reads a model file for predictions. The configuration comes from the file; its seed is 0.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or is not a Millstream model; CUDA asked for and not there.
    pub fn load(path: &Path, device: Device, threads: u32) -> Result<Session, TrainError> {
        Session::read(path, device, threads, |dimensions| dimensions)
    }

    /// The same, with each batch norm folded into the convolution before it (Jacob et al. 2018, "Quantization and Training of
    /// Neural Networks", section 3.2): a third to a half faster on CPUs, and other last digits.
    ///
    /// # Errors
    /// Those of [`load`](Session::load).
    pub fn load_folded(path: &Path, device: Device, threads: u32) -> Result<Session, TrainError> {
        Session::read(path, device, threads, Dimensions::folded)
    }

    fn read(
        path: &Path,
        device: Device,
        threads: u32,
        as_asked: impl Fn(Dimensions) -> Dimensions,
    ) -> Result<Session, TrainError> {
        let (card, tensors) = weights::load(path, device.resolve()?)?;
        let unusable = |error: TrainError| TrainError::Weights { path: path.to_owned(), reason: error.to_string() };
        let (kind, config) = card.into_parts(device).map_err(unusable)?;
        let mut session = Session::new(SessionConfig { threads, ..config })?;
        let net = Net::build(&kind, as_asked(session.dimensions()), Origin::Given(tensors)).map_err(unusable)?;
        session.current = Some(Current { kind, net, training: None });
        Ok(session)
    }

    /// What the session was told, or what a loaded model file says.
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }

    /// Whether the device has a memory of its own, to which [`prefetch`](Self::prefetch) brings batches.
    pub fn on_gpu(&self) -> bool {
        self.device.is_cuda()
    }

    /// Starts a round with fresh weights, which depend on seed and round alone, or with those of a file.
    ///
    /// # Errors
    /// A setting out of range, images too small for the model, weights that cannot be read or are of another model, or a
    /// pattern that is of no tensor.
    pub fn begin(&mut self, round: u32, config: &RoundConfig) -> Result<(), TrainError> {
        config.check()?;
        let dimensions = self.dimensions();
        let mut net = {
            let seeded = seeded(self.config.seed, round, Purpose::Weights);
            Net::build(&config.model, dimensions, Origin::Fresh(self.device, &seeded))?
        };
        let loaded = config.weights.as_deref().map(|path| transfer::load(path, &net.params)).transpose()?;
        if let Some(loaded) = &loaded {
            tracing::info!("{loaded}");
        }
        self.peers.agree(net.params.entries().iter().map(|param| &param.tensor))?;
        config.transfer.apply(&mut net.params)?;
        let features = (config.transfer.freeze == Freeze::Body).then(|| Features::new(config.features_keep));
        let ema = config.ema.map(|ema| Ema::new(&config.model, dimensions, &net.params, ema)).transpose()?;
        let optimizer =
            optimizer(&config.optimizer, net.params.trained(), self.device).during("starting the optimizer")?;
        let trained = net.params.trained().map(|param| param.tensor.shallow_clone()).collect();
        let consistency = config.consistency.as_ref().map(|config| Consistency::new(config, self.config.classes.len()));
        let teacher =
            config.teacher.as_ref().map(|config| Teacher::new(config, &self.config, self.device)).transpose()?;
        let config = config.clone();
        let kind = config.model.clone();
        let training = Training { round, config, trained, optimizer, ema, loaded, features, consistency, teacher };
        self.current = Some(Current { kind, net, training: Some(training) });
        Ok(())
    }

    /// What came of the weights that the present round started from, if there were any.
    pub fn loaded(&self) -> Option<&Loaded> {
        self.current.as_ref()?.training.as_ref()?.loaded.as_ref()
    }

    /// One optimisation step, `step` from 0. An empty batch changes nothing; the learning rate follows `step` alone.
    ///
    /// # Errors
    /// No round has begun, the batch does not fit, the loss is not finite, or libtorch refuses.
    pub fn step(&mut self, step: u32, batch: &Batch) -> Result<StepMetrics, TrainError> {
        self.launch(step, batch)?;
        self.conclude()
    }

    /// Waits until all sessions that train together are about to do a step. Where that fails the session is as the step before left it.
    ///
    /// # Errors
    /// Another session is gone.
    pub fn meet(&self) -> Result<(), TrainError> {
        self.peers.meet()
    }

    /// Gives the device a step to do, of which [`conclude`](Self::conclude) tells. A GPU works on it in the meantime.
    ///
    /// # Errors
    /// No round has begun, the batch does not fit, or libtorch refuses.
    pub fn launch(&mut self, step: u32, batch: &Batch) -> Result<(), TrainError> {
        let none = TrainError::NoRound { asked: "a step" };
        let Some(Current { net, training: Some(training), .. }) = &mut self.current else {
            return Err(none);
        };
        let images = loss::count(batch.rows.len());
        let metrics = StepMetrics { learning_rate: training.rate(step), images, ..StepMetrics::default() };
        let mut under_way = UnderWay { round: training.round, step, metrics, gradients: None, _pixels: None };
        let at = (self.config.seed, step);
        let there = self.uploads.as_mut().map(|uploads| uploads.receive(batch)).transpose()?.flatten();
        // Other ranks may have rows where this one has none: it takes part all the same.
        let images = match batch.rows.is_empty() {
            true => self.normalise.none(&self.config.shape).during("preparing images")?,
            false => self.normalise.images(batch, &self.config.shape, there.as_ref())?,
        };
        let mut lesson = training.lesson(net, step, &images, &batch.rows, &self.peers)?;
        let sides = self.peers.total(loss::sides(&lesson.rows))?;
        if sides == [0.0; 2] {
            self.under_way = Some(under_way);
            return Ok(());
        }
        lesson.weigh(training.weights(sides, step));
        let images = lesson.images(images).during("choosing images")?;
        let whole = match &training.teacher {
            None => 1.0,
            Some(_) => match self.peers.total(loss::told_weight(&lesson.rows, &lesson.weights))? {
                [0.0, _] => 1.0,
                [_, told] => told,
            },
        };
        let labels = training.labels(self.config.classes.len());
        let mut targets = Targets::new(&lesson.rows, &lesson.weights, whole, &labels)?;
        if let Some(teacher) = training.teacher.as_ref().filter(|_| !lesson.rows.is_empty()) {
            teacher.teach(&images, training.config.accumulate, &mut targets)?;
        }
        under_way.metrics = lesson.count(metrics);
        under_way.gradients = Some(training.step(net, at, (&images, &lesson.rows), &targets, &self.peers)?);
        under_way._pixels = there;
        self.under_way = Some(under_way);
        Ok(())
    }

    /// Starts to bring the batch of the next step to the device, while that is at work on this one. Nothing on the CPU.
    ///
    /// # Errors
    /// There is no memory for it, or libtorch refuses.
    pub fn prefetch(&mut self, batch: &Batch) -> Result<(), TrainError> {
        self.uploads.as_mut().map_or(Ok(()), |uploads| uploads.send(batch))
    }

    /// Waits for the step that was launched last, and says what came of it.
    ///
    /// # Errors
    /// No step was launched, or its loss is not finite.
    pub fn conclude(&mut self) -> Result<StepMetrics, TrainError> {
        let UnderWay { round, step, metrics, gradients, .. } =
            self.under_way.take().ok_or(TrainError::NoRound { asked: "the end of a step" })?;
        let Some(gradients) = gradients else { return Ok(StepMetrics { peers: self.peers.take_waited(), ..metrics }) };
        let Score { loss, labelled, labelled_correct } = gradients.score().during("reading the loss")?;
        let [images, asked, accepted] = [metrics.images, metrics.asked, metrics.accepted].map(f64::from);
        let own = [loss, f64::from(labelled), f64::from(labelled_correct), asked, accepted, images];
        let [loss, labelled, labelled_correct, asked, accepted, images] = self.peers.total(own)?;
        if !loss.is_finite() {
            return Err(TrainError::Diverged { round, step, loss });
        }
        let [labelled, labelled_correct, asked, accepted, images] =
            [labelled, labelled_correct, asked, accepted, images].map(|count| count as u32);
        let peers = self.peers.take_waited();
        Ok(StepMetrics { loss, labelled, labelled_correct, asked, accepted, images, peers, ..metrics })
    }

    /// The state of the round in training, to go on from with [`restore`](Session::restore).
    ///
    /// # Errors
    /// No round is in training, or there is no memory for a copy.
    pub fn snapshot(&self) -> Result<Snapshot, TrainError> {
        match &self.current {
            Some(Current { net, training: Some(Training { ema, optimizer, consistency, .. }), .. }) => {
                Snapshot::take(net, ema.as_ref(), optimizer.as_ref(), consistency.as_ref())
            }
            _ => Err(TrainError::NoRound { asked: "a snapshot" }),
        }
    }

    /// Takes the round that has just begun to where it was when the snapshot of that file was taken.
    ///
    /// # Errors
    /// No round has begun, or the file cannot be read or is of another model, optimizer or average.
    pub fn restore(&mut self, path: &Path) -> Result<(), TrainError> {
        match &mut self.current {
            Some(Current { net, training: Some(Training { ema, optimizer, consistency, .. }), .. }) => {
                snapshot::restore(path, net, ema.as_mut(), optimizer.as_mut(), consistency.as_mut())
            }
            _ => Err(TrainError::NoRound { asked: "a restart" }),
        }
    }

    /// Class probabilities, `rows x classes`, row after row: of the averaged weights if there are any, without
    /// dropout, with the running statistics. Targets are not looked at.
    ///
    /// # Errors
    /// There is no model, the batch does not fit, or libtorch refuses.
    pub fn predict(&mut self, batch: &Batch) -> Result<Vec<f32>, TrainError> {
        let said = self.predictions(batch, &self.config.shape, &[Crop::default()], false)?;
        Ok(said.into_iter().next().unwrap_or_default().probabilities)
    }

    /// What [`predict`](Session::predict) says of each of some crops of the images, which may be larger than the model's; and,
    /// if they are wanted, their embeddings. The probabilities have the same bits with and without embeddings.
    ///
    /// # Errors
    /// Those of [`predict`](Session::predict), and a crop that is not inside of the images.
    pub fn predict_crops(
        &mut self,
        batch: &Batch,
        crops: &[Crop],
        embed: bool,
    ) -> Result<Vec<Predictions>, TrainError> {
        crops.iter().try_for_each(|crop| crop.check(&batch.shape, &self.config.shape))?;
        self.predictions(batch, &batch.shape, crops, embed)
    }

    /// How many numbers the embedding of an image has: what the last linear layer takes.
    ///
    /// # Errors
    /// There is no model.
    pub fn embedding_width(&self) -> Result<usize, TrainError> {
        let width = self.predictor("the width of an embedding")?.1.model.last().width();
        Ok(usize::try_from(width).unwrap_or_default())
    }

    fn predictions(
        &self,
        batch: &Batch,
        shape: &Shape,
        crops: &[Crop],
        embed: bool,
    ) -> Result<Vec<Predictions>, TrainError> {
        let net = self.predictor("a prediction")?.1;
        if batch.rows.is_empty() {
            return Ok(vec![Predictions::default(); crops.len()]);
        }
        let images = self.normalise.images(batch, shape, None)?;
        let _no_grad = tch::no_grad_guard();
        let said = crops.iter().map(|crop| {
            let images = crop.of(&images, &self.config.shape).during("preparing images")?;
            predictions(&*net.model, &images, embed)
        });
        said.collect()
    }

    /// Writes what [`predict`](Session::predict) uses as a safetensors file, whole or not at all, and returns the blake3
    /// hash of its bytes. Equal models give equal bytes.
    ///
    /// # Errors
    /// There is no model, or the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<[u8; 32], TrainError> {
        let (kind, net) = self.predictor("saving")?;
        weights::save(path, &net.params, &Card::new(kind.clone(), self.config.clone()))
    }

    /// The hash that [`save`](Session::save) would return.
    #[cfg(test)]
    fn hash(&self) -> Result<[u8; 32], TrainError> {
        let (kind, net) = self.predictor("its hash")?;
        weights::hash(&net.params, &Card::new(kind.clone(), self.config.clone()))
    }

    /// The network that predicts.
    fn predictor(&self, asked: &'static str) -> Result<(&ModelKind, &Net), TrainError> {
        let current = self.current.as_ref().ok_or(TrainError::NoRound { asked })?;
        let averaged = current.training.as_ref().and_then(|training| training.ema.as_ref());
        Ok((&current.kind, averaged.map_or(&current.net, |ema| &ema.net)))
    }

    fn dimensions(&self) -> Dimensions {
        Dimensions::new(&self.config.shape, self.config.classes.len()).with(self.config.precision)
    }
}

#[cfg(test)]
mod tests;
