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
    let (as_written, steps, images, standard_error, loss) = (false, 1, 10, None, None);
    let (folds, failures) = (Vec::new(), Vec::new());
    Tried { number, settings, as_written, rung, steps, images, accuracy, standard_error, loss, folds, failures }
}

fn options(out: PathBuf, start: Start, settings: &[(String, String)]) -> SearchOptions {
    let definition = Definition { file: "tiny.yaml".to_owned(), text: TEXT.to_owned(), overrides: settings.to_vec() };
    SearchOptions { definition, out, start, workers: 1, at_once: None, share: None, shelf: 0, device: Device::Cpu }
}

fn try_field(settings: &[(&str, &str)]) -> Result<Vec<Candidate>, SearchError> {
    let settings: Vec<_> = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let plan = parse(TEXT, "tiny.yaml", &settings).unwrap();
    field(&plan, plan.search.as_ref().unwrap(), &options(PathBuf::new(), Start::Fresh, &settings))
}

/// The combinations of a search, as one reads them.
fn combinations(search: &str) -> Vec<String> {
    let field = try_field(&[("search", search)]).unwrap();
    assert!(field.iter().all(|candidate| candidate.plan.search.is_none() && candidate.plan.threads == 1));
    field.iter().map(|candidate| candidates::shown(&candidate.settings)).collect()
}

#[test]
fn a_grid_has_every_combination_once_and_the_pipeline_as_it_is_written() {
    let (batch, steps) = ("rounds.0.training.batch", "rounds.0.training.steps");
    let found = combinations("{ over: { rounds.0.training.steps: [1, 2], rounds.0.training.batch: [4, 16] } }");
    let of = |size, count| format!("{batch}={size}, {steps}={count}");
    assert_eq!(found, [of(4, 1), of(4, 2), of(16, 1), of(16, 2), "as written".to_owned()]);
    let found = combinations("{ over: { rounds.0.training.batch: [4, 8] } }");
    assert_eq!(found, [format!("{batch}=4"), format!("{batch}=8")], "the second is as written");
}

#[test]
fn random_combinations_differ_and_lie_in_their_ranges() {
    let search = "{ trials: 40, over: { rounds.0.training.batch: { from: 3, to: 6, whole: true }, rounds.0.training.label_smoothing: { from: 0.001, to: 0.5, scale: log } } }";
    let found = combinations(search);
    assert_eq!(found, combinations(search), "the same each time");
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 41);
    let (mut seeds, mut small) = (BTreeSet::new(), 0);
    for one in &found[..40] {
        let (seed, smoothing) = one.split_once(", ").unwrap();
        let smoothing: f64 = smoothing.split_once('=').unwrap().1.parse().unwrap();
        assert!((0.001..=0.5).contains(&smoothing), "{one}");
        small += usize::from(smoothing < 0.0224);
        seeds.insert(seed.to_owned());
    }
    assert_eq!(seeds.len(), 4, "{seeds:?}");
    assert!((10..=30).contains(&small), "half of them lie below the geometric mean: {small}");
    // There are no more than four.
    assert_eq!(
        combinations("{ trials: 40, over: { rounds.0.training.batch: { from: 3, to: 6, whole: true } } }").len(),
        5
    );
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
    let mut by = |criterion| {
        all.sort_by(|one, other| one.rank(other, criterion));
        all.clone().map(|tried| tried.number)
    };
    assert_eq!(by(Criterion::Accuracy), [4, 2, 3, 1, 0]);
    assert_eq!(by(Criterion::Loss), [1, 2, 3, 4, 0], "nothing is known of any");
    (all[2].loss, all[3].loss) = (Some(0.5), Some(0.4));
    all.sort_by(|one, other| one.rank(other, Criterion::Loss));
    assert_eq!(all.map(|tried| tried.loss), [Some(0.4), Some(0.5), None, None, None]);
}

#[test]
fn differences_on_each_fold_tell_what_ties() {
    let of = |figures: &[(f64, f64)]| {
        let fold = |(accuracy, loss): &(f64, f64)| {
            Some(OnFold { images: 10, accuracy: *accuracy, loss: Some(*loss).filter(|loss| loss.is_finite()) })
        };
        Tried { folds: figures.iter().map(fold).collect(), ..tried(0, 0, None) }
    };
    let best = of(&[(0.9, 1.0), (0.5, 2.0), (0.7, 3.0)]);
    let always_less = of(&[(0.8, 1.0), (0.4, 2.1), (0.59, 2.9)]);
    assert_eq!(always_less.ties(&best, Criterion::Accuracy), Some(false), "the folds differ, the differences do not");
    assert_eq!(always_less.ties(&best, Criterion::Loss), Some(true));
    let now_and_then = of(&[(0.8, 1.0), (0.6, f64::NAN), (0.6, 2.9)]);
    assert_eq!(now_and_then.ties(&best, Criterion::Accuracy), Some(true));
    assert_eq!(now_and_then.ties(&best, Criterion::Loss), None);
    assert_eq!(of(&[(0.8, 1.0)]).ties(&of(&[(0.9, 1.0)]), Criterion::Accuracy), None, "one fold tells nothing");
}

#[test]
fn each_rung_has_eta_times_the_steps_of_the_one_before() {
    assert_eq!(shares(None), [1.0]);
    assert_eq!(shares(Some(HalvingPlan { eta: 2, rungs: 3 })), [0.25, 0.5, 1.0]);
}

#[test]
fn the_command_line_counts_for_trials_and_other_data_are_refused() {
    let search = "{ over: { rounds.0.training.batch: [4, 8] }, set: { rounds.0.training.steps: 7 } }";
    let steps = |settings: &[(&str, &str)]| try_field(settings).unwrap()[0].plan.rounds[0].training.steps;
    assert_eq!(steps(&[("search", search)]), 7);
    assert_eq!(steps(&[("search", search), ("rounds.0.training.steps", "9")]), 9);
    let threads = |settings: &[(&str, &str)]| try_field(settings).unwrap()[0].plan.threads;
    assert_eq!((threads(&[("search", search)]), threads(&[("search", search), ("threads", "3")])), (1, 3));
    let refused = |over: &str| try_field(&[("search", &format!("{{ over: {{ {over} }} }}"))]).unwrap_err();
    assert!(matches!(refused("seed: [1, 2]"), SearchError::OtherData { .. }));
    assert!(matches!(refused("data.splits.labelled.take.fraction: [0.5, 0.9]"), SearchError::OtherData { .. }));
    assert!(matches!(refused("memory: [1GiB, 2GiB]"), SearchError::Twins { .. }));
}

#[test]
fn the_best_of_a_rung_go_on_and_so_does_the_pipeline_as_it_is_written() {
    let mut all = try_field(&[("search", "{ over: { rounds.0.training.batch: [4, 8, 16, 32] } }")]).unwrap();
    let scores = [0.9, 0.1, 0.5, 0.7];
    let results: BTreeMap<usize, Tried> = (0..4)
        .map(|number| (number, Tried { as_written: all[number].as_written, ..tried(number, 0, Some(scores[number])) }))
        .collect();
    survive(&mut all, &results, 3, Criterion::Accuracy);
    assert_eq!(all.iter().map(|candidate| candidate.number).collect::<Vec<_>>(), [0, 1], "the second is as written");
}

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let take = |out: &PathBuf, start| take(&options(out.clone(), start, &[]));
    let held = take(&out, Start::Fresh).unwrap();
    assert!(matches!(take(&out, Start::Resume), Err(ClusterError::Busy { .. })), "a search is under way");
    drop(held);
    for name in ["trials/x", "search.json", "mine"] {
        fs::create_dir_all(out.join("trials")).unwrap();
        fs::write(out.join(name), "").unwrap();
    }
    assert!(take(&out, Start::Fresh).is_err());
    take(&out, Start::Resume).unwrap();
    assert!(out.join("trials/x").exists() && !out.join("search.json").exists(), "it is not done");
    take(&out, Start::Overwrite).unwrap();
    assert!(!out.join("trials").exists() && out.join("mine").exists());
    let foreign = place.path().join("foreign");
    fs::create_dir_all(foreign.join("trials")).unwrap();
    for start in [Start::Fresh, Start::Resume, Start::Overwrite] {
        assert!(take(&foreign, start).is_err() && foreign.join("trials").exists());
    }
}

#[test]
fn those_who_share_a_search_hold_its_directory_together() {
    let place = tempfile::tempdir().unwrap();
    let all = options(place.path().join("out"), Start::Resume, &[]);
    let share = SearchOptions { share: Some(Share { part: 1, of: 2 }), ..all.clone() };
    let (one, other) = (take(&share).unwrap(), take(&share).unwrap());
    assert!(take(&all).is_err());
    drop((one, other));
    take(&all).unwrap();
}

#[test]
fn each_trial_is_in_one_share() {
    for of in 1..5 {
        let holders = |number| (1..=of).filter(|part| Share { part: *part, of }.has(number)).count();
        assert!((0..20).all(|number| holders(number) == 1));
    }
}
