//! The thread of a training node.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Receiver;
use millstream_data::{Batch, Row, Target};
use timely::scheduling::SyncActivator;

use crate::actor::{Actor, Say};
use crate::calibrator::Calibrator;
use crate::event::{Calibration, Event, EventSink, StepTime, Trained};
use crate::operators::learn::Prediction;
use crate::pool::Pool;
use crate::schedule::Pass;
use crate::tally::Tally;
use crate::time::Time;
use crate::trainer::{Ahead, ModelHash, Progress, StepMetrics, Trainer, TrainerError, TrainerFactory};

/// A batch and its time, which says what is to be done with it.
pub(crate) struct Asked {
    pub(crate) time: Time,
    pub(crate) batch: Batch,
}

/// What came of a batch. Batches of training come back without pixels and without probabilities.
pub(crate) struct Reply {
    pub(crate) batch: Batch,
    pub(crate) metrics: StepMetrics,
    pub(crate) time: StepTime,
    pub(crate) probabilities: Vec<f32>,
    /// The same at the temperature of the round, if it has one.
    pub(crate) calibrated: Option<Vec<f32>>,
    pub(crate) model: ModelHash,
    /// The summary of the round's training, with the first batch after it.
    pub(crate) trained: Option<Trained>,
    /// The summary of the round's validation pass, with the first batch after it.
    pub(crate) calibration: Option<Calibration>,
}

impl Reply {
    /// That a batch was worked on, and no more.
    fn of(batch: Batch) -> Self {
        let (metrics, time) = Default::default();
        let (probabilities, model) = (Vec::new(), [0; 32]);
        Reply { batch, metrics, time, probabilities, calibrated: None, model, trained: None, calibration: None }
    }

    /// How many probabilities each row has.
    pub(crate) fn classes(&self) -> usize {
        (self.probabilities.len() / self.batch.rows.len().max(1)).max(1)
    }

    /// Each row with its part of some probabilities.
    fn rows<'a>(&'a self, probabilities: &'a [f32]) -> impl Iterator<Item = (&'a Row, &'a [f32])> {
        self.batch.rows.iter().zip(probabilities.chunks(self.classes()))
    }

    /// The probabilities of each row that the manifest has a label for, with this label.
    pub(crate) fn known<'a>(&'a self, probabilities: &'a [f32]) -> impl Iterator<Item = (u32, &'a [f32])> {
        self.rows(probabilities).filter_map(|(row, probabilities)| match row.target {
            Target::Hard(label) => Some((label, probabilities)),
            _ => None,
        })
    }

    /// Compares each row with the label that the manifest has for it.
    pub(crate) fn tally(&self) -> Tally {
        self.known(&self.probabilities).collect()
    }

    /// The same at the temperature of the round, if it has one.
    pub(crate) fn calibrated_tally(&self) -> Option<Tally> {
        Some(self.known(self.calibrated.as_ref()?).collect())
    }

    /// A prediction for each row, at the temperature of the round if it has one.
    pub(crate) fn predictions(&self, round: u32) -> impl Iterator<Item = Prediction> {
        let probabilities = self.calibrated.as_ref().unwrap_or(&self.probabilities);
        self.rows(probabilities).map(move |(row, probabilities)| Prediction {
            round,
            record: row.record,
            key: row.key,
            probabilities: probabilities.to_vec(),
            model: self.model,
        })
    }
}

/// The training node's thread.
pub(crate) type Learner = Actor<Asked, Reply>;

/// Starts the thread. A failure to make the trainer comes as the first reply. `calibrate` is the threshold of selection, if
/// answers are to be calibrated.
pub(crate) fn start(
    factory: Arc<TrainerFactory>,
    activator: SyncActivator,
    (parts, events): (Pool, EventSink),
    calibrate: Option<f32>,
) -> Learner {
    let around = Around { parts, events, calibrate };
    Actor::start("training node", activator, move |asked, say| serve(&*factory, asked, around, say))
}

/// What a training node works with.
struct Around {
    /// Where the pixels of batches go when they are done with.
    parts: Pool,
    /// Who hears of each batch: from here, so that what is in a checkpoint has been told of, even if the worker has gone.
    events: EventSink,
    calibrate: Option<f32>,
}

fn serve(factory: &TrainerFactory, asked: Receiver<Asked>, around: Around, reply: Say<'_, Reply>) {
    let trainer = match factory() {
        Ok(trainer) => trainer,
        Err(error) => return reply(Err(error)),
    };
    let mut rounds = Rounds { trainer, round: None, around };
    let mut idle = Instant::now();
    let mut next = None;
    loop {
        let at_hand = next.take().or_else(|| asked.try_recv().ok());
        let ready = at_hand.is_some();
        let Some(Asked { time, batch }) = at_hand.or_else(|| asked.recv().ok()) else { break };
        let waited = Waited { seconds: idle.elapsed().as_secs_f64(), ready };
        if let Err(error) = rounds.meet(&time) {
            // What the steps before have come to is whole.
            rounds.leave();
            return reply(Err(error));
        }
        let answer = rounds.answer(time, batch, waited, Ahead::new(&asked, &mut next));
        let failed = answer.is_err();
        answer.iter().for_each(|reply| (rounds.around.events)(told(time, reply)));
        reply(answer);
        if failed {
            return;
        }
        idle = Instant::now();
    }
    rounds.leave();
}

/// How a batch came.
struct Waited {
    /// Seconds that the training node waited for it.
    seconds: f64,
    /// Whether it was there already.
    ready: bool,
}

/// Follows the rounds: begins one with its first batch, and ends its training with the first batch of another pass.
struct Rounds {
    trainer: Box<dyn Trainer>,
    round: Option<Current>,
    around: Around,
}

fn told(time: Time, reply: &Reply) -> Event {
    let Time { round, epoch, step } = time;
    let images = reply.batch.rows.len() as u32;
    match Pass::of(&time) {
        Pass::Train => {
            let Reply { metrics, time, .. } = *reply;
            Event::Stepped { round, step, epoch, images: metrics.images, metrics, time }
        }
        pass => Event::Predicted { round, pass, images },
    }
}

struct Current {
    number: u32,
    begun: Instant,
    training: Trained,
    progress: Progress,
    model: Option<ModelHash>,
    calibrator: Option<Calibrator>,
}

impl Rounds {
    fn answer(&mut self, time: Time, batch: Batch, waited: Waited, next: Ahead<'_>) -> Result<Reply, TrainerError> {
        let pass = Pass::of(&time);
        let mut round = match self.round.take() {
            Some(round) if round.number == time.round => round,
            before => {
                // A node that none of the passes after training came to.
                if let Some(Current { number, model: None, .. }) = before {
                    self.trainer.finish(number)?;
                }
                self.begin(time.round)?
            }
        };
        let reply = match pass {
            Pass::Train => self.train(&mut round, time.step, batch, waited, next)?,
            _ => self.predict(&mut round, pass, batch)?,
        };
        self.round = Some(round);
        Ok(reply)
    }

    /// Before a step of the round at work; the first step of a round begins it.
    fn meet(&mut self, time: &Time) -> Result<(), TrainerError> {
        let begun = self.round.as_ref().is_some_and(|round| round.number == time.round);
        if begun && Pass::of(time) == Pass::Train { self.trainer.meet() } else { Ok(()) }
    }

    /// Keeps what the round has come to, as far as that can be.
    fn leave(&mut self) {
        if let Err(error) = self.pause() {
            tracing::error!(%error, "what the round had come to could not be kept");
        }
    }

    fn begin(&mut self, number: u32) -> Result<Current, TrainerError> {
        let progress = self.trainer.begin(number)?;
        let (begun, training) = (Instant::now(), Trained::default());
        let calibrator = self.around.calibrate.map(Calibrator::new);
        Ok(Current { number, begun, training, progress, model: None, calibrator })
    }

    /// The stream has ended. That is early for a round which has no model yet.
    fn pause(&mut self) -> Result<(), TrainerError> {
        match &self.round {
            Some(round) if round.model.is_none() => self.trainer.pause(round.number, &round.progress),
            _ => Ok(()),
        }
    }

    fn train(
        &mut self,
        round: &mut Current,
        step: u32,
        mut batch: Batch,
        waited: Waited,
        mut next: Ahead<'_>,
    ) -> Result<Reply, TrainerError> {
        let started = Instant::now();
        let metrics = self.trainer.step(step, &batch, &mut next)?;
        let Waited { seconds, ready } = waited;
        let waited = if round.training.steps == 0 { 0.0 } else { seconds };
        let time = StepTime { waited, ready, seconds: started.elapsed().as_secs_f64() };
        round.training.steps += 1;
        round.training.images += u64::from(metrics.images);
        round.training.waited += waited;
        round.training.seconds = round.begun.elapsed().as_secs_f64();
        round.progress.losses.push(metrics.loss);
        round.progress.dead.append(&mut batch.dead);
        self.trainer.keep(round.number, &round.progress)?;
        self.clear(&mut batch);
        Ok(Reply { metrics, time, ..Reply::of(batch) })
    }

    /// Pixels are not needed any more; their buffers are.
    fn clear(&self, batch: &mut Batch) {
        batch.blocks.drain(..).for_each(|block| self.around.parts.give(block.0));
    }

    fn predict(&mut self, round: &mut Current, pass: Pass, mut batch: Batch) -> Result<Reply, TrainerError> {
        let mut trained = None;
        let model = match round.model {
            Some(model) => model,
            None => {
                let model = self.trainer.finish(round.number)?;
                round.training.model = model;
                round.training.steps = round.progress.steps();
                round.training.loss = round.progress.loss();
                trained = Some(round.training.clone());
                *round.model.insert(model)
            }
        };
        let probabilities = self.trainer.predict(&batch)?;
        self.clear(&mut batch);
        let mut reply = Reply { probabilities, model, trained, ..Reply::of(batch) };
        round.calibrator.iter_mut().for_each(|calibrator| calibrator.hear(pass, &mut reply));
        Ok(reply)
    }
}
