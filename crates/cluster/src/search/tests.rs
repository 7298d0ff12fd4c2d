use super::*;
use millstream_spec::parse;

const TEXT: &str = "
name: tiny
data:
  sources: { a: { idx: { images: i, labels: l } } }
  splits: { labelled: { from: a }, test: { from: a } }
stream: { size: [28, 28], channels: gray }
rounds:
  - model: { smallnet: { width: 16 } }
    training: { steps: 100, batch: 8 }
";

fn tried(number: usize, rung: u32, accuracy: Option<f64>) -> Tried {
    let settings = vec![("a".to_owned(), number.to_string())];
    let (folds, failures) = (vec![accuracy], Vec::new());
    let (as_written, steps, images, standard_error) = (false, 1, 10, None);
    Tried { number, settings, as_written, rung, steps, images, accuracy, standard_error, folds, failures }
}

/// The combinations of a search, as one reads them.
fn combinations(search: &str) -> Vec<String> {
    let settings = [("search".to_owned(), search.to_owned())];
    let definition = Definition { file: "tiny.yaml".to_owned(), text: TEXT.to_owned(), overrides: settings.to_vec() };
    let plan = parse(TEXT, "tiny.yaml", &settings).unwrap();
    let options = SearchOptions {
        definition,
        out: PathBuf::new(),
        start: Start::Fresh,
        workers: 1,
        at_once: None,
        share: None,
        shelf: 0,
        device: Device::Cpu,
    };
    let field = field(&plan, plan.search.as_ref().unwrap(), &options).unwrap();
    assert!(field.iter().all(|candidate| candidate.plan.search.is_none() && candidate.plan.threads == 1));
    field.iter().map(|candidate| candidates::shown(&candidate.settings)).collect()
}

#[test]
fn a_grid_has_every_combination_once_and_the_pipeline_as_it_is_written() {
    let found = combinations("{ over: { seed: [1, 2], rounds.0.training.batch: [4, 16] } }");
    let batch = "rounds.0.training.batch";
    let of = |size, seed| format!("{batch}={size}, seed={seed}");
    assert_eq!(found, [of(4, 1), of(4, 2), of(16, 1), of(16, 2), "as written".to_owned()]);
    assert_eq!(combinations("{ over: { seed: [0, 1] } }"), ["seed=0", "seed=1"], "the first is as written");
}

#[test]
fn random_combinations_differ_and_lie_in_their_ranges() {
    let search = "{ trials: 40, over: { seed: { from: 3, to: 6, whole: true }, rounds.0.training.label_smoothing: { from: 0.001, to: 0.5, scale: log } } }";
    let found = combinations(search);
    assert_eq!(found, combinations(search), "the same each time");
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 41);
    let (mut seeds, mut small) = (BTreeSet::new(), 0);
    for one in &found[..40] {
        let (smoothing, seed) = one.split_once(", ").unwrap();
        let smoothing: f64 = smoothing.split_once('=').unwrap().1.parse().unwrap();
        assert!((0.001..=0.5).contains(&smoothing), "{one}");
        small += usize::from(smoothing < 0.0224);
        seeds.insert(seed.to_owned());
    }
    assert_eq!(seeds.len(), 4, "{seeds:?}");
    assert!((10..=30).contains(&small), "half of them lie below the geometric mean: {small}");
    // There are no more than four.
    assert_eq!(combinations("{ trials: 40, over: { seed: { from: 3, to: 6, whole: true } } }").len(), 5);
}

#[test]
fn further_and_better_comes_first_and_failures_last() {
    let mut all = [
        tried(0, 0, Some(0.9)),
        tried(1, 1, None),
        tried(2, 1, Some(0.5)),
        tried(3, 1, Some(0.5)),
        tried(4, 1, Some(0.6)),
    ];
    all.sort_by(Tried::rank);
    assert_eq!(all.map(|tried| tried.number), [4, 2, 3, 1, 0]);
}

#[test]
fn each_rung_has_eta_times_the_steps_of_the_one_before() {
    assert_eq!(shares(None), [1.0]);
    assert_eq!(shares(Some(HalvingPlan { eta: 2, rungs: 3 })), [0.25, 0.5, 1.0]);
}

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    make_room(&out, Start::Fresh).unwrap();
    std::fs::write(out.join("trials/x"), "a trial").unwrap();
    assert!(make_room(&out, Start::Fresh).is_err());
    make_room(&out, Start::Resume).unwrap();
    assert!(out.join("trials/x").exists());
    make_room(&out, Start::Overwrite).unwrap();
    assert!(!out.join("trials/x").exists());
    std::fs::write(place.path().join("thesis.txt"), "").unwrap();
    for start in [Start::Fresh, Start::Resume, Start::Overwrite] {
        assert!(make_room(place.path(), start).is_err());
    }
}

#[test]
fn each_trial_is_in_one_share() {
    for of in 1..5 {
        let holders = |number| (1..=of).filter(|part| Share { part: *part, of }.has(number)).count();
        assert!((0..20).all(|number| holders(number) == 1));
    }
}
