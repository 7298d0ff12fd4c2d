//! Runs a stream into a consumer that is no training node: to measure it, or to look at it.

use std::sync::Arc;
use std::sync::mpsc::channel;

use millstream_data::{Batch, DeadLetter};
use millstream_dataflow::{
    Ahead, Event, Job, ModelHash, Progress, StepMetrics, Stop, Surroundings, Trainer, TrainerError, TrainerFactory,
};

use crate::error::ClusterError;
use crate::group::{Group, run_workers};
use crate::team::Team;

/// What takes the batches of a stream: one for each stream, made where it will live.
pub type Consumer = Box<dyn FnMut(&Batch)>;

/// Makes the consumer on the thread where it will live.
pub type ConsumerFactory = dyn Fn() -> Consumer + Send + Sync;

/// Runs all training steps of a job, or its evaluation batches where it does not train, and hands each batch, in order, to a
/// consumer. Returns the records that could not be used.
///
/// # Errors
/// [`ClusterError::Job`] for a job that cannot start, [`ClusterError::Stopped`] if it was stopped.
pub fn drain(
    job: Job,
    workers: usize,
    stop: &Stop,
    consumer: Arc<ConsumerFactory>,
) -> Result<Vec<DeadLetter>, ClusterError> {
    drain_with(&mut Team::alone(), job, workers, stop, consumer)
}

/// The same on so many workers of each process of a team. All must be given an equal job; the batches come together at the first,
/// which alone has a consumer and hears of bad records.
///
/// # Errors
/// As [`drain`]; the processes did not come together.
pub fn drain_with(
    team: &mut Team,
    job: Job,
    workers: usize,
    stop: &Stop,
    consumer: Arc<ConsumerFactory>,
) -> Result<Vec<DeadLetter>, ClusterError> {
    job.check(workers * team.processes())?;
    let group = Group::of(workers, team.index(), team.connect()?);
    let classes = job.classes.len();
    let (send, receive) = channel();
    let around = Surroundings::new(
        consumer_node(consumer, classes),
        Arc::new(move |event| {
            if let Event::Dead(letter) = event {
                // Fails only when nobody waits any more.
                let _ = send.send(letter);
            }
        }),
        stop.clone(),
    );
    run_workers(group, Arc::new(job), around)?;
    match stop.reason() {
        Some(reason) => Err(reason.clone().into()),
        None => Ok(receive.try_iter().collect()),
    }
}

/// What makes a consumer take the place of a training node.
pub(crate) fn consumer_node(consumer: Arc<ConsumerFactory>, classes: usize) -> Arc<TrainerFactory> {
    Arc::new(move || Ok(Box::new(Drain { consumer: consumer(), classes })))
}

/// A consumer in the place of a training node. It has no opinion about any class.
struct Drain {
    consumer: Consumer,
    classes: usize,
}

impl Trainer for Drain {
    fn begin(&mut self, _round: u32) -> Result<Progress, TrainerError> {
        Ok(Progress::default())
    }

    fn step(&mut self, _step: u32, batch: &Batch, _next: &mut Ahead<'_>) -> Result<StepMetrics, TrainerError> {
        (self.consumer)(batch);
        Ok(StepMetrics::default())
    }

    fn finish(&mut self, _round: u32) -> Result<ModelHash, TrainerError> {
        Ok([0; 32])
    }

    fn predict(&mut self, batch: &Batch) -> Result<Vec<f32>, TrainerError> {
        (self.consumer)(batch);
        Ok(vec![1.0 / self.classes.max(1) as f32; batch.rows.len() * self.classes])
    }
}
