//! Trains on one batch over and over, with no stream before it: what a step costs by itself.

use std::time::Instant;

use millstream_data::Batch;
use millstream_dataflow::{StepTime, Stop};
use millstream_spec::Plan;
use millstream_train::{Device, Session};

use crate::error::ClusterError;
use crate::node::{round_config, session_config};

/// Trains the first round of a plan, with this batch for each of its steps. `watch` hears of each step as it ends.
///
/// # Errors
/// [`ClusterError::Train`] for a device that is not there or a batch that does not fit, [`ClusterError::Stopped`] if it was stopped.
pub fn repeat(
    plan: &Plan,
    classes: Vec<String>,
    batch: &Batch,
    device: Device,
    stop: &Stop,
    mut watch: impl FnMut(StepTime),
) -> Result<(), ClusterError> {
    let Some(round) = plan.rounds.first() else {
        return Ok(());
    };
    let mut session = Session::new(session_config(plan, classes, device))?;
    session.begin(0, &round_config(round, None, 0)?)?;
    for step in 0..round.training.steps {
        if let Some(reason) = stop.reason() {
            return Err(reason.clone().into());
        }
        let begun = Instant::now();
        session.step(step, batch)?;
        watch(StepTime { waited: 0.0, ready: true, seconds: begun.elapsed().as_secs_f64() });
    }
    Ok(())
}
