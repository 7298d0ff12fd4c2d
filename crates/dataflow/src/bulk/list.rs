//! `list`: the source of a bulk job. Finds the shards one after the other and deals out those that are not done.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use millstream_data::DataError;
use millstream_data::corpus::Shard;
use serde::{Deserialize, Serialize};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::{Scope, StreamVec};
use timely::scheduling::SyncActivator;

use super::{BulkEvent, HOME, Intake};
use crate::stop::{StopOnPanic, StopReason};
use crate::time::Time;

/// A shard that is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) turn: u32,
    pub(crate) shard: Shard,
    /// How many of its records, at most.
    pub(crate) take: u64,
}

/// Emits each shard that is to be done at the first moment of its turn.
pub(crate) fn list<'scope>(scope: Scope<'scope, Time>, job: &Arc<Intake>) -> StreamVec<'scope, Time, Task> {
    let job = Arc::clone(job);
    source(scope, "List", move |capability, info| {
        let activator = scope.worker().sync_activator_for(info.address.to_vec());
        let mut open = (scope.index() == HOME).then(|| (capability, start(&job, activator)));
        move |output| {
            while let Some((capability, found)) = &mut open {
                match found.try_recv() {
                    Ok((shard, take)) => {
                        let turn = capability.time().round;
                        output.session(&*capability).give(Task { turn, shard, take });
                        if !advance(capability) {
                            job.stop
                                .set(StopReason::Failed("the corpus has more shards than can be counted".to_owned()));
                        }
                    }
                    Err(TryRecvError::Empty) => return,
                    Err(TryRecvError::Disconnected) => open = None,
                }
            }
        }
    })
}

/// Goes on to the next turn, if there is one.
fn advance(capability: &mut Capability<Time>) -> bool {
    let next = capability.time().round.checked_add(1);
    next.map(|turn| capability.downgrade(&Time::start_of(turn))).is_some()
}

/// Starts the thread that asks the corpus, which may wait for a network. The channel closes after the last shard.
fn start(job: &Arc<Intake>, activator: SyncActivator) -> Receiver<(Shard, u64)> {
    let (send, found) = bounded(1);
    let listing = Arc::clone(job);
    let work = move || {
        let _guard = StopOnPanic(listing.stop.clone());
        find(&listing, &send, &activator);
        drop(send);
        // Fails only when the worker has gone.
        let _ = activator.activate();
    };
    if let Err(error) = thread::Builder::new().name("list".to_owned()).spawn(work) {
        job.stop.set(StopReason::Failed(format!("the thread that lists shards did not start: {error}")));
    }
    found
}

/// Goes through the shards until there are no more, or the job is over.
fn find(job: &Intake, send: &Sender<(Shard, u64)>, activator: &SyncActivator) {
    for shard in job.corpus.shards() {
        if job.gates.shards.enter(1).is_none() {
            return;
        }
        // With a limit one shard is under way at a time: so it is known here how many records there were before.
        let left = job.limit.map_or(u64::MAX, |limit| limit.saturating_sub(job.rows.load(Ordering::SeqCst)));
        let task = match shard {
            _ if left == 0 => return,
            Ok(shard) => todo(job, shard),
            Err(error) => lost(job, &error),
        };
        let Some(shard) = task else {
            job.gates.shards.leave(1);
            continue;
        };
        // Both fail only when the worker has gone.
        if send.send((shard, left)).is_err() || activator.activate().is_err() {
            return;
        }
    }
}

/// The shard, if it is still to be done.
fn todo(job: &Intake, shard: Shard) -> Option<Shard> {
    match (job.before)(&shard) {
        Ok(None) => return Some(shard),
        Ok(Some(result)) => job.finished(result, shard.bytes, true),
        Err(error) => job.stop.set(StopReason::Failed(error.to_string())),
    }
    None
}

fn lost(job: &Intake, error: &DataError) -> Option<Shard> {
    (job.events)(BulkEvent::Lost(error.to_string()));
    None
}
