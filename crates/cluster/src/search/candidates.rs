//! What is tried: combinations of settings, and the pipelines that they make.

use std::collections::BTreeMap;

use millstream_data::draw;
use millstream_spec::{AxisPlan, Definition, Plan, RangePlan, SearchPlan};
use millstream_train::Device;

use super::SearchOptions;
use super::error::SearchError;

/// Pairs (keys with dots between, YAML), as after `--set`.
pub(super) type Settings = Vec<(String, String)>;

/// More combinations than anybody waits for.
const MOST: usize = 100_000;
/// How often a combination is drawn anew that was drawn before.
const PATIENCE: u64 = 100;

/// A combination of settings.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Its place in the order of the combinations, from 0.
    pub(super) number: usize,
    /// What it changes; nothing for the pipeline as it is written.
    pub(super) settings: Settings,
    /// Whether it is the pipeline as it is written.
    pub(super) as_written: bool,
    /// The pipeline that it makes, made as cheap as the search asks for.
    pub(super) plan: Plan,
}

/// All combinations, each once. The pipeline as it is written is the last, unless one of the others is just that.
pub(super) fn field(plan: &Plan, wanted: &SearchPlan, options: &SearchOptions) -> Result<Vec<Candidate>, SearchError> {
    let settings = match wanted.trials {
        Some(trials) => drawn(wanted, trials, plan.seed),
        None => all(wanted)?,
    };
    let reduced = Definition { overrides: of_trials(wanted, &options.definition), ..options.definition.clone() };
    let on_gpu = on_gpu(options.device);
    let make = |(number, settings): (usize, Settings)| candidate(&reduced, number, settings, wanted.rounds, on_gpu);
    let mut field = settings.into_iter().enumerate().map(make).collect::<Result<Vec<_>, _>>()?;
    refuse_twins(&field)?;
    refuse_other_data(&field)?;
    let written = make((field.len(), Settings::new()))?;
    match field.iter_mut().find(|candidate| candidate.plan == written.plan) {
        Some(candidate) => candidate.as_written = true,
        None => field.push(Candidate { as_written: true, ..written }),
    }
    Ok(field)
}

/// The settings of every trial: what the command line says counts for trials, too, and more than the section `search`.
pub(super) fn of_trials(wanted: &SearchPlan, definition: &Definition) -> Settings {
    [&wanted.set[..], &definition.overrides].concat()
}

/// The pipeline with some settings. On the CPU trials compute with one thread, unless the search or the command line says otherwise:
/// two trials side by side are faster than one with two threads, which wait for each other in every layer.
fn candidate(
    reduced: &Definition,
    number: usize,
    settings: Settings,
    rounds: Option<u32>,
    on_gpu: bool,
) -> Result<Candidate, SearchError> {
    let named = |source| SearchError::Combination { settings: shown(&settings), source };
    let mut plan = reduced.with(&settings).plan().map_err(named)?;
    plan.search = None;
    plan.rounds.truncate(rounds.map_or(usize::MAX, |rounds| rounds as usize));
    let sets_threads = reduced.overrides.iter().chain(&settings).any(|(path, _)| path == "threads");
    if !sets_threads && !on_gpu {
        plan.threads = 1;
    }
    Ok(Candidate { number, settings, as_written: false, plan })
}

fn on_gpu(device: Device) -> bool {
    !matches!(device, Device::Cpu) && millstream_train::probe().cuda.is_ok()
}

/// Settings as one reads them.
pub(super) fn shown(settings: &[(String, String)]) -> String {
    match settings {
        [] => "as written".to_owned(),
        settings => settings.iter().map(|(path, value)| format!("{path}={value}")).collect::<Vec<_>>().join(", "),
    }
}

/// The same with the last key of each alone.
pub(super) fn brief(settings: &[(String, String)]) -> String {
    let last = |(path, value): &(String, String)| (path.rsplit('.').next().unwrap_or(path).to_owned(), value.clone());
    shown(&settings.iter().map(last).collect::<Vec<_>>())
}

/// Two combinations that make the same pipeline are a key that nothing takes notice of.
fn refuse_twins(field: &[Candidate]) -> Result<(), SearchError> {
    let mut seen: BTreeMap<String, &Candidate> = BTreeMap::new();
    for candidate in field {
        if let Some(twin) = seen.insert(candidate.plan.canonical(), candidate) {
            let (one, other) = (shown(&twin.settings), shown(&candidate.settings));
            return Err(SearchError::Twins { one, other });
        }
    }
    Ok(())
}

/// Accuracies on other images cannot be compared.
fn refuse_other_data(field: &[Candidate]) -> Result<(), SearchError> {
    let Some(first) = field.first().map(|candidate| &candidate.plan) else { return Ok(()) };
    let other = |candidate: &&Candidate| candidate.plan.seed != first.seed || candidate.plan.data != first.data;
    match field.iter().find(other) {
        Some(candidate) => Err(SearchError::OtherData { settings: shown(&candidate.settings) }),
        None => Ok(()),
    }
}

/// Every combination of the listed values, the last axis fastest.
fn all(wanted: &SearchPlan) -> Result<Vec<Settings>, SearchError> {
    let mut combinations = vec![Settings::new()];
    for (path, axis) in &wanted.over {
        let AxisPlan::Values(values) = axis else { continue };
        if combinations.len() * values.len() > MOST {
            return Err(SearchError::TooMany { most: MOST });
        }
        let with = |before: &Settings, value: &String| [&before[..], &[(path.clone(), value.clone())]].concat();
        combinations = combinations.iter().flat_map(|before| values.iter().map(|value| with(before, value))).collect();
    }
    Ok(combinations)
}

/// So many combinations at random, each once; fewer where there are not as many.
fn drawn(wanted: &SearchPlan, trials: u32, seed: u64) -> Vec<Settings> {
    let mut combinations: Vec<Settings> = Vec::new();
    let mut attempt = 0;
    while combinations.len() < trials as usize && attempt < u64::from(trials) * PATIENCE {
        let one = |(number, (path, axis)): (u64, &(String, AxisPlan))| {
            (path.clone(), value(axis, draw(&[seed, 0x7365_6172_6368, attempt, number])))
        };
        let combination: Settings = (0..).zip(&wanted.over).map(one).collect();
        if !combinations.contains(&combination) {
            combinations.push(combination);
        }
        attempt += 1;
    }
    combinations
}

/// The value of an axis for a number in [0, 1).
fn value(axis: &AxisPlan, u: f64) -> String {
    match axis {
        AxisPlan::Values(values) => values[(u * values.len() as f64) as usize].clone(),
        AxisPlan::Range(RangePlan { from, to, whole: true, log: false }) => {
            format!("{}", (from + u * (to - from + 1.0)).floor().min(*to))
        }
        AxisPlan::Range(RangePlan { from, to, whole, log }) => {
            let drawn = if *log { (from.ln() + u * (to.ln() - from.ln())).exp() } else { from + u * (to - from) };
            if *whole { format!("{}", drawn.round()) } else { rounded(drawn).clamp(*from, *to).to_string() }
        }
    }
}

/// Four digits: nobody can tell more apart, or wants to paste them.
fn rounded(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}
