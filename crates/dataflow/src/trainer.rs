//! What the stream asks of a training node. This crate knows no tensor library.

use crossbeam_channel::Receiver;
use millstream_data::{Batch, DeadLetter};

use crate::learner::Asked;
use crate::schedule::Pass;

/// Why a training node cannot go on, in the words of whoever implements it.
pub type TrainerError = Box<dyn std::error::Error + Send + Sync>;

/// One training node: it owns models and lives on a thread of its own.
///
/// For each round the stream calls [`begin`](Trainer::begin), then [`meet`](Trainer::meet), [`step`](Trainer::step) and
/// [`keep`](Trainer::keep) once for each batch of training in order, then [`finish`](Trainer::finish), and then
/// [`predict`](Trainer::predict) for each batch of the passes that only ask: validation, test, labelling.
pub trait Trainer {
    /// Starts a round: a fresh model, or a loaded one where the job does not train. Says how far the round has come: where
    /// the job starts in the middle of a round, the node has kept what it was then.
    fn begin(&mut self, round: u32) -> Result<Progress, TrainerError>;
    /// Waits until all training nodes are ready for a step. Where that fails nothing of the step has been done.
    fn meet(&mut self) -> Result<(), TrainerError> {
        Ok(())
    }
    /// One optimisation step. A batch may be empty when all of its records were bad. A node that works on a device of its own may
    /// look at the batch that comes next in the meantime.
    fn step(&mut self, step: u32, batch: &Batch, next: &mut Ahead<'_>) -> Result<StepMetrics, TrainerError>;
    /// Told after each step how far the round has come: a node that can go on from the middle of a round keeps what that
    /// takes, now and then.
    fn keep(&mut self, _round: u32, _progress: &Progress) -> Result<(), TrainerError> {
        Ok(())
    }
    /// Told when the stream ends before the training of the round has.
    fn pause(&mut self, _round: u32, _progress: &Progress) -> Result<(), TrainerError> {
        Ok(())
    }
    /// Ends the training of the round and keeps the model. Returns its identity, the hash of its file.
    fn finish(&mut self, round: u32) -> Result<ModelHash, TrainerError>;
    /// Class probabilities, `rows x classes`, row after row, from the un-noised model.
    fn predict(&mut self, batch: &Batch) -> Result<Vec<f32>, TrainerError>;
}

/// The batch after the one that a training node works on, if it is there already.
pub struct Ahead<'a> {
    asked: &'a Receiver<Asked>,
    next: &'a mut Option<Asked>,
}

impl<'a> Ahead<'a> {
    pub(crate) fn new(asked: &'a Receiver<Asked>, next: &'a mut Option<Asked>) -> Self {
        Ahead { asked, next }
    }

    /// That batch, if it is one to train on.
    pub fn batch(&mut self) -> Option<&Batch> {
        if self.next.is_none() {
            *self.next = self.asked.try_recv().ok();
        }
        self.next.as_ref().filter(|asked| Pass::of(&asked.time) == Pass::Train).map(|asked| &asked.batch)
    }
}

/// Makes the trainer on the thread where it will live.
pub type TrainerFactory = dyn Fn() -> Result<Box<dyn Trainer>, TrainerError> + Send + Sync;

/// The blake3 hash of a model file.
pub type ModelHash = [u8; 32];

/// How far the training of a round has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The loss of each step so far.
    pub losses: Vec<f64>,
    /// Records of these steps that could not be used.
    pub dead: Vec<DeadLetter>,
}

impl Progress {
    /// Steps so far.
    pub fn steps(&self) -> u32 {
        self.losses.len() as u32
    }

    /// Mean loss of the last tenth of the steps.
    pub(crate) fn loss(&self) -> f64 {
        let last = &self.losses[self.losses.len() - self.losses.len().div_ceil(10)..];
        if last.is_empty() { 0.0 } else { last.iter().sum::<f64>() / last.len() as f64 }
    }
}

/// What one training step reports.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepMetrics {
    /// Mean loss of the batch.
    pub loss: f64,
    /// Images in the batch, over all training nodes.
    pub images: u32,
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// Rows with human labels in the batch.
    pub labelled: u32,
    /// How many of them the model took for what they are, before the update.
    pub labelled_correct: u32,
    /// Unlabelled images that the model was asked about before the update, for it to learn from its own word.
    pub asked: u32,
    /// How many of them it was sure enough of.
    pub accepted: u32,
    /// Seconds that this training node waited for the others, and for what it sent them.
    pub peers: f64,
}
