//! Which of several records that show the same stays, and what people's labels leave room for.

use super::*;

/// Record `key` shows image `image`.
fn shows(key: u128, image: u64) -> (Key, Option<Fingerprint>) {
    // Bytes of its own; the hashes of two images differ in many bits.
    (Key(key), Some(Fingerprint { content: Key(1000 + key), perceptual: image.wrapping_mul(0x9e37_79b9_7f4a_7c15) }))
}

/// Twenty pairs of the same image: records `n` and `100 + n`.
fn twins() -> Round {
    let keys = || (0_u64..20).flat_map(|image| [(image.into(), image), (u128::from(100 + image), image)]);
    let looks = keys().map(|(key, image)| shows(key, image)).collect();
    Round { upserts: keys().map(|(key, _)| says(key, 0, 0, 0.9)).collect(), looks, ..Round::default() }
}

fn keep_one(policy: Policy, frozen: Option<u64>) -> Setting {
    (policy, frozen, Deduplication::KeepOne)
}

fn correct(keys: std::ops::Range<u128>, import: u32, verdict: Verdict) -> Vec<(Key, u32, Option<Verdict>)> {
    keys.map(|key| (Key(key), import, Some(verdict))).collect()
}

#[test]
fn what_people_say_goes_before_smaller_keys_and_what_they_reject_is_in_nobodys_way() {
    let corrected = Round { corrections: correct(100..120, 1, Verdict::Class(2)), ..twins() };
    let rejected = Round { corrections: correct(0..20, 1, Verdict::Reject), ..twins() };
    let setting = keep_one(Policy::from(rule(0.5)), None);
    let of_teacher = check(&setting, &[twins()]);
    assert_eq!(classes(&of_teacher[0]), (0..20).map(|key| (key, 0)).collect());
    let of_people = check(&setting, &[corrected]);
    assert_eq!(classes(&of_people[0]), (100..120).map(|key| (key, 2)).collect());
    let left = check(&setting, &[rejected]);
    assert_eq!(classes(&left[0]), (100..120).map(|key| (key, 0)).collect());
    assert!(left[0].copies.is_empty());
}

#[test]
fn corrections_go_before_trusted_labels_and_these_before_teachers() {
    let looks = vec![shows(1, 7), shows(2, 7), shows(3, 7)];
    let upserts = (1..=3).map(|key| says(key, 0, 0, 0.9)).collect();
    let trusted = vec![(Key(2), 0, Some(Verdict::Class(1))), (Key(3), 2, Some(Verdict::Class(2)))];
    let withdrawn = |key, import| Round { corrections: vec![(Key(key), import, None)], ..Round::default() };
    let script = [Round { corrections: trusted, looks, upserts, ..Round::default() }, withdrawn(3, 2), withdrawn(2, 0)];
    let states = check(&keep_one(Policy::from(rule(0.5)), None), &script);
    let kept: Vec<_> = states.iter().map(classes).collect();
    assert_eq!(kept, [(3, 2), (2, 1), (1, 0)].map(|one| BTreeMap::from([one])));
}

#[test]
fn what_is_not_sure_enough_or_barred_or_a_leak_is_in_nobodys_way() {
    let looks = vec![shows(1, 7), shows(2, 7), shows(3, 8), shows(4, 8), (Key(5), shows(5, 9).1), shows(6, 9)];
    let says = |key, confidence| says(key, 0, 0, confidence);
    let upserts = vec![says(1, 0.4), says(2, 0.9), says(3, 0.9), says(4, 0.9), says(5, 0.9), says(6, 0.9)];
    // A test image has the bytes of record 5, and looks like neither.
    let leak = Fingerprint { content: Key(1005), perceptual: 0x5555_0000_aaaa_ffff };
    let tests = vec![(Key(50), Some(leak))];
    let first = Round { looks, upserts, tests, barred: vec![(Key(3), true)], ..Round::default() };
    let surer = Round { upserts: vec![says(1, 0.8)], barred: vec![(Key(3), false)], ..Round::default() };
    for balance in [None, Some(Balance { per_class: 10, upsample: false })] {
        let policy = Policy::from(Rule { balance, ..rule(0.5) });
        let states = check(&keep_one(policy, None), &[first.clone(), surer.clone()]);
        assert_eq!(classes(&states[0]).into_keys().collect::<Vec<_>>(), [2, 4, 6]);
        assert_eq!(classes(&states[1]).into_keys().collect::<Vec<_>>(), [1, 3, 6]);
    }
}

#[test]
fn copies_take_up_no_room() {
    let ways = [(Some(20), None), (None, Some(Balance { per_class: 20, upsample: false }))];
    for (most, balance) in ways {
        let policy = Policy { most, ..Policy::from(Rule { balance, ..rule(0.5) }) };
        let states = check(&keep_one(policy, None), &[twins()]);
        assert_eq!(classes(&states[0]), (0..20).map(|key| (key, 0)).collect());
    }
}

#[test]
fn members_stay_but_for_one_that_a_person_labels_a_copy_of() {
    let unsure = Round { upserts: (0..5).map(|key| says(key, 0, 1, 0.1)).collect(), ..Round::default() };
    let corrected = Round { corrections: correct(100..103, 1, Verdict::Class(2)), ..Round::default() };
    let states = check(&keep_one(Policy::from(rule(0.5)), Some(0)), &[twins(), unsure, corrected]);
    assert!(classes(&states[1]).into_keys().eq(0..20));
    assert!(classes(&states[2]).into_keys().eq((3..20).chain(100..103)));
}

#[test]
fn teachers_fill_up_what_people_leave() {
    let upserts = (0..40).map(|key| says(key, 0, (key % 2) as u32, 0.9)).collect();
    // Of class 0 more than are wanted, of class 1 two.
    let mut corrections = correct(100..107, 1, Verdict::Class(0));
    corrections.extend(correct(200..202, 0, Verdict::Class(1)));
    let told = Round { upserts, corrections, ..Round::default() };
    let withdrawn = Round { corrections: vec![(Key(200), 0, None)], ..Round::default() };
    let most = Policy { most: Some(5), ..Policy::from(rule(0.5)) };
    let balance = |upsample| Policy::from(Rule { balance: Some(Balance { per_class: 5, upsample }), ..rule(0.5) });
    let images = |state: &State, class: u32| {
        state.labels.keys().filter(|(_, label)| label.class == class).map(|(_, label)| label.copies).sum::<u32>()
    };
    let states = check(&(most, None, Deduplication::Report), &[told.clone(), withdrawn]);
    assert_eq!([0, 1].map(|class| images(&states[0], class)), [7, 5]);
    assert_eq!([0, 1].map(|class| images(&states[1], class)), [7, 5]);
    for policy in [balance(false), balance(true)] {
        let states = check(&(policy, None, Deduplication::Report), std::slice::from_ref(&told));
        assert_eq!(images(&states[0], 0), 7);
        assert_eq!(states[0].stats.as_ref().unwrap().per_class[1].factor, 3.0 / 20.0);
    }
}
