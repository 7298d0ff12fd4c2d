//! `gather`: brings what was found in each shard home.

use std::collections::BTreeMap;
use std::sync::Arc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::Operator;

use super::Examine;
use super::ledger::Share;
use crate::bulk::{HOME, ShardResult};
use crate::time::Time;

/// Adds shares to the ledger. When the frontier has passed a turn its shard is done, and another one may be dealt out.
pub(super) fn gather<'scope>(shares: StreamVec<'scope, Time, Share>, job: &Arc<Examine>) {
    let (scope, job) = (shares.scope(), Arc::clone(job));
    let home = Exchange::new(|_: &Share| HOME as u64);
    shares.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(home, "Gather", move |_, _| {
        let mut results: BTreeMap<u32, ShardResult> = BTreeMap::new();
        let (mut next, at_home) = (0, scope.index() == HOME);
        move |(input, no_share_before), _output| {
            input.for_each(|_, shares| {
                for share in shares.drain(..) {
                    let (used, broken) = (share.looks.len() as u64, share.broken.len() as u64);
                    let result = results.entry(share.turn).or_default();
                    result.rows += used + broken;
                    result.errors += broken;
                    job.ledger.add(job.split, share);
                }
            });
            // With an empty frontier nothing is dealt out any more, and nobody knows how many turns there were but by their shares.
            let first = no_share_before.frontier().first().map(|time| time.round);
            let passed = first.or_else(|| results.last_key_value().map(|(turn, _)| turn + 1)).unwrap_or(0);
            while at_home && next < passed {
                job.intake.finished(results.remove(&next).unwrap_or_default(), None, false);
                job.intake.gates.shards.leave(1);
                next += 1;
            }
        }
    });
}
