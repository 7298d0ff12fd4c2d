//! The real TensorBoard reads what a journal wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use millstream_metrics::{Calibrated, Figures, Journal, Step};

type Scalars = BTreeMap<String, Vec<(u64, f64)>>;

fn read(run: &Path) -> Scalars {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python: PathBuf = here.join("../../.tools/python/bin/python");
    let script = here.join("tests/read_events.py");
    let output = Command::new(&python)
        .args(["-B".as_ref(), script.as_os_str(), run.join("tensorboard").as_os_str()])
        .output()
        .unwrap_or_else(|error| {
            panic!("{}: {error}. Run scripts/bootstrap --tests, which installs it", python.display())
        });
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/bootstrap --tests installs what may be missing in .tools/python: {says}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn step(round: u32, step: u32) -> Step {
    let loss = f64::from(100 * round + step) / 8.0;
    Step {
        round,
        step,
        images: 6,
        loss,
        learning_rate: 0.25,
        labelled: 4,
        labelled_correct: step,
        asked: 8,
        accepted: 2,
        waited: 0.5,
        seconds: 1.0,
        ..Step::default()
    }
}

fn figures(round: u32) -> Figures {
    let accuracy = f64::from(round) / 4.0;
    Figures { total: 4, accuracy, top5: Some(0.75), loss: 1.5, ece: 0.0, ..Figures::default() }
}

/// Tells rounds of three steps each.
fn tell(run: &Path, rounds: std::ops::Range<u32>, generation: u64) {
    let mut journal = Journal::open(run, (vec![3; 3], None), (rounds.start, 0), generation);
    for round in rounds {
        (0..3).for_each(|number| journal.step(&step(round, number)));
        journal.close_round(round, Some(&figures(round)));
    }
}

#[test]
fn tensorboard_reads_every_scalar_at_its_step() {
    let run = tempfile::tempdir().unwrap();
    tell(run.path(), 0..2, 0);
    let found = read(run.path());
    let tags: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(
        tags,
        [
            "test/accuracy",
            "test/ece",
            "test/loss",
            "test/top5",
            "train/accepted",
            "train/accuracy",
            "train/data_wait_share",
            "train/images_per_second",
            "train/learning_rate",
            "train/loss"
        ]
    );
    assert_eq!(found["train/loss"], [(1, 0.0), (2, 0.125), (3, 0.25), (4, 12.5), (5, 12.625), (6, 12.75)]);
    assert_eq!(found["train/accuracy"][..3], [(1, 0.0), (2, 0.25), (3, 0.5)]);
    assert_eq!(found["train/learning_rate"][0], (1, 0.25));
    assert_eq!(found["train/accepted"][0], (1, 0.25));
    assert_eq!(found["train/images_per_second"][0], (1, 4.0));
    assert!((found["train/data_wait_share"][0].1 - 1.0 / 3.0).abs() < 1e-6);
    assert_eq!(found["test/accuracy"], [(3, 0.0), (6, 0.25)]);
    assert_eq!(
        (&found["test/top5"][1], &found["test/loss"][1], &found["test/ece"][1]),
        (&(6, 0.75), &(6, 1.5), &(6, 0.0))
    );
}

#[test]
fn tensorboard_reads_temperatures() {
    let run = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(run.path(), (vec![3; 3], None), (0, 0), 0);
    let calibrated = Some(Calibrated { temperature: 2.5, loss: 1.25, ece: 0.125 });
    journal.validate(0, &Figures { calibrated, ..figures(3) });
    journal.close_round(0, Some(&Figures { calibrated, ..figures(0) }));
    let found = read(run.path());
    for (tag, value) in [
        ("validation/accuracy", 0.75),
        ("validation/temperature", 2.5),
        ("validation/calibrated_loss", 1.25),
        ("test/accuracy", 0.0),
        ("test/calibrated_ece", 0.125),
    ] {
        assert_eq!(found[tag], [(3, value)], "{tag}");
    }
}

#[test]
fn a_resumed_run_reads_like_a_whole_one() {
    let (whole, cut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    tell(whole.path(), 0..3, 0);
    tell(cut.path(), 0..1, 0);
    // The second round breaks off.
    let mut journal = Journal::open(cut.path(), (vec![3; 3], None), (1, 0), 1);
    (0..2).for_each(|number| journal.step(&Step { loss: 99.0, ..step(1, number) }));
    drop(journal);
    tell(cut.path(), 1..3, 2);
    assert_eq!(read(cut.path()), read(whole.path()));
}
