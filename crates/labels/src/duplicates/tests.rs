//! Against every pair, compared one by one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use differential_dataflow::input::Input;
use proptest::prelude::*;
use timely::dataflow::ProbeHandle;

use super::*;

/// Which records there are in a round: of the corpus, and of the test split.
type Round = [BTreeMap<Key, Fingerprint>; 2];
/// Leaks and copies.
type Found = [BTreeMap<(Key, Match), isize>; 2];

/// Every pair of records.
fn reference([records, test]: &Round, distance: u32) -> Found {
    let near = |a: &Fingerprint, b: &Fingerprint| {
        let apart = (a.perceptual ^ b.perceptual).count_ones();
        if a.content == b.content { Some(0) } else { Some(apart).filter(|apart| *apart <= distance) }
    };
    let nearest = |key: &Key, print: &Fingerprint, others: &BTreeMap<Key, Fingerprint>| {
        let found = others.iter().filter_map(|(of, other)| Some(Match { distance: near(print, other)?, of: *of }));
        Some(((*key, found.min()?), 1))
    };
    let smaller = |key: &Key| records.range(..*key).map(|(key, print)| (*key, *print)).collect();
    let leaks = records.iter().filter_map(|(key, print)| nearest(key, print, test));
    let copies = records.iter().filter_map(|(key, print)| nearest(key, print, &smaller(key)));
    [leaks.collect(), copies.collect()]
}

fn run(workers: usize, rounds: &[Round], distance: u32) -> Vec<Found> {
    let changes: [Arc<Mutex<Vec<_>>>; 2] = Default::default();
    let (seen, script) = (changes.clone(), rounds.to_vec());
    let config = if workers == 1 { timely::Config::thread() } else { timely::Config::process(workers) };
    let guards = timely::execute(config, move |worker| {
        let probe = ProbeHandle::new();
        let mut inputs = worker.dataflow(|scope| {
            let (records, corpus) = scope.new_collection::<(Key, Fingerprint), isize>();
            let (test, tests) = scope.new_collection();
            let found = duplicates(corpus, tests, distance);
            for (found, seen) in [found.leaks, found.copies].into_iter().zip(&seen) {
                let seen = Arc::clone(seen);
                found.inspect(move |change| seen.lock().unwrap().push(*change)).probe_with(&probe);
            }
            [records, test]
        });
        let mut before = Round::default();
        for (time, round) in (0_u64..).zip(&script) {
            for ((input, before), now) in inputs.iter_mut().zip(&before).zip(round) {
                if worker.index() == 0 {
                    before.iter().for_each(|(key, print)| input.remove((*key, *print)));
                    now.iter().for_each(|(key, print)| input.insert((*key, *print)));
                }
                input.advance_to(time + 1);
                input.flush();
            }
            before = round.clone();
            worker.step_while(|| probe.less_than(&(time + 1)));
        }
    });
    guards.unwrap().join().into_iter().for_each(|result| result.unwrap());
    let at = |time: u64| changes.each_ref().map(|changes| sum(&changes.lock().unwrap(), time));
    (0..rounds.len() as u64).map(at).collect()
}

fn sum(changes: &[((Key, Match), u64, isize)], until: u64) -> BTreeMap<(Key, Match), isize> {
    let mut sums = BTreeMap::new();
    for (found, _, change) in changes.iter().filter(|change| change.1 <= until) {
        *sums.entry(*found).or_default() += change;
    }
    sums.retain(|_, count| *count != 0);
    sums
}

fn check(rounds: &[Round], distance: u32) -> Vec<Found> {
    let expected: Vec<Found> = rounds.iter().map(|round| reference(round, distance)).collect();
    for workers in [1, 2] {
        assert_eq!(run(workers, rounds, distance), expected, "{workers} workers, distance {distance}");
    }
    expected
}

fn print(content: u128, perceptual: u64) -> Fingerprint {
    Fingerprint { content: Key(content), perceptual }
}

fn map(prints: &[(u128, Fingerprint)]) -> BTreeMap<Key, Fingerprint> {
    prints.iter().map(|(key, print)| (Key(*key), *print)).collect()
}

#[test]
fn a_chain_keeps_what_has_no_smaller_neighbour() {
    // 2 - 1 - 3: each step one bit; the ends are two bits apart.
    let corpus = map(&[(2, print(2, 0b00)), (1, print(1, 0b01)), (3, print(3, 0b11)), (4, print(1, 0b01))]);
    let found = check(&[[corpus, map(&[(9, print(9, u64::MAX))])]], 1);
    let copies: Vec<_> = found[0][1].keys().map(|(key, found)| (key.0, found.of.0, found.distance)).collect();
    assert_eq!(copies, [(2, 1, 1), (3, 1, 1), (4, 1, 0)]);
    assert!(found[0][0].is_empty());
}

#[test]
fn a_leak_is_named_with_its_nearest_test_image() {
    let corpus = map(&[(1, print(1, 0b111)), (2, print(2, 0b111)), (3, print(3, 0xff00))]);
    let test = map(&[(10, print(10, 0b110)), (11, print(11, 0b001)), (12, print(3, 0))]);
    let leaks: Vec<_> = check(&[[corpus, test]], 2)[0][0].keys().map(|(key, found)| (key.0, *found)).collect();
    let found = |of, distance| Match { distance, of: Key(of) };
    assert_eq!(leaks, [(1, found(10, 1)), (2, found(10, 1)), (3, found(12, 0))]);
}

#[test]
fn a_thousand_blank_images_are_one_member_of_their_bands() {
    let blank = (0..1000).map(|key| (key, print(key, 0)));
    let corpus: Vec<_> = blank.chain([(2000, print(2000, 1))]).collect();
    let found = check(&[[map(&corpus), BTreeMap::new()]], 3);
    assert_eq!(found[0][1].len(), 1000);
}

#[test]
fn bands_cover_every_bit_once() {
    for distance in 0..=MOST_DISTANCE {
        for bit in 0..64 {
            let hit = bands(1 << bit, distance).filter(|(_, bits)| *bits != 0).count();
            assert_eq!(hit, 1, "bit {bit} at distance {distance}");
        }
    }
}

/// Few contents, and hashes that differ in few bits.
fn records(first_key: u128) -> impl Strategy<Value = BTreeMap<Key, Fingerprint>> {
    let bits = proptest::collection::vec(0_u32..64, 0..5);
    let base = prop_oneof![Just(0_u64), Just(u64::MAX), Just(0x0123_4567_89ab_cdef)];
    let print = (0_u128..12, base, bits)
        .prop_map(|(content, base, bits)| print(content, bits.into_iter().fold(base, |hash, bit| hash ^ (1 << bit))));
    proptest::collection::btree_map((0_u128..40).prop_map(move |key| Key(key + first_key)), print, 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn dataflow_and_all_pairs_agree(
        rounds in proptest::collection::vec((records(0), records(20)), 1..4),
        distance in 0_u32..=10,
    ) {
        let rounds: Vec<Round> = rounds.into_iter().map(|(corpus, test)| [corpus, test]).collect();
        check(&rounds, distance);
    }
}
