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
    place.succeed(&call(&[]));
    place.fail(&call(&[]), 2, &["runs/small already holds a run (3 rounds done)", "--resume", "--overwrite"]);
    place.fail(&call(&["--resume", "--set", "seed=9"]), 2, &["another pipeline or other data"]);
    place.succeed(&call(&["--overwrite", "--set", "seed=9"]));
    assert_eq!(place.report("runs/small")["seed"], 9);
}
