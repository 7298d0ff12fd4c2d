//! The book of a corpus against the sequential model, at 1 and 2 workers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use differential_dataflow::VecCollection;
use differential_dataflow::input::{Input, InputSession};
use millstream_data::{Fingerprint, Key};
use proptest::prelude::*;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::{Input as _, Inspect, Probe};
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::worker::Worker;

use super::{Curated, Sayings, curate};
use crate::reference::ReferenceBook;
use crate::{
    Agreement, Balance, Correction, Deduplication, Label, Looks, Match, Pair, Policy, Provenance, Pseudo, RoundStats,
    Rule, Verdict, as_of,
};

mod survivors;

/// Hashes within so many bits are near.
const DISTANCE: u32 = 1;

/// What happens in one round. The number of a round is its time.
#[derive(Clone, Debug, Default)]
struct Round {
    /// Of an import, or its withdrawal.
    corrections: Vec<(Key, u32, Option<Verdict>)>,
    barred: Vec<(Key, bool)>,
    looks: Vec<(Key, Option<Fingerprint>)>,
    tests: Vec<(Key, Option<Fingerprint>)>,
    truth: Vec<(Key, Option<u32>)>,
    upserts: Vec<(Key, u32, Option<Pseudo>)>,
}

/// A policy, the round whose members stay, and what is done about duplicates.
type Setting = (Policy, Option<u64>, Deduplication);

/// What holds at the end of a round.
#[derive(Clone, Debug, PartialEq)]
struct State {
    labels: BTreeMap<(Key, Label), isize>,
    pairs: BTreeMap<(Pair, ()), isize>,
    /// None where they are not left out.
    copies: BTreeMap<(Key, Match), isize>,
    stats: Option<RoundStats>,
}

type Changes<D> = Arc<Mutex<Vec<(D, u64, isize)>>>;

/// All that came out of a run.
#[derive(Clone, Default)]
struct Outcome {
    labels: Changes<(Key, Label)>,
    pairs: Changes<(Pair, ())>,
    copies: Changes<(Key, Match)>,
    stats: Arc<Mutex<BTreeMap<u64, RoundStats>>>,
    /// What was selected in the second round, as a collection of its own.
    second: Changes<(Key, Label)>,
}

impl Outcome {
    fn state(&self, time: u64) -> State {
        let stats = self.stats.lock().unwrap().get(&time).cloned();
        State { labels: at(&self.labels, time), pairs: at(&self.pairs, time), copies: at(&self.copies, time), stats }
    }
}

fn at<D: Ord + Clone>(changes: &Changes<D>, time: u64) -> BTreeMap<D, isize> {
    let mut sums = BTreeMap::new();
    for (datum, _, change) in changes.lock().unwrap().iter().filter(|change| change.1 <= time) {
        *sums.entry(datum.clone()).or_default() += change;
    }
    sums.retain(|_, count| *count != 0);
    sums
}

fn run(workers: usize, setting: &Setting, rounds: &[Round]) -> Outcome {
    let (setting, rounds) = (setting.clone(), rounds.to_vec());
    let outcome = Outcome::default();
    let seen = outcome.clone();
    let config = if workers == 1 { timely::Config::thread() } else { timely::Config::process(workers) };
    let guards = timely::execute(config, move |worker| drive(worker, &setting, &rounds, &seen)).unwrap();
    guards.join().into_iter().for_each(|result| result.unwrap());
    outcome
}

/// Key, teacher, label, time.
type Upsert = (Key, u32, Option<Pseudo>, u64);

struct Handles {
    corrections: InputSession<u64, (Key, Correction), isize>,
    barred: InputSession<u64, Key, isize>,
    looks: InputSession<u64, (Key, Fingerprint), isize>,
    tests: InputSession<u64, (Key, Fingerprint), isize>,
    truth: InputSession<u64, (Key, u32), isize>,
    teachers: InputHandle<u64, CapacityContainerBuilder<Vec<Upsert>>>,
    probe: ProbeHandle<u64>,
}

fn build(worker: &mut Worker, (policy, frozen, what): &Setting, outcome: &Outcome) -> Handles {
    worker.dataflow(|scope| {
        let (corrections, corrected) = scope.new_collection();
        let (barred, bars) = scope.new_collection();
        let (looks, looking) = scope.new_collection();
        let (tests, tested) = scope.new_collection();
        let (truth, truths) = scope.new_collection();
        let (teachers, told) = scope.new_input();
        let alike = Looks { records: looking, test: tested, distance: DISTANCE, what: *what };
        let said = Sayings { corrections: corrected, teachers: told, barred: bars, looks: Some(alike), truth: truths };
        let Curated { labels, selected: _, stats, pairs, duplicates } = curate(said, policy, *frozen);
        let probe = ProbeHandle::new();
        let left_out = *what == Deduplication::KeepOne;
        record(duplicates.unwrap().copies.filter(move |_| left_out), &outcome.copies, &probe);
        record(as_of(labels.clone(), 1), &outcome.second, &probe);
        record(labels, &outcome.labels, &probe);
        record(pairs.map(|pair| (pair, ())), &outcome.pairs, &probe);
        let reports = Arc::clone(&outcome.stats);
        let stats = stats.inspect(move |(time, stats)| {
            reports.lock().unwrap().insert(*time, stats.clone());
        });
        stats.probe_with(&probe);
        Handles { corrections, barred, looks, tests, truth, teachers, probe }
    })
}

fn record<'scope, D: Clone + 'static>(
    changes: VecCollection<'scope, u64, D>,
    into: &Changes<D>,
    probe: &ProbeHandle<u64>,
) {
    let into = Arc::clone(into);
    changes.inspect(move |change| into.lock().unwrap().push(change.clone())).probe_with(probe);
}

fn drive(worker: &mut Worker, setting: &Setting, rounds: &[Round], outcome: &Outcome) {
    let mut handles = build(worker, setting, outcome);
    let (index, peers) = (worker.index(), worker.peers());
    let mut told = Told::default();
    for (time, round) in (0..).zip(rounds) {
        let mine = round.upserts.iter().skip(index).step_by(peers);
        mine.for_each(|(key, teacher, label)| handles.teachers.send((*key, *teacher, label.clone(), time)));
        if index == 0 {
            told.tell(&mut handles, round);
        }
        handles.corrections.advance_to(time + 1);
        handles.barred.advance_to(time + 1);
        handles.looks.advance_to(time + 1);
        handles.tests.advance_to(time + 1);
        handles.truth.advance_to(time + 1);
        handles.teachers.advance_to(time + 1);
        handles.corrections.flush();
        handles.barred.flush();
        handles.looks.flush();
        handles.tests.flush();
        handles.truth.flush();
        worker.step_while(|| handles.probe.less_than(&(time + 1)));
    }
}

/// What holds so far, to turn what becomes of it into changes.
#[derive(Default)]
struct Told {
    corrections: BTreeMap<(Key, u32), Verdict>,
    barred: BTreeMap<Key, ()>,
    looks: BTreeMap<Key, Fingerprint>,
    tests: BTreeMap<Key, Fingerprint>,
    truth: BTreeMap<Key, u32>,
}

impl Told {
    fn tell(&mut self, handles: &mut Handles, round: &Round) {
        for (key, import, verdict) in &round.corrections {
            let (old, new) = replace(&mut self.corrections, (*key, *import), *verdict);
            let correction = |verdict| (*key, Correction { import: *import, verdict });
            old.into_iter().for_each(|old| handles.corrections.remove(correction(old)));
            new.into_iter().for_each(|new| handles.corrections.insert(correction(new)));
        }
        for (key, barred) in &round.barred {
            let (old, new) = replace(&mut self.barred, *key, barred.then_some(()));
            old.into_iter().for_each(|()| handles.barred.remove(*key));
            new.into_iter().for_each(|()| handles.barred.insert(*key));
        }
        for (key, print) in &round.looks {
            let (old, new) = replace(&mut self.looks, *key, *print);
            old.into_iter().for_each(|old| handles.looks.remove((*key, old)));
            new.into_iter().for_each(|new| handles.looks.insert((*key, new)));
        }
        for (key, print) in &round.tests {
            let (old, new) = replace(&mut self.tests, *key, *print);
            old.into_iter().for_each(|old| handles.tests.remove((*key, old)));
            new.into_iter().for_each(|new| handles.tests.insert((*key, new)));
        }
        for (key, class) in &round.truth {
            let (old, new) = replace(&mut self.truth, *key, *class);
            old.into_iter().for_each(|old| handles.truth.remove((*key, old)));
            new.into_iter().for_each(|new| handles.truth.insert((*key, new)));
        }
    }
}

fn replace<K: Ord, V: Copy>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) -> (Option<V>, Option<V>) {
    let old = match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
    (old, value)
}

/// What the sequential model makes of it.
fn expect((policy, frozen, what): &Setting, rounds: &[Round]) -> Vec<State> {
    let mut book = ReferenceBook::of_corpus(policy.clone());
    book.set_duplicates(*what, DISTANCE);
    let each = (0..).zip(rounds).map(|(time, round)| {
        round.corrections.iter().for_each(|(key, import, verdict)| book.set_correction(*key, *import, *verdict));
        round.barred.iter().for_each(|(key, barred)| book.set_barred(*key, *barred));
        round.looks.iter().for_each(|(key, print)| book.set_look(*key, *print));
        round.tests.iter().for_each(|(key, print)| book.set_test(*key, *print));
        round.truth.iter().for_each(|(key, class)| book.set_truth(*key, *class));
        let (_, stats) = book.round_of_teachers(&round.upserts);
        if *frozen == Some(time) {
            book.freeze();
        }
        let labels = book.labels().into_iter().map(|label| (label, 1)).collect();
        let pairs = book.pairs().into_iter().map(|(pair, count)| ((pair, ()), count as isize)).collect();
        let copies = book.left_out().into_iter().map(|copy| (copy, 1)).collect();
        State { labels, pairs, copies, stats: Some(stats) }
    });
    each.collect()
}

/// Compares every round with the sequential model, and returns what held at its end.
fn check(setting: &Setting, rounds: &[Round]) -> Vec<State> {
    let expected = expect(setting, rounds);
    for outcome in [1, 2].map(|workers| run(workers, setting, rounds)) {
        for (time, expected) in (0..).zip(&expected) {
            let found = outcome.state(time);
            // A round in which nothing was told and nothing changed has no statistics.
            let stats = found.stats.clone().or_else(|| expected.stats.clone());
            assert_eq!(State { stats, ..found }, *expected, "round {time}");
        }
        assert_eq!(at(&outcome.second, u64::MAX), at(&outcome.labels, 1), "as of the second round");
    }
    expected
}

fn rule(threshold: f32) -> Rule {
    Rule { threshold, balance: None, seed: 5, classes: 3 }
}

fn says(key: u128, teacher: u32, class: u32, confidence: f32) -> (Key, u32, Option<Pseudo>) {
    (Key(key), teacher, Some(Pseudo::new(class, confidence, 0, &[teacher as u8; 32], &[])))
}

/// The class of each record in the training set.
fn classes(state: &State) -> BTreeMap<u128, u32> {
    state.labels.keys().map(|(Key(key), label)| (*key, label.class)).collect()
}

#[test]
fn the_most_confident_of_each_class_are_taken() {
    let policy = Policy { most: Some(2), ..Policy::from(rule(0.5)) };
    let upserts =
        vec![says(0, 0, 0, 0.9), says(1, 0, 0, 0.8), says(2, 0, 0, 0.95), says(3, 0, 1, 0.6), says(4, 0, 2, 0.4)];
    let better = Round { upserts: vec![says(1, 0, 0, 1.0), says(4, 0, 2, 0.5)], ..Round::default() };
    let states = check(&(policy, None, Deduplication::Report), &[Round { upserts, ..Round::default() }, better]);
    assert_eq!(classes(&states[0]), BTreeMap::from([(0, 0), (2, 0), (3, 1)]));
    assert_eq!(classes(&states[1]), BTreeMap::from([(1, 0), (2, 0), (3, 1), (4, 2)]));
}

#[test]
fn equals_are_parted_by_a_hash_of_seed_and_key() {
    let taken = |seed: u64, keys: std::ops::Range<u128>| {
        let policy = Policy { most: Some(10), ..Policy::from(Rule { seed, ..rule(0.5) }) };
        let upserts = keys.map(|key| says(key, 0, 0, 1.0)).collect();
        let states = check(&(policy, None, Deduplication::Report), &[Round { upserts, ..Round::default() }]);
        classes(&states[0]).into_keys().collect::<Vec<_>>()
    };
    let first = taken(1, 0..300);
    assert_eq!(first.len(), 10);
    assert_ne!(first, taken(2, 0..300));
    assert_ne!(first, (0..10).collect::<Vec<_>>());
}

#[test]
fn each_class_has_its_threshold() {
    let policy = Policy { thresholds: vec![0.8, f32::INFINITY], ..Policy::from(rule(0.5)) };
    let upserts = (0..3).flat_map(|class| {
        [0.6, 0.9].map(|confidence| says(u128::from(class) * 10 + u128::from(confidence > 0.8), 0, class, confidence))
    });
    let round = Round { upserts: upserts.collect(), ..Round::default() };
    for balance in [None, Some(Balance { per_class: 1, upsample: false })] {
        let policy = Policy { rule: Rule { balance, ..policy.rule }, ..policy.clone() };
        let states = check(&(policy, None, Deduplication::Report), std::slice::from_ref(&round));
        let mut expected = BTreeMap::from([(1, 0), (20, 2), (21, 2)]);
        if balance.is_some() {
            expected.remove(&20);
        }
        assert_eq!(classes(&states[0]), expected);
    }
}

#[test]
fn a_later_import_wins_and_may_be_withdrawn() {
    let correct = |import, verdict| Round { corrections: vec![(Key(0), import, verdict)], ..Round::default() };
    let told = Round { upserts: vec![says(0, 0, 0, 0.9)], ..Round::default() };
    let script = [
        told,
        correct(1, Some(Verdict::Class(1))),
        correct(3, Some(Verdict::Reject)),
        correct(2, Some(Verdict::Class(2))),
        correct(3, None),
        correct(2, None),
        correct(1, None),
    ];
    let states = check(&(Policy::from(rule(0.5)), None, Deduplication::Report), &script);
    let class: Vec<_> = states.iter().map(|state| classes(state).get(&0).copied()).collect();
    assert_eq!(class, [Some(0), Some(1), None, None, Some(2), Some(1), Some(0)]);
    let provenance = |round: usize| states[round].labels.keys().next().map(|(_, label)| label.provenance);
    assert_eq!(provenance(4), Some(Provenance::Human { import: 2 }));
    assert!(matches!(provenance(0), Some(Provenance::Pseudo { round: 0, model: 0, .. })));
}

#[test]
fn teachers_agree_or_not() {
    let upserts =
        vec![says(0, 0, 1, 0.9), says(0, 1, 1, 0.7), says(1, 0, 1, 0.9), says(1, 1, 2, 0.9), says(2, 1, 0, 0.9)];
    let changed = Round { upserts: vec![says(1, 1, 1, 0.9), (Key(0), 1, None)], ..Round::default() };
    let states = check(
        &(Policy::from(rule(0.75)), None, Deduplication::Report),
        &[Round { upserts, ..Round::default() }, changed],
    );
    assert_eq!(classes(&states[0]), BTreeMap::from([(0, 1), (2, 0)]));
    assert_eq!(classes(&states[1]), BTreeMap::from([(0, 1), (1, 1), (2, 0)]));
    let pair = |same| (Pair { first: 0, second: 1, same }, ());
    assert_eq!(states[0].pairs, BTreeMap::from([(pair(true), 1), (pair(false), 1)]));
    assert_eq!(states[1].pairs, BTreeMap::from([(pair(true), 1)]));
}

#[test]
fn members_stay_and_take_new_labels() {
    let first = Round { upserts: vec![says(0, 0, 0, 0.9), says(1, 0, 1, 0.8), says(2, 0, 0, 0.4)], ..Round::default() };
    let second =
        Round { upserts: vec![says(0, 0, 2, 0.1), says(1, 0, 1, 0.9), says(2, 0, 0, 1.0)], ..Round::default() };
    // A class that does not exist, of a record whose truth is known.
    let unknown = Round { upserts: vec![says(1, 0, 3, 0.9)], truth: vec![(Key(1), Some(1))], ..Round::default() };
    let third = Round { barred: vec![(Key(1), true)], upserts: vec![(Key(0), 0, None)], ..Round::default() };
    let states = check(&(Policy::from(rule(0.5)), Some(0), Deduplication::Report), &[first, second, unknown, third]);
    assert_eq!(classes(&states[1]), BTreeMap::from([(0, 2), (1, 1)]));
    assert_eq!(classes(&states[2]), BTreeMap::from([(0, 2)]));
    assert_eq!(classes(&states[3]), BTreeMap::new());
}

fn key() -> impl Strategy<Value = Key> {
    (0_u128..25).prop_map(|number| Key((number << 64) | (number * 7)))
}

fn upsert(round: u32) -> impl Strategy<Value = (Key, u32, Option<Pseudo>)> {
    let confidence =
        || prop_oneof![3 => (0_u8..=100).prop_map(|p| f32::from(p) / 100.0), 1 => Just(0.9), 1 => Just(1.0)];
    let distribution = prop_oneof![1 => Just(vec![]), 2 => proptest::collection::vec(confidence(), 3)];
    let label = (0_u32..4, confidence(), distribution)
        .prop_map(move |(class, confidence, all)| (Pseudo::new(class, confidence, round, &[1; 32], &all), 0));
    (key(), 0_u32..3, proptest::option::weighted(0.9, label)).prop_map(|(key, teacher, label)| {
        (key, teacher, label.map(|(label, _)| Pseudo { model: teacher.into(), ..label }))
    })
}

/// Few images, some of them one bit apart; the bytes say nothing beyond that.
fn print() -> impl Strategy<Value = Option<Fingerprint>> {
    let print = (0_u128..40, 0_u32..8, any::<bool>()).prop_map(|(content, image, nearly)| {
        let perceptual = 0x0123_4567_89ab_cdef_u64.rotate_left(image) ^ u64::from(nearly);
        Fingerprint { content: Key(content), perceptual }
    });
    proptest::option::weighted(0.9, print)
}

fn round(number: u32) -> impl Strategy<Value = Round> {
    let verdict = prop_oneof![(0_u32..3).prop_map(Verdict::Class), Just(Verdict::Reject)];
    let correction = (key(), 0_u32..4, proptest::option::weighted(0.7, verdict));
    (
        proptest::collection::vec(correction, 0..5),
        proptest::collection::vec((key(), any::<bool>()), 0..3),
        (proptest::collection::vec((key(), print()), 0..12), proptest::collection::vec((key(), print()), 0..2)),
        proptest::collection::vec((key(), proptest::option::weighted(0.8, 0_u32..3)), 0..6),
        proptest::collection::vec(upsert(number), 0..50),
    )
        .prop_map(|(corrections, barred, (looks, tests), truth, upserts)| Round {
            corrections,
            barred,
            looks,
            tests,
            truth,
            upserts,
        })
}

fn settings() -> impl Strategy<Value = Setting> {
    let threshold =
        prop_oneof![4 => (1_u8..100).prop_map(|p| f32::from(p) / 100.0), 1 => Just(f32::INFINITY), 1 => Just(f32::NAN)];
    let way = prop_oneof![
        Just((None, None)),
        (1_u64..8).prop_map(|most| (Some(most), None)),
        (1_u64..12, any::<bool>()).prop_map(|(per_class, upsample)| (None, Some(Balance { per_class, upsample }))),
    ];
    let agreement = prop_oneof![Just(Agreement::All), Just(Agreement::Majority), Just(Agreement::Mean)];
    let frozen = proptest::option::weighted(0.4, 0_u64..4);
    let what = prop_oneof![
        1 => Just(Deduplication::Report), 1 => Just(Deduplication::Drop), 3 => Just(Deduplication::KeepOne)
    ];
    (proptest::collection::vec(threshold, 0..4), way, agreement, any::<u64>(), frozen, what).prop_map(
        |(thresholds, (most, balance), agreement, seed, frozen, what)| {
            let rule = Rule { balance, seed, ..rule(0.4) };
            (Policy { rule, thresholds, most, agreement }, frozen, what)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn dataflow_and_model_agree_at_every_round(
        setting in settings(),
        rounds in (round(0), round(1), round(2), round(3), round(4)),
    ) {
        prop_assert_eq!(setting.0.check(), Ok(()));
        let (first, second, third, fourth, fifth) = rounds;
        check(&setting, &[first, second, third, fourth, fifth]);
    }
}
