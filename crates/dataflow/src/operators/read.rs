//! `read`: fetches the bytes of each record. What has to be waited for is read off the worker thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use millstream_data::{Manifest, Payload, Stage};
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use crate::flow::Credit;
use crate::gauges::Gauges;
use crate::offload::Offload;
use crate::pool::Pool;
use crate::schedule::Slot;
use crate::time::Time;

/// Why a record is a dead letter.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) reason: String,
    pub(crate) bytes_hash: Option<[u8; 32]>,
}

/// A slot and what became of its record so far. A failed record keeps its slot, so that the step it belongs
/// to is still known to all that follows.
pub(crate) type Fallible<D> = (Slot, Result<D, Failure>);

/// Threads that read files for one worker. They wait for disks, not for a core.
pub const READERS: usize = 4;

/// Turns slots into the bytes of their records.
pub(crate) fn read<'scope>(
    slots: Stream<'scope, Time, Vec<Slot>>,
    manifest: Arc<Manifest>,
    (credit, gauges): (Credit, Gauges),
    buffers: Pool,
) -> Stream<'scope, Time, Vec<Fallible<Payload>>> {
    let scope = slots.scope();
    slots.unary(Pipeline, "Read", move |_, info| {
        let activator = scope.worker().sync_activator_for(info.address.to_vec());
        let offline = (Arc::clone(&manifest), buffers.clone(), gauges.clone());
        let mut readers = Offload::new("read", READERS, activator, move |slot| {
            let begun = Instant::now();
            let fetched = fetch(&offline.0, slot, offline.1.take());
            offline.2.fetched(begun.elapsed());
            fetched
        });
        move |input, output| {
            let mut scale = Scale { credit: &credit, records: 0, bytes: 0 };
            input.for_each(|capability, slots| {
                let Some(capability) = capability.retain_least(0) else {
                    return;
                };
                let mut session = output.session(&capability);
                for slot in slots.drain(..) {
                    match manifest.at_hand(slot.record, buffers.take()) {
                        Ok(payload) => session.give(scale.weigh((slot, Ok(payload)))),
                        Err(buffer) => {
                            buffers.give(buffer);
                            readers.submit(&capability, slot);
                        }
                    }
                }
            });
            readers.finished(|capability, fetched| {
                output.session(capability).give_iterator(fetched.map(|fetched| scale.weigh(fetched)));
            });
            gauges.came_in(scale.records, scale.bytes);
        }
    })
}

fn fetch(manifest: &Manifest, slot: Slot, buffer: Vec<u8>) -> Fallible<Payload> {
    let read = || manifest.read(slot.record, buffer).map_err(|error| error.to_string());
    // A reader that died with its record would leave the step waiting for it for ever.
    let payload = catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err("the reader panicked".to_owned()))
        .map_err(|reason| Failure { stage: Stage::Read, reason, bytes_hash: None });
    (slot, payload)
}

/// Weighs what comes in during a turn.
struct Scale<'a> {
    credit: &'a Credit,
    records: u64,
    bytes: u64,
}

impl Scale<'_> {
    fn weigh(&mut self, fetched: Fallible<Payload>) -> Fallible<Payload> {
        if let Ok(payload) = &fetched.1 {
            let bytes = payload.bytes().len();
            self.credit.weigh_record(bytes);
            (self.records, self.bytes) = (self.records + 1, self.bytes + bytes as u64);
        }
        fetched
    }
}
