//! Figures worked out by hand.

use super::*;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("class {class}")).collect()
}

fn evaluation(answers: &[(u32, &[f32])], classes: usize) -> Evaluation {
    let mut tally = Tally::default();
    answers.iter().for_each(|(label, shares)| tally.count(*label, shares));
    Evaluation::new(&tally, &names(classes)).unwrap()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

/// Five answers of two classes:
///
/// | label | p | confidence | bin (of 15) | right |
/// |---|---|---|---|---|
/// | 0 | 0.90, 0.10 | 0.90 | (13/15, 14/15], the 14th | yes |
/// | 1 | 0.92, 0.08 | 0.92 | the same | no |
/// | 1 | 0.25, 0.75 | 0.75 | (11/15, 12/15], the 12th | yes |
/// | 0 | 0.45, 0.55 | 0.55 | (8/15, 9/15], the 9th | no |
/// | 1 | 0.00, 1.00 | 1.00 | (14/15, 1], the 15th | yes |
///
/// ECE: 14th bin `|1 - 1.82|`, 12th `|1 - 0.75|`, 9th `|0 - 0.55|`, 15th `|1 - 1|`: (0.82 + 0.25 + 0.55 + 0) / 5 = 0.324.
#[test]
fn figures_of_five_answers_are_those_worked_out_by_hand() {
    let answers: [(u32, &[f32]); 5] =
        [(0, &[0.9, 0.1]), (1, &[0.92, 0.08]), (1, &[0.25, 0.75]), (0, &[0.45, 0.55]), (1, &[0.0, 1.0])];
    let found = evaluation(&answers, 2);
    assert_eq!((found.total, found.correct, found.accuracy, found.top5), (5, 3, 0.6, None));
    assert!(close(found.ece, 0.324), "{}", found.ece);
    // ln(0.9) + ln(0.08) + ln(0.75) + ln(0.45) + ln(1) = -3.717279, by hand.
    assert!(close(found.loss, 3.717_279 / 5.0), "{}", found.loss);
    let filled: Vec<usize> = (0..BINS).filter(|bin| found.reliability[*bin].total > 0).collect();
    assert_eq!(filled, [8, 11, 13, 14]);
    let bin = &found.reliability[13];
    assert_eq!((bin.total, bin.accuracy), (2, Some(0.5)));
    assert!(close(bin.confidence.unwrap(), 0.91));
    assert_eq!((found.reliability[0].confidence, found.reliability[0].accuracy), (None, None));
}

#[test]
fn each_class_has_its_own_count() {
    let answers: [(u32, &[f32]); 4] =
        [(0, &[0.8, 0.1, 0.1]), (0, &[0.1, 0.8, 0.1]), (0, &[0.7, 0.2, 0.1]), (2, &[0.1, 0.1, 0.8])];
    let figures: Vec<_> =
        evaluation(&answers, 3).classes.into_iter().map(|c| (c.class, c.total, c.correct, c.accuracy)).collect();
    let third = Some(2.0 / 3.0);
    let named = |class: usize| names(3)[class].clone();
    assert_eq!(figures, [(named(0), 3, 2, third), (named(1), 0, 0, None), (named(2), 1, 1, Some(1.0))]);
}

#[test]
fn five_of_six_classes_count_for_the_top_five() {
    let shares = [0.3_f32, 0.25, 0.2, 0.12, 0.08, 0.05];
    let answers: [(u32, &[f32]); 3] = [(0, &shares), (4, &shares), (5, &shares)];
    let found = evaluation(&answers, 6);
    assert_eq!((found.accuracy, found.top5), (1.0 / 3.0, Some(2.0 / 3.0)));
}

#[test]
fn a_probability_of_zero_costs_much_but_not_everything() {
    let found = evaluation(&[(1, &[1.0, 0.0])], 2);
    // -ln of the smallest normal f32, 2^-126.
    assert!(close(found.loss, 126.0 * std::f64::consts::LN_2), "{}", found.loss);
    assert_eq!(found.ece, 1.0);
}

#[test]
fn nothing_counted_has_no_figures() {
    assert_eq!(Evaluation::new(&Tally::default(), &names(3)), None);
}
