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
        assert!(verdict.starts_with("identical: models and labels of 3 rounds (9 files)"), "{other}: {verdict}");
    }
    let report = place.report("one");
    let rounds = report["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 3);
    assert_eq!(rounds[0]["pseudo_labelled"], 0);
    assert!(rounds[1]["pseudo_labelled"].as_u64().unwrap() > 100, "{report:#}");
    assert!(rounds[2]["test_accuracy"].as_f64().unwrap() > 0.3, "it learns something: {report:#}");
    assert_eq!(report["plan_hash"], place.report("three")["plan_hash"]);
}

/// Steps of a view: every op, each of them by chance, and every policy.
const EVERYTHING: &str = "
    - resize: { size: [36, 40], filter: lanczos }
    - resize_short: { size: 35 }
    - center_crop: { size: [34, 34] }
    - five_crop: { size: [32, 32] }
    - crop: { left: -1, top: 1, width: 30, height: 31 }
    - random_resized_crop: { scale: [0.5, 1.0], filter: bicubic }
    - pad_crop: { pad: 2 }
    - flip
    - affine: { degrees: 8, shear: 0.09, translate: 2 }
    - color_jitter: { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1 }
    - gaussian_blur: { sigma: [0.1, 1.0], p: 0.5 }
    - gaussian_noise: { sigma: 4, p: 0.5 }
    - random_erasing: { p: 0.5, scale: [0.02, 0.1], noise: true }
    - cutout: { size: 4, p: 0.5 }
    - apply: { op: identity, p: 0.5 }
    - apply: { op: auto_contrast, p: 0.1 }
    - apply: { op: equalize, p: 0.1 }
    - apply: { op: invert, p: 0.1 }
    - apply: { op: { rotate: 9.5 }, p: 0.1 }
    - apply: { op: { shear_x: 0.2 }, p: 0.1 }
    - apply: { op: { shear_y: -0.2 }, p: 0.1 }
    - apply: { op: { translate_x: 3.4 }, p: 0.1 }
    - apply: { op: { translate_y: -2 }, p: 0.1 }
    - apply: { op: { brightness: 1.3 }, p: 0.1 }
    - apply: { op: { color: 1.5 }, p: 0.1 }
    - apply: { op: { contrast: 0.7 }, p: 0.1 }
    - apply: { op: { sharpness: 1.8 }, p: 0.1 }
    - apply: { op: { posterize: 4 }, p: 0.1 }
    - apply: { op: { solarize: 128 }, p: 0.1 }
    - apply: { op: { solarize_add: 40 }, p: 0.1 }
    - apply: { op: { hue: 0.2 }, p: 0.1 }
    - apply: { op: grayscale, p: 0.1 }
    - apply: { op: { gaussian_blur: 0.7 }, p: 0.1 }
    - apply: { op: { erase: { left: 3, top: 4, width: 5, height: 6 } }, p: 0.1 }
    - apply: { op: { flip_vertical: {} }, p: 0.1 }
    - randaugment: { variant: torchvision, magnitude: 3 }
    - randaugment: { variant: timm, magnitude: 3 }
    - randaugment: { variant: timm-inc, magnitude: 3 }
    - randaugment: { variant: tf, magnitude: 3 }
    - randaugment: { variant: dali, magnitude: 3 }
    - randaugment: { variant: fixmatch, magnitude: 3 }
    - trivial_augment_wide
    - auto_augment: { policy: imagenet }
    - auto_augment: { policy: cifar10 }
    - auto_augment: { policy: svhn }
    - augmix: { severity: 2 }";

#[test]
fn every_op_and_policy_is_the_same_on_any_worker() {
    let place = Place::new();
    place.edit("channels: gray", "channels: rgb");
    place.edit("{ mean: [0.1307], std: [0.3081] }", "{ mean: [0.13, 0.13, 0.13], std: [0.31, 0.31, 0.31] }");
    let augment =
        "[ { affine: { degrees: 8, shear: 0.09, translate: 2 } }, { randaugment: { ops: 1, magnitude: 3 } } ]";
    place.edit(augment, EVERYTHING);
    place
        .edit("  label_smoothing: 0.1\n", "  label_smoothing: 0.1\n  mix: { cutmix: 1.0, mixup: 0.5, per: element }\n");
    let short = ["--set", "training.steps=12", "--set", "rounds.0.training.steps=12"];
    for (out, workers, processes) in [("one", "1", "1"), ("three", "3", "1"), ("two", "1", "2")] {
        let run = ["run", "pipeline.yaml", "--out", out, "--workers", workers, "--processes", processes];
        place.succeed(&[&run[..], &short].concat());
    }
    for other in ["three", "two"] {
        let verdict = place.succeed(&["verify", "one", other]);
        assert!(verdict.starts_with("identical: models and labels of 3 rounds"), "{other}: {verdict}");
    }
    place.succeed(&[&["run", "pipeline.yaml", "--out", "other", "--set", "seed=2"], &short[..]].concat());
    assert_eq!(place.run(&["verify", "one", "other"]).status.code(), Some(4), "the seed matters");
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
    let mut images = crate::support::unpacked_mnist("train-images-idx3-ubyte.gz");
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
    assert!(whole.contains("3 rounds, 9 of 9 files as committed"), "{whole}");
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
