//! What each op of a view costs: an image is rendered with the first op, with the first two and so on, and the difference counts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millstream_data::Payload;
use millstream_dataflow::{Job, RoundJob, picture};
use millstream_imageops::{Fill, Image, ImageError, Op, Picture, Renderer, SampleKey, Step, View};

use super::verdict::OpTime;

/// Images that are looked at, if there is time for so many.
const IMAGES: usize = 64;
/// How often each is rendered; the fastest counts, since nothing but other work makes one slower.
const TIMES: usize = 2;

/// The share of each op in preparing the images of a round, decoding included, the most expensive first. Images that cannot be read or
/// rendered are passed over.
pub(super) fn times(job: &Job, round: &RoundJob, budget: Duration) -> Vec<OpTime> {
    let begun = Instant::now();
    let mut bench = Bench { renderer: Renderer::new(job.decode), image: Image::default(), spent: BTreeMap::new() };
    let every = (job.labelled.len() / IMAGES).max(1);
    for record in job.labelled.iter().step_by(every).take(IMAGES) {
        let Ok(payload) = job.manifest.read(*record, Vec::new()) else { continue };
        let key = job.manifest.entries().get(*record as usize).map_or(0, |entry| entry.key.0);
        for (number, view) in (0..).zip(&round.views) {
            let sample = SampleKey { seed: job.seed, round: 0, epoch: 0, key, copy: 0, view: number };
            // A bad record is a dead letter of the stream, not of this measurement.
            let _ = bench.add(&view.view, &payload, &sample, job.shape.channels);
        }
        if begun.elapsed() > budget {
            break;
        }
    }
    bench.shares()
}

struct Bench {
    renderer: Renderer,
    image: Image,
    spent: BTreeMap<&'static str, Duration>,
}

impl Bench {
    /// Adds the ops of one sample.
    fn add(&mut self, view: &View, payload: &Payload, sample: &SampleKey, channels: u8) -> Result<(), ImageError> {
        let picture = picture(payload);
        self.renderer.render_image(view, picture, sample, &mut self.image)?;
        let ops = self.renderer.last_ops().to_vec();
        let mut before = Duration::ZERO;
        for count in 1..=ops.len() {
            let (rendering, decoding) = self.time(&ops[..count], picture, sample, channels)?;
            *self.spent.entry(ops[count - 1].0.name()).or_default() += rendering.saturating_sub(before);
            before = rendering;
            if count == ops.len() {
                *self.spent.entry("decode").or_default() += decoding;
            }
        }
        Ok(())
    }

    /// What these ops take, and what decoding for them does.
    fn time(
        &mut self,
        ops: &[(Op, Fill)],
        picture: Picture<'_>,
        sample: &SampleKey,
        channels: u8,
    ) -> Result<(Duration, Duration), ImageError> {
        let step = |(op, fill): &(Op, Fill)| Step::Apply { op: op.clone(), fill: *fill, p: 1.0 };
        let view = View::of_any_size(ops.iter().map(step).collect(), channels)?;
        let mut best = (Duration::MAX, Duration::MAX);
        for _ in 0..TIMES {
            self.renderer.take_decoding();
            let begun = Instant::now();
            self.renderer.render_image(&view, picture, sample, &mut self.image)?;
            let (all, decoding) = (begun.elapsed(), self.renderer.take_decoding());
            best = (best.0.min(all.saturating_sub(decoding)), best.1.min(decoding));
        }
        Ok(best)
    }

    fn shares(self) -> Vec<OpTime> {
        let all = self.spent.values().sum::<Duration>().as_secs_f64();
        let share = |time: Duration| if all > 0.0 { time.as_secs_f64() / all } else { 0.0 };
        let mut times: Vec<OpTime> =
            self.spent.iter().map(|(name, time)| OpTime { name: (*name).to_owned(), share: share(*time) }).collect();
        times.sort_by(|a, b| b.share.total_cmp(&a.share));
        times
    }
}
