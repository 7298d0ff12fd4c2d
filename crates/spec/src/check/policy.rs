//! Augmentation policies.

use millstream_imageops::{Fill, LearnedPolicy, Step, Variant};

use super::steps::Context;
use crate::diagnostic::Code;
use crate::raw;

/// Magnitudes of torchvision's and DALI's RandAugment unless the pipeline says otherwise.
const BINS: u32 = 31;

pub(super) fn randaugment(context: &mut Context<'_, '_>, raw: &raw::RandAugment) -> Step {
    let variant = variant(raw.variant);
    let (timm, binned) = (is_timm(variant), is_binned(variant));
    if raw.deviation.is_some() && !timm {
        misplaced(context, "deviation", variant, "`timm` and `timm-inc`");
    }
    if raw.bins.is_some() && !binned {
        misplaced(context, "bins", variant, "`torchvision` and `dali`");
    }
    let bins = raw.bins.unwrap_or(BINS);
    magnitude(context, raw.magnitude, variant, bins);
    Step::RandAugment {
        variant,
        ops: raw.ops,
        magnitude: raw.magnitude as f32,
        deviation: raw.deviation.unwrap_or(0.0) as f32,
        bins,
        p: raw.p.unwrap_or(if timm { 0.5 } else { 1.0 }) as f32,
        fill: raw.fill.map_or_else(|| default_fill(variant, context.defaults.mean), |fill| fill.0),
    }
}

/// Each variant has its own scale; where magnitudes are numbered there is nothing between them.
fn magnitude(context: &mut Context<'_, '_>, magnitude: f64, variant: Variant, bins: u32) {
    let most = match variant {
        Variant::Torchvision | Variant::Dali => bins.saturating_sub(1),
        Variant::Timm | Variant::TimmInc | Variant::Tf => 100,
        Variant::Fixmatch => 10,
    };
    let numbered = is_binned(variant);
    if magnitude <= f64::from(most) && (!numbered || magnitude.fract() == 0.0) {
        return;
    }
    let what = if numbered { format!(" with {bins} `bins` is a whole number of") } else { " is".to_string() };
    let message = format!("the `magnitude` of `{}`{what} 0 to {most}, but here it is {magnitude}", name(variant));
    let help = "one magnitude means something else in each variant: look at its scale";
    context.checker.error(&context.path.key("magnitude"), Code::OutOfRange, message, help);
}

/// A setting of other variants.
fn misplaced(context: &mut Context<'_, '_>, key: &str, variant: Variant, of: &str) {
    let message = format!("`{}` has no `{key}`", name(variant));
    let help = format!("remove it, or choose another `variant`: it is a setting of {of}");
    context.checker.key_error(&context.path.key(key), Code::Conflict, message, help);
}

/// What the originals fill with.
fn default_fill(variant: Variant, mean: Fill) -> Fill {
    match variant {
        Variant::Torchvision => [0; 3],
        Variant::Timm | Variant::TimmInc => mean,
        Variant::Tf | Variant::Dali | Variant::Fixmatch => [128; 3],
    }
}

fn is_timm(variant: Variant) -> bool {
    matches!(variant, Variant::Timm | Variant::TimmInc)
}

fn is_binned(variant: Variant) -> bool {
    matches!(variant, Variant::Torchvision | Variant::Dali)
}

fn variant(raw: raw::Variant) -> Variant {
    match raw {
        raw::Variant::Torchvision => Variant::Torchvision,
        raw::Variant::Timm => Variant::Timm,
        raw::Variant::TimmInc => Variant::TimmInc,
        raw::Variant::Tf => Variant::Tf,
        raw::Variant::Dali => Variant::Dali,
        raw::Variant::Fixmatch => Variant::Fixmatch,
    }
}

/// The word that a pipeline has for a variant.
fn name(variant: Variant) -> &'static str {
    match variant {
        Variant::Torchvision => "torchvision",
        Variant::Timm => "timm",
        Variant::TimmInc => "timm-inc",
        Variant::Tf => "tf",
        Variant::Dali => "dali",
        Variant::Fixmatch => "fixmatch",
    }
}

pub(super) fn auto_augment(raw: &raw::AutoAugment) -> Step {
    let policy = match raw.policy {
        raw::LearnedPolicy::ImageNet => LearnedPolicy::ImageNet,
        raw::LearnedPolicy::Cifar10 => LearnedPolicy::Cifar10,
        raw::LearnedPolicy::Svhn => LearnedPolicy::Svhn,
    };
    Step::AutoAugment { policy, fill: raw.fill.0 }
}

pub(super) fn augmix(raw: &raw::AugMix) -> Step {
    Step::AugMix {
        severity: raw.severity,
        width: raw.width,
        depth: raw.depth,
        alpha: raw.alpha as f32,
        all_ops: raw.all_ops,
        fill: raw.fill.0,
    }
}
