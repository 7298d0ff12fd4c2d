//! `augment`: pixels to samples, rendered straight into this worker's part of the batch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millstream_data::{DeadLetter, Key, Row, Stage};
use millstream_imageops::{Image, SampleKey, View};
use serde::{Deserialize, Serialize};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Stream, StreamVec};

use super::read::{Failure, Fallible};
use crate::flow::Credit;
use crate::job::Job;
use crate::schedule::{Pass, Slot};
use crate::time::Time;

/// One worker's share of a batch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The slot of each row, in the order in which the records arrived.
    pub(crate) slots: Vec<u32>,
    /// The rows, as in [`millstream_data::Batch`].
    pub(crate) rows: Vec<Row>,
    /// Their pixels, one block of bytes.
    #[serde(with = "serde_bytes")]
    pub(crate) pixels: Vec<u8>,
}

/// Renders each image with the view of its pass. Emits one part a step and, beside it, the dead letters of
/// records that failed here or before: each key once a worker.
pub(crate) fn augment<'scope>(
    images: Stream<'scope, Time, Vec<Fallible<Image>>>,
    job: Arc<Job>,
    credit: Credit,
) -> (StreamVec<'scope, Time, Part>, StreamVec<'scope, Time, DeadLetter>) {
    let mut builder = OperatorBuilder::new("Augment".to_owned(), images.scope());
    let mut input = builder.new_input(images, Pipeline);
    let (parts_output, parts_stream) = builder.new_output();
    let (dead_output, dead_stream) = builder.new_output();
    let (mut parts_output, mut dead_output) = (OutputBuilder::from(parts_output), OutputBuilder::from(dead_output));
    builder.build(move |capabilities| {
        drop(capabilities);
        let mut parts: BTreeMap<Time, (Capability<Time>, Part)> = BTreeMap::new();
        let mut reported: BTreeSet<Key> = job.known_bad.iter().copied().collect();
        move |frontiers| {
            let (mut parts_out, mut dead_out) = (parts_output.activate(), dead_output.activate());
            input.for_each(|capability, images| {
                let Some(time) = capability.least().copied() else {
                    return;
                };
                let (_, part) = parts.entry(time).or_insert_with(|| (capability.delayed(&time, 0), Part::default()));
                for (slot, image) in images.drain(..) {
                    credit.end_record();
                    let (record, number) = (slot.record, slot.number);
                    if let Err(failure) = image.and_then(|image| render(&job, &time, slot, image, part)) {
                        let letter = dead_letter(&job, record, time.round, failure);
                        tracing::debug!(number, place = letter.place, "bad record");
                        if reported.insert(letter.key) {
                            dead_out.session(&capability.delayed(&time, 1)).give(letter);
                        }
                    }
                }
            });
            while let Some(entry) = parts.first_entry() {
                if frontiers[0].less_equal(entry.key()) {
                    break;
                }
                let (capability, part) = entry.remove();
                parts_out.session(&capability).give(part);
            }
        }
    });
    (parts_stream, dead_stream)
}

/// Renders one sample at the end of the part.
fn render(job: &Job, time: &Time, slot: Slot, image: Image, part: &mut Part) -> Result<(), Failure> {
    let key = job.manifest.entries()[slot.record as usize].key;
    let sample =
        SampleKey { seed: job.seed, round: time.round, epoch: slot.epoch, key: key.0, copy: slot.copy, view: 0 };
    let start = part.pixels.len();
    part.pixels.resize(start + job.shape.bytes(), 0);
    if let Err(error) = view(job, time).render(image, &sample, &mut part.pixels[start..]) {
        part.pixels.truncate(start);
        return Err(Failure { stage: Stage::Augment, reason: error.to_string(), bytes_hash: None });
    }
    part.slots.push(slot.number);
    part.rows.push(Row { record: slot.record, key, target: slot.target, labelled: slot.labelled });
    Ok(())
}

fn view<'job>(job: &'job Job, time: &Time) -> &'job View {
    match Pass::of(time) {
        Pass::Train => &job.rounds[time.round as usize].view,
        Pass::Test | Pass::Label => &job.eval_view,
    }
}

fn dead_letter(job: &Job, record: u32, round: u32, failure: Failure) -> DeadLetter {
    DeadLetter {
        key: job.manifest.entries()[record as usize].key,
        place: job.manifest.place(record),
        stage: failure.stage,
        reason: failure.reason,
        bytes_hash: failure.bytes_hash,
        round,
    }
}
