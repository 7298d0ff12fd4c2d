//! Work that must not hold up a worker thread: done by a few threads that wake the operator when they are through.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, SendError, Sender, unbounded};
use timely::dataflow::operators::Capability;
use timely::scheduling::SyncActivator;

use crate::time::Time;

/// Both ends of a queue of values, each with the time it belongs to.
type Queue<D> = (Sender<(Time, D)>, Receiver<(Time, D)>);

/// A handful of threads behind one operator of one worker. They start with the first task and end with the operator.
///
/// The queue has no bound of its own: flow control admits the records.
pub(crate) struct Offload<T, D> {
    name: &'static str,
    threads: usize,
    activator: Arc<SyncActivator>,
    work: Arc<dyn Fn(T) -> D + Send + Sync>,
    tasks: Option<Sender<(Time, T)>>,
    done: Queue<D>,
    /// The capabilities of the tasks under way, and how many of them there are at each time.
    held: BTreeMap<Time, (Capability<Time>, usize)>,
}

impl<T: Send + 'static, D: Send + 'static> Offload<T, D> {
    /// `work` is what is done to each task.
    pub(crate) fn new(
        name: &'static str,
        threads: usize,
        activator: SyncActivator,
        work: impl Fn(T) -> D + Send + Sync + 'static,
    ) -> Self {
        let (activator, work) = (Arc::new(activator), Arc::new(work));
        Offload { name, threads, activator, work, tasks: None, done: unbounded(), held: BTreeMap::new() }
    }

    /// Queues a task. A capability for its time is kept until its result is taken.
    pub(crate) fn submit(&mut self, capability: &Capability<Time>, task: T) {
        let tasks = self.tasks.take().unwrap_or_else(|| self.start());
        let time = *capability.time();
        self.held.entry(time).or_insert_with(|| (capability.clone(), 0)).1 += 1;
        // Fails only if no thread could be started: then the work is done here.
        if let Err(SendError((time, task))) = tasks.send((time, task)) {
            let _ = self.done.0.send((time, (self.work)(task)));
        }
        self.tasks = Some(tasks);
    }

    /// Hands out the results that have come in, each with a capability for its time.
    pub(crate) fn finished(&mut self, mut take: impl FnMut(&Capability<Time>, D)) {
        for (time, result) in self.done.1.try_iter() {
            let Entry::Occupied(mut held) = self.held.entry(time) else { continue };
            let (capability, count) = held.get_mut();
            take(capability, result);
            *count -= 1;
            if *count == 0 {
                held.remove();
            }
        }
    }

    fn start(&self) -> Sender<(Time, T)> {
        let (send, receive) = unbounded::<(Time, T)>();
        for number in 0..self.threads {
            let (receive, done) = (receive.clone(), self.done.0.clone());
            let (activator, work) = (Arc::clone(&self.activator), Arc::clone(&self.work));
            let serve = move || {
                for (time, task) in receive {
                    // Both fail only when the worker has gone, and then nobody wants the result.
                    let _ = done.send((time, work(task)));
                    let _ = activator.activate();
                }
            };
            if let Err(error) = thread::Builder::new().name(format!("{}-{number}", self.name)).spawn(serve) {
                tracing::warn!(%error, "could not start a {} thread", self.name);
            }
        }
        send
    }
}
