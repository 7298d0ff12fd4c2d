//! The one way a run ends early: a reason, set once, seen by every worker thread of the process.

use std::sync::{Arc, OnceLock};

/// Why the stream stops before its end.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StopReason {
    /// The user asked for it.
    #[error("interrupted")]
    Interrupted,
    /// The data are worse than the pipeline allows.
    #[error("{bad} of {records} records are bad, more than `max_bad` allows ({allowed})")]
    TooManyBad {
        /// Distinct bad records so far.
        bad: u64,
        /// Records of the manifest.
        records: u64,
        /// Bad records that the pipeline tolerates.
        allowed: u64,
    },
    /// The training node, a sink or another process failed.
    #[error("{0}")]
    Failed(String),
}

/// Stops the run if the thread that holds it panics: a run that goes on without one of its parts would hang.
#[derive(Debug)]
pub struct StopOnPanic(pub Stop);

impl Drop for StopOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set(StopReason::Failed("a thread panicked; this is a bug in Millstream".to_owned()));
        }
    }
}

/// A shared, set-once stop signal. The first reason wins.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<OnceLock<StopReason>>);

impl Stop {
    /// A signal that nobody has given yet.
    pub fn new() -> Self {
        Stop::default()
    }

    /// Asks every worker of this process to stop. Later reasons are ignored: the first is the cause.
    pub fn set(&self, reason: StopReason) {
        if self.0.set(reason.clone()).is_ok() {
            tracing::debug!(%reason, "stopping");
        }
    }

    /// The reason, once there is one.
    pub fn reason(&self) -> Option<&StopReason> {
        self.0.get()
    }
}
