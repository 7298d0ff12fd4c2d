use super::*;
use crate::{LearnedPolicy, Rng, SampleKey, Variant};
use proptest::prelude::*;

const GRAY: Fill = [128; 3];

fn resolve_view(step: &Step, size: Size, key: u128, view: u8) -> Vec<Op> {
    let mut rng = Rng::new(&SampleKey { seed: 1, round: 0, epoch: 0, key, copy: 0, view }, 0);
    let mut ops = Vec::new();
    step.resolve(size, view, &mut rng, |op| ops.push(op));
    ops
}

fn resolve(step: &Step, size: Size, key: u128) -> Vec<Op> {
    resolve_view(step, size, key, 0)
}

/// The ops of many samples of 100 x 60 pixels.
fn many(step: &Step, n: u128) -> Vec<Vec<Op>> {
    (0..n).map(|key| resolve(step, (100, 60), key)).collect()
}

fn erased(ops: &[Op]) -> Option<Area> {
    match ops {
        [Op::Erase { area, .. }] => Some(*area),
        _ => None,
    }
}

#[test]
fn five_crop_takes_the_corners_and_the_middle_by_view() {
    let crops = |size: Size, window: Size| -> Vec<(i32, i32)> {
        let step = Step::FiveCrop { width: window.0, height: window.1 };
        (0..6)
            .map(|view| match resolve_view(&step, size, 0, view)[..] {
                [Op::Crop(area)] if (area.width, area.height) == window => (area.left, area.top),
                ref ops => panic!("{ops:?}"),
            })
            .collect()
    };
    assert_eq!(crops((100, 60), (40, 20)), [(0, 0), (60, 0), (0, 40), (60, 40), (30, 20), (0, 0)]);
    assert_eq!(crops((10, 10), (14, 10))[4], (-2, 0));
}

#[test]
fn color_jitter_has_its_ranges_and_every_order() {
    let step = Step::ColorJitter { brightness: 0.4, contrast: 0.3, saturation: 2.0, hue: 0.1 };
    let mut orders = std::collections::BTreeMap::new();
    let mut least = 1.0_f32;
    for ops in many(&step, 12_000) {
        for op in &ops {
            let good = match *op {
                Op::Brightness(f) => (0.6..=1.4).contains(&f),
                Op::Contrast(f) => (0.7..=1.3).contains(&f),
                Op::Color(f) => {
                    least = least.min(f);
                    (0.0..=3.0).contains(&f)
                }
                Op::Hue(turn) => (-0.1..=0.1).contains(&turn),
                _ => false,
            };
            assert!(good, "{op:?}");
        }
        let order: Vec<&str> = ops.iter().map(Op::name).collect();
        *orders.entry(order.join(" ")).or_insert(0) += 1;
    }
    assert!(orders.len() == 24 && orders.values().all(|n| (380..620).contains(n)), "{orders:?}");
    assert!(least < 0.01);
}

#[test]
fn color_jitter_leaves_out_what_is_zero() {
    let step = Step::ColorJitter { brightness: 0.0, contrast: 0.5, saturation: 0.0, hue: 0.0 };
    assert!(many(&step, 50).iter().all(|ops| matches!(ops[..], [Op::Contrast(_)])));
}

#[test]
fn erased_areas_lie_inside_and_have_the_shares_asked_for() {
    let step = Step::RandomErasing { scale: (0.1, 0.2), ratio: (0.5, 2.0), noise: false, fill: GRAY, p: 1.0 };
    let areas: Vec<Area> = many(&step, 2000).iter().filter_map(|ops| erased(ops)).collect();
    assert!(areas.len() > 1990);
    for area in &areas {
        let (w, h) = (f64::from(area.width), f64::from(area.height));
        assert!(area.left >= 0 && area.left as u32 + area.width <= 100);
        assert!(area.top >= 0 && area.top as u32 + area.height <= 60);
        assert!((0.094..0.207).contains(&(w * h / 6000.0)) && (0.47..2.13).contains(&(h / w)), "{area:?}");
    }
    assert!(areas.iter().any(|a| a.height > a.width) && areas.iter().any(|a| a.height < a.width));
}

/// The ratio is height / width: here every area is wide.
#[test]
fn the_ratio_of_erasing_is_height_by_width() {
    let step = Step::RandomErasing { scale: (0.1, 0.1), ratio: (0.3, 0.3), noise: true, fill: GRAY, p: 1.0 };
    let ops = many(&step, 100);
    assert!(ops.iter().all(|ops| erased(ops).is_some_and(|area| area.width > 3 * area.height - 4)));
    let seeds = ops.iter().flatten().filter_map(|op| match op {
        Op::Erase { with: Erasure::Noise { seed }, .. } => Some(*seed),
        _ => None,
    });
    assert_eq!(seeds.collect::<std::collections::BTreeSet<_>>().len(), 100);
}

#[test]
fn where_no_area_fits_nothing_is_erased() {
    let whole = Step::RandomErasing { scale: (1.0, 1.0), ratio: (1.0, 1.0), noise: false, fill: GRAY, p: 1.0 };
    let nothing = Step::RandomErasing { scale: (0.0, 0.0), ratio: (1.0, 1.0), noise: false, fill: GRAY, p: 1.0 };
    assert!(many(&whole, 20).iter().chain(&many(&nothing, 20)).all(Vec::is_empty));
}

#[test]
fn cutout_centres_on_every_pixel() {
    let areas: Vec<Area> =
        many(&Step::Cutout { size: 17, fill: GRAY, p: 1.0 }, 5000).iter().filter_map(|ops| erased(ops)).collect();
    assert_eq!(areas.len(), 5000);
    assert!(areas.iter().all(|a| (a.width, a.height) == (17, 17)));
    let range = |value: fn(&Area) -> i32| (areas.iter().map(value).min(), areas.iter().map(value).max());
    assert_eq!(range(|a| a.left), (Some(-8), Some(91)));
    assert_eq!(range(|a| a.top), (Some(-8), Some(51)));
}

#[test]
fn steps_with_a_probability_keep_it() {
    let steps = |p| {
        [
            Step::RandomFlip { horizontal: true, p },
            Step::RandomBlur { sigma: (0.1, 2.0), p },
            Step::RandomNoise { sigma: 5.0, p },
            Step::Cutout { size: 8, fill: GRAY, p },
            Step::RandomErasing { scale: (0.02, 0.33), ratio: (0.3, 3.3), noise: false, fill: GRAY, p },
            Step::Apply { op: Op::Invert, fill: GRAY, p },
        ]
    };
    let hits = |step: &Step| many(step, 2000).iter().filter(|ops| !ops.is_empty()).count();
    for (never, often) in steps(0.0).iter().zip(&steps(0.3)) {
        assert_eq!(hits(never), 0);
        assert!((520..680).contains(&hits(often)), "{often:?}: {}", hits(often));
    }
}

#[test]
fn blur_and_noise_draw_their_arguments() {
    for ops in many(&Step::RandomBlur { sigma: (0.5, 2.0), p: 1.0 }, 100) {
        assert!(matches!(ops[..], [Op::GaussianBlur(sigma)] if (0.5..=2.0).contains(&sigma)), "{ops:?}");
    }
    let noise = many(&Step::RandomNoise { sigma: 5.0, p: 1.0 }, 100);
    assert!(noise.iter().all(|ops| matches!(ops[..], [Op::GaussianNoise { sigma: 5.0, .. }])));
    assert_ne!(noise[0], noise[1]);
}

#[test]
fn affine_keeps_its_ranges_and_its_sampling() {
    let step =
        Step::RandomAffine { degrees: 10.0, shear: 0.2, translate: 5.0, sampling: Sampling::Bicubic, fill: GRAY };
    for ops in many(&step, 200) {
        let [Op::Affine { degrees, shear_x, shear_y, translate_x, translate_y, sampling: Sampling::Bicubic }] = ops[..]
        else {
            panic!("{ops:?}")
        };
        assert!(degrees.abs() <= 10.0 && shear_x.abs() <= 0.2 && shear_y.abs() <= 0.2);
        assert!(translate_x.abs() <= 5.0 && translate_y.abs() <= 5.0);
    }
}

fn augment(variant: Variant, ops: u32, magnitude: f32, p: f32) -> Step {
    Step::RandAugment { variant, ops, magnitude, deviation: 0.0, bins: 31, p, fill: GRAY }
}

#[test]
fn rand_augment_applies_each_op_with_its_probability() {
    let mean = |p| many(&augment(Variant::Timm, 4, 9.0, p), 2000).iter().map(Vec::len).sum::<usize>() as f64 / 2000.0;
    assert_eq!((mean(1.0), mean(0.0)), (4.0, 0.0));
    assert!((mean(0.5) - 2.0).abs() < 0.1);
}

#[test]
fn every_policy_resolves_and_passes_on_its_fill() {
    let steps = [
        augment(Variant::Tf, 2, 27.0, 1.0),
        Step::TrivialAugmentWide { bins: 31, fill: GRAY },
        Step::AutoAugment { policy: LearnedPolicy::Cifar10, fill: GRAY },
        Step::AugMix { severity: 3, width: 3, depth: None, alpha: 1.0, all_ops: true, fill: GRAY },
        Step::Cutout { size: 3, fill: GRAY, p: 1.0 },
        Step::RandomErasing { scale: (0.1, 0.2), ratio: (0.5, 2.0), noise: false, fill: GRAY, p: 1.0 },
        Step::Apply { op: Op::Identity, fill: GRAY, p: 1.0 },
    ];
    for step in steps {
        assert_eq!(step.fill(), GRAY);
        assert!(many(&step, 50).iter().any(|ops| !ops.is_empty()), "{step:?}");
    }
    assert_eq!(Step::RandomFlip { horizontal: true, p: 1.0 }.fill(), [0; 3]);
}

fn variants() -> impl Strategy<Value = Variant> {
    use Variant::{Dali, Fixmatch, Tf, Timm, TimmInc, Torchvision};
    prop::sample::select(vec![Torchvision, Timm, TimmInc, Tf, Dali, Fixmatch])
}

/// Checks an op and, in AugMix, the ops of its chains.
fn check(op: &Op) -> Result<(), crate::ImageError> {
    match op {
        Op::AugMix { chains, .. } => chains.iter().flat_map(|(_, ops)| ops).try_for_each(check),
        op => op.check("op"),
    }
}

proptest! {
    /// Whatever a checked step draws on an image of any shape is an op in range, and one that leaves the size alone.
    #[test]
    fn every_drawn_op_is_in_range(
        size in (1_u32..5000, 1_u32..5000), key: u128, variant in variants(), magnitude in 0_u8..=100,
        severity in 1_u32..=10, alpha in 1e-6_f32..1000.0, policy in 0_usize..3, deviation in 0.0_f32..200.0,
    ) {
        let magnitude = f32::from(magnitude) * if variant == Variant::Fixmatch { 0.1 } else { 1.0 };
        let deviation = if matches!(variant, Variant::Timm | Variant::TimmInc) { deviation } else { 0.0 };
        let policy = [LearnedPolicy::ImageNet, LearnedPolicy::Cifar10, LearnedPolicy::Svhn][policy];
        let steps = [
            Step::RandAugment { variant, ops: 8, magnitude, deviation, bins: 101, p: 1.0, fill: GRAY },
            Step::TrivialAugmentWide { bins: 31, fill: GRAY },
            Step::AutoAugment { policy, fill: GRAY },
            Step::AugMix { severity, width: 3, depth: None, alpha, all_ops: true, fill: GRAY },
            Step::ColorJitter { brightness: 99.0, contrast: 0.1, saturation: 1.0, hue: 0.5 },
            Step::RandomErasing { scale: (0.0, 1.0), ratio: (0.01, 100.0), noise: true, fill: GRAY, p: 1.0 },
            Step::Cutout { size: 500, fill: GRAY, p: 1.0 },
        ];
        for step in steps {
            prop_assert_eq!(step.check("step"), Ok(()));
            for op in resolve(&step, size, key) {
                prop_assert_eq!(check(&op), Ok(()), "{:?}", op);
                prop_assert_eq!(op.size_after(size), size);
            }
        }
    }
}
