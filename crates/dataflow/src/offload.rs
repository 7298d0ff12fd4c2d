//! Work that must not hold up a worker thread: done by a few threads that wake the operator when they are through.

use std::collections::BTreeMap;
use std::thread;

use crossbeam_channel::{Receiver, SendError, Sender, unbounded};
use timely::dataflow::operators::Capability;
use timely::scheduling::SyncActivator;

use crate::time::Time;

type Task<D> = (u64, Box<dyn FnOnce() -> D + Send>);
type Done<D> = (u64, D);

/// A handful of threads behind one operator of one worker. They start with the first task and end with the operator.
///
/// The queue has no bound of its own: flow control admits the records.
pub(crate) struct Offload<D> {
    name: &'static str,
    threads: usize,
    activator: std::sync::Arc<SyncActivator>,
    tasks: Option<Sender<Task<D>>>,
    done: (Sender<Done<D>>, Receiver<Done<D>>),
    held: BTreeMap<u64, Capability<Time>>,
    next: u64,
}

impl<D: Send + 'static> Offload<D> {
    pub(crate) fn new(name: &'static str, threads: usize, activator: SyncActivator) -> Self {
        let activator = std::sync::Arc::new(activator);
        Offload { name, threads, activator, tasks: None, done: unbounded(), held: BTreeMap::new(), next: 0 }
    }

    /// Queues a task. The capability is kept until its result is taken.
    pub(crate) fn submit(&mut self, capability: Capability<Time>, task: impl FnOnce() -> D + Send + 'static) {
        let tasks = self.tasks.take().unwrap_or_else(|| self.start());
        self.held.insert(self.next, capability);
        // Fails only if no thread could be started: then the work is done here.
        if let Err(SendError((id, task))) = tasks.send((self.next, Box::new(task))) {
            let _ = self.done.0.send((id, task()));
        }
        self.tasks = Some(tasks);
        self.next += 1;
    }

    /// The results that have come in, each with the capability of its task.
    pub(crate) fn finished(&mut self) -> Vec<(Capability<Time>, D)> {
        let results = self.done.1.try_iter();
        results.filter_map(|(id, result)| Some((self.held.remove(&id)?, result))).collect()
    }

    fn start(&self) -> Sender<Task<D>> {
        let (send, receive) = unbounded::<Task<D>>();
        for number in 0..self.threads {
            let (receive, done) = (receive.clone(), self.done.0.clone());
            let activator = std::sync::Arc::clone(&self.activator);
            let work = move || {
                for (id, task) in receive {
                    // Both fail only when the worker has gone, and then nobody wants the result.
                    let _ = done.send((id, task()));
                    let _ = activator.activate();
                }
            };
            if let Err(error) = thread::Builder::new().name(format!("{}-{number}", self.name)).spawn(work) {
                tracing::warn!(%error, "could not start a {} thread", self.name);
            }
        }
        send
    }
}
