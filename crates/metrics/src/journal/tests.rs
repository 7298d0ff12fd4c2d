//! Runs as they are told: whole, broken off, and where nothing can be written.

use super::*;
use crate::line::Calibrated;

const STEPS: [u32; 3] = [4, 3, 3];

fn tell(journal: &mut Journal, round: u32, steps: u32) {
    tell_from(journal, round, 0..steps);
}

fn tell_from(journal: &mut Journal, round: u32, steps: std::ops::Range<u32>) {
    for step in steps {
        let loss = f64::from(round * 10 + step);
        journal.step(&Step { round, step, images: 2, loss, labelled: 2, labelled_correct: 1, ..Step::default() });
    }
}

fn figures() -> Figures {
    Figures { total: 4, accuracy: 0.75, loss: 0.5, ece: 0.25, classes: vec!["a".to_owned()], ..Figures::default() }
}

fn run(folder: &Path, first_round: u32, generation: u64, last: u32) {
    let mut journal = Journal::open(folder, (STEPS.to_vec(), None), (first_round, 0), generation);
    for round in first_round..=last {
        tell(&mut journal, round, STEPS[round as usize]);
        journal.close_round(round, Some(&figures()));
    }
}

fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_step_and_every_test_pass_has_a_line() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), 0, 0, 2);
    let lines = lines(folder.path());
    let passes: Vec<(&str, u64, u64)> = lines
        .iter()
        .map(|l| (l["pass"].as_str().unwrap(), l["round"].as_u64().unwrap(), l["global_step"].as_u64().unwrap()))
        .collect();
    assert_eq!(passes.len(), 10 + 3);
    assert_eq!(passes[3..6], [("train", 0, 4), ("test", 0, 4), ("train", 1, 5)]);
    assert_eq!(passes.last(), Some(&("test", 2, 10)));
    assert_eq!((lines[5]["loss"].as_f64(), lines[5]["accuracy"].as_f64()), (Some(10.0), Some(0.5)));
    assert_eq!((lines[4]["accuracy"].as_f64(), lines[4]["ece"].as_f64()), (Some(0.75), Some(0.25)));
    for name in ["training", "test_accuracy", "reliability", "confusion"] {
        assert!(folder.path().join(format!("plots/{name}.png")).exists(), "{name}");
    }
}

#[test]
fn a_validation_pass_has_a_line_with_its_temperature() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), (STEPS.to_vec(), None), (0, 0), 0);
    let calibrated = Some(Calibrated { temperature: 2.5, loss: 0.375, ece: 0.0 });
    for round in 0..2 {
        tell(&mut journal, round, 1);
        journal.validate(round, &Figures { calibrated, ..figures() });
        journal.close_round(round, Some(&Figures { accuracy: 0.5, ..figures() }));
    }
    let lines = lines(folder.path());
    let passes: Vec<&str> = lines.iter().map(|line| line["pass"].as_str().unwrap()).collect();
    assert_eq!(passes, ["train", "validation", "test"].repeat(2));
    assert_eq!((lines[1]["accuracy"].as_f64(), lines[1]["global_step"].as_u64()), (Some(0.75), Some(4)));
    assert_eq!(lines[1]["calibrated"]["temperature"].as_f64(), Some(2.5));
    assert!(lines[2].get("calibrated").is_none(), "a line without it is as it always was");
    // A redone round takes the place of this line too.
    let again = Journal::open(folder.path(), (STEPS.to_vec(), None), (1, 0), 1);
    assert_eq!(again.history.scores.len(), 1);
    assert_eq!(self::lines(folder.path()).len(), 3);
}

#[test]
fn a_resumed_run_has_the_lines_of_a_whole_one() {
    let (whole, cut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(whole.path(), 0, 0, 2);
    run(cut.path(), 0, 0, 0);
    // The second round breaks off after a step, in the middle of a line.
    let mut journal = Journal::open(cut.path(), (STEPS.to_vec(), None), (1, 0), 1);
    tell(&mut journal, 1, 1);
    drop(journal);
    let path = cut.path().join("metrics.jsonl");
    let torn = std::fs::read_to_string(&path).unwrap() + "{\"pass\":\"train\",\"round\":1,\"ep";
    std::fs::write(&path, torn).unwrap();
    run(cut.path(), 1, 2, 2);
    assert_eq!(lines(cut.path()), lines(whole.path()));
    let pixels = |folder: &Path| std::fs::read(folder.join("plots/training.png")).unwrap();
    assert!(pixels(cut.path()) == pixels(whole.path()), "plots show the rounds before a resume too");
}

#[test]
fn a_round_taken_up_in_its_middle_has_the_lines_of_a_whole_one() {
    let (whole, cut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(whole.path(), 0, 0, 2);
    run(cut.path(), 0, 0, 0);
    let mut journal = Journal::open(cut.path(), (STEPS.to_vec(), None), (1, 0), 1);
    tell(&mut journal, 1, 3);
    // The third step was told, but the checkpoint is from after the second.
    let mut journal = Journal::open(cut.path(), (STEPS.to_vec(), None), (1, 2), 2);
    let events = |round: u32| {
        let names = std::fs::read_dir(cut.path().join("tensorboard")).unwrap();
        names.filter(|name| name.as_ref().unwrap().path().to_string_lossy().ends_with(&format!(".{round:06}"))).count()
    };
    assert_eq!(events(1), 1, "what is told of the first two steps stays");
    tell_from(&mut journal, 1, 2..3);
    assert_eq!(events(1), 2);
    journal.close_round(1, Some(&figures()));
    tell(&mut journal, 2, 3);
    journal.close_round(2, Some(&figures()));
    assert_eq!(lines(cut.path()), lines(whole.path()));
}

/// Training does not wait until a round is summed up.
#[test]
fn steps_that_come_before_the_end_of_the_round_before_are_told_after_it() {
    let (whole, early) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(whole.path(), 0, 0, 2);
    let mut journal = Journal::open(early.path(), (STEPS.to_vec(), None), (0, 0), 0);
    (0..3).for_each(|round| tell(&mut journal, round, STEPS[round as usize]));
    (0..3).for_each(|round| journal.close_round(round, Some(&figures())));
    assert_eq!(lines(early.path()), lines(whole.path()));
    let sizes = |folder: &Path| -> Vec<u64> {
        let names = (0..3).map(|round| format!("tensorboard/events.out.tfevents.000000.{round:06}"));
        names.map(|name| folder.join(name).metadata().unwrap().len()).collect()
    };
    assert_eq!(sizes(early.path()), sizes(whole.path()));
}

#[test]
fn where_nothing_can_be_written_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["metrics.jsonl", "plots", "tensorboard"] {
        // A folder where a file should be, and files where folders should be.
        match name {
            "metrics.jsonl" => std::fs::create_dir(folder.path().join(name)).unwrap(),
            _ => std::fs::write(folder.path().join(name), "").unwrap(),
        }
    }
    run(folder.path(), 0, 0, 2);
    assert_eq!(std::fs::read(folder.path().join("plots")).unwrap(), b"");
}
