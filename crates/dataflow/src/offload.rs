//! Work that must not hold up a worker thread: done by a few threads that wake the operator when they are through.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::vec::Drain;

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
    bell: Arc<Bell>,
    work: Arc<dyn Fn(T) -> D + Send + Sync>,
    tasks: Option<Sender<(Time, T)>>,
    done: Queue<D>,
    held: BTreeMap<Time, Held<D>>,
}

/// The tasks of one time.
struct Held<D> {
    capability: Capability<Time>,
    /// How many are under way.
    tasks: usize,
    /// Results that are handed out next.
    results: Vec<D>,
}

/// Wakes the operator. Once is enough until it looks.
struct Bell {
    activator: SyncActivator,
    rung: AtomicBool,
}

impl Bell {
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            // Fails only when the worker has gone.
            let _ = self.activator.activate();
        }
    }
}

impl<T: Send + 'static, D: Send + 'static> Offload<T, D> {
    /// `work` is what is done to each task.
    pub(crate) fn new(
        name: &'static str,
        threads: usize,
        activator: SyncActivator,
        work: impl Fn(T) -> D + Send + Sync + 'static,
    ) -> Self {
        let bell = Arc::new(Bell { activator, rung: AtomicBool::new(false) });
        Offload { name, threads, bell, work: Arc::new(work), tasks: None, done: unbounded(), held: BTreeMap::new() }
    }

    /// Queues a task. A capability for its time is kept until its result is taken.
    pub(crate) fn submit(&mut self, capability: &Capability<Time>, task: T) {
        let tasks = self.tasks.take().unwrap_or_else(|| self.start());
        let time = *capability.time();
        let new = || Held { capability: capability.clone(), tasks: 0, results: Vec::new() };
        self.held.entry(time).or_insert_with(new).tasks += 1;
        // Fails only if no thread could be started: then the work is done here.
        if let Err(SendError((time, task))) = tasks.send((time, task)) {
            let _ = self.done.0.send((time, (self.work)(task)));
        }
        self.tasks = Some(tasks);
    }

    /// Hands out the results that have come in, those of one time together and with a capability for it.
    pub(crate) fn finished(&mut self, mut take: impl FnMut(&Capability<Time>, Drain<'_, D>)) {
        // Before looking: what comes in from now on rings again.
        self.bell.rung.store(false, Ordering::SeqCst);
        for (time, result) in self.done.1.try_iter() {
            if let Some(held) = self.held.get_mut(&time) {
                held.results.push(result);
            }
        }
        for held in self.held.values_mut().filter(|held| !held.results.is_empty()) {
            held.tasks -= held.results.len();
            take(&held.capability, held.results.drain(..));
        }
        self.held.retain(|_, held| held.tasks > 0);
    }

    fn start(&self) -> Sender<(Time, T)> {
        let (send, receive) = unbounded::<(Time, T)>();
        for number in 0..self.threads {
            let (receive, done) = (receive.clone(), self.done.0.clone());
            let (bell, work) = (Arc::clone(&self.bell), Arc::clone(&self.work));
            let serve = move || {
                for (time, task) in receive {
                    // Fails only when the operator has gone, and then nobody wants the result.
                    let _ = done.send((time, work(task)));
                    bell.ring();
                }
            };
            if let Err(error) = thread::Builder::new().name(format!("{}-{number}", self.name)).spawn(serve) {
                tracing::warn!(%error, "could not start a {} thread", self.name);
            }
        }
        send
    }
}
