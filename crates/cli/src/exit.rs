//! From errors to messages and exit codes: 2 the request is wrong, 3 the data are too bad, 4 the job failed,
//! 130 interrupted.

use std::process::ExitCode;

use millstream_cluster::{ClusterError, MeshError, SearchError};
use millstream_data::DataError;
use millstream_dataflow::{JobError, StopReason};
use millstream_spec::Diagnostics;
use millstream_train::TrainError;

use crate::say::say;

/// The request is wrong: arguments, pipeline, or the data it names.
pub(crate) const WRONG_REQUEST: u8 = 2;
/// The data are worse than `max_bad` allows.
pub(crate) const BAD_DATA: u8 = 3;
/// The job failed.
pub(crate) const FAILED: u8 = 4;
/// Somebody interrupted it.
pub(crate) const INTERRUPTED: u8 = 130;

/// A request that cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Request(pub(crate) String);

/// Images of which none, or not all that it takes, can be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadData(pub(crate) String);

/// Says what went wrong, once, and with which code to exit.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<Diagnostics>() {
        Some(diagnostics) => say(diagnostics),
        None => say(format_args!("error: {error}")),
    }
    ExitCode::from(code(error))
}

/// The exit code that goes with an error.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    if error.is::<Diagnostics>() || error.is::<JobError>() || error.is::<Request>() {
        return WRONG_REQUEST;
    }
    if error.is::<BadData>() {
        return BAD_DATA;
    }
    if let Some(error) = error.downcast_ref::<DataError>() {
        return data_code(error);
    }
    if let Some(reason) = error.downcast_ref::<StopReason>() {
        return stop_code(reason);
    }
    if let Some(error) = error.downcast_ref::<TrainError>() {
        return train_code(error);
    }
    match error.downcast_ref::<ClusterError>() {
        Some(error) => cluster_code(error),
        None => FAILED,
    }
}

/// The exit code of a run that was stopped.
pub(crate) fn stop_code(reason: &StopReason) -> u8 {
    match reason {
        StopReason::Interrupted => INTERRUPTED,
        StopReason::TooManyBad { .. } => BAD_DATA,
        StopReason::Failed(_) => FAILED,
    }
}

fn data_code(error: &DataError) -> u8 {
    match error {
        DataError::Write { .. } | DataError::NoRoom { .. } => FAILED,
        _ => WRONG_REQUEST,
    }
}

fn cluster_code(error: &ClusterError) -> u8 {
    match error {
        ClusterError::Data(error) => data_code(error),
        ClusterError::Definition(_)
        | ClusterError::Job(_)
        | ClusterError::Busy { .. }
        | ClusterError::NotARun { .. }
        | ClusterError::Occupied { .. }
        | ClusterError::OtherPlan { .. }
        | ClusterError::NoRun { .. }
        | ClusterError::NoRound { .. }
        | ClusterError::OtherModel { .. }
        | ClusterError::Weights { .. }
        | ClusterError::Teacher { .. }
        | ClusterError::OtherAnswers { .. }
        | ClusterError::ShardChanged { .. }
        | ClusterError::SameShard { .. }
        | ClusterError::OutInInput { .. }
        | ClusterError::InTheWay { .. }
        | ClusterError::Ensemble { .. }
        | ClusterError::Embeddings { .. }
        | ClusterError::NoAnswers { .. }
        | ClusterError::Answers { .. }
        | ClusterError::Export { .. }
        | ClusterError::Policy(_)
        | ClusterError::Corrections { .. }
        | ClusterError::Mesh(MeshError::Listen { .. }) => WRONG_REQUEST,
        ClusterError::Lost { .. } | ClusterError::NoRecords => BAD_DATA,
        ClusterError::Search(SearchError::Trial { source, .. }) => cluster_code(source),
        ClusterError::Search(_) => WRONG_REQUEST,
        ClusterError::Launch { code, .. } => *code,
        ClusterError::Train(error) => train_code(error),
        ClusterError::Stopped(reason) => stop_code(reason),
        _ => FAILED,
    }
}

/// What can be mended by asking for something else is a wrong request: a model file, an input size, a device.
fn train_code(error: &TrainError) -> u8 {
    match error {
        TrainError::Torch { .. } | TrainError::Diverged { .. } | TrainError::File { doing: "write", .. } => FAILED,
        _ => WRONG_REQUEST,
    }
}
