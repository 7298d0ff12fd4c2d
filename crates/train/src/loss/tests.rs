//! Hand-computed losses, checked against PyTorch's `cross_entropy`.

use millstream_data::Key;

use super::*;

fn row(target: Target, labelled: bool) -> Row {
    Row { record: 0, key: Key(7), view: 0, epoch: 0, copy: 0, target, labelled }
}

/// Three rows of logits over three classes; `cross_entropy` with the classes 2, 0, 1 gives [`PLAIN`] and [`SMOOTH`].
fn logits() -> Tensor {
    Tensor::from_slice(&[1f32, 2.0, 3.0, 0.0, 1.0, -1.0, 2.0, 0.0, 1.0]).reshape([3, 3])
}

const PLAIN: [f64; 3] = [0.407_606, 1.407_606, 2.407_606];
const SMOOTH: [f64; 3] = [0.507_606, 1.407_606, 2.307_606];

fn hard(labelled: [bool; 3]) -> Vec<Row> {
    [2, 0, 1].iter().zip(labelled).map(|(class, labelled)| row(Target::Hard(*class), labelled)).collect()
}

fn labels(smoothing: f64) -> Labels {
    Labels { classes: 3, smoothing, distilled: None, taught: false }
}

fn targets(rows: &[Row], smoothing: f64, weight: f64) -> Targets {
    Targets::alone(rows, &shared_by(rows, weight), &labels(smoothing)).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.flatten(0, -1)).unwrap()
}

#[track_caller]
fn check(rows: &[Row], smoothing: f64, weight: f64, expected: f64) {
    let loss = targets(rows, smoothing, weight).loss(&logits()).unwrap().double_value(&[]);
    assert!((loss - expected).abs() < 2e-6, "{loss} instead of {expected}");
}

#[test]
fn labelled_rows_alone_are_plain_cross_entropy() {
    let mean = |values: [f64; 3]| values.iter().sum::<f64>() / 3.0;
    check(&hard([true; 3]), 0.0, 3.0, mean(PLAIN));
    check(&hard([true; 3]), 0.1, 3.0, mean(SMOOTH));
}

#[test]
fn unlabelled_rows_weigh_as_told_and_hard_pseudo_labels_are_smoothed() {
    let expected = (SMOOTH[0] + 3.0 * f64::midpoint(SMOOTH[1], SMOOTH[2])) / 4.0;
    check(&hard([true, false, false]), 0.1, 3.0, expected);
    check(&hard([true, false, false]), 0.1, 0.0, SMOOTH[0]);
}

#[test]
fn unlabelled_rows_alone_are_their_mean() {
    check(&hard([false; 3]), 0.0, 3.0, PLAIN.iter().sum::<f64>() / 3.0);
    check(&hard([false; 3]), 0.0, 0.0, 0.0);
}

#[test]
fn soft_targets_are_not_smoothed() {
    let soft = row(Target::Soft(vec![0.2, 0.3, 0.5]), false);
    let rows = [row(Target::Hard(2), true), row(Target::Hard(0), true), soft];
    let expected = (f64::midpoint(SMOOTH[0], SMOOTH[1]) + 1.507_606) / 2.0;
    check(&rows, 0.1, 1.0, expected);
}

#[test]
fn the_gradient_is_the_difference_of_probability_and_target() {
    let logits = logits().set_requires_grad(true);
    let targets = targets(&hard([true, false, false]), 0.1, 3.0);
    let loss = targets.loss(&logits).unwrap();
    let gradient = Tensor::run_backward(&[&loss], &[&logits], false, false).remove(0);
    let wanted = &targets.terms[0].distribution;
    let weights = Tensor::from_slice(&[0.25f32, 0.375, 0.375]).unsqueeze(1);
    let expected = (logits.detach().softmax(1, tch::Kind::Float) - wanted) * weights;
    assert!((gradient - expected).abs().max().double_value(&[]) < 1e-6);
}

#[test]
fn only_labelled_rows_are_scored() {
    let targets = targets(&hard([true, true, false]), 0.0, 1.0);
    assert_eq!(targets.score(&[2, 1, 1]), (2, 1));
}

#[test]
fn a_target_that_does_not_fit_is_named() {
    let refused = |target| match Targets::alone(&[row(target, true)], &[1.0], &labels(0.0)) {
        Err(TrainError::Batch(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(refused(Target::None).contains("is missing"));
    assert!(refused(Target::Hard(3)).contains("is class 3, but there are only 3 classes"));
    assert!(refused(Target::Soft(vec![0.5, 0.5])).contains("has 2 probabilities"));
    assert!(refused(Target::Soft(vec![0.5, f32::NAN, 0.5])).contains("outside 0 to 1"));
}

#[test]
fn a_part_weighs_what_it_weighs_in_the_whole() {
    let whole = targets(&hard([true, false, false]), 0.1, 3.0);
    let part = whole.part(&(1..3)).unwrap();
    assert_eq!((whole.rows(), part.rows()), (3, 2));
    let sides = |targets: &Targets| [&targets.terms[0].weights, &targets.terms[0].distribution].map(values);
    let ([weights, distribution], [some, shares]) = (sides(&whole), sides(&part));
    assert_eq!((&some[..], &shares[..]), (&weights[1..], &distribution[3..]));
    let scored = targets(&hard([true, true, false]), 0.1, 3.0).part(&(1..3)).unwrap();
    assert_eq!((scored.score(&[0, 0]), scored.score(&[1, 0])), ((1, 1), (1, 0)));
    assert_eq!(sides(&whole.part(&(0..3)).unwrap()), sides(&whole));
}

/// A student's logits and a teacher's; PyTorch's `kl_div` of them, times T^2, at T = 1, 2 and 4.
const STUDENT: [f32; 3] = [1.0, 2.0, 3.0];
const TEACHER: [f32; 3] = [1.0, 1.0, 4.0];
const DISTILLED: [(f64, f64); 3] = [(1.0, 0.176_848), (2.0, 0.319_470), (4.0, 0.352_670)];

fn shares_at(temperature: f64) -> Tensor {
    (Tensor::from_slice(&TEACHER).reshape([1, 3]) / temperature).softmax(1, tch::Kind::Float)
}

#[test]
fn a_stored_distribution_is_distilled_at_its_temperature() {
    for (temperature, expected) in DISTILLED {
        let rows = [row(Target::Soft(values(&shares_at(temperature))), false)];
        let labels = Labels { classes: 3, smoothing: 0.1, distilled: Some(temperature), taught: false };
        let targets = Targets::alone(&rows, &[1.0], &labels).unwrap();
        let student = Tensor::from_slice(&STUDENT).reshape([1, 3]).set_requires_grad(true);
        let loss = targets.loss(&student).unwrap();
        assert!((loss.double_value(&[]) - expected).abs() < 2e-6, "{temperature}: {loss}");
        let gradient = values(&Tensor::run_backward(&[&loss], &[&student], false, false)[0]);
        if temperature == 4.0 {
            let far = gradient.iter().zip([0.045_52, 0.334_40, -0.379_92]).map(|(a, b): (&f32, f32)| (a - b).abs());
            assert!(far.fold(0.0, f32::max) < 1e-5, "{gradient:?}");
        }
    }
}

#[test]
fn a_teacher_is_weighed_against_the_labels() {
    let student = Tensor::from_slice(&STUDENT).reshape([1, 3]);
    let plain = targets(&[row(Target::Hard(1), true)], 0.0, 1.0);
    let alone = plain.loss(&student).unwrap().double_value(&[]);
    for (temperature, expected) in DISTILLED {
        let mut targets = targets(&[row(Target::Hard(1), true)], 0.0, 1.0);
        targets.teach(shares_at(temperature), temperature, [0.3, 0.7]).unwrap();
        let loss = targets.loss(&student).unwrap().double_value(&[]);
        assert!((loss - 0.3 * alone - 0.7 * expected).abs() < 2e-6, "{loss}");
        let part = targets.part(&(0..1)).unwrap().loss(&student).unwrap().double_value(&[]);
        assert_eq!(part, loss);
    }
}

#[test]
fn what_people_say_is_not_distilled() {
    let soft = || Target::Soft(vec![0.0, 0.25, 0.75]);
    let rows = [row(soft(), true), row(soft(), false)];
    let labels = Labels { classes: 3, smoothing: 0.0, distilled: Some(2.0), taught: false };
    let both = Targets::alone(&rows, &[0.5, 0.5], &labels).unwrap();
    let logits = Tensor::from_slice(&STUDENT).reshape([1, 3]).repeat([2, 1]);
    let entropy = -(0.25 * f64::ln(0.25) + 0.75 * f64::ln(0.75));
    let cross = |logits: &Tensor| {
        let logs = values(&logits.log_softmax(1, None));
        -0.25 * f64::from(logs[1]) - 0.75 * f64::from(logs[2])
    };
    let one = logits.narrow(0, 0, 1);
    let expected = 0.5 * cross(&one) + 0.5 * 4.0 * (cross(&(&one / 2.0)) - entropy);
    let loss = both.loss(&logits).unwrap().double_value(&[]);
    assert!((loss - expected).abs() < 1e-6, "{loss} instead of {expected}");
}

#[test]
fn what_nobody_told_is_left_to_the_teacher() {
    let rows = [row(Target::Hard(1), true), row(Target::None, false)];
    let labels = Labels { taught: true, ..labels(0.0) };
    let mut targets = Targets::alone(&rows, &[0.25, 0.75], &labels).unwrap();
    let logits = Tensor::from_slice(&STUDENT).reshape([1, 3]).repeat([2, 1]);
    let hard = targets.loss(&logits).unwrap().double_value(&[]);
    assert!((hard - 1.407_606).abs() < 1e-6, "the mean over what has a label: {hard}");
    targets.teach(shares_at(2.0).repeat([2, 1]), 2.0, [0.5, 2.0]).unwrap();
    let loss = targets.loss(&logits).unwrap().double_value(&[]);
    assert!((loss - 0.5 * hard - 2.0 * 0.319_470).abs() < 2e-6, "both rows learn from the teacher: {loss}");
    assert!(Targets::alone(&[row(Target::None, true)], &[1.0], &labels).is_err(), "people's labels are not missing");
}
