//! Runs that end early, by signal or by SIGKILL, and go on.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr};

use crate::support::Place;

/// Long enough to be caught in the middle.
const SLOW: [&str; 4] = ["--set", "training.steps=150", "--set", "rounds.0.training.steps=150"];

/// Waits until a run says that a round is done. Returns what it says from there on.
fn wait_for_round(child: &mut Child, round: u32) -> Lines<BufReader<ChildStderr>> {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // Lines of progress begin with the round too; only the summary names the model.
    let wanted = format!("round {round}: smallnet");
    let found = lines.any(|line| line.unwrap().starts_with(&wanted));
    assert!(found, "the run ended before round {round}");
    lines
}

fn signal(child: &Child, name: &str) {
    let status = std::process::Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn args<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", "pipeline.yaml", "--out", out][..], &SLOW, more].concat()
}

#[test]
fn an_interrupted_run_keeps_its_rounds_and_resumes_to_the_same_end() {
    let place = Place::new();
    place.succeed(&args("whole", &[]));
    let mut child = place.start(&args("cut", &["--workers", "2"]));
    wait_for_round(&mut child, 0);
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(place.report("cut")["rounds"].as_array().unwrap().len(), 1);
    place.succeed(&args("cut", &["--resume"]));
    let verdict = place.succeed(&["verify", "whole", "cut"]);
    assert!(verdict.starts_with("identical"), "{verdict}");
    // A complete run resumes to nothing.
    let table = place.succeed(&args("cut", &["--resume"]));
    assert!(table.contains("smallnet(12)"), "{table}");
}

/// At the end of a process libtorch takes down what threads may still compute with.
#[test]
fn a_second_interrupt_ends_a_run_by_its_exit_code_and_not_by_a_crash() {
    let place = Place::new();
    for run in ["a", "b", "c"] {
        let mut child = place.start(&args(run, &[]));
        let lines = wait_for_round(&mut child, 0);
        (0..20).for_each(|_| signal(&child, "-INT"));
        assert_eq!(child.wait().unwrap().code(), Some(130));
        drop(lines);
    }
}

#[test]
fn a_killed_run_of_two_processes_resumes_to_the_same_end() {
    let place = Place::new();
    place.succeed(&args("whole", &[]));
    let mut child = place.start(&args("cut", &["--processes", "2"]));
    wait_for_round(&mut child, 1);
    signal(&child, "-KILL");
    child.wait().unwrap();
    place.succeed(&args("cut", &["--resume", "--processes", "2"]));
    assert!(place.succeed(&["verify", "whole", "cut"]).starts_with("identical"));
}

/// The first checkpoint of round 1, where there is one every ten steps.
const ROUND_ONE: &str = "001-0000000010.safetensors";

/// The newest checkpoint of a run.
fn newest_checkpoint(place: &Place, run: &str) -> Option<String> {
    let entries = std::fs::read_dir(place.path(&format!("{run}/checkpoints"))).ok()?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".safetensors")).max()
}

/// Waits for a checkpoint after this one.
fn wait_for_checkpoint(place: &Place, child: &mut Child, run: &str, after: &str) -> String {
    loop {
        if let Some(name) = newest_checkpoint(place, run).filter(|name| name.as_str() > after) {
            return name;
        }
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it had a checkpoint");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_run_killed_in_the_middle_of_a_round_goes_on_from_its_checkpoint_to_the_same_end() {
    let place = Place::new();
    let often = ["--set", "checkpoint={every: 10, keep: 1}"];
    place.succeed(&args("whole", &[]));
    for (cut, name, processes) in [("killed", "-KILL", "1"), ("terminated", "-TERM", "2")] {
        let more = [&often[..], &["--processes", processes]].concat();
        let mut child = place.start(&args(cut, &more));
        let before = wait_for_checkpoint(&place, &mut child, cut, ROUND_ONE);
        signal(&child, name);
        child.wait().unwrap();
        let kept = newest_checkpoint(&place, cut).unwrap();
        assert!(kept >= before && kept.as_str() < "001-0000000150", "{kept} after {before}");
        let says = place.tell(&args(cut, &[&more[..], &["--resume", "-v"]].concat()));
        let step = step_of(&kept);
        assert!(says.contains(&format!("goes on from a checkpoint round=1 step={step}")), "{says}");
        assert!(place.succeed(&["verify", "whole", cut]).starts_with("identical"));
        assert_eq!(newest_checkpoint(&place, cut), None, "a committed round needs none");
        let figures = |run: &str| place.report(run)["rounds"][1]["loss"].clone();
        assert_eq!(figures(cut), figures("whole"), "the loss of the steps before counts too");
        // The first steps of a round wait in memory while the round before is summed up, and may be lost with it. All others are told of
        // once, and alike.
        let (whole, cut) = (told(&place, "whole"), told(&place, cut));
        let lost = whole.iter().filter(|line| !cut.contains(line));
        assert!(lost.into_iter().all(|(round, step, _)| *round == 1 && *step < u64::from(step_of(&kept))));
        assert!(cut.windows(2).all(|pair| pair[0] < pair[1]) && cut.iter().all(|line| whole.contains(line)));
    }
}

/// The training nodes of two processes stop at the same step; and where one of them dies, the other does not wait for it.
#[test]
fn two_training_nodes_that_are_stopped_go_on_together() {
    let place = Place::new();
    let often = ["--set", "checkpoint={every: 10, keep: 1}", "--processes", "2", "--ranks", "2"];
    place.succeed(&args("whole", &often));
    for (cut, name, code) in [("killed", "-KILL", None), ("terminated", "-TERM", Some(130)), ("bereft", "", Some(4))] {
        let mut child = place.start(&args(cut, &often));
        wait_for_checkpoint(&place, &mut child, cut, ROUND_ONE);
        match name {
            "" => {
                let helpers =
                    std::process::Command::new("pgrep").args(["-P", &child.id().to_string()]).output().unwrap();
                let helper = String::from_utf8(helpers.stdout).unwrap();
                let killed = std::process::Command::new("kill").args(["-KILL", helper.trim()]).status().unwrap();
                assert!(killed.success());
            }
            name => signal(&child, name),
        }
        assert_eq!(child.wait().unwrap().code(), code, "{cut}");
        place.succeed(&args(cut, &[&often[..], &["--resume"]].concat()));
        let verdict = place.succeed(&["verify", "whole", cut]);
        assert!(verdict.starts_with("identical"), "{cut}: {verdict}");
    }
}

/// The steps that a checkpoint holds, by its name.
fn step_of(checkpoint: &str) -> u32 {
    checkpoint[4..14].parse().unwrap()
}

/// Round, step and loss of each line about training.
fn told(place: &Place, run: &str) -> Vec<(u64, u64, f64)> {
    let text = std::fs::read_to_string(place.path(&format!("{run}/metrics.jsonl"))).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let training = lines.filter(|line| line["pass"] == "train");
    let whole = |value: &serde_json::Value| value.as_u64().unwrap();
    training.map(|line| (whole(&line["round"]), whole(&line["step"]), line["loss"].as_f64().unwrap())).collect()
}

const HUNDRED: [&str; 4] = ["--set", "rounds.0.training.steps=100", "--set", "checkpoint={every: 5, keep: 2}"];

/// One round of FlexMatch, whose thresholds follow what was learnt of each image, in 100 steps.
fn flexmatch() -> Place {
    let place = Place::new();
    let views = "  unlabelled: { flexmatch: { threshold: 0.5 } }
  views: [ { name: weak }, { name: strong, of: unlabelled, augment: [ { randaugment: { ops: 2, magnitude: 9 } } ] } ]";
    place.edit("  augment: [ { affine: { degrees: 8, shear: 0.09, translate: 2 } }, { randaugment: { ops: 1, magnitude: 3 } } ]", views);
    place.edit("  - model: { smallnet: { width: 8, dropout: 0.1 } }\n  - model: { smallnet: { width: 12 } }\n", "");
    place
}

#[test]
fn a_hundred_steps_end_alike_whether_or_not_killed_after_half_of_them() {
    let place = flexmatch();
    for (name, optimizer) in
        [("sgd", "training.optimizer={sgd: {lr: 0.1}}"), ("adamw", "training.optimizer={adamw: {lr: 0.003}}")]
    {
        let [whole, cut] = ["whole", "cut"].map(|out| format!("{name}-{out}"));
        let (whole, cut) = (whole.as_str(), cut.as_str());
        let args = |out, more: &[&'static str]| {
            [&["run", "pipeline.yaml", "--out", out][..], &HUNDRED, &["--set", optimizer], more].concat()
        };
        place.succeed(&args(whole, &[]));
        let mut child = place.start(&args(cut, &[]));
        wait_for_checkpoint(&place, &mut child, cut, "000-0000000045.safetensors");
        signal(&child, "-KILL");
        child.wait().unwrap();
        let kept = newest_checkpoint(&place, cut).unwrap();
        assert!(kept.as_str() < "000-0000000100", "{kept}");
        let says = place.tell(&args(cut, &["--resume", "-v"]));
        assert!(says.contains("goes on from a checkpoint round=0"), "{says}");
        assert!(place.succeed(&["verify", whole, cut]).starts_with("identical"));
    }
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_one_of_another_plan_refused() {
    let place = Place::new();
    let more = ["--set", "checkpoint={every: 10, keep: 3}"];
    let mut child = place.start(&args("cut", &more));
    wait_for_checkpoint(&place, &mut child, "cut", ROUND_ONE);
    signal(&child, "-KILL");
    child.wait().unwrap();
    let newest = place.path(&format!("cut/checkpoints/{}", newest_checkpoint(&place, "cut").unwrap()));
    let mut bytes = std::fs::read(&newest).unwrap();
    // One bit of one weight.
    let last = bytes.len() - 9;
    bytes[last] ^= 1;
    std::fs::write(&newest, &bytes).unwrap();
    let other = [&more[..], &["--resume", "--set", "seed=9"]].concat();
    place.fail(&args("cut", &other), 2, &["another pipeline or other data"]);
    let says = place.tell(&args("cut", &[&more[..], &["--resume", "-v"]].concat()));
    assert!(says.contains("passed over a damaged checkpoint") && says.contains("goes on from a checkpoint"), "{says}");
}

#[test]
fn a_round_that_was_only_begun_is_not_overwritten_unasked() {
    let place = Place::new();
    let often = ["--set", "checkpoint={every: 10, keep: 1}"];
    let mut child = place.start(&args("cut", &often));
    wait_for_checkpoint(&place, &mut child, "cut", "000-");
    signal(&child, "-KILL");
    child.wait().unwrap();
    place.fail(&args("cut", &often), 2, &["cut already holds a run (0 rounds done)", "--resume", "--overwrite"]);
    assert!(newest_checkpoint(&place, "cut").is_some());
    place.write("cut/checkpoints/.tmp-left", "by a killed process");
    let says = place.tell(&args("cut", &[&often[..], &["--resume", "-v"]].concat()));
    assert!(says.contains("goes on from a checkpoint round=0"), "{says}");
    assert!(!place.path("cut/checkpoints/.tmp-left").exists());
}

#[test]
fn a_killed_helper_process_ends_the_run_with_its_name() {
    let place = Place::new();
    let mut child = place.start(&args("run", &["--processes", "2"]));
    let lines = wait_for_round(&mut child, 0);
    let helpers = std::process::Command::new("pgrep").args(["-P", &child.id().to_string()]).output().unwrap();
    let helper = String::from_utf8(helpers.stdout).unwrap();
    assert!(std::process::Command::new("kill").args(["-KILL", helper.trim()]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(4));
    let says: String = lines.map(|line| line.unwrap() + "\n").collect();
    assert!(says.contains("process 1 ended early") && !says.contains("panicked"), "{says}");
    place.succeed(&args("run", &["--resume"]));
}

/// What is not a run's is never touched, and a run whose commits are lost is not mistaken for an empty one.
#[test]
fn folders_of_others_and_damaged_runs_are_left_alone() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("mine/rounds")).unwrap();
    place.write("mine/rounds/notes.txt", "precious");
    for start in [&[][..], &["--resume"], &["--overwrite"]] {
        let call = [&["run", "pipeline.yaml", "--out", "mine"][..], start].concat();
        place.fail(&call, 2, &["mine is not empty and no run directory", "--out"]);
    }
    assert_eq!(std::fs::read_to_string(place.path("mine/rounds/notes.txt")).unwrap(), "precious");

    let quick =
        ["run", "pipeline.yaml", "--out", "run", "--set", "training.steps=2", "--set", "rounds.0.training.steps=2"];
    place.succeed(&quick);
    for number in 0..3 {
        place.write(&format!("run/commits/{number:06}.json"), "x");
    }
    place.fail(&[&quick[..], &["--resume"]].concat(), 4, &["000002.json", "--overwrite"]);
    assert!(place.path("run/rounds/002/model.safetensors").exists());
    place.succeed(&[&quick[..], &["--overwrite"]].concat());
}

#[test]
fn a_directory_with_a_run_is_not_overwritten_unasked() {
    let place = Place::new();
    let quick = ["run", "pipeline.yaml", "--set", "training.steps=2", "--set", "rounds.0.training.steps=2"];
    let call = |more: &[&'static str]| [&quick[..], more].concat();
    let says = place.tell(&call(&["--resume"]));
    assert!(says.contains("runs/small holds neither a round nor a checkpoint"), "{says}");
    place.fail(&call(&[]), 2, &["runs/small already holds a run (3 rounds done)", "--resume", "--overwrite"]);
    place.fail(&call(&["--resume", "--set", "seed=9"]), 2, &["another pipeline or other data"]);
    place.succeed(&call(&["--overwrite", "--set", "seed=9"]));
    assert_eq!(place.report("runs/small")["seed"], 9);
}
