//! `measure`: decodes each record, takes its measures, and lets the image go.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millstream_data::{DataError, Fingerprint, Key, Payload};
use millstream_imageops::{
    Filter, Image, ImageError, Moments, Options, PHASH_SIDE, Renderer, SampleKey, Step, View, phash, sharpness,
};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use super::ledger::Share;
use super::{At, BATCH, Broken, Examine, Look, MEAN_SIDE};
use crate::bulk::read::{Fetched, Piece};
use crate::bulk::{BulkEvent, Failure, number};
use crate::operators::prepare::picture;
use crate::relabel::look;
use crate::stop::StopReason;
use crate::time::Time;

/// How long records are measured before the other operators of the worker get their turn.
const TURN: Duration = Duration::from_millis(1);
/// Sharpness is that of the image with a longer side of so many pixels, if it is larger.
const SHARP_SIDE: u32 = 256;
/// A larger buffer is given back: one huge image must not hold its memory for the rest of the job.
const KEEP: usize = 64 << 20;

/// Measures steps, and emits what came of each turn at its end.
pub(super) fn measure<'scope>(
    pieces: StreamVec<'scope, Time, Piece>,
    job: &Arc<Examine>,
) -> StreamVec<'scope, Time, Share> {
    let (scope, job) = (pieces.scope(), Arc::clone(job));
    let place = |piece: &Piece| number(piece.turn, piece.step);
    pieces.unary_frontier(Exchange::new(place), "Measure", move |_, info| {
        let activator = scope.activator_for(info.address);
        let mut turns: BTreeMap<u32, Turn> = BTreeMap::new();
        let mut eye = Eye::new().map_err(|error| job.intake.stop.set(StopReason::Failed(error.to_string()))).ok();
        move |(input, no_piece_before), output| {
            input.for_each(|capability, pieces| {
                let Some(capability) = capability.retain_least(0) else { return };
                let end = Time::end_of(capability.time().round);
                let turn = turns.entry(end.round).or_insert_with(|| Turn::new(capability.delayed(&end)));
                turn.waiting.extend(pieces.drain(..));
            });
            let begun = Instant::now();
            while begun.elapsed() < TURN
                && let Some(eye) = &mut eye
                && let Some(turn) = turns.values_mut().find(|turn| !turn.waiting.is_empty())
            {
                if let Err(error) = turn.work(&job, eye) {
                    job.intake.stop.set(StopReason::Failed(error.to_string()));
                }
            }
            while let Some(turn) = turns.first_entry()
                && turn.get().waiting.is_empty()
                && !no_piece_before.less_equal(&Time::end_of(*turn.key()))
            {
                let Turn { capability, share, .. } = turn.remove();
                output.session(&capability).give(share);
            }
            if turns.values().any(|turn| !turn.waiting.is_empty()) {
                activator.activate();
            }
        }
    })
}

/// What this worker has of a shard.
struct Turn {
    capability: Capability<Time>,
    waiting: VecDeque<Piece>,
    share: Share,
    /// Records of the piece at hand that are through, and what of them is to be told.
    done: u32,
    told: (u64, u64, u64),
}

impl Turn {
    fn new(capability: Capability<Time>) -> Self {
        let (waiting, done, told) = Default::default();
        Turn { share: Share::new(capability.time().round), capability, waiting, done, told }
    }

    /// Measures the next record.
    fn work(&mut self, job: &Examine, eye: &mut Eye) -> Result<(), DataError> {
        let Some(piece) = self.waiting.front_mut() else { return Ok(()) };
        let (turn, step, room, last) = (piece.turn, piece.step, piece.room, piece.last);
        let record = piece.records.pop_front();
        let through = piece.records.is_empty();
        if let Some(record) = record {
            // Steps of a shard are whole but for the last, and a step is at one worker.
            let index = step.saturating_mul(BATCH as u32).saturating_add(self.done);
            let at = At { split: job.split, turn, index };
            self.done += 1;
            self.told.0 += 1;
            self.told.2 += record.payload.as_ref().map_or(0, |payload| payload.bytes().len() as u64);
            if !self.record(job, eye, at, record)? {
                self.told.1 += 1;
            }
        }
        if through {
            self.waiting.pop_front();
            job.intake.gates.bytes.leave(room);
        }
        if through && last {
            let (records, errors, bytes) = std::mem::take(&mut self.told);
            self.done = 0;
            job.intake.gates.steps.leave(1);
            (job.intake.events)(BulkEvent::Labelled { records, errors, bytes });
        }
        Ok(())
    }

    /// Whether the record can be used.
    fn record(&mut self, job: &Examine, eye: &mut Eye, at: At, record: Fetched) -> Result<bool, DataError> {
        let Fetched { key, place, label, payload } = record;
        let seen = payload.and_then(|payload| {
            let seen = eye.see(&payload).map_err(|error| Failure::of_image(&error))?;
            Ok((seen, Key::of_content(payload.bytes())))
        });
        let (seen, content) = match seen {
            Ok(seen) => seen,
            Err(failure) => {
                self.share.broken.push(Broken { at, key, place, label, failure });
                return Ok(false);
            }
        };
        let spilled = job.ledger.spill(&eye.gray, &place)?;
        self.share.sums.add(&seen.moments, label.as_ref(), &eye.small);
        let look = Look {
            at,
            key,
            print: Fingerprint { content, perceptual: phash(&eye.gray) },
            label: label.map(|label| self.share.number(label)),
            width: seen.size.0,
            height: seen.size.1,
            brightness: brightness(&seen.moments),
            sharpness: seen.sharpness,
            gray: seen.moments.gray,
            spilled,
        };
        self.share.looks.push(look);
        Ok(true)
    }
}

fn brightness(moments: &Moments) -> f32 {
    let sum: u64 = moments.sums.iter().sum();
    (sum as f64 / (3 * moments.pixels.max(1)) as f64) as f32
}

/// What images are looked at with.
struct Eye {
    renderer: Renderer,
    whole: Image,
    fine: Image,
    /// The image as it is, in RGB; what is hashed; what mean images are of.
    views: [View; 3],
    gray: [u8; PHASH_SIDE * PHASH_SIDE],
    small: Vec<u8>,
}

/// What was seen of an image.
struct Seen {
    size: (u16, u16),
    moments: Moments,
    sharpness: f32,
}

impl Eye {
    fn new() -> Result<Self, ImageError> {
        let side = MEAN_SIDE as u32;
        let views = [View::of_any_size(Vec::new(), 3)?, look()?, View::new(Vec::new(), (side, side, 3))?];
        Ok(Eye {
            renderer: Renderer::new(Options { intact: true, ..Options::default() }),
            whole: Image::default(),
            fine: Image::default(),
            views,
            gray: [0; PHASH_SIDE * PHASH_SIDE],
            small: vec![0; MEAN_SIDE * MEAN_SIDE * 3],
        })
    }

    /// Decodes a whole image. `gray` and `small` are then of it.
    fn see(&mut self, payload: &Payload) -> Result<Seen, ImageError> {
        if self.whole.pixels.capacity() > KEEP {
            self.whole = Image::default();
        }
        let sample = SampleKey { seed: 0, round: 0, epoch: 0, key: 0, copy: 0, view: 0 };
        let [as_it_is, hashed, mean] = &self.views;
        self.renderer.render_image(as_it_is, picture(payload), &sample, &mut self.whole)?;
        let whole = self.whole.picture();
        self.renderer.render(hashed, whole, &sample, &mut self.gray)?;
        self.renderer.render(mean, whole, &sample, &mut self.small)?;
        let fine = View::of_any_size(shrunk(self.whole.width, self.whole.height), 1)?;
        self.renderer.render_image(&fine, whole, &sample, &mut self.fine)?;
        let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
        Ok(Seen {
            size: (side(self.whole.width), side(self.whole.height)),
            moments: Moments::of(&self.whole),
            sharpness: sharpness(&self.fine)? as f32,
        })
    }
}

/// The step that brings an image to the scale of sharpness, if it is larger.
fn shrunk(width: u32, height: u32) -> Vec<Step> {
    let longer = width.max(height);
    let scaled = |side: u32| (u64::from(side) * u64::from(SHARP_SIDE) / u64::from(longer.max(1))).max(1) as u32;
    let step = Step::Resize { width: scaled(width), height: scaled(height), filter: Filter::Bilinear };
    if longer > SHARP_SIDE { vec![step] } else { Vec::new() }
}
