//! The worker threads of this process, and their sockets to those of others.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use millstream_dataflow::{Job, Stop, StopOnPanic, StopReason, Surroundings};
use timely::WorkerConfig;
use timely::communication::Hooks;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::worker::Worker;

use crate::error::ClusterError;
use crate::mesh::Sockets;

/// One process of a run: how many workers it has, and how it reaches the other processes.
pub(crate) struct Group {
    workers: usize,
    index: usize,
    sockets: Sockets,
}

impl Group {
    /// A process that is the whole run.
    pub(crate) fn alone(workers: usize) -> Self {
        Group { workers, index: 0, sockets: vec![None] }
    }

    /// One of several processes.
    pub(crate) fn of(workers: usize, index: usize, sockets: Sockets) -> Self {
        Group { workers, index, sockets }
    }

    /// Who sends and receives for each worker, and what must live as long as they do.
    fn channels(self) -> Result<(Vec<AllocatorBuilder>, Box<dyn Any + Send>), ClusterError> {
        let hooks = Hooks::default();
        let local = ProcessBuilder::new_typed_vector(self.workers, hooks.refill.clone(), hooks.spill.clone());
        if self.sockets.len() == 1 {
            return Ok((local.into_iter().map(AllocatorBuilder::Process).collect(), Box::new(())));
        }
        let (remote, guard) = initialize_networking_from_sockets(local, self.sockets, self.index, self.workers, hooks)
            .map_err(|error| ClusterError::Start(error.to_string()))?;
        Ok((remote.into_iter().map(AllocatorBuilder::Tcp).collect(), Box::new(guard)))
    }
}

/// Runs a job on all workers of this process, until it is done or stopped.
pub(crate) fn run_workers(group: Group, job: Arc<Job>, around: Surroundings) -> Result<(), ClusterError> {
    let stop = around.stop.clone();
    on_workers(group, &stop, move |worker| millstream_dataflow::run(worker, &job, &around))
}

/// Lets all workers of this process do something, until it is done or stopped.
pub(crate) fn on_workers(
    group: Group,
    stop: &Stop,
    run: impl Fn(&mut Worker) + Send + Sync + 'static,
) -> Result<(), ClusterError> {
    quiet_lost_connections();
    let (workers, alone) = (group.workers, group.sockets.len() == 1);
    let (done, all_done) = channel();
    let (channels, others) = group.channels()?;
    let signal = stop.clone();
    let work = move |worker: &mut Worker| {
        let _shift = Shift { done: done.clone(), stop: signal.clone(), alone };
        run(worker);
    };
    let guards =
        timely::execute::execute_from(channels, others, WorkerConfig::default(), work).map_err(ClusterError::Start)?;
    all_done.iter().take(workers).for_each(drop);
    if stop.reason().is_some() {
        // The other processes may be gone, and the threads of the sockets would wait for them for ever.
        std::mem::forget(guards);
        return Ok(());
    }
    for outcome in guards.join() {
        outcome.map_err(ClusterError::Start)?;
    }
    Ok(())
}

/// A worker's time at work. Tells when it is over, however it ends.
struct Shift {
    done: Sender<()>,
    stop: Stop,
    alone: bool,
}

impl Drop for Shift {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.alone {
            // Most likely a peer is gone. Whoever watches it knows better; let that be the reason.
            let patience = Instant::now() + Duration::from_secs(2);
            while self.stop.reason().is_none() && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(10));
            }
            if LOST.load(Ordering::SeqCst) {
                self.stop.set(StopReason::Failed("the connection to another process broke".to_owned()));
            }
        }
        drop(StopOnPanic(self.stop.clone()));
        // Fails only when nobody waits any more.
        let _ = self.done.send(());
    }
}

/// Whether a connection to another process broke.
static LOST: AtomicBool = AtomicBool::new(false);

/// timely's socket threads panic when a peer is gone, and then the workers that use their queues. Whoever watches the peer reports that, once and clearly.
fn quiet_lost_connections() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let thread = std::thread::current();
            let socket =
                thread.name().is_some_and(|name| name.starts_with("timely:send") || name.starts_with("timely:recv"));
            if socket || info.to_string().contains("MergeQueue poisoned") {
                LOST.store(true, Ordering::SeqCst);
                tracing::debug!("a connection to another process broke: {info}");
            } else {
                usual(info);
            }
        }));
    });
}
