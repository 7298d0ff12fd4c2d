//! `mix`: CutMix and MixUp of the samples of a step, pixels and labels alike.

use std::ops::Range;
use std::sync::Arc;

use millstream_data::{Batch, Block, Mixed, Row, Target};
use millstream_imageops::{Area, How, Mix, MixKey, mix as mix_pixels, mix_targets};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use crate::job::{Job, MixJob};
use crate::pool::Pool;
use crate::ranks::Lane;
use crate::schedule::Pass;
use crate::time::Time;

/// Mixes the batches of rounds that ask for it. Samples with human labels and samples with pseudo-labels are mixed each
/// among themselves: the loss weighs the two apart.
pub(crate) fn mix<'scope>(
    batches: StreamVec<'scope, Time, Batch>,
    job: Arc<Job>,
    parts: Pool,
) -> StreamVec<'scope, Time, Batch> {
    if job.rounds.iter().all(|round| round.mix.is_none()) {
        return batches;
    }
    let rank = job.ranks.at(batches.scope().index()).unwrap_or_default();
    batches.unary(Pipeline, "Mix", move |_, _| {
        let lane = Lane { rank, ranks: job.ranks.count };
        let mut mixer = Mixer { job, parts, lane, plan: Vec::new(), scratch: Vec::new() };
        move |input, output| {
            input.for_each(|capability, batches| {
                let Some(capability) = capability.retain_least(0) else {
                    return;
                };
                batches.iter_mut().for_each(|batch| mixer.mix(capability.time(), batch));
                output.session(&capability).give_container(batches);
            });
        }
    })
}

struct Mixer {
    job: Arc<Job>,
    parts: Pool,
    /// What the rank keeps of the batch, of which it gets all: each may be mixed with each.
    lane: Lane,
    plan: Vec<Mix>,
    /// The pixels before mixing.
    scratch: Vec<u8>,
}

impl Mixer {
    fn mix(&mut self, time: &Time, batch: &mut Batch) {
        let job = Arc::clone(&self.job);
        let round = job.rounds.get(time.round as usize).filter(|_| Pass::of(time) == Pass::Train);
        let Some(settings) = round.and_then(|round| round.mix.as_ref()) else {
            return;
        };
        match settings.on_device {
            true => batch.mixing = (0..batch.rows.len() as u32).map(alone).collect(),
            false => self.join(batch),
        }
        let labelled = batch.rows.partition_point(|row| row.labelled);
        let others = if settings.unlabelled { labelled..batch.rows.len() } else { 0..0 };
        for (group, rows) in (0..).zip([0..labelled, others]) {
            self.mix_rows(&job, settings, time, group, batch, rows);
        }
        if self.lane != Lane::ALL {
            self.keep_own(batch);
        }
    }

    /// Takes out of a batch what other ranks train on.
    fn keep_own(&self, batch: &mut Batch) {
        let mut pixels = self.parts.take();
        pixels.clear();
        let own = (0..).zip(batch.images()).filter(|(at, _)| self.lane.has(*at));
        own.for_each(|(_, image)| pixels.extend_from_slice(image));
        batch.blocks.drain(..).for_each(|block| self.parts.give(block.0));
        batch.blocks.push(Block(pixels));
        let mut rows = 0..;
        batch.rows.retain(|_| rows.next().is_some_and(|at| self.lane.has(at)));
    }

    /// Brings the pixels of all workers into one block.
    fn join(&self, batch: &mut Batch) {
        if batch.blocks.len() < 2 {
            return;
        }
        let mut whole = self.parts.take();
        whole.clear();
        for block in batch.blocks.drain(..) {
            whole.extend_from_slice(&block.0);
            self.parts.give(block.0);
        }
        batch.blocks.push(Block(whole));
    }

    fn mix_rows(
        &mut self,
        job: &Job,
        settings: &MixJob,
        time: &Time,
        group: u32,
        batch: &mut Batch,
        rows: Range<usize>,
    ) {
        let shape = (batch.shape.height, batch.shape.width, batch.shape.channels);
        let key = MixKey { seed: job.seed, round: time.round, epoch: time.epoch, step: u64::from(time.step), group };
        settings.mixing.draw(rows.len() as u32, (shape.1, shape.0), &key, &mut self.plan);
        if settings.on_device {
            let first = rows.start as u32;
            batch.mixing[rows.clone()].iter_mut().zip(&self.plan).for_each(|(to, mix)| *to = mixed(mix, first));
        } else if let Some(block) = batch.blocks.first_mut() {
            let bytes = batch.shape.bytes();
            let pixels = &mut block.0[rows.start * bytes..rows.end * bytes];
            if let Err(error) = mix_pixels(pixels, shape, &self.plan, &mut self.scratch) {
                // The plan was drawn for just these pixels.
                tracing::error!(%error, "a batch was not mixed");
                return;
            }
        }
        mix_labels(&mut batch.rows[rows], &self.plan, job.classes.len(), settings.smoothing);
    }
}

/// A row that stays as it is.
fn alone(row: u32) -> Mixed {
    Mixed { partner: row, keep: 1 << 16, area: [0; 4] }
}

/// What a plan for the rows from `first` on says of one of them.
fn mixed(mix: &Mix, first: u32) -> Mixed {
    let partner = first + mix.partner;
    match mix.how {
        How::Not => Mixed { partner, ..alone(0) },
        How::Blend => Mixed { partner, keep: mix.keep_in_65536ths(), area: [0; 4] },
        How::Cut(Area { left, top, width, height }) => {
            let [left, top] = [left, top].map(|side| u32::try_from(side).unwrap_or(0));
            Mixed { partner, keep: 1 << 16, area: [left, top, left + width, top + height] }
        }
    }
}

/// Gives each mixed row the label that its pixels have now. A row whose own or whose partner's label nobody knows keeps
/// its own.
fn mix_labels(rows: &mut [Row], plan: &[Mix], classes: usize, smoothing: f32) {
    let before: Vec<Option<Vec<f32>>> = rows.iter().map(|row| distribution(&row.target, classes, smoothing)).collect();
    for ((row, own), mix) in rows.iter_mut().zip(&before).zip(plan) {
        if let (Some(own), Some(Some(partner)), false) =
            (own, before.get(mix.partner as usize), matches!(mix.how, How::Not))
        {
            let mut mixed = Vec::with_capacity(classes);
            mix_targets(own, partner, mix.keep, &mut mixed);
            row.target = Target::Soft(mixed);
        }
    }
}

/// A label as a distribution, as the loss would see it.
fn distribution(target: &Target, classes: usize, smoothing: f32) -> Option<Vec<f32>> {
    match target {
        Target::None => None,
        Target::Soft(distribution) => Some(distribution.clone()),
        Target::Hard(class) => {
            let mut spread = vec![smoothing / classes as f32; classes];
            *spread.get_mut(*class as usize)? += 1.0 - smoothing;
            Some(spread)
        }
    }
}
