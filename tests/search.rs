//! The search for the best settings.

use std::time::{Duration, Instant};

use crate::support::Place;

/// Steps, and a rate that is too high beside one that is not: the order of the combinations is known.
const GRID: [&str; 6] = [
    "--over",
    "training.optimizer.sgd.lr=[0.1, 0.0001]",
    "--over",
    "rounds.0.training.steps=[30, 60]",
    "--set",
    "search={folds: 2, rounds: 1}",
];

fn search<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["search", "pipeline.yaml", "--out", out][..], &GRID, more].concat()
}

fn found(place: &Place, out: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(place.path(out).join("search.json")).unwrap()).unwrap()
}

fn bytes(place: &Place, out: &str, file: &str) -> Vec<u8> {
    std::fs::read(place.path(out).join(file)).unwrap()
}

/// The trials that have a commit.
fn committed(place: &Place, out: &str) -> usize {
    let trials = std::fs::read_dir(place.path(out).join("trials"));
    trials.into_iter().flatten().flatten().filter(|trial| trial.path().join("commits/000000.json").exists()).count()
}

#[test]
fn all_combinations_are_tried_and_neither_workers_nor_a_cache_change_what_is_found() {
    let place = Place::new();
    let said = place.succeed(&search("two", &["--workers", "2", "--at-once", "3"]));
    assert!(said.contains("held-out accuracy") && said.contains("as written"), "{said}");
    assert!(said.contains("# the best of 4 combinations") && said.contains("sgd: { lr: 0.1, momentum: 0.9"), "{said}");
    let two = found(&place, "two");
    let tried = two["tried"].as_array().unwrap();
    assert_eq!((tried.len(), &two["folds"], &two["held_out"]), (4, &2.into(), &1.into()));
    let lr = |place: usize| &tried[place]["settings"][1][1];
    assert!(
        [lr(2), lr(3)].iter().all(|lr| **lr == "0.0001"),
        "a rate of next to nothing learns next to nothing: {two}"
    );
    assert!(tried.iter().all(|tried| tried["images"] == 20), "half of 40 labelled images: {two}");
    assert_eq!(tried.iter().filter(|tried| tried["as_written"] == true).count(), 1);
    for command in ["report", "status", "doctor"] {
        place.fail(&[command, "two"], 2, &["two holds a search", "two/trials"]);
    }
    assert!(bytes(&place, "two", "heatmap.png").starts_with(b"\x89PNG"));
    let csv = String::from_utf8(bytes(&place, "two", "trials.csv")).unwrap();
    assert!(csv.starts_with("rounds.0.training.steps,training.optimizer.sgd.lr,accuracy,") && csv.lines().count() == 5);

    place.succeed(&search("one", &["--workers", "1", "--at-once", "1", "--cache", "0"]));
    assert_eq!(bytes(&place, "one", "search.json"), bytes(&place, "two", "search.json"));

    let said = place.succeed(&search("two", &["--resume", "--set", "search.by=loss"]));
    assert!(said.contains("# the best of 4 combinations by loss"), "{said}");
    assert!(said.contains("one fold does not tell how sure that is"), "{said}");
    let found = found(&place, "two");
    let losses: Vec<f64> = found["tried"].as_array().unwrap().iter().map(|one| one["loss"].as_f64().unwrap()).collect();
    assert!(found["by"] == "loss" && losses.is_sorted() && losses[0] > 0.0, "{losses:?}");
}

#[test]
fn folds_tell_what_ties_and_the_pipeline_as_it_is_written_is_beside() {
    let place = Place::new();
    let over =
        ["--over", "training.optimizer.sgd.lr=[0.2, 1e-9]", "--set", "search={folds: 3, held_out: 3, rounds: 1}"];
    let said = place.succeed(&[&["search", "pipeline.yaml", "--out", "out"][..], &over].concat());
    assert!(said.lines().any(|line| line.trim_start().starts_with("0.1 ") && line.contains("as written")), "{said}");
    let none = said.lines().find(|line| line.contains("1e-9")).unwrap();
    assert!(!none.contains("ties") && !none.contains("as written"), "no rate is no tie: {said}");
    let runs = said.lines().find_map(|line| line.strip_prefix("# its runs: ")).unwrap();
    assert!(
        runs.split(", ").count() == 3 && runs.split(", ").all(|run| place.path("out").join(run).is_dir()),
        "{runs}"
    );
    let csv = String::from_utf8(bytes(&place, "out", "trials.csv")).unwrap();
    assert!(csv.lines().any(|line| line.starts_with("0.1,") && line.contains(",true,")), "{csv}");
}

#[test]
fn a_search_that_is_killed_goes_on_and_finds_the_same() {
    let place = Place::new();
    place.succeed(&search("whole", &[]));
    let mut child = place.start(&search("killed", &["--at-once", "1", "--workers", "1"]));
    let until = Instant::now() + Duration::from_secs(60);
    while committed(&place, "killed") < 2 {
        assert!(Instant::now() < until && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(committed(&place, "killed") < 4 && !place.path("killed/search.json").exists());
    place.fail(&search("killed", &[]), 2, &["killed holds a search already", "--resume"]);
    let says = place.tell(&search("killed", &["--resume"]));
    assert!(says.matches("(done before)").count() >= 2 && says.contains("[4/4]"), "{says}");
    assert_eq!(bytes(&place, "killed", "search.json"), bytes(&place, "whole", "search.json"));
    assert_eq!(bytes(&place, "killed", "trials.csv"), bytes(&place, "whole", "trials.csv"));

    // One more value: what was done with the others stays.
    let more = ["--resume", "--over", "training.batch=[16, 8]"];
    let says = place.tell(&search("killed", &more));
    assert_eq!(says.matches("(done before)").count(), 4, "{says}");
    assert_eq!(found(&place, "killed")["tried"].as_array().unwrap().len(), 8);
}

#[test]
fn machines_that_share_a_directory_share_a_search() {
    let place = Place::new();
    let said = place.tell(&search("shared", &["--resume", "--share", "1/2"]));
    assert!(said.contains("others are not") && committed(&place, "shared") == 2, "{said}");
    assert!(!place.path("shared/search.json").exists());
    let said = place.succeed(&search("shared", &["--resume", "--share", "2/2"]));
    assert!(said.contains("# the best of 4 combinations"), "{said}");
    place.succeed(&search("whole", &[]));
    assert_eq!(bytes(&place, "shared", "search.json"), bytes(&place, "whole", "search.json"));
    place.fail(&search("shared", &["--resume", "--share", "3/2"]), 2, &["is no share"]);
}

#[test]
fn halving_trains_only_the_best_for_longer() {
    let place = Place::new();
    let settings = "search={folds: 2, rounds: 1, trials: 6, halving: {eta: 2, rungs: 3}}";
    let range = "training.optimizer.sgd.lr={from: 0.001, to: 0.3, scale: log}";
    place.succeed(&["search", "pipeline.yaml", "--out", "out", "--over", range, "--set", settings]);
    let found = found(&place, "out");
    let tried = found["tried"].as_array().unwrap();
    let on = |rung: u64| tried.iter().filter(|tried| tried["rung"] == rung && tried["as_written"] == false).count();
    assert_eq!((on(0), on(1), on(2)), (3, 1, 2), "of six three go on, of these two");
    let steps = |rung: u64| &tried.iter().find(|tried| tried["rung"] == rung).unwrap()["steps"];
    assert_eq!((steps(0), steps(1), steps(2)), (&15.into(), &30.into(), &60.into()));
    let rates: Vec<f64> =
        found["axes"][0]["values"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().parse().unwrap()).collect();
    assert!(
        rates.len() == 7 && rates.contains(&0.1) && rates.is_sorted() && rates[0] >= 0.001 && rates[6] <= 0.3,
        "{rates:?}"
    );
}

#[test]
fn the_best_settings_are_written_into_the_pipeline() {
    let place = Place::new();
    let over = ["--over", "training.optimizer.sgd.lr=[0.2, 0.0001]", "--set", "search={folds: 2, rounds: 1}"];
    let args = |out, more: &'static [&str]| [&["search", "pipeline.yaml", "--out", out][..], &over, more].concat();
    let before = std::fs::read_to_string(place.path("pipeline.yaml")).unwrap();
    place.succeed(&args("dry", &[]));
    assert_eq!(std::fs::read_to_string(place.path("pipeline.yaml")).unwrap(), before);
    let best = found(&place, "dry")["tried"][0]["settings"].clone();
    let says = place.tell(&args("wet", &["--write"]));
    let after = std::fs::read_to_string(place.path("pipeline.yaml")).unwrap();
    match best.get(0) {
        Some(best) => assert_eq!(after, before.replace("lr: 0.1,", &format!("lr: {},", best[1].as_str().unwrap()))),
        None => assert_eq!(after, before, "{says}"),
    }

    // As it is written, with next to no learning rate, it loses; and a whole section is not put into the text.
    let crippled = ["--set", "search={folds: 2, rounds: 1}", "--set", "training.optimizer.sgd.lr=1e-9"];
    let section = [&["search", "pipeline.yaml", "--out", "other", "--write"][..], &crippled].concat();
    let over = ["--over", "training.optimizer=[{sgd: {lr: 0.1}}]"];
    place.fail(&[&section[..], &over].concat(), 2, &["`training.optimizer` cannot be put there", "Paste the lines"]);
    assert_eq!(std::fs::read_to_string(place.path("pipeline.yaml")).unwrap(), after);
}

#[test]
fn what_cannot_be_searched_is_said_at_once() {
    let place = Place::new();
    place.fail(&["search", "pipeline.yaml"], 2, &["no section `search`", "--over KEY=[A, B, ...]"]);
    let over = |over: &'static str, more: &[&'static str], says: &[&str]| {
        place.fail(&[&["search", "pipeline.yaml", "--over", over][..], more].concat(), 2, says);
    };
    over("training.stepz=[1, 2]", &[], &["training.stepz=1", "unknown key `stepz`"]);
    over("training.steps=[1, 1]", &[], &["`training.steps` is to be 1 twice"]);
    over("training.batch={from: 1, to: 9}", &[], &["`training.batch` has a range", "trials: 20"]);
    over("training.batch={from: 9, to: 1}", &["--set", "search.trials=3"], &["the range from 9 to 1 is empty"]);
    over("training.batch={from: 0, to: 1, scale: log}", &["--set", "search.trials=3"], &["0 has no logarithm"]);
    over("training.batch=[8]", &["--set", "search.held_out=6"], &["6 folds are to be held out, but there are 5"]);
    over("training.batch=[8]", &["--set", "search.rounds=9"], &["9 rounds", "has 3"]);
    over("memory=[1GiB, 2GiB]", &[], &["make the same pipeline"]);
    over("seed=[1, 2]", &[], &["seed=2 has other images"]);
    let set = ["--set", "search.set={training: {steps: 5}}"];
    over("training.batch=[8, 9]", &set, &["`training.batch` is part of `training`"]);
    over("rounds.0.model.smallnet.width=[8, x]", &[], &["width=\"x\"", "whole number"]);
    place.write("thing", "somebody's");
    over("training.batch=[8, 9]", &["--out", "."], &["holds no search"]);
    over("training.batch=[8, 9]", &["--set", "search.folds=90"], &["too few to hold out one of 90 folds"]);
    assert!(!place.path("runs").exists(), "nothing was begun");
}
