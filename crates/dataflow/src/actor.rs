//! A thread beside a worker that answers what it is asked, in order. What it holds never leaves it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use timely::scheduling::SyncActivator;

use crate::trainer::TrainerError;

/// What lies ready while it works: one to go on with, while the worker fetches another.
const READY: usize = 2;

/// How an actor says its answers.
pub(crate) type Say<'a, Reply> = &'a dyn Fn(Result<Reply, TrainerError>);

/// The worker's handle on the thread. Dropping it ends the thread after what it is at, and waits for that.
pub(crate) struct Actor<Ask, Reply> {
    name: &'static str,
    asks: Option<Sender<Ask>>,
    replies: Receiver<Result<Reply, String>>,
    thread: Option<JoinHandle<()>>,
}

impl<Ask: Send + 'static, Reply: Send + 'static> Actor<Ask, Reply> {
    /// Starts the thread. `serve` works off what it is asked, and each answer wakes the worker's operator. An actor that cannot be
    /// started, or panics, answers with that.
    pub(crate) fn start(
        name: &'static str,
        activator: SyncActivator,
        serve: impl FnOnce(Receiver<Ask>, Say<'_, Reply>) + Send + 'static,
    ) -> Self {
        let (asks, asked) = bounded(READY);
        let (reply, replies) = unbounded();
        let failed = reply.clone();
        let work = move || {
            let say = |answer: Result<Reply, TrainerError>| {
                // Both fail only when the worker has gone.
                let _ = reply.send(answer.map_err(|error| error.to_string()));
                let _ = activator.activate();
            };
            // A worker that waited for the answers of a dead thread would wait for ever.
            if catch_unwind(AssertUnwindSafe(|| serve(asked, &say))).is_err() {
                say(Err(format!("the {name} panicked; this is a bug in Millstream").into()));
            }
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
        if let Err(error) = &thread {
            let _ = failed.send(Err(format!("the thread of the {name} did not start: {error}")));
        }
        Actor { name, asks: Some(asks), replies, thread: thread.ok() }
    }

    /// Asks. If there is no room the question comes back.
    pub(crate) fn ask(&self, ask: Ask) -> Option<Ask> {
        match &self.asks {
            Some(asks) => asks.try_send(ask).err().map(TrySendError::into_inner),
            None => Some(ask),
        }
    }

    /// What has come back since the last call.
    pub(crate) fn replies(&self) -> impl Iterator<Item = Result<Reply, String>> {
        self.replies.try_iter()
    }
}

impl<Ask, Reply> Drop for Actor<Ask, Reply> {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the {} panicked", self.name);
        }
    }
}
