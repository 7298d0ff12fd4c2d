//! Learning from the model's own word and from teachers, through the program.

use crate::support::Place;

const AUGMENT: &str =
    "  augment: [ { affine: { degrees: 8, shear: 0.09, translate: 2 } }, { randaugment: { ops: 1, magnitude: 3 } } ]";
const VIEWS: &str = "  views:
    - { name: weak, augment: [ { affine: { translate: 2 } } ] }
    - { name: strong, of: unlabelled, augment: [ { randaugment: { ops: 2, magnitude: 9 } } ] }";
/// Teachers of twelve steps are sure of little.
const SHORT: [&str; 6] =
    ["--set", "training.steps=12", "--set", "rounds.0.training.steps=12", "--set", "selection.threshold=0.12"];

/// The small pipeline with a weak and a strong view.
fn two_views() -> Place {
    let place = Place::new();
    place.edit(AUGMENT, VIEWS);
    place
}

fn run(place: &Place, out: &str, more: &[&str]) {
    place.succeed(&[&["run", "pipeline.yaml", "--out", out], &SHORT[..], more].concat());
}

fn bytes(place: &Place, run: &str, round: u32) -> Vec<u8> {
    std::fs::read(place.path(&format!("{run}/rounds/{round:03}/model.safetensors"))).unwrap()
}

/// The hash of a model file.
fn model(place: &Place, run: &str, round: usize) -> String {
    place.report(run)["rounds"][round]["model_hash"].as_str().unwrap().to_owned()
}

/// The lines of `metrics.jsonl` that tell of steps of a round.
fn steps(place: &Place, run: &str, round: u32) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(place.path(&format!("{run}/metrics.jsonl"))).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter(|line| line["pass"] == "train" && line["round"] == round).collect()
}

#[test]
fn every_method_gives_the_same_bits_on_any_number_of_processes_and_another_model() {
    let place = two_views();
    let mut models = Vec::new();
    for method in ["selected", "pseudo_label", "fixmatch", "{ flexmatch: { threshold: 0.5 } }"] {
        let set = ["--set".to_owned(), format!("training.unlabelled={method}")];
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let name = method.trim_matches(|c: char| !c.is_alphabetic()).split(':').next().unwrap();
        run(&place, name, &set);
        let other = format!("{name}-2");
        run(&place, &other, &[&set[..], &["--processes", "2", "--workers", "2"]].concat());
        assert!(place.succeed(&["verify", name, &other]).starts_with("identical"), "{method}");
        // Pseudo-labels have their effect from the second round on, the model's own word at once.
        models.push(model(&place, name, 0));
        let asked = steps(&place, name, 0).iter().any(|line| line["accepted"].is_number());
        assert_eq!(asked, method != "selected", "{method}");
    }
    for (at, one) in models.iter().enumerate() {
        assert!(models[..at].iter().all(|other| other != one), "method {at} trains as one before");
    }
}

#[test]
fn a_student_learns_from_the_model_before_or_from_a_file() {
    let place = Place::new();
    run(&place, "plain", &[]);
    run(&place, "taught", &["--set", "training.distill={temperature: 2, weight: 0.5}"]);
    assert_eq!(model(&place, "plain", 0), model(&place, "taught", 0), "the first round has nobody to ask");
    assert_ne!(model(&place, "plain", 1), model(&place, "taught", 1));
    std::fs::write(place.path("teacher.safetensors"), bytes(&place, "plain", 2)).unwrap();
    let set = ["--set", "rounds.0.training.distill={teacher: teacher.safetensors}"];
    run(&place, "file", &set);
    assert_ne!(model(&place, "plain", 0), model(&place, "file", 0));
    run(&place, "stored", &["--set", "training.targets=distill"]);
    assert_ne!(model(&place, "plain", 1), model(&place, "stored", 1));
    run(&place, "all", &[&set[..], &["--set", "rounds.0.training.unlabelled=teacher"]].concat());
    assert_ne!(model(&place, "file", 0), model(&place, "all", 0), "unlabelled images teach, too");
    // Other bytes of the teacher are another plan.
    std::fs::write(place.path("teacher.safetensors"), bytes(&place, "plain", 1)).unwrap();
    let again = [&["run", "pipeline.yaml", "--out", "file", "--resume"], &SHORT[..], &set].concat();
    place.fail(&again, 2, &["another pipeline or other data"]);
    std::fs::remove_file(place.path("teacher.safetensors")).unwrap();
    let lost = [&["run", "pipeline.yaml", "--out", "lost"], &SHORT[..], &set].concat();
    place.fail(&lost, 2, &["round 0 cannot ask its teacher", "teacher.safetensors", "distill.teacher"]);
}

#[test]
fn the_plan_shows_every_setting_of_a_method() {
    let place = two_views();
    let said = place.succeed(&["plan", "pipeline.yaml", "--set", "training.unlabelled=flexmatch"]);
    assert!(said.contains("60 steps of 16 labelled + 32 unlabelled"), "{said}");
    assert!(said.contains("unlabelled: {flexmatch:{flexible:{mapping:convex,warmup:true}"), "{said}");
    assert!(said.contains("threshold:0.95"), "{said}");
    assert!(said.contains("float32, threads 1") && said.contains("dropout 0.1, fresh weights"), "{said}");
}
