use super::*;
use millstream_spec::{SearchPlan, parse};

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
    let (folds, runs, failures) = (Vec::new(), Vec::new(), Vec::new());
    Tried { number, settings, as_written, rung, steps, images, accuracy, standard_error, loss, folds, runs, failures }
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
        Tried { as_written: true, ..tried(5, 1, Some(0.5)) },
    ];
    all.sort_by(|one, other| one.rank(other, Criterion::Accuracy));
    assert_eq!(
        all.clone().map(|tried| tried.number),
        [4, 5, 2, 3, 0, 1],
        "of equal ones the one that is there already"
    );
    (all[2].loss, all[3].loss) = (Some(0.5), Some(0.4));
    all.sort_by(|one, other| one.rank(other, Criterion::Loss));
    assert_eq!(all.map(|tried| tried.loss), [Some(0.4), Some(0.5), None, None, None, None]);
}

/// A search by this criterion with these accuracies and losses on its folds.
fn found(by: Criterion, figures: &[&[(f64, f64)]]) -> Search {
    let on_fold = |(accuracy, loss): &(f64, f64)| {
        Some(OnFold { images: 10, accuracy: *accuracy, loss: Some(*loss).filter(|loss| loss.is_finite()) })
    };
    let of = |(number, folds): (usize, &&[(f64, f64)])| {
        let sum = |figure: fn(&(f64, f64)) -> f64| folds.iter().map(figure).sum::<f64>() / folds.len() as f64;
        Tried {
            loss: Some(sum(|fold| fold.1)).filter(|loss| loss.is_finite()),
            standard_error: Some(0.07),
            folds: folds.iter().map(on_fold).collect(),
            ..tried(number, 0, Some(sum(|fold| fold.0)))
        }
    };
    let tried = figures.iter().enumerate().map(of).collect();
    let plan = parse(TEXT, "tiny.yaml", &[("search".to_owned(), "{ over: { a: [1] } }".to_owned())]).unwrap();
    let wanted = SearchPlan { by, folds: 5, held_out: figures[0].len() as u32, ..plan.search.clone().unwrap() };
    Search::new(&plan, &wanted, &options(PathBuf::new(), Start::Fresh, &[]).definition, tried)
}

#[test]
fn what_ties_with_the_best_is_told_by_the_differences_on_each_fold() {
    let best = [(0.9, 1.0), (0.5, 2.0), (0.7, 3.0)];
    let always_less = [(0.8, 1.0), (0.4, 2.1), (0.59, 2.95)];
    let now_and_then = [(0.8, 1.1), (0.6, f64::NAN), (0.6, 2.9)];
    let behind = |by| {
        let found = found(by, &[&best, &always_less, &now_and_then]);
        let told = |number| found.behind(found.tried.iter().find(|tried| tried.number == number).unwrap());
        [told(1), told(2)]
    };
    let [less, less_or_more] = behind(Criterion::Accuracy).map(Option::unwrap);
    assert!(!less.ties() && (less.difference - 0.31 / 3.0).abs() < 1e-12, "the folds differ, the differences do not");
    // 0.1, -0.1 and 0.1: their variance is 0.04 / 3.
    let error = (0.04_f64 / 3.0 * (1.0 / 3.0 + 1.0 / 4.0)).sqrt();
    assert!(less_or_more.ties() && (less_or_more.error - error).abs() < 1e-12, "{less_or_more:?}");
    let [less, unknown] = behind(Criterion::Loss);
    assert!(less.unwrap().ties() && unknown.is_none());

    let one_fold = |by| {
        let found = found(by, &[&[(0.9, 1.0)], &[(0.8, 1.0)]]);
        found.behind(&found.tried[1])
    };
    assert_eq!(
        one_fold(Criterion::Accuracy).map(|behind| (behind.error, behind.ties())),
        Some((0.07_f64.hypot(0.07), false))
    );
    assert_eq!(one_fold(Criterion::Loss), None, "one fold tells nothing");
    assert!(
        outcome::standard_error(20.0, 20.0) > 0.04 && (outcome::standard_error(500.0, 1000.0) - 0.0158).abs() < 1e-4
    );
}

#[test]
fn finalists_stand_between_the_worst_and_the_best_of_them() {
    let mut found = found(Criterion::Loss, &[&[(0.9, 1.0)], &[(0.7, 2.0)], &[(0.8, 5.0)], &[(0.8, f64::NAN)]]);
    let standings = |found: &Search| found.tried.iter().map(|tried| found.standing(tried)).collect::<Vec<_>>();
    assert_eq!(standings(&found), [Some(1.0), Some(0.75), Some(0.0), None]);
    found.tried.iter_mut().take(2).for_each(|tried| tried.rung = 1);
    assert_eq!(standings(&found), [Some(1.0), Some(0.0), None, None], "others had fewer steps");
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
    let failed = BTreeMap::from([(0, tried(0, 0, None)), (1, Tried { as_written: true, ..tried(1, 0, None) })]);
    survive(&mut all, &failed, 3, Criterion::Accuracy);
    assert_eq!(all.iter().map(|candidate| candidate.number).collect::<Vec<_>>(), [1]);
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
