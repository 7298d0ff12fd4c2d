//! The steps of a view.

use millstream_imageops::{Fill, Filter, Op, Sampling, Step};

use super::stream::check_area;
use super::{Checker, op, policy};
use crate::diagnostic::Code;
use crate::raw;
use crate::yaml::Path;

/// What steps take from the stream where they do not say it themselves.
pub(crate) struct Defaults {
    /// Height and width of a sample; none where there is no stream.
    pub(crate) size: Option<(u32, u32)>,
    /// The mean pixel.
    pub(crate) mean: Fill,
}

/// Builds the steps of a list.
pub(crate) fn view(checker: &mut Checker<'_>, path: &Path, raw: &[raw::Step], defaults: &Defaults) -> Vec<Step> {
    let steps = raw.iter().enumerate();
    steps.map(|(position, raw)| step(checker, &path.item(position), raw, defaults)).collect()
}

/// Builds the step at a path.
pub(crate) fn step(checker: &mut Checker<'_>, path: &Path, raw: &raw::Step, defaults: &Defaults) -> Step {
    match raw {
        raw::Step::Op(raw) => Step::Apply { op: op::op(checker, path, raw), fill: [0; 3], p: 1.0 },
        raw::Step::Kind(kind) => {
            let path = path.key(kind.name());
            kind_of_step(&mut Context { checker, path: &path, defaults }, kind)
        }
    }
}

/// Where a step is and what it may take from outside.
pub(super) struct Context<'a, 'c> {
    pub(super) checker: &'a mut Checker<'c>,
    pub(super) path: &'a Path,
    pub(super) defaults: &'a Defaults,
}

fn kind_of_step(context: &mut Context<'_, '_>, kind: &raw::Kind) -> Step {
    match kind {
        raw::Kind::Resize(raw) => {
            let (height, width) = context.sized(raw.size);
            Step::Resize { height, width, filter: filter(raw.filter) }
        }
        raw::Kind::ResizeShort(raw) => Step::ResizeShort { size: context.short(raw.size), filter: filter(raw.filter) },
        raw::Kind::RandomResizedCrop(raw) => {
            let (height, width) = context.sized(raw.size);
            let (scale, ratio) = (context.span("scale", raw.scale), context.span("ratio", raw.ratio));
            Step::RandomResizedCrop { scale, ratio, height, width, filter: filter(raw.filter) }
        }
        raw::Kind::CenterCrop(raw) => {
            let (height, width) = context.sized(raw.size);
            Step::CenterCrop { height, width }
        }
        raw::Kind::FiveCrop(raw) => {
            let (height, width) = context.sized(raw.size);
            Step::FiveCrop { height, width }
        }
        raw::Kind::PadCrop(raw) => Step::PadCrop { pad: raw.pad, fill: raw.fill.0 },
        raw::Kind::Flip(raw) => {
            Step::RandomFlip { horizontal: raw.direction == raw::Direction::Horizontal, p: raw.p as f32 }
        }
        raw::Kind::Affine(raw) => affine(raw),
        raw::Kind::Randaugment(raw) => policy::randaugment(context, raw),
        raw::Kind::TrivialAugmentWide(raw) => Step::TrivialAugmentWide { bins: raw.bins, fill: raw.fill.0 },
        raw::Kind::AutoAugment(raw) => policy::auto_augment(raw),
        raw::Kind::Augmix(raw) => policy::augmix(raw),
        raw::Kind::ColorJitter(raw) => color_jitter(raw),
        raw::Kind::GaussianBlur(raw) => gaussian_blur(context, &raw.0),
        raw::Kind::GaussianNoise(raw) => Step::RandomNoise { sigma: raw.sigma as f32, p: raw.p as f32 },
        raw::Kind::Cutout(raw) => Step::Cutout { size: raw.0.size, fill: raw.0.fill.0, p: raw.0.p as f32 },
        raw::Kind::RandomErasing(raw) => random_erasing(context, raw),
        raw::Kind::Apply(raw) => {
            let op = op::op(context.checker, &context.path.key("op"), &raw.op);
            Step::Apply { op, fill: raw.fill.0, p: raw.p as f32 }
        }
    }
}

impl Context<'_, '_> {
    /// The size that is written, or the one of the stream.
    fn sized(&mut self, written: Option<[raw::Side; 2]>) -> (u32, u32) {
        let Some([height, width]) = written else {
            return self.stream_size("[224, 224]");
        };
        check_area(self.checker, &self.path.key("size"), (height.0, width.0));
        (height.0, width.0)
    }

    /// The shorter side that is written, or the one of the stream.
    fn short(&mut self, written: Option<raw::Side>) -> u32 {
        let side = written.map(|side| side.0).unwrap_or_else(|| {
            let (height, width) = self.stream_size("224");
            height.min(width)
        });
        check_area(self.checker, &self.path.key("size"), (side, side));
        side
    }

    /// The size of the stream; `example` is what could be written instead.
    fn stream_size(&mut self, example: &str) -> (u32, u32) {
        self.defaults.size.unwrap_or_else(|| {
            let message = "the step needs a `size`: there is no `stream.size` here that it could take";
            let help = format!("give one: {{ size: {example} }}");
            self.checker.error(self.path, Code::Missing, message, help);
            (1, 1)
        })
    }

    /// A range, smallest number first.
    fn span(&mut self, key: &str, [low, high]: [f64; 2]) -> (f32, f32) {
        if low > high {
            let message = format!("`{key}` goes from {low} down to {high}");
            self.checker.error(&self.path.key(key), Code::OutOfRange, message, format!("write [{high}, {low}]"));
        }
        (low as f32, high as f32)
    }
}

fn affine(raw: &raw::Affine) -> Step {
    Step::RandomAffine {
        degrees: raw.degrees as f32,
        shear: raw.shear as f32,
        translate: raw.translate as f32,
        sampling: sampling(raw.sampling),
        fill: raw.fill.0,
    }
}

fn color_jitter(raw: &raw::ColorJitter) -> Step {
    Step::ColorJitter {
        brightness: raw.brightness as f32,
        contrast: raw.contrast as f32,
        saturation: raw.saturation as f32,
        hue: raw.hue as f32,
    }
}

/// A blur of one radius is an op with nothing random in it but whether it comes.
fn gaussian_blur(context: &mut Context<'_, '_>, raw: &raw::GaussianBlur) -> Step {
    let (sigma, p) = (context.span("sigma", raw.sigma), raw.p as f32);
    if sigma.0 == sigma.1 {
        return Step::Apply { op: Op::GaussianBlur(sigma.0), fill: [0; 3], p };
    }
    Step::RandomBlur { sigma, p }
}

fn random_erasing(context: &mut Context<'_, '_>, raw: &raw::RandomErasing) -> Step {
    Step::RandomErasing {
        scale: context.span("scale", raw.scale),
        ratio: context.span("ratio", raw.ratio),
        noise: raw.noise,
        fill: raw.fill.0,
        p: raw.p as f32,
    }
}

fn filter(raw: raw::Filter) -> Filter {
    match raw {
        raw::Filter::Nearest => Filter::Nearest,
        raw::Filter::Bilinear => Filter::Bilinear,
        raw::Filter::Bicubic => Filter::Bicubic,
        raw::Filter::Lanczos => Filter::Lanczos,
    }
}

fn sampling(raw: raw::Sampling) -> Sampling {
    match raw {
        raw::Sampling::Nearest => Sampling::Nearest,
        raw::Sampling::Bilinear => Sampling::Bilinear,
        raw::Sampling::Bicubic => Sampling::Bicubic,
    }
}
