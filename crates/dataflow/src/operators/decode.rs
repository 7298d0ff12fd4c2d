//! `decode`: bytes to pixels, on the worker thread. That is what worker threads are for.

use std::collections::VecDeque;

use millstream_data::{Payload, Stage};
use millstream_imageops::{Image, ImageError, Limits, decode as decode_image};
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use super::read::{Failure, Fallible};
use crate::flow::Credit;
use crate::time::Time;

/// Records decoded before the other operators of the worker get their turn: a photo takes milliseconds, and
/// the training node must not wait for a whole step's worth of them.
const AT_ONCE: usize = 16;

/// Decodes each record to `channels` (1 gray, 3 RGB).
pub(crate) fn decode<'scope>(
    records: Stream<'scope, Time, Vec<Fallible<Payload>>>,
    channels: u8,
    credit: Credit,
) -> Stream<'scope, Time, Vec<Fallible<Image>>> {
    let scope = records.scope();
    records.unary(Pipeline, "Decode", move |_, info| {
        let activator = scope.activator_for(info.address);
        let mut queue = VecDeque::new();
        move |input, output| {
            input.for_each(|capability, records| {
                if let Some(capability) = capability.retain_least(0) {
                    queue.extend(records.drain(..).map(|record| (capability.clone(), record)));
                }
            });
            for _ in 0..AT_ONCE.min(queue.len()) {
                let Some((capability, (slot, payload))) = queue.pop_front() else {
                    break;
                };
                let image = payload.and_then(|payload| decode_one(payload, channels));
                if let Ok(image) = &image {
                    credit.weigh_record(image.pixels.len());
                }
                output.session(&capability).give((slot, image));
            }
            if !queue.is_empty() {
                activator.activate();
            }
        }
    })
}

fn decode_one(payload: Payload, channels: u8) -> Result<Image, Failure> {
    let failure =
        |error: ImageError, hash| Failure { stage: Stage::Decode, reason: error.to_string(), bytes_hash: hash };
    match payload {
        Payload::Pixels { width, height, channels: own, bytes } => Image::from_pixels(width, height, own, bytes)
            .map(|image| image.to_channels(channels))
            .map_err(|error| failure(error, None)),
        Payload::Encoded(bytes) => decode_image(&bytes, channels, &Limits::default())
            .map_err(|error| failure(error, Some(*blake3::hash(&bytes).as_bytes()))),
    }
}
