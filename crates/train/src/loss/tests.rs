//! Hand-computed losses, checked against PyTorch's `cross_entropy`.

use millstream_data::{Block, Key, Shape};
use tch::Kind;

use super::*;

fn row(target: Target, labelled: bool) -> Row {
    Row { record: 0, key: Key(7), view: 0, epoch: 0, copy: 0, target, labelled }
}

fn batch(rows: Vec<Row>) -> Batch {
    Batch {
        shape: Shape { height: 1, width: 1, channels: 1 },
        blocks: vec![Block(vec![0; rows.len()])],
        rows,
        dead: Vec::new(),
    }
}

/// Three rows of logits over three classes; `cross_entropy` with the classes 2, 0, 1 gives [`PLAIN`] and [`SMOOTH`].
fn logits() -> Tensor {
    Tensor::from_slice(&[1f32, 2.0, 3.0, 0.0, 1.0, -1.0, 2.0, 0.0, 1.0]).reshape([3, 3])
}

const PLAIN: [f64; 3] = [0.407_606, 1.407_606, 2.407_606];
const SMOOTH: [f64; 3] = [0.507_606, 1.407_606, 2.307_606];

fn hard(labelled: [bool; 3]) -> Batch {
    batch([2, 0, 1].iter().zip(labelled).map(|(class, labelled)| row(Target::Hard(*class), labelled)).collect())
}

#[track_caller]
fn check(batch: &Batch, smoothing: f64, weight: f64, expected: f64) {
    let targets = Targets::new(batch, 3, smoothing, weight).unwrap();
    let loss = targets.loss(&logits()).unwrap().double_value(&[]);
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
    let rows = batch(vec![row(Target::Hard(2), true), row(Target::Hard(0), true), soft]);
    let expected = (f64::midpoint(SMOOTH[0], SMOOTH[1]) + 1.507_606) / 2.0;
    check(&rows, 0.1, 1.0, expected);
}

#[test]
fn the_gradient_is_the_difference_of_probability_and_target() {
    let logits = logits().set_requires_grad(true);
    let targets = Targets::new(&hard([true, false, false]), 3, 0.1, 3.0).unwrap();
    let loss = targets.loss(&logits).unwrap();
    let gradient = Tensor::run_backward(&[&loss], &[&logits], false, false).remove(0);
    let wanted = Tensor::from_slice(&targets.distribution).reshape([3, 3]);
    let weights = Tensor::from_slice(&[0.25f32, 0.375, 0.375]).unsqueeze(1);
    let expected = (logits.detach().softmax(1, Kind::Float) - wanted) * weights;
    assert!((gradient - expected).abs().max().double_value(&[]) < 1e-6);
}

#[test]
fn only_labelled_rows_are_scored() {
    let targets = Targets::new(&hard([true, true, false]), 3, 0.0, 1.0).unwrap();
    assert_eq!(targets.score(&[2, 1, 1]), (2, 1));
}

#[test]
fn a_target_that_does_not_fit_is_named() {
    let refused = |target| match Targets::new(&batch(vec![row(target, true)]), 3, 0.0, 1.0) {
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
    let whole = Targets::new(&hard([true, false, false]), 3, 0.1, 3.0).unwrap();
    let part = whole.part(&(1..3));
    assert_eq!((whole.rows(), part.rows()), (3, 2));
    assert_eq!((&part.weights[..], &part.distribution[..]), (&whole.weights[1..], &whole.distribution[3..]));
    let scored = Targets::new(&hard([true, true, false]), 3, 0.1, 3.0).unwrap().part(&(1..3));
    assert_eq!((scored.score(&[0, 0]), scored.score(&[1, 0])), ((1, 1), (1, 0)));
    assert_eq!(whole.part(&(0..3)), whole);
}
