//! What a run tells of itself beside its results: figures, lines, event files, plots.

use serde_json::Value;

use crate::support::Place;

const QUICK: [&str; 4] = ["--set", "training.steps=5", "--set", "rounds.0.training.steps=5"];

fn lines(place: &Place, run: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(place.path(run).join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines without what a clock says.
fn untimed(lines: Vec<Value>) -> Vec<Value> {
    let strip = |mut line: Value| {
        for timed in ["images_per_second", "data_wait_seconds", "step_seconds"] {
            line.as_object_mut().unwrap().remove(timed);
        }
        line
    };
    lines.into_iter().map(strip).collect()
}

#[test]
fn a_run_tells_how_training_went() {
    let place = Place::new();
    let table = place.succeed(&["run", "pipeline.yaml", "--out", "run"]);
    assert!(table.contains("ECE") && !table.contains("top-5"), "{table}");
    let report = place.report("run");
    let round = &report["rounds"][2];
    let test = &round["test"];
    assert_eq!((&test["accuracy"], &test["total"]), (&round["test_accuracy"], &round["test_total"]));
    assert!(test["top5"].as_f64().unwrap() >= test["accuracy"].as_f64().unwrap());
    assert!(test["loss"].as_f64().unwrap() > 0.0 && test["ece"].as_f64().unwrap() < 1.0);
    let count =
        |of: &Value, what: &str| of.as_array().unwrap().iter().map(|one| one[what].as_u64().unwrap()).sum::<u64>();
    assert_eq!(count(&test["classes"], "total"), test["total"].as_u64().unwrap());
    assert_eq!(count(&test["classes"], "correct"), test["correct"].as_u64().unwrap());
    assert_eq!(count(&test["reliability"], "total"), test["total"].as_u64().unwrap());

    let lines = lines(&place, "run");
    let of = |pass: &str| lines.iter().filter(|line| line["pass"] == pass).count();
    assert_eq!((of("train"), of("test")), (60 + 40 + 40, 3));
    let last = lines.last().unwrap();
    assert_eq!((&last["global_step"], &last["accuracy"]), (&Value::from(140), &round["test_accuracy"]));
    let losses: Vec<f64> = lines.iter().filter(|l| l["round"] == 0).filter_map(|l| l["loss"].as_f64()).collect();
    assert!(losses[0] > losses[59], "{losses:?}");
    assert!(lines.iter().filter(|l| l["pass"] == "train").all(|l| l["step_seconds"].as_f64().unwrap() > 0.0));
    assert!(lines.iter().any(|line| line["accuracy"].as_f64().is_some_and(|share| share > 0.5)));

    for plot in ["training", "test_accuracy", "reliability", "confusion"] {
        let picture = image::open(place.path(&format!("run/plots/{plot}.png"))).unwrap();
        assert!(picture.width() >= 400, "{plot}");
    }
    let events = std::fs::read_dir(place.path("run/tensorboard")).unwrap();
    assert_eq!(events.count(), 3, "one event file a round");
}

/// The confusion matrix of `eval` is that of the run, and its sums are the figures.
#[test]
fn eval_has_the_figures_of_the_run() {
    let place = Place::new();
    place.succeed(&[&["run", "pipeline.yaml", "--out", "run"][..], &QUICK].concat());
    let eval = ["eval", "pipeline.yaml", "--model", "run", "--confusion", "confusion.csv"];
    let found: Value = serde_json::from_str(&place.succeed(&[&eval[..], &["--json"]].concat())).unwrap();
    let test = place.report("run")["rounds"][2]["test"].clone();
    for (figure, value) in test.as_object().unwrap() {
        assert_eq!(&found[figure], value, "{figure}");
    }
    let matrix = std::fs::read_to_string(place.path("confusion.csv")).unwrap();
    assert_eq!(matrix, std::fs::read_to_string(place.path("run/rounds/002/confusion.csv")).unwrap());
    let rows: Vec<Vec<u64>> = matrix
        .lines()
        .skip(1)
        .map(|line| line.split(',').skip(1).map(|count| count.parse().unwrap()).collect())
        .collect();
    assert_eq!(rows.iter().flatten().sum::<u64>(), test["total"].as_u64().unwrap());
    assert_eq!((0..10).map(|class| rows[class][class]).sum::<u64>(), test["correct"].as_u64().unwrap());
    let words = place.succeed(&eval);
    assert!(words.contains("loss") && words.contains("ECE"), "{words}");
}

#[test]
fn a_redone_round_takes_the_place_of_its_lines() {
    let place = Place::new();
    place.succeed(&[&["run", "pipeline.yaml", "--out", "whole"][..], &QUICK].concat());
    place.succeed(&[&["run", "pipeline.yaml", "--out", "cut"][..], &QUICK].concat());
    // As if the machine had died in the last round.
    std::fs::remove_file(place.path("cut/commits/000002.json")).unwrap();
    let torn = std::fs::read(place.path("cut/metrics.jsonl")).unwrap();
    std::fs::write(place.path("cut/metrics.jsonl"), &torn[..torn.len() - 20]).unwrap();
    place.succeed(&[&["run", "pipeline.yaml", "--out", "cut", "--resume"][..], &QUICK].concat());
    assert_eq!(untimed(lines(&place, "cut")), untimed(lines(&place, "whole")));
    assert!(place.succeed(&["verify", "whole", "cut"]).starts_with("identical"));
    // A fresh start forgets all of it.
    let one = ["--overwrite", "--set", "training.steps=2", "--set", "rounds.0.training.steps=2"];
    place.succeed(&[&["run", "pipeline.yaml", "--out", "cut"][..], &one].concat());
    assert_eq!(lines(&place, "cut").len(), 3 * 2 + 3);
}

/// No file that only tells of a run can end it.
#[test]
fn a_run_goes_on_where_its_metrics_cannot_be_written() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("run/metrics.jsonl")).unwrap();
    place.write("run/.lock", "");
    place.write("run/plots", "");
    place.write("run/tensorboard", "");
    let output = place.run(&[&["run", "pipeline.yaml", "--out", "run"][..], &QUICK].concat());
    assert_eq!(output.status.code(), Some(0));
    let says = crate::support::stderr(&output);
    for file in ["metrics.jsonl", "plots", "tensorboard"] {
        assert!(says.contains(file), "{file} has no warning: {says}");
    }
    assert_eq!(place.report("run")["rounds"].as_array().unwrap().len(), 3);
}
