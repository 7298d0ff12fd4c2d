use super::draw::cut;
use super::*;
use proptest::prelude::*;

const KEY: MixKey = MixKey { seed: 1, round: 0, epoch: 0, step: 0, group: 0 };
const BOTH: Mixing = Mixing { cutmix: 1.0, mixup: 0.8, p: 1.0, switch: 0.5, per: Per::Element };

fn plan(mixing: Mixing, samples: u32, key: &MixKey) -> Vec<Mix> {
    let mut plan = Vec::new();
    mixing.draw(samples, (224, 224), key, &mut plan);
    plan
}

fn edges(area: Area) -> (i32, i32, i32, i32) {
    (area.left, area.top, area.left + area.width as i32, area.top + area.height as i32)
}

/// Boxes of the authors' code at 224x224: centre, then left, top, right, bottom and the share that stays.
#[test]
fn boxes_are_those_of_the_authors() {
    let rows = [
        ((112, 112), (33, 33, 191, 191), 0.502_471),
        ((0, 0), (0, 0, 79, 79), 0.875_618),
        ((200, 40), (121, 0, 224, 119), 0.755_720),
    ];
    for (centre, expected, share) in rows {
        let (keep, How::Cut(area)) = cut((224, 224), 0.5, centre) else { panic!("no box at {centre:?}") };
        assert_eq!(edges(area), expected);
        assert!((keep - share).abs() < 1e-6, "{keep}");
    }
}

#[test]
fn a_box_of_nothing_does_not_mix_and_one_of_everything_leaves_nothing() {
    assert_eq!(cut((224, 224), 1.0, (3, 4)), (1.0, How::Not));
    assert_eq!(cut((224, 224), 0.99999, (3, 4)), (1.0, How::Not));
    let all = Area { left: 0, top: 0, width: 224, height: 224 };
    assert_eq!(cut((224, 224), 0.0, (112, 112)), (0.0, How::Cut(all)));
}

#[test]
fn partners_are_one_cycle_without_fixed_points() {
    for samples in [2, 3, 7, 256] {
        let plan = plan(BOTH, samples, &KEY);
        let mut at = 0;
        let mut seen = vec![false; samples as usize];
        for _ in 0..samples {
            assert_ne!(plan[at].partner as usize, at);
            seen[at] = true;
            at = plan[at].partner as usize;
        }
        assert!(at == 0 && seen.iter().all(|s| *s));
    }
}

#[test]
fn every_other_sample_is_as_likely_a_partner() {
    let mut counts = [0; 5];
    for step in 0..8000 {
        counts[plan(BOTH, 5, &MixKey { step, ..KEY })[2].partner as usize] += 1;
    }
    assert!(counts[2] == 0 && [0, 1, 3, 4].iter().all(|&n| (1850..2150).contains(&counts[n])), "{counts:?}");
}

#[test]
fn a_plan_is_a_function_of_its_key() {
    let first = plan(BOTH, 8, &KEY);
    assert_eq!(first, plan(BOTH, 8, &KEY));
    let others = [
        MixKey { seed: 2, ..KEY },
        MixKey { round: 1, ..KEY },
        MixKey { epoch: 1, ..KEY },
        MixKey { step: 1, ..KEY },
        MixKey { group: 1, ..KEY },
    ];
    assert!(others.iter().all(|key| plan(BOTH, 8, key) != first));
}

#[test]
fn one_sample_alone_stays_and_none_is_no_error() {
    assert_eq!(plan(BOTH, 1, &KEY), [Mix { partner: 0, keep: 1.0, how: How::Not }]);
    assert_eq!(plan(BOTH, 0, &KEY), []);
    let mut pixels = vec![7; 12];
    mix(&mut pixels, (2, 2, 3), &plan(BOTH, 1, &KEY), &mut Vec::new()).unwrap();
    assert_eq!(pixels, [7; 12]);
    mix(&mut [], (2, 2, 3), &[], &mut Vec::new()).unwrap();
}

/// How many of 4000 samples, in batches of four, are mixed in each way.
fn ways(mixing: Mixing) -> [usize; 3] {
    let all: Vec<Mix> = (0..1000).flat_map(|step| plan(mixing, 4, &MixKey { step, ..KEY })).collect();
    let count = |way: fn(&How) -> bool| all.iter().filter(|mix| way(&mix.how)).count();
    [count(|h| *h == How::Not), count(|h| matches!(h, How::Cut(_))), count(|h| *h == How::Blend)]
}

#[test]
fn methods_come_with_their_probabilities() {
    let [not, cut, blend] = ways(Mixing { p: 0.5, switch: 0.25, ..BOTH });
    assert!((1900..2100).contains(&not) && (430..570).contains(&cut) && (1400..1600).contains(&blend));
    assert_eq!(ways(Mixing { cutmix: 0.0, mixup: 0.0, ..BOTH }), [4000, 0, 0]);
    assert_eq!(ways(Mixing { p: 0.0, ..BOTH }), [4000, 0, 0]);
    assert_eq!(ways(Mixing { mixup: 0.0, switch: 0.0, ..BOTH })[2], 0);
    assert_eq!(ways(Mixing { cutmix: 0.0, switch: 1.0, ..BOTH })[1], 0);
}

#[test]
fn a_batch_shares_its_draw_and_elements_do_not() {
    let same = |plan: &[Mix]| plan.iter().all(|mix| (mix.keep, mix.how) == (plan[0].keep, plan[0].how));
    let batches = |per| (0..50).map(move |step| plan(Mixing { per, ..BOTH }, 8, &MixKey { step, ..KEY }));
    assert!(batches(Per::Batch).all(|plan| same(&plan)));
    assert!(batches(Per::Element).all(|plan| !same(&plan)));
}

/// Beta(1, 1) before cutting at the edges; MixUp with 0.2 mostly keeps nearly all or nothing.
#[test]
fn shares_follow_beta() {
    let mixup = Mixing { cutmix: 0.0, mixup: 0.2, ..BOTH };
    let shares: Vec<f64> = plan(mixup, 20_000, &KEY).iter().map(|mix| f64::from(mix.keep)).collect();
    let mean = shares.iter().sum::<f64>() / 20_000.0;
    let variance = shares.iter().map(|s| (s - mean) * (s - mean)).sum::<f64>() / 20_000.0;
    // Beta(a, a) has variance 1 / (4 (2a + 1)).
    assert!((mean - 0.5).abs() < 0.01 && (variance - 1.0 / 5.6).abs() < 0.005, "{mean} {variance}");
}

#[test]
fn values_are_rounded_half_up() {
    let at = |a: u8, b: u8, keep| {
        let step = |partner| Mix { partner, keep, how: How::Blend };
        let mut pixels = [a, b];
        mix(&mut pixels, (1, 1, 1), &[step(1), step(0)], &mut Vec::new()).unwrap();
        pixels
    };
    assert_eq!(at(0, 1, 0.5), [1, 1]);
    assert_eq!(at(10, 20, 0.75), [13, 18]);
    assert_eq!(at(255, 0, 1.0), [255, 0]);
    assert_eq!(at(255, 0, 0.0), [0, 255]);
}

#[test]
fn plans_that_do_not_fit_are_refused_and_change_nothing() {
    let not = |partner| Mix { partner, keep: 1.0, how: How::Not };
    let far = Mix { how: How::Cut(Area { left: 1, top: 0, width: 2, height: 1 }), ..not(0) };
    let before = Mix { how: How::Cut(Area { left: -1, top: 0, width: 1, height: 1 }), ..not(0) };
    let plans = [
        vec![not(1)],
        vec![not(0), not(1)],
        vec![not(1), not(1)],
        vec![not(2), not(0)],
        vec![not(1), far],
        vec![not(1), before],
    ];
    for plan in plans {
        let mut pixels = [1, 2, 3, 4];
        let error = mix(&mut pixels, (1, 2, 1), &plan, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with("mix: "), "{error}");
        assert_eq!(pixels, [1, 2, 3, 4]);
    }
}

#[test]
fn a_shape_that_does_not_fit_is_refused() {
    let plan = plan(BOTH, 2, &KEY);
    for shape in [(u32::MAX, u32::MAX, 255), (1, 3, 1), (1, 1, 1)] {
        assert!(mix(&mut [1, 2, 3, 4], shape, &plan, &mut Vec::new()).is_err(), "{shape:?}");
    }
    assert_eq!(mix(&mut [], (0, 0, 3), &[Mix { partner: 0, keep: 0.5, how: How::Blend }], &mut Vec::new()), Ok(()));
}

#[test]
fn arguments_out_of_range_are_named() {
    assert_eq!(BOTH.check("mix"), Ok(()));
    let named = |mixing: Mixing, name: &str| {
        let error = mixing.check("mix").unwrap_err().to_string();
        assert!(error.starts_with(&format!("mix: {name} is ")), "{error}");
    };
    named(Mixing { cutmix: -1.0, ..BOTH }, "cutmix");
    named(Mixing { mixup: f32::INFINITY, ..BOTH }, "mixup");
    named(Mixing { p: f32::NAN, ..BOTH }, "p");
    named(Mixing { switch: 1.5, ..BOTH }, "switch");
}

/// Weights of `classes` that sum to 1 in 64 bits, each rounded to 32.
fn distribution(classes: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(0.0_f64..1.0, classes).prop_map(|weights| {
        let sum: f64 = weights.iter().sum::<f64>().max(1e-9);
        weights.iter().map(|w| (w / sum) as f32).collect()
    })
}

fn sum(values: &[f32]) -> f64 {
    values.iter().copied().map(f64::from).sum()
}

proptest! {
    /// Each sample is filled with its own number, so that the pixels tell where they came from.
    #[test]
    fn the_share_of_foreign_pixels_is_that_of_the_label(
        samples in 2_u32..12, size in (1_u32..40, 1_u32..40), channels in prop::sample::select(vec![1_u8, 3]), step: u64,
    ) {
        let mixing = Mixing { mixup: 0.0, ..BOTH };
        let mut plan = Vec::new();
        mixing.draw(samples, size, &MixKey { step, ..KEY }, &mut plan);
        let bytes = (size.0 * size.1 * u32::from(channels)) as usize;
        let mut pixels: Vec<u8> = (0..samples).flat_map(|n| vec![n as u8; bytes]).collect();
        mix(&mut pixels, (size.1, size.0, channels), &plan, &mut vec![9; 5]).unwrap();
        for (n, (sample, mix)) in pixels.chunks(bytes).zip(&plan).enumerate() {
            let own = sample.iter().filter(|v| usize::from(**v) == n).count();
            let foreign = sample.iter().filter(|v| u32::from(**v) == mix.partner).count();
            prop_assert_eq!(own + foreign, bytes);
            prop_assert_eq!(mix.keep, (own as f64 / bytes as f64) as f32);
        }
    }

    /// MixUp against the formula in f64, with the partners' pixels from before.
    #[test]
    fn blending_is_the_weighted_mean_of_the_old_pixels(samples in 2_usize..6, seed: u64, step: u64) {
        let mixing = Mixing { cutmix: 0.0, ..BOTH };
        let plan = plan(mixing, samples as u32, &MixKey { step, ..KEY });
        let mut rng = crate::Rng::new(&crate::SampleKey { seed, round: 0, epoch: 0, key: 0, copy: 0, view: 0 }, 0);
        let old: Vec<u8> = (0..samples * 75).map(|_| rng.next_u64() as u8).collect();
        let mut new = old.clone();
        mix(&mut new, (5, 5, 3), &plan, &mut Vec::new()).unwrap();
        for (i, step) in plan.iter().enumerate() {
            for k in 0..75 {
                let (a, b) = (f64::from(old[i * 75 + k]), f64::from(old[step.partner as usize * 75 + k]));
                let keep = f64::from(step.keep);
                prop_assert_eq!(new[i * 75 + k], (keep * a + (1.0 - keep) * b + 0.5).floor() as u8);
            }
        }
    }

    #[test]
    fn mixed_distributions_sum_to_one(own in distribution(10), partner in distribution(10), keep in 0.0_f32..=1.0) {
        let mut out = vec![1.0; 3];
        mix_targets(&own, &partner, keep, &mut out);
        prop_assert_eq!(out.len(), 10);
        let expected = f64::from(keep) * sum(&own) + (1.0 - f64::from(keep)) * sum(&partner);
        prop_assert!((sum(&out) - expected).abs() <= f64::from(f32::EPSILON) / 2.0);
        prop_assert_eq!(keep + (1.0 - keep), 1.0);
    }
}

/// Two hard classes become two weights.
#[test]
fn hard_targets_become_the_two_shares() {
    let mut out = Vec::new();
    mix_targets(&[0.0, 1.0, 0.0], &[1.0, 0.0, 0.0], 0.25, &mut out);
    assert_eq!(out, [0.75, 0.25, 0.0]);
}
