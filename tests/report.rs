//! Pages about runs.

use crate::support::Place;

fn page(place: &Place, name: &str) -> String {
    std::fs::read_to_string(place.path(name)).unwrap()
}

#[test]
fn a_page_tells_of_runs_and_needs_nothing_else() {
    let place = Place::new();
    place.succeed(&["run", "pipeline.yaml", "--out", "one"]);
    place.succeed(&["run", "pipeline.yaml", "--out", "two", "--set", "seed=2"]);
    let said = place.succeed(&["report", "one", "two", "--pipeline", "pipeline.yaml", "--out", "pages/both.html"]);
    assert!(said.starts_with("pages/both.html ("), "{said}");
    let page = page(&place, "pages/both.html");
    let accuracy = &place.report("two")["rounds"][2]["test_accuracy"];
    let accuracy = format!("{:.2} %", 100.0 * accuracy.as_f64().unwrap());
    for part in [
        "<h1>one, two</h1>",
        &accuracy,
        "training loss",
        "churn",
        "two: throughput and bottleneck per stage",
        "The most confident mistakes of round",
    ] {
        assert!(page.contains(part), "no {part:?}");
    }
    for part in ["http:", "https:", "<script", "NaN"] {
        assert!(!page.contains(part), "{part:?} in the page");
    }
    let labelled = place.report("one")["rounds"].as_array().unwrap().len();
    assert!(labelled == 3 && page.matches("<svg").count() > 15);
    assert!(page.contains("data:image/png;base64,iVBOR"), "a mistake is a picture");
}

#[test]
fn what_is_no_run_is_refused() {
    let place = Place::new();
    place.fail(&["report", "nothing"], 2, &["nothing holds no run"]);
    std::fs::create_dir(place.path("broken")).unwrap();
    place.write("broken/report.json", "{");
    place.fail(&["report", "broken"], 4, &["broken/report.json", "it is damaged", "writes it anew with `--resume`"]);
    place.write("broken/report.json", "[1]");
    place.fail(&["report", "broken"], 4, &["broken/report.json", "something else than a run"]);
    assert!(!place.path("report.html").exists());
    place.succeed(&["run", "pipeline.yaml", "--out", "run", "--set", "rounds.1.training.steps=5"]);
    place.fail(&["report", "run", "--pipeline", "none.yaml"], 2, &["none.yaml"]);
    place.fail(&["report", "run", "--set", "seed=2"], 2, &["--pipeline"]);
}
