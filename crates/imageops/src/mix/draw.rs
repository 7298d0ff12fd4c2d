//! The plan of a batch: who is mixed with whom, and how.

use super::{How, Mix, MixKey, Mixing, Per};
use crate::{Area, Rng, SampleKey};

/// Width and height in pixels.
type Size = (u32, u32);

/// Number of the stream that plans draw from. A view has far fewer steps, so no sample's stream is ever the same.
const STREAM: u32 = u32::MAX;

/// Parts of one whole in a share of MixUp.
pub(super) const WHOLE: f64 = 65_536.0;

impl Mixing {
    /// Makes the plan of a batch of `samples` images of `size` (width, height) into `plan`, which is cleared first.
    ///
    /// Partners are one random cycle through all samples (Sattolo's algorithm): every sample is the partner of one
    /// other and none its own. A batch of one is not mixed.
    pub fn draw(&self, samples: u32, size: Size, key: &MixKey, plan: &mut Vec<Mix>) {
        let mut rng = stream(key);
        plan.clear();
        plan.extend((0..samples).map(|partner| Mix { partner, keep: 1.0, how: How::Not }));
        rng.derange(plan);
        if samples < 2 {
            return;
        }
        match self.per {
            Per::Batch => {
                let (keep, how) = self.choose(size, &mut rng);
                plan.iter_mut().for_each(|mix| (mix.keep, mix.how) = (keep, how));
            }
            Per::Element => plan.iter_mut().for_each(|mix| (mix.keep, mix.how) = self.choose(size, &mut rng)),
        }
    }

    /// The share that a sample keeps, and how it is mixed.
    fn choose(&self, size: Size, rng: &mut Rng) -> (f32, How) {
        let cut = match (self.cutmix > 0.0, self.mixup > 0.0) {
            (true, true) => rng.coin(f64::from(self.switch)),
            (cut, _) => cut,
        };
        let alpha = f64::from(if cut { self.cutmix } else { self.mixup });
        if alpha == 0.0 || !rng.coin(f64::from(self.p)) {
            return (1.0, How::Not);
        }
        let keep = rng.beta(alpha, alpha);
        if cut { random_cut(size, keep, rng) } else { blend(keep) }
    }
}

fn stream(key: &MixKey) -> Rng {
    let &MixKey { seed, round, epoch, step, group } = key;
    let key = u128::from(group) << 64 | u128::from(step);
    Rng::new(&SampleKey { seed, round, epoch, key, copy: 0, view: 0 }, STREAM)
}

/// MixUp with a share of whole 65536ths: the label's weight is then exactly that of the pixels.
fn blend(keep: f64) -> (f32, How) {
    let keep = ((keep * WHOLE).round() / WHOLE) as f32;
    (keep, if keep < 1.0 { How::Blend } else { How::Not })
}

/// The box of CutMix about a random pixel.
fn random_cut(size: Size, keep: f64, rng: &mut Rng) -> (f32, How) {
    let centre = (rng.range(size.0), rng.range(size.1));
    cut(size, keep, centre)
}

/// The authors' box, whose sides are those of the image times sqrt(1 - keep), cut at the edges; and the share of the
/// image that really stays.
pub(super) fn cut(size: Size, keep: f64, centre: (u32, u32)) -> (f32, How) {
    let side = (1.0 - keep).sqrt();
    let span = |size: u32, centre: u32| {
        let half = (f64::from(size) * side) as u32 / 2;
        (centre.saturating_sub(half), centre.saturating_add(half).min(size))
    };
    let ((left, right), (top, bottom)) = (span(size.0, centre.0), span(size.1, centre.1));
    let (width, height) = (right.saturating_sub(left), bottom.saturating_sub(top));
    let (pasted, all) = (u64::from(width) * u64::from(height), u64::from(size.0) * u64::from(size.1));
    if pasted == 0 {
        return (1.0, How::Not);
    }
    let keep = ((all - pasted) as f64 / all as f64) as f32;
    (keep, How::Cut(Area { left: left as i32, top: top as i32, width, height }))
}
