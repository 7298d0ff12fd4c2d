//! The work follows the change: what a round sends and moves, counted.

use super::harness::{Round, check, rule, run, says};

const RECORDS: u128 = 20_000;

/// Ten classes, confidences spread over 0.90 to 0.98.
fn first() -> Round {
    let upserts = (0..RECORDS).map(|key| says(key, (key % 10) as u32, 0.9 + (key % 9) as f32 / 100.0, 0)).collect();
    Round { upserts, ..Round::default() }
}

/// A teacher that says of every hundredth record what `news` says, and of all others what was said before.
fn second(news: impl Fn(u128) -> Option<(u32, f32)>) -> Round {
    let mut round = first();
    for (key, label) in (0..).zip(&mut round.upserts).filter(|(key, _)| key % 100 == 37) {
        *label = news(key).map_or((label.0, None), |(class, confidence)| says(key, class, confidence, 1));
    }
    round
}

/// The records that round 1 concerns.
const CHANGED: usize = RECORDS as usize / 100;

#[test]
fn one_percent_of_new_labels_is_one_percent_of_changes() {
    for balance in [None, Some((3000, true)), Some((1000, true)), Some((1000, false))] {
        let script = [first(), second(|key| Some(((key % 10) as u32, 0.985)))];
        let (rounds, outcome) = check(rule(0.85, balance, 10), &script);
        let sent = outcome.changes.iter().filter(|change| change.1 == 3).count();
        // Each changed record leaves and comes back at most once. All rose within the pool or into it: where classes are
        // sampled the factor follows, and a few others cross its line.
        assert!(sent <= 2 * CHANGED + 200, "{balance:?}: {sent} changes");
        assert_eq!(rounds[1].1.churn, 0);
    }
}

#[test]
fn what_moves_between_operators_is_a_few_percent_as_well() {
    for balance in [None, Some((3000, true))] {
        // Only what is new is told, so that what was heard does not cloud the count; some labels are lost, which moves
        // the factors of their classes.
        let mut news = second(|key| (key % 5 > 0).then_some((((key + 1) % 10) as u32, 0.97)));
        news.upserts.retain(|(key, _)| key.0 % 100 == 37);
        // What a join looks at and drops is not sent: for that, see the test of the cells in `balance`.
        let outcome = run(1, rule(0.85, balance, 10), &[first(), news]);
        let [all, some] = outcome.moved[..] else { panic!("two rounds") };
        assert!(all > 4 * RECORDS as u64, "the counter counts: {all}");
        assert!(some * 15 < all, "{balance:?}: {some} of {all} records moved");
    }
}

#[test]
fn shifted_bins_with_the_same_cut_send_nothing_but_the_shifted() {
    let script = [first(), second(|key| Some(((key % 10) as u32, 0.98)))];
    // Room for all: the threshold stays the least one, and the pool stays as it was.
    let (rounds, outcome) = check(rule(0.85, Some((5000, true)), 10), &script);
    assert_eq!(rounds[0].1.per_class[7].factor, rounds[1].1.per_class[7].factor);
    let sent = || outcome.changes.iter().filter(|change| change.1 == 3);
    assert!(sent().all(|change| change.0.0.0 % 100 == 37), "only records that were told");
    assert!(sent().count() <= 2 * CHANGED);
}

#[test]
fn a_teacher_that_says_the_same_again_changes_nothing() {
    let (rounds, outcome) = check(rule(0.85, Some((1000, true)), 10), &[first(), first()]);
    assert!(outcome.changes.iter().all(|change| change.1 == 1));
    assert_eq!(outcome.stats[&3], rounds[1].1);
    assert_eq!((rounds[1].1.joined, rounds[1].1.left, rounds[1].1.churn), (0, 0, 0));
}
