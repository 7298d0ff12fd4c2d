//! Case by case, then at random: the dataflow selects and counts what the sequential model does.

use millstream_data::Key;
use proptest::prelude::*;

use super::harness::{Round, Selection, check, rule, says};
use crate::{Pseudo, RoundStats, Rule};

/// One round of labels: (class, how many, confidence), with keys from 0 on.
fn labels(groups: &[(u32, u32, f32)]) -> Round {
    let each = groups.iter().flat_map(|(class, many, confidence)| (0..*many).map(move |_| (*class, *confidence)));
    let upserts = (0..).zip(each).map(|(key, (class, confidence))| says(key, class, confidence, 0)).collect();
    Round { upserts, ..Round::default() }
}

fn one(rule: Rule, round: Round) -> (Selection, RoundStats) {
    check(rule, &[round]).0.remove(0)
}

#[test]
fn without_balance_everything_at_the_threshold_counts_once() {
    let (selection, stats) = one(rule(0.85, None, 2), labels(&[(0, 3, 0.85), (0, 2, 0.849_999), (1, 1, 1.0)]));
    assert_eq!(selection.len(), 4);
    assert_eq!((stats.labelled_by_teacher, stats.accepted, stats.copies, stats.joined), (6, 4, 4, 4));
    assert_eq!((stats.per_class[0].threshold, stats.per_class[0].factor), (0.85, 1.0));
}

#[test]
fn a_class_with_exactly_enough_is_taken_once_each() {
    let (_, stats) = one(rule(0.5, Some((8, true)), 1), labels(&[(0, 8, 0.9), (0, 5, 0.6)]));
    let class = &stats.per_class[0];
    assert_eq!((class.threshold, class.factor, class.accepted, class.copies), (0.9, 1.0, 8, 8));
}

#[test]
fn a_class_with_too_few_is_filled_up() {
    let (selection, stats) = one(rule(0.5, Some((260, true)), 1), labels(&[(0, 100, 0.9)]));
    let class = &stats.per_class[0];
    assert_eq!((class.threshold, class.factor, class.accepted), (0.5, 2.6, 100));
    assert!(selection.values().all(|label| label.copies == 2 || label.copies == 3));
    assert!((240..=280).contains(&class.copies), "{}", class.copies);
}

#[test]
fn a_class_with_too_few_stays_small_where_copies_are_not_wanted() {
    let (_, stats) = one(rule(0.5, Some((260, false)), 1), labels(&[(0, 100, 0.9)]));
    assert_eq!((stats.per_class[0].factor, stats.copies), (1.0, 100));
}

#[test]
fn a_class_with_too_many_in_its_last_bin_is_sampled() {
    let (_, stats) = one(rule(0.5, Some((130, true)), 1), labels(&[(0, 400, 0.95), (0, 50, 0.94)]));
    let class = &stats.per_class[0];
    assert_eq!((class.threshold, class.factor), (0.95, 0.325));
    assert_eq!(class.accepted, class.copies);
    assert!((100..=160).contains(&class.accepted), "{}", class.accepted);
}

#[test]
fn an_empty_class_passes_silently() {
    let (_, stats) = one(rule(0.5, Some((4, true)), 3), labels(&[(0, 4, 0.9), (2, 4, 0.49)]));
    for class in [1, 2] {
        assert_eq!((stats.per_class[class].threshold, stats.per_class[class].factor), (0.5, 0.0));
        assert_eq!(stats.per_class[class].copies, 0);
    }
    assert_eq!((stats.per_class[2].labelled, stats.accepted), (4, 4));
}

#[test]
fn a_class_that_does_not_exist_is_never_selected() {
    for balance in [None, Some((4, true))] {
        let (selection, stats) = one(rule(0.5, balance, 2), labels(&[(0, 1, 0.9), (2, 1, 0.9), (u32::MAX, 1, 0.9)]));
        assert_eq!((selection.len(), stats.labelled_by_teacher, stats.per_class.len()), (1, 3, 2));
    }
}

#[test]
fn human_labels_win_whenever_they_come() {
    let first = Round { human: vec![(Key(0), Some(1))], ..labels(&[(0, 3, 0.9)]) };
    let second = Round { human: vec![(Key(0), None), (Key(1), Some(0))], ..Round::default() };
    let third = Round { upserts: vec![says(1, 0, 1.0, 1)], ..Round::default() };
    for balance in [None, Some((2, true))] {
        let (rounds, _) = check(rule(0.5, balance, 2), &[first.clone(), second.clone(), third.clone()]);
        let selected = |round: usize, key| rounds[round].0.contains_key(&Key(key));
        assert_eq!([0, 1, 2].map(|key| selected(0, key)), [false, true, true]);
        assert_eq!([0, 1, 2].map(|key| selected(1, key)), [true, false, true]);
        assert_eq!([0, 1, 2].map(|key| selected(2, key)), [true, false, true]);
        assert_eq!(rounds[0].1.labelled_by_teacher, 2);
    }
}

#[test]
fn a_retracted_label_leaves_and_a_changed_mind_is_churn() {
    let script = [
        labels(&[(0, 4, 0.9)]),
        // Taken away, class changed, confidence lost, and one that was never there.
        Round {
            upserts: vec![(Key(0), None), says(1, 1, 0.9, 1), says(2, 0, 0.3, 1), (Key(99), None)],
            ..Round::default()
        },
        // The same again is no news, but it is heard.
        Round { upserts: vec![says(1, 1, 0.9, 1)], ..Round::default() },
        Round { upserts: vec![says(0, 1, 0.9, 3)], ..Round::default() },
    ];
    let (rounds, outcome) = check(rule(0.5, None, 2), &script);
    let events: Vec<_> = rounds.iter().map(|(_, stats)| (stats.churn, stats.joined, stats.left)).collect();
    assert_eq!(events, [(0, 4, 0), (1, 0, 2), (0, 0, 0), (0, 1, 0)]);
    assert_eq!(outcome.stats.len(), 4, "a round without news has its statistics");
    assert_eq!(outcome.changes.iter().filter(|change| change.1 == 5).count(), 0);
}

#[test]
fn told_twice_at_once_the_greater_wins() {
    let upserts = vec![says(0, 1, 0.9, 0), says(0, 0, 1.0, 0), (Key(0), None)];
    let (selection, _) = one(rule(0.5, None, 2), Round { upserts, ..Round::default() });
    assert_eq!(selection[&Key(0)].class, 1);
}

#[test]
fn soft_labels_keep_their_distribution_and_take_a_new_one() {
    let soft = |tail: [f32; 2]| {
        let distribution = [0.8, tail[0], tail[1]];
        Round { upserts: vec![(Key(0), Some(Pseudo::new(0, 0.8, 0, &[1; 32], &distribution)))], ..Round::default() }
    };
    let (rounds, outcome) = check(rule(0.5, Some((2, true)), 3), &[soft([0.2, 0.0]), soft([0.1, 0.1])]);
    let kept = |round: usize| rounds[round].0[&Key(0)].distribution.iter().map(|p| p.get()).collect::<Vec<_>>();
    assert_eq!((kept(0), kept(1)), (vec![0.8, 0.2, 0.0], vec![0.8, 0.1, 0.1]));
    assert_eq!(outcome.changes.len(), 3, "one in, then one out and one in");
}

#[test]
fn precision_is_over_records_whose_truth_is_known() {
    let truth = vec![(Key(0), Some(0)), (Key(1), Some(1)), (Key(2), Some(0)), (Key(9), Some(0))];
    let round = Round { truth, ..labels(&[(0, 3, 0.9), (1, 1, 0.9)]) };
    let later = Round { truth: vec![(Key(1), Some(0)), (Key(2), None)], ..Round::default() };
    let (rounds, _) = check(rule(0.5, Some((6, true)), 3), &[round, later]);
    assert_eq!(rounds[0].1.precision(), Some(2.0 / 3.0));
    assert_eq!(rounds[1].1.precision(), Some(1.0));
    assert_eq!(rounds[0].1.per_class[1].precision(), None);
}

#[test]
fn other_seeds_and_later_rounds_draw_anew() {
    let script =
        |round: u32| Round { upserts: (0..200).map(|key| says(key, 0, 0.9, round)).collect(), ..Round::default() };
    let keys = |rule, round| check(rule, &[script(round)]).0[0].0.keys().copied().collect::<Vec<_>>();
    let half = rule(0.5, Some((100, true)), 1);
    assert_eq!(keys(half, 0), keys(half, 0));
    assert_ne!(keys(half, 0), keys(half, 1));
    assert_ne!(keys(half, 0), keys(Rule { seed: 12, ..half }, 0));
}

/// On the edges of the bins, and anywhere.
fn confidence() -> impl Strategy<Value = f32> {
    prop_oneof![4 => (0_u8..=100).prop_map(|percent| f32::from(percent) / 100.0), 2 => 0.0_f32..=1.0, 1 => Just(0.9)]
}

fn label(round: u32) -> impl Strategy<Value = Option<Pseudo>> {
    let distribution = prop_oneof![3 => Just(vec![]), 1 => proptest::collection::vec(confidence(), 2)];
    let label =
        (0_u32..5, confidence(), 0_u8..2, distribution).prop_map(move |(class, confidence, model, distribution)| {
            Pseudo::new(class, confidence, round, &[model; 32], &distribution)
        });
    proptest::option::weighted(0.85, label)
}

fn key() -> impl Strategy<Value = Key> {
    (0_u128..40).prop_map(|number| Key((number << 64) | (number * 7)))
}

fn known() -> impl Strategy<Value = Vec<(Key, Option<u32>)>> {
    proptest::collection::vec((key(), proptest::option::weighted(0.7, 0_u32..4)), 0..6)
}

fn round(number: u32) -> impl Strategy<Value = Round> {
    let upserts = proptest::collection::vec((key(), label(number)), 0..50);
    (known(), known(), upserts, any::<bool>()).prop_map(|(human, truth, upserts, hasty)| Round {
        human,
        truth,
        upserts,
        hasty,
    })
}

fn rules() -> impl Strategy<Value = Rule> {
    let balance = proptest::option::weighted(0.8, (1_u64..25, any::<bool>()));
    (1_u8..100, balance, any::<u64>())
        .prop_map(|(percent, balance, seed)| Rule { seed, ..rule(f32::from(percent) / 100.0, balance, 4) })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn dataflow_and_model_agree_at_every_round(rule in rules(), rounds in (round(0), round(1), round(2), round(3), round(4))) {
        prop_assert_eq!(rule.check(), Ok(()));
        let (first, second, third, fourth, fifth) = rounds;
        check(rule, &[first, second, third, fourth, fifth]);
    }
}
