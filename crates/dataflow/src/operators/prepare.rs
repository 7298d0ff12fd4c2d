//! `prepare`: bytes to samples, decoded and augmented in one stroke straight into this worker's part of the batch.
//!
//! One operator, because a decoder that knows what the view will cut out decodes no more than that, and because pixels
//! that go nowhere in between need no buffer of their own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millstream_data::{DeadLetter, Key, Payload, Row, Stage};
use millstream_imageops::{Image, ImageError, Picture, Renderer, SampleKey, Shelf, View};
use serde::{Deserialize, Serialize};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::{Stream, StreamVec};

use super::pixels::Pixels;
use super::read::{Failure, Fallible};
use crate::flow::Credit;
use crate::gauges::Gauges;
use crate::job::Job;
use crate::pool::Pool;
use crate::schedule::{Share, Slot};
use crate::time::Time;

/// How long records are prepared before the other operators of the worker get their turn: a photo takes a millisecond, and
/// the training node must not wait for a whole step's worth of them, while of tiny images there are thousands a turn.
const TURN: Duration = Duration::from_millis(1);

/// One worker's share of a batch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Which slots it is made of.
    pub(crate) share: Share,
    /// What came of it, in slot order, as in [`millstream_data::Batch`].
    pub(crate) rows: Vec<Row>,
    /// The pixels of these rows.
    pub(crate) pixels: Pixels,
    /// Records of the share that failed here or before, where this worker has not said so yet.
    pub(crate) dead: Vec<DeadLetter>,
    /// The rank that gets it.
    pub(crate) rank: u32,
}

impl Part {
    /// The part once for each rank that gets it; the first is told of the dead.
    fn for_each_rank(mut self) -> impl Iterator<Item = Part> {
        let Range { start, end } = self.share.ranks;
        let dead = std::mem::take(&mut self.dead);
        let mut others: Vec<Part> = (start + 1..end).map(|rank| Part { rank, ..self.clone() }).collect();
        others.push(Part { rank: start, dead, ..self });
        others.into_iter()
    }
}

/// Where a record failed of which an image could not be made.
pub(crate) fn stage_of(error: &ImageError) -> Stage {
    if error.is_in_the_bytes() { Stage::Decode } else { Stage::Augment }
}

/// What was read of a record, as the renderer takes it.
pub fn picture(payload: &Payload) -> Picture<'_> {
    match payload {
        Payload::Encoded(bytes) => Picture::Encoded(bytes),
        Payload::Pixels { width, height, channels, bytes } => {
            Picture::Pixels { width: *width, height: *height, channels: *channels, pixels: bytes }
        }
    }
}

/// The buffers that files are read into, those that parts are rendered into, and decoded images that other streams need too.
#[derive(Clone)]
pub(crate) struct Buffers {
    pub(crate) files: Pool,
    pub(crate) parts: Pool,
    pub(crate) shelf: Option<Shelf>,
}

/// Renders each record with every view of its pass. Emits one part a step.
pub(crate) fn prepare<'scope>(
    records: Stream<'scope, Time, Vec<Fallible<Payload>>>,
    job: Arc<Job>,
    (credit, gauges): (Credit, Gauges),
    buffers: Buffers,
) -> StreamVec<'scope, Time, Part> {
    let scope = records.scope();
    records.unary(Pipeline, "Prepare", move |_, info| {
        let activator = scope.activator_for(info.address);
        let mut steps: BTreeMap<Time, Step> = BTreeMap::new();
        let mut kitchen = Kitchen::new(job, buffers);
        move |input, output| {
            input.for_each(|capability, records| {
                let Some(capability) = capability.retain_least(0) else {
                    return;
                };
                let time = *capability.time();
                let new = || Step { waiting: VecDeque::new(), part: None, capability };
                steps.entry(time).or_insert_with(new).waiting.extend(records.drain(..));
            });
            let waits = |steps: &BTreeMap<Time, Step>| steps.values().any(|step| !step.waiting.is_empty());
            if !waits(&steps) {
                return;
            }
            credit.begin_turn();
            let (begun, mut served) = (Instant::now(), 0);
            while begun.elapsed() < TURN
                && let Some((time, step)) = steps.iter_mut().find(|(_, step)| !step.waiting.is_empty())
                && let Some((slot, payload)) = step.waiting.pop_front()
            {
                let time = *time;
                kitchen.serve(&time, slot, payload, step);
                credit.end_record();
                served += 1;
                if step.part.as_ref().is_some_and(|part| part.missing == 0)
                    && let Some(Step { part: Some(part), capability, .. }) = steps.remove(&time)
                {
                    output.session(&capability).give_iterator(part.close(&kitchen.buffers.parts).for_each_rank());
                    // The training node may wait for it: it goes off at the end of a turn.
                    break;
                }
            }
            gauges.prepared(served, kitchen.renderer.take_decoding());
            let left = waits(&steps);
            credit.end_turn(left);
            if left {
                activator.activate();
            }
        }
    })
}

/// A step that records of this worker's share have come in for.
struct Step {
    /// Records that have come in and are not prepared yet. Those of the earliest step are first in turn, since files are
    /// read in any order and the training node waits for that step.
    waiting: VecDeque<Fallible<Payload>>,
    part: Option<OpenPart>,
    /// The right to emit the part.
    capability: Capability<Time>,
}

/// A part whose records are still coming in, in any order. Each has its place from the start.
struct OpenPart {
    share: Share,
    /// Slots that are still to come.
    missing: u32,
    rows: Vec<Option<Row>>,
    dead: Vec<DeadLetter>,
    pixels: Vec<u8>,
    /// Bytes of one row.
    bytes: usize,
}

impl OpenPart {
    fn new(slot: &Slot, rows: usize, bytes: usize, mut pixels: Vec<u8>) -> Self {
        match pixels.capacity() < rows * bytes {
            // Zeroed by the kernel, where `resize` would write all of it.
            true => pixels = vec![0; rows * bytes],
            false => pixels.resize(rows * bytes, 0),
        }
        let missing = slot.share.slots.len() as u32;
        OpenPart { share: slot.share.clone(), missing, rows: vec![None; rows], dead: Vec::new(), pixels, bytes }
    }

    /// Closes the gaps that bad records left. The pixels come from that pool.
    fn close(mut self, pool: &Pool) -> Part {
        let mut kept = 0;
        for (at, row) in self.rows.iter().enumerate() {
            if row.is_some() {
                if kept < at {
                    self.pixels.copy_within(at * self.bytes..(at + 1) * self.bytes, kept * self.bytes);
                }
                kept += 1;
            }
        }
        self.pixels.truncate(kept * self.bytes);
        let rows = self.rows.into_iter().flatten().collect();
        let pixels = Pixels::of(pool, self.pixels);
        Part { rank: self.share.ranks.start, share: self.share, rows, pixels, dead: self.dead }
    }
}

/// Where samples are made: the renderer with its buffers, and who has been reported as bad.
struct Kitchen {
    job: Arc<Job>,
    buffers: Buffers,
    renderer: Renderer,
    /// The decoded image, where several views are made of it.
    whole: Image,
    reported: BTreeSet<Key>,
}

impl Kitchen {
    fn new(job: Arc<Job>, buffers: Buffers) -> Self {
        let reported = job.known_bad.iter().copied().collect();
        let renderer = Renderer::new(job.decode).sharing(buffers.shelf.clone());
        Kitchen { job, buffers, renderer, whole: Image::default(), reported }
    }

    /// Makes all samples of a record, or the letter that says why not, unless it was sent before.
    fn serve(&mut self, time: &Time, slot: Slot, payload: Result<Payload, Failure>, step: &mut Step) {
        let job = Arc::clone(&self.job);
        let bytes = job.shape.bytes();
        let lane = slot.share.lane;
        let places = |numbers| job.rows_of(time, lane, numbers);
        let part = step.part.get_or_insert_with(|| {
            OpenPart::new(&slot, places(slot.share.slots.clone()).len(), bytes, self.buffers.parts.take())
        });
        part.missing = part.missing.saturating_sub(1);
        let shift = places(0..slot.share.slots.start).end;
        let own = places(0..slot.number).end - shift..places(0..slot.number + 1).end - shift;
        let out = &mut part.pixels[own.start * bytes..own.end * bytes];
        let rendered = payload.and_then(|payload| self.render(time, &slot, payload, out));
        let record = slot.record;
        match rendered {
            Ok(()) => part.rows[own].iter_mut().zip(rows(&job, time, slot)).for_each(|(to, row)| *to = Some(row)),
            Err(failure) => part.dead.extend(self.report(time, record, failure)),
        }
    }

    /// Renders the views of one record side by side.
    fn render(&mut self, time: &Time, slot: &Slot, payload: Payload, out: &mut [u8]) -> Result<(), Failure> {
        let job = Arc::clone(&self.job);
        let views = job.views(time, slot.labelled);
        let done = self.render_views(&job, views, time, slot, picture(&payload), out);
        let bytes = payload.into_bytes();
        let done = done.map_err(|error| {
            let stage = stage_of(&error);
            Failure { stage, reason: error.to_string(), bytes_hash: Some(*blake3::hash(&bytes).as_bytes()) }
        });
        self.buffers.files.give(bytes);
        done
    }

    fn render_views<'job>(
        &mut self,
        job: &Job,
        views: impl Iterator<Item = (u8, &'job View)>,
        time: &Time,
        slot: &Slot,
        picture: Picture<'_>,
        out: &mut [u8],
    ) -> Result<(), millstream_imageops::ImageError> {
        let mut outs = out.chunks_exact_mut(job.shape.bytes());
        let key = job.manifest.entries()[slot.record as usize].key.0;
        // Several views of one image: decoded once, and then wholly.
        let picture = match picture {
            Picture::Encoded(bytes) if outs.len() > 1 => {
                self.renderer.decode_record(bytes, job.shape.channels, key, &mut self.whole)?;
                self.whole.picture()
            }
            picture => picture,
        };
        for ((view_number, view), out) in views.zip(&mut outs) {
            let sample = SampleKey {
                seed: job.seed,
                round: time.round,
                epoch: slot.epoch,
                key,
                copy: slot.copy,
                view: view_number,
            };
            self.renderer.render(view, picture, &sample, out)?;
        }
        Ok(())
    }

    fn report(&mut self, time: &Time, record: u32, failure: Failure) -> Option<DeadLetter> {
        let letter = DeadLetter {
            key: self.job.manifest.entries()[record as usize].key,
            place: self.job.manifest.place(record),
            stage: failure.stage,
            reason: failure.reason,
            bytes_hash: failure.bytes_hash,
            round: time.round,
        };
        tracing::debug!(place = letter.place, reason = letter.reason, "bad record");
        self.reported.insert(letter.key).then_some(letter)
    }
}

/// What is known about the samples of a slot: one row a view.
fn rows(job: &Job, time: &Time, slot: Slot) -> impl Iterator<Item = Row> {
    let key = job.manifest.entries()[slot.record as usize].key;
    let row = move |(view, _)| Row {
        record: slot.record,
        key,
        view,
        epoch: slot.epoch,
        copy: slot.copy,
        target: slot.target.clone(),
        labelled: slot.labelled,
    };
    job.views(time, slot.labelled).map(row)
}
