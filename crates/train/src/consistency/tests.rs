//! What a batch's own answers make of it.

use millstream_data::Key;

use super::*;
use crate::config::Mapping;

const WEAK: u8 = 0;
const STRONG: u8 = 1;

fn config(threshold: Threshold) -> ConsistencyConfig {
    ConsistencyConfig {
        weak: Some(WEAK),
        threshold,
        weight: 2.0,
        ramp: [0.0, 0.0],
        soft: None,
        images: 10,
        mean_teacher: false,
    }
}

fn row(record: u32, view: u8, labelled: bool) -> Row {
    let target = if labelled { Target::Hard(2) } else { Target::None };
    Row { record, key: Key(u128::from(record)), view, epoch: 0, copy: 0, target, labelled }
}

/// One labelled image, and three others in a weak and a strong view each.
fn batch() -> Vec<Row> {
    let others = (1..4).flat_map(|record| [row(record, WEAK, false), row(record, STRONG, false)]);
    std::iter::once(row(0, WEAK, true)).chain(others).collect()
}

/// Sure, not sure enough, and sure.
const SHARES: [f32; 9] = [0.96, 0.02, 0.02, 0.94, 0.03, 0.03, 0.0, 1.0, 0.0];

const FIXED: Threshold = Threshold::Fixed(0.95);

/// What a session that is alone makes of a step.
fn taught(consistency: &mut Consistency, rows: &[Row], asked: &[usize], shares: &[f32], done: f64) -> Lesson<'static> {
    let mut lesson = consistency.lesson(rows, asked, shares);
    if let Some(sure) = consistency.sure() {
        consistency.learn(&sure);
    }
    lesson.weigh(consistency.weights(crate::loss::sides(&lesson.rows), done));
    lesson
}

#[test]
fn strong_views_learn_what_the_model_is_sure_of_in_the_weak_one() {
    let mut consistency = Consistency::new(&config(FIXED), 3);
    let asked = consistency.asks(&batch());
    assert_eq!(asked, [1, 3, 5]);
    let lesson = taught(&mut consistency, &batch(), &asked, &SHARES, 0.5);
    assert_eq!(lesson.places, [0, 2, 4, 6]);
    let targets: Vec<&Target> = lesson.rows.iter().map(|row| &row.target).collect();
    assert_eq!(targets, [&Target::Hard(2), &Target::Hard(0), &Target::Hard(0), &Target::Hard(1)]);
    // The mean over the three unlabelled rows, times 2, of which the second does not count.
    let third = 2.0 / 3.0;
    assert_eq!(lesson.weights, [1.0, third, 0.0, third]);
    assert_eq!((lesson.asked, lesson.accepted), (3, 2));
}

#[test]
fn the_loss_is_that_of_fixmatch() {
    let mut consistency = Consistency::new(&config(FIXED), 3);
    let lesson = taught(&mut consistency, &batch(), &[1, 3, 5], &SHARES, 0.5);
    let labels = crate::loss::Labels { classes: 3, smoothing: 0.0, distilled: None, taught: false };
    let targets = crate::loss::Targets::alone(&lesson.rows, &lesson.weights, &labels).unwrap();
    let logits = Tensor::from_slice(&[1f32, 2.0, 3.0, 0.5, 0.0, -0.5, 9.0, 9.0, 9.0, 0.0, 1.0, 2.0]).reshape([4, 3]);
    // torch: cross_entropy(row 0, 2) + 2 * (cross_entropy(row 1, 0) + cross_entropy(row 3, 1)) / 3
    let loss = targets.loss(&logits).unwrap().double_value(&[]);
    assert!((loss - 1.799_523).abs() < 2e-6, "{loss}");
}

#[test]
fn without_a_weak_view_each_image_is_asked_about_itself() {
    let pseudo_label = ConsistencyConfig { weak: None, ..config(Threshold::Fixed(0.0)) };
    let mut consistency = Consistency::new(&pseudo_label, 3);
    let rows = [row(0, WEAK, true), row(1, WEAK, false)];
    let asks = consistency.asks(&rows);
    let lesson = taught(&mut consistency, &rows, &asks, &[0.2, 0.3, 0.5], 0.0);
    assert_eq!((lesson.places, lesson.weights), (vec![0, 1], vec![1.0, 2.0]));
    assert_eq!(lesson.rows[1].target, Target::Hard(2));
    // Of two views of a record each learns what was said of itself.
    let rows = [row(1, WEAK, false), row(1, STRONG, false)];
    let asks = consistency.asks(&rows);
    let lesson = taught(&mut consistency, &rows, &asks, &[0.2, 0.3, 0.5, 0.6, 0.3, 0.1], 0.0);
    let targets: Vec<&Target> = lesson.rows.iter().map(|row| &row.target).collect();
    assert_eq!((targets, lesson.asked), (vec![&Target::Hard(2), &Target::Hard(0)], 2));
}

#[test]
fn the_weight_grows_between_two_shares_of_the_round() {
    let slow = ConsistencyConfig { ramp: [0.1, 0.6], ..config(FIXED) };
    for (done, weight) in [(0.0, 0.0), (0.1, 0.0), (0.35, 1.0), (0.6, 2.0), (0.9, 2.0)] {
        let lesson = taught(&mut Consistency::new(&slow, 3), &batch()[..3], &[1], &SHARES[..3], done);
        assert!((f64::from(lesson.weights[1]) - weight).abs() < 1e-6, "{done}: {:?}", lesson.weights);
    }
}

#[test]
fn soft_targets_are_tempered() {
    let soft = ConsistencyConfig { soft: Some(0.5), ..config(Threshold::Fixed(0.5)) };
    let lesson = taught(&mut Consistency::new(&soft, 2), &batch()[..3], &[1], &[0.25, 0.75], 0.0);
    assert_eq!(lesson.rows[1].target, Target::Soft(vec![0.1, 0.9]));
}

#[test]
fn flexible_thresholds_follow_what_was_learnt_before_the_step() {
    let flexible = Threshold::Flexible { tau: 0.95, warmup: true, mapping: Mapping::Convex };
    let mut consistency = Consistency::new(&config(flexible), 3);
    // Nothing is known at first: everything is accepted.
    let first = taught(&mut consistency, &batch(), &[1, 3, 5], &SHARES, 0.0);
    assert_eq!(first.accepted, 3);
    // Of ten images eight are unused, one is of class 0, one of class 1.
    let threshold = 0.95 * 0.125 / (2.0 - 0.125);
    let found = consistency.thresholds(3);
    assert!((found[0] - threshold).abs() < 1e-12 && found[0] == found[1] && found[2] == 0.0, "{found:?}");
    let mut restored = Consistency::new(&config(flexible), 3);
    restored.restore(&mut consistency.state().unwrap().into_iter().collect()).unwrap();
    assert_eq!(restored.thresholds(3), found);
    assert!(Consistency::new(&config(flexible), 3).restore(&mut BTreeMap::new()).is_err());
}

#[test]
fn a_row_without_an_answer_is_left_out() {
    let rows = [row(0, WEAK, true), row(1, STRONG, false)];
    let lesson = taught(&mut Consistency::new(&config(FIXED), 3), &rows, &[], &[], 0.0);
    assert_eq!((lesson.places, lesson.weights), (vec![0], vec![1.0]));
}
