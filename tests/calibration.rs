//! A run that calibrates its teachers on a validation split.

use serde_json::Value;

use crate::support::Place;

/// The small pipeline with a hundred digits to validate on, unnoised and overfitted in a few steps: models get too sure.
fn place() -> Place {
    let place = Place::new();
    place.edit("    labelled: { from: train, take", "    labelled: { from: train, except: validation, take");
    place.edit("except: labelled,", "except: [labelled, validation],");
    place.edit(
        "    test: { from: test,",
        "    validation: { from: train, take: { per_class: 10 } }\n    test: { from: test,",
    );
    place.edit("{ threshold: 0.5,", "{ threshold: 0.5, calibrate: temperature,");
    place.edit("label_smoothing: 0.1", "label_smoothing: 0");
    place
}

fn run<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", "pipeline.yaml", "--set", "training.steps=20", "--out", out][..], more].concat()
}

fn number(of: &Value, name: &str) -> f64 {
    of[name].as_f64().unwrap_or_else(|| panic!("{name} of {of}"))
}

#[test]
fn a_run_calibrates_its_teachers() {
    let place = place();
    let table = place.succeed(&run("run", &[]));
    assert!(table.contains("ECE at T"), "{table}");
    let report = place.report("run");
    assert_eq!(report["splits"]["validation"], 100);
    for round in report["rounds"].as_array().unwrap() {
        let (validation, found) = (&round["validation"], &round["calibration"]);
        assert_eq!(validation["total"], 100);
        assert_eq!((&validation["ece"], &validation["loss"]), (&found["ece_before"], &found["loss_before"]));
        assert!(number(found, "loss_after") < number(found, "loss_before"));
        let (temperature, precision) = (number(found, "temperature"), &found["precision"]);
        assert!(temperature > 0.05 && temperature < 20.0 && temperature != 1.0, "{temperature}");
        assert!(number(found, "test_ece_after") != number(&round["test"], "ece"));
        assert_eq!(number(precision, "threshold"), 0.5);
        assert!(number(precision, "low") <= number(precision, "precision"));
        assert!(number(precision, "precision") <= number(precision, "high"));
    }
    let lines = std::fs::read_to_string(place.path("run/metrics.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let validation = lines.iter().find(|line| line["pass"] == "validation").unwrap();
    assert_eq!(validation["calibrated"]["temperature"], report["rounds"][0]["calibration"]["temperature"]);
}

/// What the label files say is what the model says at the temperature of the report.
#[test]
fn label_files_hold_calibrated_confidences() {
    let place = place();
    let soft = ["--set", "training.targets=soft"];
    place.succeed(&run("run", &soft));
    place.succeed(&run("raw", &[&soft[..], &["--set", "selection.calibrate=off"]].concat()));
    let labels =
        |run: &str| millstream_data::read_labels(&place.path(&format!("{run}/rounds/000/labels.parquet"))).unwrap();
    let temperature = number(&place.report("run")["rounds"][0]["calibration"], "temperature");
    let (labels, raw) = (labels("run"), labels("raw"));
    assert!(!labels.is_empty() && labels.len() == raw.len());
    for (row, raw) in labels.iter().zip(&raw) {
        let powers: Vec<f64> = raw.distribution.iter().map(|p| f64::from(*p).powf(1.0 / temperature)).collect();
        let wanted = powers[row.class as usize] / powers.iter().sum::<f64>();
        assert!((f64::from(row.confidence) - wanted).abs() < 1e-5, "{row:?}");
        assert_eq!((row.class, &row.model), (raw.class, &raw.model), "the model itself stays as it is");
    }
    assert!(place.report("raw")["rounds"][0].get("calibration").is_none());
}

#[test]
fn processes_and_a_restart_find_the_same_temperatures() {
    let place = place();
    place.succeed(&run("one", &["--workers", "1"]));
    place.succeed(&run("two", &["--processes", "2", "--workers", "2"]));
    std::fs::remove_file(place.path("two/commits/000002.json")).unwrap();
    place.succeed(&run("two", &["--resume"]));
    assert!(place.succeed(&["verify", "one", "two"]).starts_with("identical"));
    let (one, two) = (place.report("one"), place.report("two"));
    for round in 0..3 {
        for figures in ["calibration", "validation", "test"] {
            assert_eq!(one["rounds"][round][figures], two["rounds"][round][figures], "{figures} of round {round}");
        }
    }
}

#[test]
fn a_plan_shows_what_it_calibrates() {
    let place = place();
    let text = place.succeed(&["plan", "pipeline.yaml"]);
    assert!(
        text.contains("100 validation, ") && text.contains("confidence >= 0.5, calibrated by temperature"),
        "{text}"
    );
    let json: Value = serde_json::from_str(&place.succeed(&["plan", "pipeline.yaml", "--json"])).unwrap();
    assert_eq!((&json["selection"]["calibrate"], &json["validation"]), (&"temperature".into(), &100.into()));
    place.edit("except: validation, ", "");
    let more = ["plan", "pipeline.yaml", "--set", "data.splits.labelled.take.per_class=500"];
    place.fail(&more, 2, &["in split `labelled` and in split `validation`", "add `validation` to the `except`"]);
}
