use super::*;
use crate::{Area, Fill, Filter, LearnedPolicy, Op, Sampling};

const FILL: Fill = [0; 3];

fn augment(variant: Variant, magnitude: f32, deviation: f32, bins: u32) -> Step {
    Step::RandAugment { variant, ops: 2, magnitude, deviation, bins, p: 1.0, fill: FILL }
}

fn erasing(scale: (f32, f32), ratio: (f32, f32), p: f32) -> Step {
    Step::RandomErasing { scale, ratio, noise: false, fill: FILL, p }
}

fn augmix(severity: u32, depth: Option<u32>, alpha: f32) -> Step {
    Step::AugMix { severity, width: 3, depth, alpha, all_ops: true, fill: FILL }
}

fn jitter(brightness: f32, hue: f32) -> Step {
    Step::ColorJitter { brightness, contrast: 0.0, saturation: 0.0, hue }
}

fn apply(op: Op, p: f32) -> Step {
    Step::Apply { op, fill: FILL, p }
}

#[test]
fn usual_and_extreme_arguments_pass() {
    let crop =
        |scale| Step::RandomResizedCrop { scale, ratio: (0.75, 1.33), height: 8, width: 8, filter: Filter::Nearest };
    let steps = [
        crop((0.08, 1.0)),
        crop((1.0, 1.0)),
        Step::FiveCrop { height: 1, width: 65_535 },
        augment(Variant::Torchvision, 30.0, 0.0, 31),
        augment(Variant::Dali, 0.0, 0.0, 2),
        augment(Variant::Timm, 9.0, 0.5, 0),
        augment(Variant::TimmInc, 9.5, f32::INFINITY, 0),
        augment(Variant::Tf, 27.0, 0.0, 0),
        augment(Variant::Fixmatch, 10.0, 0.0, 0),
        Step::TrivialAugmentWide { bins: 1001, fill: FILL },
        Step::AutoAugment { policy: LearnedPolicy::Svhn, fill: FILL },
        augmix(10, Some(10), 0.1),
        augmix(1, None, 1.0),
        jitter(0.0, 0.5),
        Step::RandomBlur { sigma: (0.1, 2.0), p: 0.5 },
        Step::RandomNoise { sigma: 10.0, p: 1.0 },
        Step::Cutout { size: 16, fill: FILL, p: 1.0 },
        erasing((0.0, 0.33), (0.3, 3.3), 0.5),
        apply(Op::Identity, 0.0),
    ];
    for step in steps {
        assert_eq!(step.check("step 1"), Ok(()), "{step:?}");
    }
}

#[test]
fn arguments_out_of_range_are_refused_with_their_step() {
    let nan = f32::NAN;
    let many = Step::RandAugment {
        variant: Variant::Tf,
        ops: 65,
        magnitude: 1.0,
        deviation: 0.0,
        bins: 31,
        p: 1.0,
        fill: FILL,
    };
    let affine = |degrees, shear, translate| Step::RandomAffine {
        degrees,
        shear,
        translate,
        sampling: Sampling::Nearest,
        fill: FILL,
    };
    let steps = [
        augment(Variant::Torchvision, 31.0, 0.0, 31),
        augment(Variant::Torchvision, 9.5, 0.0, 31),
        augment(Variant::Torchvision, 9.0, 0.5, 31),
        augment(Variant::Dali, 0.0, 0.0, 1),
        augment(Variant::Dali, nan, 0.0, 31),
        augment(Variant::Timm, nan, 0.5, 0),
        augment(Variant::Timm, 9.0, -0.5, 0),
        augment(Variant::Tf, 101.0, 0.0, 0),
        augment(Variant::Fixmatch, 10.5, 0.0, 0),
        many,
        affine(181.0, 0.0, 0.0),
        affine(0.0, nan, 0.0),
        Step::TrivialAugmentWide { bins: 1, fill: FILL },
        augmix(0, None, 1.0),
        augmix(11, None, 1.0),
        augmix(3, Some(0), 1.0),
        augmix(3, None, 0.0),
        jitter(-0.1, 0.0),
        jitter(nan, 0.0),
        jitter(0.0, 0.51),
        Step::RandomBlur { sigma: (2.0, 1.0), p: 0.5 },
        Step::RandomBlur { sigma: (0.1, 2.0), p: 1.1 },
        Step::RandomNoise { sigma: nan, p: 1.0 },
        Step::Cutout { size: 0, fill: FILL, p: 1.0 },
        Step::Cutout { size: 4, fill: FILL, p: nan },
        erasing((0.3, 0.2), (0.3, 3.3), 0.5),
        erasing((0.1, 1.1), (0.3, 3.3), 0.5),
        erasing((0.1, 0.2), (0.0, 3.3), 0.5),
        erasing((0.1, 0.2), (0.3, 3.3), -0.5),
        Step::FiveCrop { height: 0, width: 4 },
        Step::PadCrop { pad: 40_000, fill: FILL },
        apply(Op::Identity, nan),
        apply(Op::Crop(Area { left: 0, top: 0, width: 0, height: 1 }), 1.0),
    ];
    for step in steps {
        let error = step.check("step 3").expect_err(&format!("{step:?}")).to_string();
        assert!(error.starts_with(&format!("step 3: {} is ", step.name())), "{error}");
    }
}
