//! Rounds that start from weights: of a file, and of the round before.

use crate::support::{Place, stderr};

const FIRST: &str = "  - model: { smallnet: { width: 8, dropout: 0.1 } }\n    training: { steps: 60 }";
const LAST: &str = "  - model: { smallnet: { width: 12 } }";
const SHORT: [&str; 4] = ["--set", "training.steps=4", "--set", "rounds.0.training.steps=4"];

/// The small pipeline, whose first round starts from `start.safetensors` with a frozen body, and whose others go on with the
/// model before.
fn transferring() -> Place {
    let place = Place::new();
    place.succeed(&[&["run", "pipeline.yaml", "--out", "source"], &SHORT[..]].concat());
    std::fs::copy(place.path("source/rounds/001/model.safetensors"), place.path("start.safetensors")).unwrap();
    let frozen = FIRST.replace("steps: 60", "steps: 60, augment: [], transfer: { freeze: body }");
    place.edit(FIRST, &format!("{frozen}\n    weights: start.safetensors"));
    place.edit(LAST, "  - model: { smallnet: { width: 8 } }\n    weights: previous");
    place
}

#[test]
fn rounds_start_from_a_file_and_from_the_round_before_and_resume_alike() {
    let place = transferring();
    let run = |out: &str, more: &[&str]| {
        let mut command = place.command(&[&["run", "pipeline.yaml", "--out", out], &SHORT[..], more].concat());
        let output = command.env("MILLSTREAM_LOG", "info").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stderr(&output)
    };
    let said = run("whole", &[]);
    assert!(said.contains("weights of start.safetensors: 22 tensors loaded"), "{said}");
    assert!(said.contains("rounds/001/model.safetensors: 22 tensors loaded"), "{said}");
    run("processes", &["--processes", "2"]);
    run("resumed", &[]);
    // As if it had been interrupted after the second round.
    std::fs::remove_file(place.path("resumed/commits/000002.json")).unwrap();
    std::fs::remove_dir_all(place.path("resumed/rounds/002")).unwrap();
    run("resumed", &["--resume"]);
    for other in ["resumed", "processes"] {
        let verdict = place.succeed(&["verify", "whole", other]);
        assert!(verdict.starts_with("identical: models and labels of 3 rounds"), "{other}: {verdict}");
    }
}

#[test]
fn other_weights_are_another_plan_and_missing_ones_are_said_at_once() {
    let place = transferring();
    let hash = || {
        let plan: serde_json::Value =
            serde_json::from_str(&place.succeed(&["plan", "pipeline.yaml", "--json"])).unwrap();
        assert_eq!(plan["rounds"][0]["weights"]["file"], "start.safetensors");
        assert_eq!(plan["rounds"][0]["settings"]["transfer"]["freeze"], "body");
        plan["plan_hash"].as_str().unwrap().to_owned()
    };
    let before = hash();
    assert_eq!(before, hash());
    std::fs::copy(place.path("source/rounds/000/model.safetensors"), place.path("start.safetensors")).unwrap();
    assert_ne!(before, hash());
    std::fs::copy(place.path("source/rounds/002/model.safetensors"), place.path("start.safetensors")).unwrap();
    place.fail(
        &["run", "pipeline.yaml", "--out", "other"],
        2,
        &["start.safetensors", "`blocks.0.conv.weight` has shape [12, 1, 3, 3], the model needs [8, 1, 3, 3]"],
    );
    std::fs::remove_file(place.path("start.safetensors")).unwrap();
    for command in ["run", "plan"] {
        place.fail(&[command, "pipeline.yaml"], 2, &["round 0 cannot start", "start.safetensors", "rounds[0].weights"]);
    }
}
