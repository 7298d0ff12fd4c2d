//! Calibration in the stream, with a trainer that is surer than it is right.

use std::sync::{Arc, Mutex};

use crate::support::{Outcome, Setting, TOO_SURE, run, too_sure};
use millstream_data::LabelRow;
use millstream_dataflow::{Evaluation, Event, Pass, RoundResult, Tally};

/// That of the support's jobs.
const THRESHOLD: f32 = 0.6;

#[test]
fn all_training_nodes_answer_at_the_same_temperature() {
    let [one, two] = [1, 2].map(|ranks| run(Setting { ranks, workers: 2, ..calibrated() }));
    assert_eq!(one.labels(), two.labels());
    for (one, two) in one.rounds.iter().zip(&two.rounds) {
        assert_eq!((&one.validation, &one.calibration), (&two.validation, &two.calibration));
    }
}

fn calibrated() -> Setting {
    Setting { validation: true, calibrate: true, ..Setting::default() }
}

fn ece(tally: &Tally) -> f64 {
    Evaluation::new(tally, &[]).unwrap().ece
}

/// The number of the record that a label is of: the source is its files in order.
fn record(row: &LabelRow) -> u32 {
    row.place.rsplit(['[', '#', ':']).next().unwrap().trim_end_matches(']').parse().unwrap()
}

fn at(temperature: f64, round: u32, record: u32) -> Vec<f32> {
    millstream_data::temper(&too_sure(round, record), temperature)
}

#[test]
fn a_trainer_that_is_too_sure_gets_its_temperature() {
    let outcome = run(calibrated());
    assert_eq!(outcome.rounds.len(), 3);
    for RoundResult { validation, test, calibration, .. } in &outcome.rounds {
        let calibration = calibration.as_ref().unwrap();
        assert!((calibration.temperature.get() / TOO_SURE - 1.0).abs() < 0.35, "{:?}", calibration.temperature);
        assert_eq!((validation.total(), calibration.validation.total()), (120, 120));
        assert!(calibration.validation.loss() < validation.loss());
        assert!(ece(&calibration.validation) < ece(validation));
        assert_eq!((calibration.test.total(), calibration.test.correct()), (60, test.correct()));
        assert!(calibration.test.loss() < test.loss() && ece(&calibration.test) < ece(test));
    }
    let temperatures: Vec<f64> = temperatures(&outcome);
    assert!(temperatures[0] != temperatures[1], "each round has its own");
}

fn temperatures(outcome: &Outcome) -> Vec<f64> {
    outcome.rounds.iter().filter_map(|round| Some(round.calibration.as_ref()?.temperature.get())).collect()
}

#[test]
fn labels_and_thresholds_go_by_calibrated_confidence() {
    let outcome = run(calibrated());
    let raw = run(Setting { calibrate: false, ..calibrated() });
    let temperatures = temperatures(&outcome);
    assert_eq!(temperatures.len(), 3);
    for (round, temperature) in (0..).zip(temperatures) {
        let (labels, before) = (&outcome.rounds[round as usize].labels, &raw.rounds[round as usize].labels);
        assert_eq!(labels.len(), 60);
        for (row, before) in labels.iter().zip(before) {
            let shares = at(temperature, round, record(row));
            assert_eq!((row.distribution.as_slice(), row.class), (&shares[..], before.class));
            assert_eq!(row.confidence, shares[row.class as usize]);
            assert_eq!(before.distribution, too_sure(round, record(before)));
            if round < 2 {
                assert_eq!(
                    (row.selected, before.selected),
                    (row.confidence >= THRESHOLD, before.confidence >= THRESHOLD)
                );
            }
        }
        let selected = |labels: &[LabelRow]| labels.iter().filter(|row| row.selected).count();
        assert!(selected(labels) > 0 && selected(labels) < selected(before));
    }
}

#[test]
fn precision_is_that_of_the_validation_records_above_the_threshold() {
    let outcome = run(calibrated());
    let found = outcome.rounds[0].calibration.as_ref().unwrap().precision;
    let sure = |tally: &Tally| {
        tally.bins().iter().skip(9).map(|bin| (bin.total, bin.correct)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    };
    // The threshold is a bound of the bins, 9 / 15.
    let tally = &outcome.rounds[0].calibration.as_ref().unwrap().validation;
    assert_eq!((found.threshold, (found.selected, found.correct)), (THRESHOLD, sure(tally)));
    assert!(found.selected > 0 && found.low < found.precision.unwrap() && found.precision.unwrap() < found.high);
}

#[test]
fn the_number_of_workers_makes_no_difference() {
    let one = run(calibrated());
    assert_eq!(temperatures(&one).len(), 3);
    for workers in [2, 3] {
        let many = run(Setting { workers, ..calibrated() });
        assert_eq!(one.batches, many.batches, "{workers} workers");
        assert_eq!(one.labels(), many.labels());
        for (one, many) in one.rounds.iter().zip(&many.rounds) {
            assert_eq!(
                (&one.validation, &one.test, &one.calibration),
                (&many.validation, &many.test, &many.calibration)
            );
        }
    }
}

#[test]
fn a_run_taken_up_after_training_or_a_round_finds_the_same_temperature() {
    let whole = run(calibrated());
    // Round 1 has five steps: this goes on with its validation pass.
    let restored = whole.labels_of(0);
    let rest = run(Setting { first_round: 1, first_step: 5, restored, workers: 2, ..calibrated() });
    assert_eq!(rest.batches[..], whole.batches[10..]);
    assert_eq!(temperatures(&rest), temperatures(&whole)[1..]);
    assert_eq!(rest.labels_of(2), whole.labels_of(2));
}

#[test]
fn the_validation_pass_comes_first_and_alone_changes_nothing() {
    let passes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&passes);
    let setting = Setting { calibrate: false, ..calibrated() }.on_event(move |event| {
        if let Event::Predicted { round: 0, pass, images } = event {
            seen.lock().unwrap().push((*pass, *images));
        }
    });
    let outcome = run(setting);
    let mut passes = std::mem::take(&mut *passes.lock().unwrap());
    assert_eq!(passes.iter().map(|(_, images)| images).sum::<u32>(), 120 + 60 + 60);
    passes.dedup_by_key(|(pass, _)| *pass);
    let order: Vec<Pass> = passes.into_iter().map(|(pass, _)| pass).collect();
    assert_eq!(order, [Pass::Validate, Pass::Test, Pass::Label]);
    assert!(outcome.rounds.iter().all(|round| round.validation.total() == 120 && round.calibration.is_none()));
}

#[test]
fn without_validation_records_there_is_no_temperature() {
    let outcome = run(Setting { calibrate: true, ..Setting::default() });
    let raw = run(Setting::default());
    assert!(outcome.rounds.iter().all(|round| round.calibration.is_none() && round.validation.total() == 0));
    assert_eq!(outcome.labels(), raw.labels());
}
