//! One plan, one result: whatever the number of workers and processes.

use crate::support::Place;

#[test]
fn workers_and_processes_do_not_change_models_or_labels() {
    let place = Place::new();
    place.succeed(&["run", "pipeline.yaml", "--out", "one", "--workers", "1"]);
    place.succeed(&["run", "pipeline.yaml", "--out", "two", "--workers", "2"]);
    place.succeed(&["run", "pipeline.yaml", "--out", "four", "--workers", "4"]);
    place.succeed(&["run", "pipeline.yaml", "--out", "processes", "--processes", "2", "--workers", "1"]);
    place.succeed(&["run", "pipeline.yaml", "--out", "three", "--processes", "3", "--workers", "2"]);
    for other in ["two", "four", "processes", "three"] {
        let verdict = place.succeed(&["verify", "one", other]);
        assert!(verdict.starts_with("identical: models and labels of 3 rounds (6 files)"), "{other}: {verdict}");
    }
    let report = place.report("one");
    let rounds = report["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 3);
    assert_eq!(rounds[0]["pseudo_labelled"], 0);
    assert!(rounds[1]["pseudo_labelled"].as_u64().unwrap() > 100, "{report:#}");
    assert!(rounds[2]["test_accuracy"].as_f64().unwrap() > 0.3, "it learns something: {report:#}");
    assert_eq!(report["plan_hash"], place.report("three")["plan_hash"]);
}

#[test]
fn another_seed_is_another_run() {
    let place = Place::new();
    place.succeed(&["run", "pipeline.yaml", "--out", "a"]);
    place.succeed(&["run", "pipeline.yaml", "--out", "b", "--set", "seed=2"]);
    let output = place.run(&["verify", "a", "b"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(crate::support::stdout(&output).starts_with("different: first in round 0: rounds/000/model.safetensors"));
}

#[test]
fn one_changed_pixel_changes_the_plan_hash() {
    let place = Place::new();
    let data = crate::support::root().join("data/mnist");
    let read = |name: &str| {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(data.join(name)).unwrap();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut bytes).unwrap();
        bytes
    };
    let mut images = read("train-images-idx3-ubyte.gz");
    place.edit(&data.join("train-images-idx3-ubyte.gz").display().to_string(), "images-idx3-ubyte");
    let hash = |images: &[u8]| {
        std::fs::write(place.path("images-idx3-ubyte"), images).unwrap();
        let plan: serde_json::Value =
            serde_json::from_str(&place.succeed(&["plan", "pipeline.yaml", "--json"])).unwrap();
        plan["plan_hash"].as_str().unwrap().to_owned()
    };
    let before = hash(&images);
    assert_eq!(before, hash(&images));
    images[16 + 28 * 28 * 7 + 300] ^= 1;
    assert_ne!(before, hash(&images));
}

#[test]
fn verify_finds_a_changed_file() {
    let place = Place::new();
    place.succeed(&[
        "run",
        "pipeline.yaml",
        "--out",
        "run",
        "--set",
        "training.steps=2",
        "--set",
        "rounds.0.training.steps=2",
    ]);
    let whole = place.succeed(&["verify", "run"]);
    assert!(whole.contains("3 rounds, 6 of 6 files as committed"), "{whole}");
    let model = place.path("run/rounds/001/model.safetensors");
    let mut bytes = std::fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&model, bytes).unwrap();
    let output = place.run(&["verify", "run"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(crate::support::stdout(&output).contains("damaged: rounds/001/model.safetensors"));
    // Neither a resume nor a comparison trusts it.
    place.fail(
        &[
            "run",
            "pipeline.yaml",
            "--out",
            "run",
            "--resume",
            "--set",
            "training.steps=2",
            "--set",
            "rounds.0.training.steps=2",
        ],
        4,
        &["rounds/001/model.safetensors"],
    );
}
