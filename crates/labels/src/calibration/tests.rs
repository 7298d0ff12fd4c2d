use super::*;

fn answers(rows: &[(u32, &[f32])]) -> Vec<Validated> {
    rows.iter().map(|(label, shares)| Validated { label: *label, probabilities: shares.to_vec() }).collect()
}

/// Mean negative log-likelihood of the labels.
fn loss(answers: &[Validated]) -> f64 {
    let sum: f64 = answers.iter().map(|answer| -log_probability(answer.probabilities[answer.label as usize])).sum();
    sum / answers.len() as f64
}

fn at(temperature: Temperature, answers: &[Validated]) -> Vec<Validated> {
    let mut answers = answers.to_vec();
    answers.iter_mut().for_each(|answer| temperature.apply(&mut answer.probabilities));
    answers
}

/// A number in [0, 1) for each counter (the finalizer of SplitMix64).
fn uniform(counter: u64) -> f64 {
    let mut x = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn softmax(logits: &[f64], temperature: f64) -> Vec<f64> {
    let powers: Vec<f64> = logits.iter().map(|z| (z / temperature).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// `count` records of five classes: the model says softmax(z), the labels are drawn from softmax(z / truth).
fn drawn(count: u64, truth: f64) -> Vec<Validated> {
    let record = |record: u64| {
        let logits: Vec<f64> = (0..5).map(|class| 6.0 * uniform(record * 6 + class)).collect();
        let mut left = uniform(record * 6 + 5);
        let label = softmax(&logits, truth)
            .iter()
            .take_while(|p| {
                left -= **p;
                left >= 0.0
            })
            .count()
            .min(4);
        let probabilities = softmax(&logits, 1.0).iter().map(|p| *p as f32).collect();
        Validated { label: label as u32, probabilities }
    };
    (0..count).map(record).collect()
}

const SHARES: [&[f32]; 8] = [
    &[0.7, 0.2, 0.1],
    &[0.98, 0.015, 0.005],
    &[0.05, 0.9, 0.05],
    &[0.6, 0.399, 0.001],
    &[0.1, 0.1, 0.8],
    &[0.999, 0.0009, 0.0001],
    &[0.02, 0.03, 0.95],
    &[0.3, 0.3, 0.4],
];

/// Temperatures and mean losses, before and after, by torch 2.11: `torch.optim.LBFGS` with `strong_wolfe` over
/// `cross_entropy(p.double().log() / T, labels)`, until the gradient is below 1e-10.
#[test]
fn the_temperature_is_that_of_pytorch() {
    for (labels, temperature, before, after) in [
        ([0, 0, 1, 1, 2, 1, 2, 0], 3.060_204_238_494_375_5, 1.236_569_693_321_909_2, 0.910_416_778_946_846_8),
        ([0, 0, 1, 0, 2, 0, 2, 0], 0.352_165_384_134_735_25, 0.309_059_239_581_763_7, 0.220_147_415_077_129_9),
        ([0, 0, 1, 1, 2, 0, 2, 1], 0.604_791_879_103_373_6, 0.360_055_277_754_459_8, 0.326_055_381_091_188_15),
    ] {
        let answers = answers(&labels.into_iter().zip(SHARES).collect::<Vec<_>>());
        let found = Temperature::fit(&answers).unwrap();
        assert!((found.get() - temperature).abs() < 1e-8 * temperature, "{found:?}, not {temperature}");
        assert!((loss(&answers) - before).abs() < 1e-7, "shares of f32 do not quite sum to 1");
        assert!((loss(&at(found, &answers)) - after).abs() < 1e-6);
        assert!(!found.is_bound());
    }
}

#[test]
fn a_known_temperature_is_found_again() {
    for truth in [0.5, 1.0, 2.5] {
        let answers = drawn(20_000, truth);
        let found = Temperature::fit(&answers).unwrap().get();
        assert!((found / truth - 1.0).abs() < 0.03, "{found}, not {truth}");
    }
}

/// Newton's method would also arrive with a wrong curvature, only later.
#[test]
fn the_curvature_is_the_slope_of_the_slope() {
    let answers = drawn(50, 2.0);
    let answers: Vec<&Validated> = answers.iter().collect();
    for cold in [0.1, 1.0, 5.0] {
        let rise = bend(&answers, cold + 1e-5).slope - bend(&answers, cold - 1e-5).slope;
        let Bend { curvature, .. } = bend(&answers, cold);
        assert!((rise / 2e-5 - curvature).abs() < 1e-5 * curvature, "{curvature} at {cold}");
    }
}

#[test]
fn no_other_temperature_has_a_lower_loss() {
    let answers = drawn(500, 2.0);
    let found = Temperature::fit(&answers).unwrap();
    let least = loss(&at(found, &answers));
    assert!(least < loss(&answers));
    for factor in [0.5, 0.9, 0.99, 1.01, 1.1, 2.0] {
        assert!(least < loss(&at(Temperature(found.get() * factor), &answers)), "{factor}");
    }
}

#[test]
fn the_most_probable_class_stays() {
    let close = 0.4_f32.next_down();
    let rows: [&[f32]; 5] =
        [&[close, 0.4, 0.2], &[0.4, 0.4, 0.2], &[0.2, close, 0.4], &[0.0, 1.0, 0.0], &[f32::MIN_POSITIVE, 1e-3, 0.999]];
    for temperature in [Temperature::MIN, 0.5, 1.0, 3.0, Temperature::MAX] {
        for row in rows.into_iter().chain(drawn(200, 1.0).iter().map(|answer| &answer.probabilities[..])) {
            let mut tempered = row.to_vec();
            Temperature(temperature).apply(&mut tempered);
            assert_eq!(most_probable(&tempered), most_probable(row), "{row:?} at {temperature}");
            assert!((tempered.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{tempered:?}");
        }
    }
}

#[test]
fn a_probability_of_zero_counts_as_the_smallest() {
    let shares: [&[f32]; 2] = [&[1.0, 0.0, 0.0], &[1.0, f32::MIN_POSITIVE, 0.0]];
    let wrong = shares.map(|shares| answers(&[(0, shares), (0, shares), (0, shares), (1, shares)]));
    let found = wrong.each_ref().map(|answers| Temperature::fit(answers).unwrap());
    assert_eq!(found[0], found[1]);
    // With w = exp(-126 ln 2 / T) for the other two classes the slope is 0 at 2 w / (1 + 2 w) = 1 / 4: T = 126 ln 2 / ln 6 = 48.7.
    assert!(found[0].get() == Temperature::MAX && found[0].is_bound());
    let mut one = [1.0, 0.0];
    found[0].apply(&mut one);
    assert!(one[1] > 0.01 && one[0] < 0.99, "{one:?}");
}

#[test]
fn who_is_always_right_or_says_nothing_ends_at_a_bound() {
    let fit = |rows: &[(u32, &[f32])]| Temperature::fit(&answers(rows)).unwrap().get();
    assert_eq!(fit(&[(0, &[0.6, 0.4]), (1, &[0.1, 0.9])]), Temperature::MIN);
    assert_eq!(fit(&[(0, &[1.0, 0.0]), (1, &[0.0, 1.0])]), Temperature::MIN);
    assert_eq!(fit(&[(1, &[0.6, 0.4]), (0, &[0.1, 0.9])]), Temperature::MAX);
    assert_eq!(fit(&[(1, &[0.5, 0.5]), (0, &[0.5, 0.5])]), 1.0, "any temperature is as good");
    let right = answers(&[(0, &[0.6, 0.4])]);
    assert!(loss(&at(Temperature::fit(&right).unwrap(), &right)) < 0.001);
}

#[test]
fn what_cannot_be_judged_does_not_count() {
    assert_eq!(Temperature::fit(&[]), None);
    let odd: [(u32, &[f32]); 4] = [(0, &[f32::NAN, 1.0]), (0, &[0.5, f32::INFINITY]), (7, &[0.5, 0.5]), (0, &[])];
    assert_eq!(Temperature::fit(&answers(&odd)), None);
    let good = drawn(50, 2.0);
    let mixed = [answers(&odd), good.clone()].concat();
    assert_eq!(Temperature::fit(&mixed), Temperature::fit(&good));
    let mut shares = [f32::NAN, 0.9, 0.1];
    Temperature(2.0).apply(&mut shares);
    assert!(shares[0].is_nan() && shares[1..] == [0.9, 0.1], "a model that cannot say does not get sure");
}

#[test]
fn a_temperature_below_one_sharpens() {
    let q = temper(&[0.25, 0.75], 0.5);
    assert!((q[1] - 0.9).abs() < 1e-6 && (q[0] - 0.1).abs() < 1e-6);
    assert_eq!(temper(&[0.25, 0.75], 1.0), [0.25, 0.75]);
    let q = temper(&[0.1, 0.9], 2.0);
    assert!((q[0] - 0.25).abs() < 1e-6 && (q[1] - 0.75).abs() < 1e-6);
}
