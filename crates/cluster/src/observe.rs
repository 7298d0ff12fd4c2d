//! Runs the first round of a plan for a while and keeps nothing of it: to see where the time goes.

use std::path::PathBuf;
use std::sync::Arc;

use millstream_dataflow::{Event, Gauges, Job, Stop, StopReason, Surroundings, TrainerFactory};
use millstream_spec::Plan;
use millstream_train::Device;

use crate::drain::{ConsumerFactory, consumer_node};
use crate::error::ClusterError;
use crate::group::{Group, run_workers};
use crate::node::{NodeSettings, round_configs, session_config};

/// What takes the batches of a stream that is observed.
pub enum Taker<'a> {
    /// The training node of a plan. Nothing of it is kept.
    Training(&'a Plan, Device),
    /// Something else, in its place.
    Consumer(Arc<ConsumerFactory>),
}

/// Runs a job on so many workers until it ends or `stop` says that it is enough. `gauges` tell what is done meanwhile, and `watch`
/// hears of every event as it comes.
///
/// # Errors
/// [`ClusterError::Job`] for a job that cannot start, [`ClusterError::Stopped`] if it failed or its data are too bad.
pub fn observe(
    job: Job,
    workers: usize,
    taker: Taker<'_>,
    gauges: &Gauges,
    stop: &Stop,
    watch: impl Fn(&Event) + Send + Sync + 'static,
) -> Result<(), ClusterError> {
    job.check(workers)?;
    let trainer = match taker {
        Taker::Training(plan, device) => training(plan, &job, device)?,
        Taker::Consumer(consumer) => consumer_node(consumer, job.classes.len()),
    };
    let around =
        Surroundings::new(trainer, Arc::new(move |event| watch(&event)), stop.clone()).observed(gauges.clone());
    run_workers(Group::alone(workers), Arc::new(job), around)?;
    match stop.reason() {
        None | Some(StopReason::Interrupted) => Ok(()),
        Some(reason) => Err(reason.clone().into()),
    }
}

/// It has no run directory: a job that is stopped before its round has ended writes nothing.
fn training(plan: &Plan, job: &Job, device: Device) -> Result<Arc<TrainerFactory>, ClusterError> {
    let run = PathBuf::new();
    let rounds = round_configs(plan, job, &run)?;
    let session = session_config(plan, job.classes.clone(), device);
    Ok(NodeSettings { session, rounds, run }.trainer(None, None, None))
}
