//! Runs the book over a script of rounds, and the sequential model beside it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use differential_dataflow::VecCollection;
use differential_dataflow::input::{Input, InputSession};
use millstream_data::Key;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::{Input as _, Inspect, Probe};
use timely::dataflow::{InputHandle, ProbeHandle, StreamVec};
use timely::logging::{TimelyEvent, TimelyEventBuilder};
use timely::worker::Worker;

use crate::reference::ReferenceBook;
use crate::{Balance, Pseudo, RoundStats, Rule, Selected, book};

/// What happens in one round. Rounds lie at the odd times.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    pub(super) human: Vec<(Key, Option<u32>)>,
    pub(super) truth: Vec<(Key, Option<u32>)>,
    pub(super) upserts: Vec<(Key, Option<Pseudo>)>,
    /// Sends the upserts under an earlier capability, and does not wait for the round to end.
    pub(super) hasty: bool,
}

pub(super) type Selection = BTreeMap<Key, Selected>;

/// One change of the selection, under the time of the message that brought it.
type Change = ((Key, Selected), u64, isize);

/// All that came out of a run, in order of time.
#[derive(Default, Debug)]
pub(super) struct Outcome {
    pub(super) changes: Vec<Change>,
    pub(super) stats: BTreeMap<u64, RoundStats>,
    /// Records that moved between operators, by round; exact for one worker and rounds that are not hasty.
    pub(super) moved: Vec<u64>,
    /// What a worker saw go wrong. A worker that fails would leave the others waiting.
    faults: Vec<String>,
}

impl Outcome {
    fn fault(&mut self, what: String) {
        self.faults.push(what);
    }
}

pub(super) fn rule(threshold: f32, balance: Option<(u64, bool)>, classes: u32) -> Rule {
    let balance = balance.map(|(per_class, upsample)| Balance { per_class, upsample });
    Rule { threshold, balance, seed: 11, classes }
}

/// A hard label of round `round`.
pub(super) fn says(key: u128, class: u32, confidence: f32, round: u32) -> (Key, Option<Pseudo>) {
    (Key(key), Some(Pseudo::new(class, confidence, round, &[round as u8; 32], &[])))
}

pub(super) fn time_of(round: usize) -> u64 {
    2 * round as u64 + 1
}

/// Runs the dataflow; the workers share the input.
pub(super) fn run(workers: usize, rule: Rule, rounds: &[Round]) -> Outcome {
    let rounds: Arc<Vec<Round>> = Arc::new(rounds.to_vec());
    let outcome = Arc::new(Mutex::new(Outcome::default()));
    let seen = Arc::clone(&outcome);
    let config = if workers == 1 { timely::Config::thread() } else { timely::Config::process(workers) };
    let guards = timely::execute(config, move |worker| drive(worker, rule, &rounds, &seen)).unwrap();
    guards.join().into_iter().for_each(|result| result.unwrap());
    let mut outcome = std::mem::take(&mut *outcome.lock().unwrap());
    outcome.changes.sort_by(|a, b| (a.1, &a.0, a.2).cmp(&(b.1, &b.0, b.2)));
    outcome
}

type Upsert = (Key, Option<Pseudo>, u64);

struct Handles {
    human: InputSession<u64, (Key, u32), isize>,
    truth: InputSession<u64, (Key, u32), isize>,
    upserts: InputHandle<u64, CapacityContainerBuilder<Vec<Upsert>>>,
    probe: ProbeHandle<u64>,
}

impl Handles {
    fn advance_to(&mut self, time: u64) {
        self.human.advance_to(time);
        self.human.flush();
        self.truth.advance_to(time);
        self.truth.flush();
        self.upserts.advance_to(time);
    }
}

fn drive(worker: &mut Worker, rule: Rule, rounds: &[Round], outcome: &Arc<Mutex<Outcome>>) {
    let moved = count_messages(worker);
    let mut handles = worker.dataflow(|scope| {
        let (human, humans) = scope.new_collection();
        let (truth, truths) = scope.new_collection();
        let (upserts, stream) = scope.new_input();
        let built = book(humans, truths, stream, &rule);
        let probe = ProbeHandle::new();
        record_changes(built.selected, outcome).probe_with(&probe);
        record_stats(built.stats, outcome).probe_with(&probe);
        Handles { human, truth, upserts, probe }
    });
    let (index, peers) = (worker.index(), worker.peers());
    let (mut human, mut truth) = (BTreeMap::new(), BTreeMap::new());
    for (number, round) in rounds.iter().enumerate() {
        let time = time_of(number);
        if !round.hasty {
            handles.advance_to(time);
        }
        let mine = round.upserts.iter().enumerate().filter(|(at, _)| at % peers == index);
        mine.for_each(|(_, (key, label))| handles.upserts.send((*key, label.clone(), time)));
        if index == 0 {
            tell(&mut handles.human, &mut human, &round.human, time);
            tell(&mut handles.truth, &mut truth, &round.truth, time);
        }
        for _ in 0..3 {
            worker.step();
        }
        handles.advance_to(time + 1);
        while !round.hasty && handles.probe.less_than(&(time + 1)) {
            worker.step();
        }
        worker.step();
        let total = *moved.lock().unwrap();
        let mut outcome = outcome.lock().unwrap();
        let before: u64 = outcome.moved.iter().sum();
        outcome.moved.push(total.saturating_sub(before));
    }
}

/// Turns what becomes of a label into changes of a collection.
fn tell(
    session: &mut InputSession<u64, (Key, u32), isize>,
    known: &mut BTreeMap<Key, u32>,
    news: &[(Key, Option<u32>)],
    time: u64,
) {
    for (key, class) in news {
        let old = match class {
            Some(class) => known.insert(*key, *class),
            None => known.remove(key),
        };
        if let Some(old) = old {
            session.update_at((*key, old), time, -1);
        }
        if let Some(class) = class {
            session.update_at((*key, *class), time, 1);
        }
    }
}

fn record_changes<'scope>(
    selected: VecCollection<'scope, u64, (Key, Selected)>,
    outcome: &Arc<Mutex<Outcome>>,
) -> VecCollection<'scope, u64, (Key, Selected)> {
    let outcome = Arc::clone(outcome);
    selected.inspect_core(move |event| {
        let Ok((stamp, changes)) = event else { return };
        let mut outcome = outcome.lock().unwrap();
        for (datum, time, change) in changes {
            if stamp.least() != Some(time) {
                outcome.fault(format!("a change of {time} is sent at {stamp:?}"));
            }
            outcome.changes.push((datum.clone(), *time, *change));
        }
    })
}

fn record_stats<'scope>(
    stats: StreamVec<'scope, u64, (u64, RoundStats)>,
    outcome: &Arc<Mutex<Outcome>>,
) -> StreamVec<'scope, u64, (u64, RoundStats)> {
    let outcome = Arc::clone(outcome);
    let index = stats.scope().index();
    stats.inspect_core(move |event| {
        let Ok((stamp, reports)) = event else { return };
        let mut outcome = outcome.lock().unwrap();
        for (time, stats) in reports {
            let late = outcome.stats.keys().any(|earlier| earlier >= time);
            if late || index != 0 || stamp.least() != Some(time) {
                outcome.fault(format!("statistics of {time}: worker {index}, at {stamp:?}, late: {late}"));
            }
            outcome.stats.insert(*time, stats.clone());
        }
    })
}

/// Counts every record that an operator sends to another.
fn count_messages(worker: &Worker) -> Arc<Mutex<u64>> {
    let moved = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&moved);
    if let Some(mut register) = worker.log_register() {
        register.insert::<TimelyEventBuilder, _>("timely", move |_, events| {
            for (_, event) in events.iter().flatten() {
                if let TimelyEvent::Messages(message) = event
                    && message.is_send
                {
                    *counter.lock().unwrap() += u64::try_from(message.record_count).unwrap_or(0);
                }
            }
        });
    }
    moved
}

/// Runs the script at 1 and 2 workers, compares every round with the sequential model, and returns what was selected
/// and counted in each round, with the run at one worker.
pub(super) fn check(rule: Rule, rounds: &[Round]) -> (Vec<(Selection, RoundStats)>, Outcome) {
    let expected = expect(rule, rounds);
    let outcomes = [1, 2].map(|workers| run(workers, rule, rounds));
    for outcome in &outcomes {
        compare(rule, rounds, &expected, outcome);
    }
    let [one, two] = outcomes;
    assert_eq!(one.changes, two.changes, "one worker and two");
    (expected, one)
}

/// What the sequential model makes of a script.
pub(super) fn expect(rule: Rule, rounds: &[Round]) -> Vec<(Selection, RoundStats)> {
    let mut book = ReferenceBook::new(rule);
    let each = rounds.iter().map(|round| {
        round.human.iter().for_each(|(key, class)| book.set_human(*key, *class));
        round.truth.iter().for_each(|(key, class)| book.set_truth(*key, *class));
        book.round(&round.upserts)
    });
    each.collect()
}

fn compare(rule: Rule, rounds: &[Round], expected: &[(Selection, RoundStats)], outcome: &Outcome) {
    assert_eq!(outcome.faults, Vec::<String>::new());
    let mut weights: BTreeMap<(Key, Selected), isize> = BTreeMap::new();
    let mut last = ReferenceBook::new(rule).round(&[]).1;
    for (number, (selection, stats)) in expected.iter().enumerate() {
        let time = time_of(number);
        let mut news: Vec<_> = outcome.changes.iter().filter(|change| change.1 == time).collect();
        for (datum, _, change) in &news {
            *weights.entry(datum.clone()).or_default() += change;
        }
        weights.retain(|_, weight| *weight != 0);
        let wanted: BTreeMap<_, _> = selection.iter().map(|(key, label)| ((*key, label.clone()), 1)).collect();
        assert_eq!(weights, wanted, "selection of round {number}");
        let sent = news.len();
        news.dedup_by(|a, b| a.0 == b.0);
        assert_eq!(news.len(), sent, "round {number} sends nothing twice");

        match outcome.stats.get(&time) {
            Some(found) => assert_eq!(found, stats, "statistics of round {number}"),
            None => {
                assert!(rounds[number].upserts.is_empty(), "round {number} was told something");
                let carried = RoundStats { churn: 0, joined: 0, left: 0, ..last };
                assert_eq!(stats, &carried, "round {number} without statistics");
            }
        }
        last = stats.clone();
    }
    assert!(outcome.stats.len() <= rounds.len());
    assert!(outcome.changes.iter().all(|change| change.1 % 2 == 1 && change.1 <= time_of(rounds.len())));
}
