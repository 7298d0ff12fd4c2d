//! The stream with a trainer that is no neural network: what it promises of order, pixels, memory and errors.

mod calibration;
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use millstream_data::Target;
use millstream_dataflow::{Event, StopReason, Unlabelled};
use millstream_imageops::{Mixing, Per};
use support::{Corpus, Outcome, Setting, Views, broken_folder, rss_bytes, run};

#[test]
fn the_loop_closes_once_a_round_and_ends() {
    let outcome = run(Setting::default());
    assert_eq!(outcome.rounds.iter().map(|round| round.round).collect::<Vec<_>>(), [0, 1, 2]);
    let first = outcome.rounds[0].selection.as_ref().unwrap();
    assert_eq!(first.labelled_by_teacher, 180);
    assert!(first.accepted > 0 && first.accepted < 180, "the threshold must cut some: {}", first.accepted);
    assert!(outcome.rounds.iter().all(|round| round.test.total() == 60 && round.labels.len() == 180));
    // Round 0 learns from labels alone, later rounds from both: 4 slots, then 4 + 8.
    let widths: Vec<usize> = outcome.batches.iter().map(|batch| batch.rows).collect();
    assert_eq!(widths[..5], [4; 5]);
    assert!(widths[5..].iter().all(|rows| *rows == 12));
}

#[test]
fn batches_do_not_depend_on_the_number_of_workers() {
    let one = run(Setting::default());
    for workers in [2, 3, 4] {
        let many = run(Setting { workers, ..Setting::default() });
        assert_eq!(one.batches, many.batches, "{workers} workers");
        assert_eq!(one.labels(), many.labels());
    }
    let other_seed = run(Setting { seed: 2, ..Setting::default() });
    assert_ne!(one.batches, other_seed.batches);
}

/// What the ranks of each step saw, put together in one order.
fn together(outcome: &Outcome) -> BTreeMap<(u32, u32), Vec<String>> {
    let mut steps: BTreeMap<(u32, u32), Vec<String>> = BTreeMap::new();
    for seen in &outcome.batches {
        let rows = steps.entry((seen.round, seen.step)).or_default();
        for (at, record) in seen.records.iter().enumerate() {
            rows.push(format!("{record} {} {:?} {:?}", seen.views[at], seen.targets[at], seen.pixels[at]));
        }
    }
    steps.values_mut().for_each(|rows| rows.sort_unstable());
    steps
}

/// Two training nodes see what one sees, each its half: of what people labelled as of the rest, mixed or not.
#[test]
fn steps_are_dealt_out_to_the_training_nodes() {
    let mixing = Some(Mixing { cutmix: 1.0, mixup: 0.4, p: 1.0, switch: 0.5, per: Per::Element });
    let plain = Setting { views: Views::WeakAndStrong, ..Setting::default() };
    for setting in [plain, Setting { mixing, ..Setting::default() }] {
        let one = run(setting.clone());
        for (ranks, workers) in [(2, 2), (2, 4), (3, 3)] {
            let many = run(Setting { ranks, workers, ..setting.clone() });
            assert_eq!(together(&one), together(&many), "{ranks} ranks, {workers} workers");
            assert_eq!(one.labels(), many.labels());
            assert_eq!(many.batches.len(), one.batches.len() * ranks as usize);
            let tests = |outcome: &Outcome| outcome.rounds.iter().map(|round| round.test.clone()).collect::<Vec<_>>();
            assert_eq!(tests(&one), tests(&many));
        }
    }
    let halves = run(Setting { ranks: 2, workers: 2, ..Setting::default() });
    let whole = run(Setting::default());
    let widths = |outcome: &Outcome| outcome.batches.iter().map(|batch| batch.rows).collect::<Vec<_>>();
    assert_eq!(widths(&halves)[..2], [2, 2]);
    assert_eq!(widths(&whole)[0], 4);
}

#[test]
fn each_epoch_deals_every_labelled_record_once() {
    let outcome = run(Setting { steps: 30, ..Setting::default() });
    let records: Vec<u32> = outcome.batches[..30].iter().flat_map(|batch| batch.records.clone()).collect();
    // 60 labelled records, 4 a step: an epoch is 15 steps.
    for epoch in records.chunks(60) {
        let mut epoch = epoch.to_vec();
        epoch.sort_unstable();
        epoch.dedup();
        assert_eq!(epoch.len(), 60);
    }
    assert_ne!(records[..60], records[60..120]);
}

#[test]
fn a_run_resumed_after_any_round_goes_on_as_if_nothing_had_happened() {
    let whole = run(Setting::default());
    for round in 1..3 {
        let before = whole.labels_of(round - 1);
        let resumed = run(Setting { first_round: round, restored: before, workers: 2, ..Setting::default() });
        assert_eq!(resumed.batches[..], whole.batches[(5 * round) as usize..], "from round {round}");
        assert_eq!(resumed.rounds.len(), 3 - round as usize);
        assert_eq!(resumed.labels_of(2), whole.labels_of(2));
        let churn = |outcome: &support::Outcome| outcome.rounds.last().unwrap().selection.clone();
        assert_eq!(churn(&resumed), churn(&whole), "statistics compare with the restored labels too");
    }
}

#[test]
fn a_run_taken_up_in_the_middle_of_a_round_goes_on_with_the_next_step() {
    let whole = run(Setting::default());
    for (first_round, first_step) in [(0u32, 3), (1, 1), (2, 5)] {
        let restored = first_round.checked_sub(1).map(|round| whole.labels_of(round)).unwrap_or_default();
        let rest = run(Setting { first_round, first_step, restored, workers: 2, ..Setting::default() });
        assert_eq!(rest.batches[..], whole.batches[(5 * first_round + first_step) as usize..], "step {first_step}");
        assert_eq!(rest.labels_of(2), whole.labels_of(2));
    }
}

#[test]
fn a_record_is_emitted_once_for_each_view_that_is_for_it() {
    let setting = Setting { views: Views::WeakAndStrong, ..Setting::default() };
    let outcome = run(setting.clone());
    assert_eq!(outcome.batches[0].views, [0; 4], "only the weak view is for human labels");
    let student = &outcome.batches[5];
    assert_eq!(student.views[..8], [0, 0, 0, 0, 0, 1, 0, 1]);
    assert_eq!(student.rows, 4 + 2 * 8);
    for pair in student.records[4..].chunks(2) {
        assert_eq!(pair[0], pair[1], "both views of a record lie side by side");
    }
    let noised = student.pixels[4..].chunks(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(noised >= 4, "strong differs from weak: {noised} of 8");
    assert_eq!(run(Setting { workers: 3, ..setting }).batches, outcome.batches);
}

#[test]
fn all_unlabelled_records_come_once_an_epoch_where_the_model_is_asked_itself() {
    let views = Views::WeakAndStrong;
    let setting = Setting { views, unlabelled: Unlabelled::All, steps: 45, workers: 3, ..Setting::default() };
    let outcome = run(setting.clone());
    // 300 records, 60 of them for testing and 60 labelled: 180, in steps of 8.
    let first: Vec<u32> = outcome.batches[..22].iter().flat_map(|batch| batch.records[4..].to_vec()).collect();
    let mut distinct = first.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!((first.len(), distinct.len()), (22 * 16, 22 * 8), "each in both views, none twice");
    for batch in &outcome.batches[..3] {
        assert!(batch.targets[4..].iter().all(|target| *target == Target::None), "nobody told");
        assert!(batch.targets[..4].iter().all(|target| matches!(target, Target::Hard(_))));
        assert_eq!(batch.views[..8], [0, 0, 0, 0, 0, 1, 0, 1]);
    }
    let mixing = Some(Mixing { cutmix: 1.0, mixup: 0.0, p: 1.0, switch: 0.5, per: Per::Batch });
    let mixed = run(Setting { mixing, ..setting.clone() });
    let (plain, mixed) = (&outcome.batches[0], &mixed.batches[0]);
    assert_eq!(mixed.pixels[4..], plain.pixels[4..], "what the model is asked about is not mixed");
    assert_ne!(mixed.pixels[..4], plain.pixels[..4]);
    let resumed = run(Setting { first_step: 20, workers: 1, ..setting });
    assert_eq!(resumed.batches[..], outcome.batches[20..]);
}

#[test]
fn mixed_samples_carry_the_labels_of_what_they_show() {
    let mixing = Mixing { cutmix: 1.0, mixup: 0.4, p: 1.0, switch: 0.5, per: Per::Element };
    let setting = Setting { mixing: Some(mixing), ..Setting::default() };
    let outcome = run(setting.clone());
    let plain = run(Setting::default());
    assert_eq!(outcome.batches[0].records, plain.batches[0].records);
    assert_ne!(outcome.batches[0].pixels, plain.batches[0].pixels);
    let targets: Vec<&Target> = outcome.batches.iter().flat_map(|batch| &batch.targets).collect();
    let soft =
        |target: &&&Target| matches!(target, Target::Soft(weights) if (weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    // A few cuts are smaller than a pixel: these samples keep their label.
    assert!(targets.iter().filter(soft).count() * 10 > targets.len() * 8);
    assert_eq!(run(Setting { workers: 3, ..setting.clone() }).batches, outcome.batches);
    // A training node that mixes on its device gets the same plan, and so the same pixels and labels.
    let on_device = run(Setting { mixes_on_device: true, workers: 2, ..setting.clone() });
    assert_eq!(on_device.batches, outcome.batches);
    let per_batch = |mixes_on_device| {
        let mixing = Some(Mixing { mixup: 0.0, per: Per::Batch, p: 0.5, ..mixing });
        run(Setting { mixing, mixes_on_device, ..setting.clone() }).batches
    };
    assert_eq!(per_batch(true), per_batch(false));
}

#[test]
fn bad_records_become_dead_letters_and_nothing_takes_their_place() {
    let (folder, bad) = broken_folder(60, 7);
    let outcome = run(Setting { corpus: Corpus::Folder(folder.path().to_owned()), workers: 2, ..Setting::default() });
    let found: Vec<String> = outcome.dead.iter().map(|letter| letter.place.clone()).collect();
    assert_eq!(found, bad);
    assert!(outcome.dead.iter().all(|letter| !letter.reason.is_empty() && letter.bytes_hash.is_some()));
    assert_eq!(outcome.stopped, None);
    let first = &outcome.rounds[0];
    assert!(first.labels.iter().all(|label| !bad.contains(&label.place)));
    let (labelled, used) = (20, first.labels.len() + first.test.total() as usize);
    assert!(used <= 60 - labelled && used >= 60 - labelled - bad.len(), "{used}");
    let steps = outcome.batches.len();
    assert_eq!(steps, 15, "every step takes place, with fewer rows");
}

#[test]
fn more_bad_records_than_allowed_stop_the_run() {
    let (folder, _) = broken_folder(60, 7);
    let corpus = Corpus::Folder(folder.path().to_owned());
    let outcome = run(Setting { corpus, max_bad: 3, ..Setting::default() });
    assert!(
        matches!(outcome.stopped, Some(StopReason::TooManyBad { bad: 4, records: 60, allowed: 3 })),
        "{:?}",
        outcome.stopped
    );
}

#[test]
fn a_failing_trainer_stops_the_run_with_its_own_words() {
    let outcome = run(Setting { fail_at: Some((1, 2)), workers: 2, ..Setting::default() });
    assert_eq!(outcome.stopped, Some(StopReason::Failed("the trainer fell over".to_owned())));
    assert_eq!(outcome.rounds.len(), 1, "the finished round was reported");
}

#[test]
fn a_panicking_trainer_stops_the_run_too() {
    let outcome = run(Setting { panic_at: Some((0, 3)), workers: 2, ..Setting::default() });
    assert!(matches!(outcome.stopped, Some(StopReason::Failed(why)) if why.contains("training node panicked")));
}

#[test]
fn the_stop_signal_ends_a_run_at_once() {
    let outcome = run(Setting { interrupt_at: Some((1, 0)), workers: 3, ..Setting::default() });
    assert_eq!(outcome.stopped, Some(StopReason::Interrupted));
    assert!(outcome.rounds.len() < 3);
}

/// A consumer that stops for 30 s must leave memory flat: the source runs ahead by its budget and then waits.
#[test]
fn a_stopped_consumer_leaves_memory_within_the_budget() {
    let budget = 64 << 20;
    let corpus = Corpus::Large;
    // 24 images of 256 x 256 x 3 are 4.7 MB a step; 400 steps would be 1.9 GB without flow control.
    let setting = Setting {
        corpus,
        memory: budget,
        steps: 400,
        workers: 2,
        pause: Some(Duration::from_secs(30)),
        ..Setting::default()
    };
    let before = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let (start, watch) = (std::sync::Arc::clone(&before), std::sync::Arc::clone(&before));
    let peak = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let top = std::sync::Arc::clone(&peak);
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let over = std::sync::Arc::clone(&done);
    let sampler = std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            if watch.load(Ordering::Relaxed) > 0 {
                top.fetch_max(rss_bytes(), Ordering::Relaxed);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    // The first step is under way when the pause begins: what the run needs at all has been allocated.
    let setting = setting.on_event(move |event| {
        if matches!(event, Event::Stepped { step: 0, .. }) {
            start.store(rss_bytes(), Ordering::Relaxed);
        }
    });
    let outcome = run(setting);
    done.store(true, Ordering::Relaxed);
    sampler.join().unwrap();
    assert_eq!(outcome.stopped, Some(StopReason::Interrupted), "the pause ends the run");
    let growth = peak.load(Ordering::Relaxed).saturating_sub(before.load(Ordering::Relaxed));
    assert!(growth < budget, "grew by {} MiB", growth >> 20);
}
