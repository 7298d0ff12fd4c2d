//! Several training nodes: one model, each from its part of every batch.

use crate::support::Place;

const SHORT: [&str; 4] = ["--set", "training.steps=40", "--set", "rounds.0.training.steps=40"];

fn args<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", "pipeline.yaml", "--out", out, "--ranks", "2"][..], &SHORT, more].concat()
}

#[test]
fn two_training_nodes_make_the_same_models_on_any_number_of_workers() {
    let place = Place::new();
    place.succeed(&args("two", &["--processes", "2", "--workers", "1"]));
    // One of three processes only prepares samples.
    place.succeed(&args("three", &["--processes", "3", "--workers", "2"]));
    assert!(place.succeed(&["verify", "two", "three"]).starts_with("identical"));
    place.succeed(&[&["run", "pipeline.yaml", "--out", "one"][..], &SHORT].concat());
    let [one, two] = ["one", "two"].map(|run| place.report(run));
    assert_eq!((&two["environment"]["ranks"], &one["environment"]["ranks"]), (&2.into(), &1.into()));
    for (one, two) in one["rounds"].as_array().unwrap().iter().zip(two["rounds"].as_array().unwrap()) {
        // Batch norms see half of a batch: no more than alike.
        let [one, two] = [one, two].map(|round| round["test_accuracy"].as_f64().unwrap());
        assert!((one - two).abs() < 0.1 && two > 0.5, "{one} {two}");
    }
}

/// With batch norms over the images of both nodes two of them go where one goes. After two steps: from then on training makes more of
/// the last digits, in which sums differ.
#[test]
fn with_synchronised_norms_two_training_nodes_go_where_one_goes() {
    let place = Place::new();
    let loss = |out: &str, more: &[&str]| {
        let round = "rounds=[{model: {smallnet: {width: 8}}, training: {steps: 2}}]";
        place.succeed(&[&["run", "pipeline.yaml", "--out", out, "--set", round], more].concat());
        place.report(out)["rounds"][0]["loss"].as_f64().unwrap()
    };
    let two = ["--processes", "2", "--ranks", "2"];
    let (one, own) = (loss("one", &[]), loss("own", &two));
    let both = loss("both", &[&two[..], &["--set", "training.sync_batch_norm=true"]].concat());
    assert!((one - both).abs() < 1e-5 && (one - own).abs() > 1e-4, "{one} {both} {own}");
}

/// Where samples are mixed with each other every node gets all of them.
#[test]
fn mixed_batches_are_dealt_out_too() {
    let place = Place::new();
    let mix = ["--set", "training.mix={cutmix: 1.0}", "--processes", "2"];
    place.succeed(&args("one", &[&mix[..], &["--workers", "1"]].concat()));
    place.succeed(&args("two", &[&mix[..], &["--workers", "2"]].concat()));
    assert!(place.succeed(&["verify", "one", "two"]).starts_with("identical"));
}

#[test]
fn more_training_nodes_than_processes_are_refused() {
    let place = Place::new();
    place.fail(&args("run", &[]), 2, &["2 training nodes need a process each, there are 1", "--processes"]);
}
