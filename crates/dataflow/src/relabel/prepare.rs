//! `prepare`: records to the pixels of a batch, each step whole at one worker.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millstream_data::{Block, Fingerprint, Key};
use millstream_imageops::{ImageError, Options, PHASH_SIDE, Picture, Renderer, SampleKey, phash};
use serde::{Deserialize, Serialize};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use super::{Failure, Known, Relabel};
use crate::bulk::number;
use crate::bulk::read::{Fetched, Piece};
use crate::operators::prepare::picture;
use crate::time::Time;

/// How long records are prepared before the other operators of the worker get their turn.
const TURN: Duration = Duration::from_millis(1);

/// A step that the model is to be asked about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Prepared {
    /// Its turn and its step in one, which says at whose model it is.
    pub(super) number: u64,
    pub(super) records: Vec<Known>,
    /// The pixels of those without a failure.
    pub(super) pixels: Block,
    /// Bytes that were read for them.
    pub(super) bytes: u64,
}

/// Renders the records of each step with the view of the job.
pub(super) fn prepare<'scope>(
    pieces: StreamVec<'scope, Time, Piece>,
    job: &Arc<Relabel>,
) -> StreamVec<'scope, Time, Prepared> {
    let (scope, job) = (pieces.scope(), Arc::clone(job));
    let place = |piece: &Piece| number(piece.turn, piece.step);
    pieces.unary(Exchange::new(place), "Prepare", move |_, info| {
        let activator = scope.activator_for(info.address);
        let mut steps: BTreeMap<Time, Step> = BTreeMap::new();
        let mut renderer = Renderer::new(Options::default());
        move |input, output| {
            input.for_each(|capability, pieces| {
                let Some(capability) = capability.retain_least(0) else { return };
                let time = *capability.time();
                // What one worker sends to another comes in the order in which it was sent.
                steps.entry(time).or_insert_with(|| Step::new(capability)).waiting.extend(pieces.drain(..));
            });
            let begun = Instant::now();
            while begun.elapsed() < TURN
                && let Some((time, step)) = steps.iter_mut().find(|(_, step)| !step.waiting.is_empty())
            {
                let time = *time;
                if step.work(&job, &mut renderer)
                    && let Some(step) = steps.remove(&time)
                {
                    let (capability, prepared) = step.close(&job);
                    output.session(&capability).give(prepared);
                    break;
                }
            }
            if steps.values().any(|step| !step.waiting.is_empty()) {
                activator.activate();
            }
        }
    })
}

/// A step that is being made.
struct Step {
    capability: Capability<Time>,
    waiting: VecDeque<Piece>,
    records: Vec<Known>,
    pixels: Vec<u8>,
    /// Images in it.
    images: usize,
    bytes: u64,
}

impl Step {
    fn new(capability: Capability<Time>) -> Self {
        let (waiting, records, pixels) = Default::default();
        Step { capability, waiting, records, pixels, images: 0, bytes: 0 }
    }

    /// Renders the next record. Whether the step is complete.
    fn work(&mut self, job: &Relabel, renderer: &mut Renderer) -> bool {
        let Some(piece) = self.waiting.front_mut() else { return false };
        let (record, room, last) = (piece.records.pop_front(), piece.room, piece.last);
        let through = piece.records.is_empty();
        if let Some(record) = record {
            self.render(job, renderer, record);
        }
        if through {
            self.waiting.pop_front();
            job.intake.gates.bytes.leave(room);
        }
        through && last
    }

    fn render(&mut self, job: &Relabel, renderer: &mut Renderer, record: Fetched) {
        let bytes = job.shape.bytes();
        if self.pixels.is_empty() {
            self.pixels = job.pixels.take();
            self.pixels.resize(job.intake.batch * bytes, 0);
        }
        let Fetched { key, place, label, payload } = record;
        let rendered = payload.and_then(|payload| {
            self.bytes += payload.bytes().len() as u64;
            // A failed record leaves no gap: the next one takes its place.
            let out = &mut self.pixels[self.images * bytes..][..bytes];
            let sample = SampleKey { seed: 0, round: 0, epoch: 0, key: key.0, copy: 0, view: 0 };
            let look =
                rendered(job, renderer, picture(&payload), &sample, out).map_err(|error| Failure::of_image(&error))?;
            Ok(look.map(|perceptual| Fingerprint { content: Key::of_content(payload.bytes()), perceptual }))
        });
        self.images += usize::from(rendered.is_ok());
        let (fingerprint, failure) = match rendered {
            Ok(fingerprint) => (fingerprint, None),
            Err(failure) => (None, Some(failure)),
        };
        self.records.push(Known { key, place, label, fingerprint, failure });
    }

    fn close(mut self, job: &Relabel) -> (Capability<Time>, Prepared) {
        self.pixels.truncate(self.images * job.shape.bytes());
        let Step { capability, records, pixels, bytes, .. } = self;
        let number = number(capability.time().round, capability.time().step);
        (capability, Prepared { number, records, pixels: Block(pixels), bytes })
    }
}

/// Renders the view of the job; and the perceptual hash of the image, if there is to be one.
fn rendered(
    job: &Relabel,
    renderer: &mut Renderer,
    picture: Picture<'_>,
    sample: &SampleKey,
    out: &mut [u8],
) -> Result<Option<u64>, ImageError> {
    let Some(look) = &job.look else {
        return renderer.render(&job.view, picture, sample, out).map(|()| None);
    };
    let mut gray = [0; PHASH_SIDE * PHASH_SIDE];
    renderer.render_each(picture, sample, &mut [(&job.view, out), (look, &mut gray)])?;
    Ok(Some(phash(&gray)))
}
