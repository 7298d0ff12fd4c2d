//! `collect` and `keep`: when the frontier has passed a shard, its answers are complete and are written.

use std::collections::BTreeMap;
use std::sync::Arc;

use millstream_data::answer::Answer;
use millstream_data::corpus::Shard;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use super::Relabel;
use super::label::Answered;
use crate::bulk::HOME;
use crate::bulk::list::Task;
use crate::offload::Offload;
use crate::stop::StopReason;
use crate::time::Time;

/// Threads that write outputs. They wait for disks and networks, mostly.
const WRITERS: usize = 2;

/// A shard with all of its answers, in the order of its records.
#[derive(Clone, Debug)]
pub(super) struct Complete {
    shard: Shard,
    answers: Vec<Answer>,
}

/// Gathers the answers of each shard at the worker that lists them.
pub(super) fn collect<'scope>(
    tasks: StreamVec<'scope, Time, Task>,
    answers: StreamVec<'scope, Time, Answered>,
) -> StreamVec<'scope, Time, Complete> {
    tasks.binary_frontier(answers, Pipeline, Exchange::new(|_: &Answered| HOME as u64), "Collect", |_, _| {
        let mut open: BTreeMap<u32, (Capability<Time>, Shard)> = BTreeMap::new();
        let mut steps: BTreeMap<Time, Answered> = BTreeMap::new();
        move |(tasks, no_task_before), (answers, no_answer_before), output| {
            tasks.for_each(|capability, tasks| {
                if let Some(capability) = capability.retain_least(0) {
                    open.extend(tasks.drain(..).map(|task| (task.turn, (capability.clone(), task.shard))));
                }
            });
            answers.for_each(|capability, answers| {
                if let Some(capability) = capability.retain_least(0) {
                    steps.entry(*capability.time()).or_default().extend(answers.drain(..).flatten());
                }
            });
            while let Some(entry) = open.first_entry() {
                let end = Time::end_of(*entry.key());
                if no_task_before.less_equal(&end) || no_answer_before.less_equal(&end) {
                    break;
                }
                let (capability, shard) = entry.remove();
                let later = steps.split_off(&end);
                let own = std::mem::replace(&mut steps, later);
                let answers = own.into_values().flatten().collect();
                output.session(&capability).give(Complete { shard, answers });
            }
        }
    })
}

/// Writes what is complete, off the worker thread.
pub(super) fn keep<'scope>(shards: StreamVec<'scope, Time, Complete>, job: &Arc<Relabel>) {
    let (scope, job) = (shards.scope(), Arc::clone(job));
    shards.unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(Pipeline, "Keep", move |_, info| {
        let activator = scope.worker().sync_activator_for(info.address.to_vec());
        let writing = Arc::clone(&job);
        let mut writers = Offload::new("write", WRITERS, activator, move |complete: Complete| {
            let kept = writing.output.keep(&complete.shard, complete.answers);
            kept.map(|result| (result, complete.shard.bytes)).map_err(|error| error.to_string())
        });
        move |input, _output| {
            input.for_each(|capability, shards| {
                if let Some(capability) = capability.retain_least(0) {
                    shards.drain(..).for_each(|shard| writers.submit(&capability, shard));
                }
            });
            writers.finished(|_, results| {
                for result in results {
                    match result {
                        Ok((result, size)) => job.intake.finished(result, size, false),
                        Err(reason) => job.intake.stop.set(StopReason::Failed(reason)),
                    }
                    job.intake.gates.shards.leave(1);
                }
            });
        }
    });
}
