//! Labels that are probably wrong: out-of-sample probabilities of each labelled record, and confident learning on them.

use std::collections::BTreeMap;

use millstream_data::corpus::Label;
use millstream_data::{DataError, Spill, most_probable};
use millstream_dataflow::examine::{
    Catalogue, Confidences, Group, Look, Temperature, Validated, confident_class, normalised_margin,
};
use millstream_train::{Fitted, Ridge};

use super::ExamineOptions;
use super::asking::Numbers;
use super::report::{Candidate, Judge, LabelsReport};
use super::same::record;
use crate::error::ClusterError;

/// Records that are computed on at once.
const CHUNK: usize = 256;
/// Penalties that are tried, in shares of the mean square of a feature.
const PENALTIES: [f64; 7] = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0];
/// They, and temperatures, are tried on so many records at most.
const TRIED: usize = 10_000;
/// More classes make a joint that is too large to be told.
const MOST_JOINT: usize = 100;

/// A label that is probably wrong, in short.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issue {
    /// The position of the record.
    pub(super) look: u32,
    given: u32,
    suggested: u32,
    confident: bool,
    score: f32,
    shares: (f32, f32),
}

/// What was found of the labels.
pub(super) struct Judged {
    pub(super) report: LabelsReport,
    /// The worst first.
    pub(super) issues: Vec<Issue>,
}

/// Whether the labels of the data are the classes of a model: all names are names of classes, or the numbers are those of all classes.
/// Then the class of each label.
pub(super) fn classes_of(labels: &[Label], classes: &[String]) -> Option<Vec<u32>> {
    let most =
        labels.iter().filter_map(|label| if let Label::Index(index) = label { Some(*index) } else { None }).max();
    let all = most.is_none_or(|most| most as usize + 1 == classes.len());
    let class = |label: &Label| match label {
        Label::Index(index) => Some(*index),
        Label::Name(name) => u32::try_from(classes.iter().position(|class| class == name)?).ok(),
    };
    labels.iter().map(class).collect::<Option<Vec<u32>>>().filter(|_| all && !labels.is_empty())
}

/// Labelled records, and what each label counts as.
struct Bench<'a> {
    catalogue: &'a Catalogue,
    numbers: &'a Numbers,
    /// The class of each label.
    class_of: Vec<u32>,
    classes: usize,
    /// Labelled records by their positions, in order.
    labelled: Vec<u32>,
}

impl<'a> Bench<'a> {
    fn new(catalogue: &'a Catalogue, numbers: &'a Numbers, class_of: Vec<u32>, classes: usize) -> Self {
        let labelled = (0..).zip(catalogue.looks()).filter(|(_, look)| look.label.is_some()).map(|(at, _)| at);
        Bench { catalogue, numbers, class_of, classes, labelled: labelled.collect() }
    }

    fn look(&self, at: u32) -> &'a Look {
        &self.catalogue.looks()[at as usize]
    }

    fn class(&self, at: u32) -> Option<u32> {
        self.look(at).label.and_then(|label| self.class_of.get(label as usize).copied())
    }

    /// The numbers of some records, one after the other.
    fn numbers(&self, records: &[u32]) -> Result<Vec<f32>, DataError> {
        let each = records.iter().map(|at| self.numbers.of(self.look(*at)));
        Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
    }
}

/// Judges by the probabilities that the model gave.
pub(super) fn by_probabilities(
    options: &ExamineOptions,
    catalogue: &Catalogue,
    (numbers, class_of, names): (&Numbers, Vec<u32>, &[String]),
) -> Result<Judged, ClusterError> {
    let bench = Bench::new(catalogue, numbers, class_of, names.len());
    let shares = |at: u32| numbers.of(bench.look(at));
    let how = How { judge: Judge::Probabilities, penalty: None, temperature: None };
    judge(options, &bench, names, how, shares)
}

/// Judges by a regression of the embeddings onto the labels.
pub(super) fn by_embeddings(
    options: &ExamineOptions,
    catalogue: &Catalogue,
    groups: &[Group],
    numbers: &Numbers,
) -> Result<Judged, ClusterError> {
    let names: Vec<String> = catalogue.labels().iter().map(ToString::to_string).collect();
    let class_of = (0..).zip(&names).map(|(class, _)| class).collect();
    let bench = Bench::new(catalogue, numbers, class_of, names.len());
    let targets = Targets::new(&bench, groups);
    let mut ridge = Ridge::new(numbers.width, bench.classes)?;
    let firsts: Vec<u32> = bench.labelled.iter().copied().filter(|at| targets.is_first(*at)).collect();
    for chunk in firsts.chunks(CHUNK) {
        ridge.add(&bench.numbers(chunk)?, &targets.of(&bench, chunk))?;
    }
    let penalty = best_penalty(&ridge, &bench, &targets, &firsts)?;
    let fitted = ridge.fit(penalty)?;
    let told = Shares { spill: Spill::new(&options.out)?, classes: bench.classes };
    for chunk in bench.labelled.chunks(CHUNK) {
        let scores = leave_one_out(&fitted, &bench, &targets, chunk)?;
        told.push(scores.chunks_exact(bench.classes).flat_map(softmax))?;
    }
    let temperature = told.temperature(&bench)?;
    let shares = |at: u32| {
        let mut shares = told.of(bench.labelled.partition_point(|other| *other < at))?;
        temperature.into_iter().for_each(|temperature| temperature.apply(&mut shares));
        Ok(shares)
    };
    let how = How { judge: Judge::Embeddings, penalty: Some(penalty), temperature: temperature.map(Temperature::get) };
    judge(options, &bench, &names, how, shares)
}

/// How labels were judged.
struct How {
    judge: Judge,
    penalty: Option<f64>,
    temperature: Option<f64>,
}

/// Probabilities of the labelled records, in their order, on a disk.
struct Shares {
    spill: Spill,
    classes: usize,
}

impl Shares {
    fn push(&self, shares: impl Iterator<Item = f32>) -> Result<(), DataError> {
        self.spill.push(&shares.flat_map(f32::to_le_bytes).collect::<Vec<u8>>()).map(drop)
    }

    fn of(&self, row: usize) -> Result<Vec<f32>, DataError> {
        let mut bytes = vec![0; self.classes * size_of::<f32>()];
        self.spill.read((row * bytes.len()) as u64, &mut bytes)?;
        Ok(bytes.as_chunks().0.iter().map(|share| f32::from_le_bytes(*share)).collect())
    }

    /// The temperature at which they are likeliest: a regression's predictions lie close together, however sure they are.
    fn temperature(&self, bench: &Bench<'_>) -> Result<Option<Temperature>, DataError> {
        let rows: Vec<usize> = (0..bench.labelled.len()).collect();
        let answer = |row: usize| {
            let label = bench.class(bench.labelled[row]).unwrap_or(u32::MAX);
            Ok(Validated { label, probabilities: self.of(row)? })
        };
        Ok(Temperature::fit(&some(&rows).map(answer).collect::<Result<Vec<_>, DataError>>()?))
    }
}

/// Some of many, spread over all.
fn some<T: Copy>(of: &[T]) -> impl Iterator<Item = T> {
    of.iter().copied().step_by(of.len().div_ceil(TRIED).max(1))
}

/// What the regression is to say of each record: of those that show the same it is one row, whose target is the mean of theirs. So
/// whoever is left out is left out with all that show the same.
struct Targets {
    /// The first labelled record of its group, and the shares of the classes in it; records of no group are not here.
    grouped: BTreeMap<u32, (u32, Vec<f32>)>,
}

impl Targets {
    fn new(bench: &Bench<'_>, groups: &[Group]) -> Self {
        let mut grouped = BTreeMap::new();
        for group in groups {
            let labelled: Vec<(u32, u32)> =
                group.members.iter().filter_map(|at| Some((*at, bench.class(*at)?))).collect();
            let Some((first, _)) = labelled.first() else { continue };
            let mut shares = vec![0.0; bench.classes];
            labelled.iter().for_each(|(_, class)| shares[*class as usize] += 1.0 / labelled.len() as f32);
            grouped.extend(labelled.iter().map(|(at, _)| (*at, (*first, shares.clone()))));
        }
        Targets { grouped }
    }

    fn is_first(&self, at: u32) -> bool {
        self.grouped.get(&at).is_none_or(|(first, _)| *first == at)
    }

    fn of(&self, bench: &Bench<'_>, records: &[u32]) -> Vec<f32> {
        let mut targets = vec![0.0; records.len() * bench.classes];
        for (at, target) in records.iter().zip(targets.chunks_exact_mut(bench.classes)) {
            match (self.grouped.get(at), bench.class(*at)) {
                (Some((_, shares)), _) => target.copy_from_slice(shares),
                (None, Some(class)) => target[class as usize] = 1.0,
                (None, None) => {}
            }
        }
        targets
    }
}

fn leave_one_out(
    fitted: &Fitted<'_>,
    bench: &Bench<'_>,
    targets: &Targets,
    records: &[u32],
) -> Result<Vec<f32>, ClusterError> {
    Ok(fitted.leave_one_out(&bench.numbers(records)?, &targets.of(bench, records))?)
}

/// The penalty by which records that are left out are predicted with the least squared error (PRESS); the first of equals.
fn best_penalty(ridge: &Ridge, bench: &Bench<'_>, targets: &Targets, records: &[u32]) -> Result<f64, ClusterError> {
    let tried: Vec<u32> = some(records).collect();
    let mut best = (f64::INFINITY, PENALTIES[0]);
    for penalty in PENALTIES {
        let fitted = ridge.fit(penalty)?;
        let mut error = 0.0;
        for chunk in tried.chunks(CHUNK) {
            let told = leave_one_out(&fitted, bench, targets, chunk)?;
            let apart = told.iter().zip(targets.of(bench, chunk)).map(|(told, target)| f64::from(told - target));
            error += apart.map(|apart| apart * apart).sum::<f64>();
        }
        if error < best.0 {
            best = (error, penalty);
        }
    }
    Ok(best.1)
}

/// What a regression predicts, as probabilities.
fn softmax(scores: &[f32]) -> impl Iterator<Item = f32> {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = scores.iter().map(|score| (score - most).exp()).sum();
    scores.iter().map(move |score| (score - most).exp() / sum)
}

/// Confident learning over the probabilities of each labelled record.
fn judge(
    options: &ExamineOptions,
    bench: &Bench<'_>,
    names: &[String],
    How { judge, penalty, temperature }: How,
    shares: impl Fn(u32) -> Result<Vec<f32>, DataError>,
) -> Result<Judged, ClusterError> {
    let mut confidences = Confidences::new(bench.classes);
    let mut agreed = 0_u64;
    let mut sizes = vec![0_u64; bench.classes];
    for (at, given) in bench.labelled.iter().filter_map(|at| Some((*at, bench.class(*at)?))) {
        let shares = shares(at)?;
        confidences.note(given, &shares);
        agreed += u64::from(most_probable(&shares) == given);
        if let Some(size) = sizes.get_mut(given as usize) {
            *size += 1;
        }
    }
    let thresholds = confidences.thresholds();
    let mut joint = vec![vec![0; bench.classes]; if bench.classes <= MOST_JOINT { bench.classes } else { 0 }];
    let mut issues = Vec::new();
    for (at, given) in bench.labelled.iter().filter_map(|at| Some((*at, bench.class(*at)?))) {
        let shares = shares(at)?;
        let counted = confident_class(&shares, &thresholds);
        let cell = counted.and_then(|class| joint.get_mut(given as usize)?.get_mut(class as usize));
        cell.into_iter().for_each(|count| *count += 1);
        let confident = counted.is_some_and(|class| class != given);
        let suggested = counted.filter(|_| confident).unwrap_or_else(|| most_probable(&shares));
        if suggested != given {
            let score = normalised_margin(given, &shares);
            let share = |class: u32| shares.get(class as usize).copied().unwrap_or(0.0);
            issues.push(Issue {
                look: at,
                given,
                suggested,
                confident,
                score,
                shares: (share(given), share(suggested)),
            });
        }
    }
    issues.sort_by(|a, b| b.confident.cmp(&a.confident).then(a.score.total_cmp(&b.score)).then(a.look.cmp(&b.look)));
    let judged = bench.labelled.len() as u64;
    let finite = |threshold: f64| if threshold.is_finite() { threshold } else { 1.0 };
    let candidates =
        issues.iter().take(options.candidates).map(|issue| candidate(bench.catalogue, options, names, issue));
    let report = LabelsReport {
        model: options.model.as_ref().map(|model| model.display().to_string()).unwrap_or_default(),
        judge,
        judged,
        agreement: agreed as f64 / judged.max(1) as f64,
        majority: sizes.into_iter().max().unwrap_or(0) as f64 / judged.max(1) as f64,
        penalty,
        temperature,
        thresholds: thresholds.into_iter().map(finite).collect(),
        issues: issues.iter().filter(|issue| issue.confident).count() as u64,
        joint,
        candidates: candidates.collect::<Result<_, _>>()?,
    };
    Ok(Judged { report, issues })
}

/// What is told of an issue.
pub(super) fn candidate(
    catalogue: &Catalogue,
    options: &ExamineOptions,
    names: &[String],
    issue: &Issue,
) -> Result<Candidate, DataError> {
    let splits: Vec<String> = options.splits.iter().map(|split| split.name.clone()).collect();
    let name = |class: u32| names.get(class as usize).cloned().unwrap_or_default();
    let mut record = record(catalogue, &splits, &catalogue.looks()[issue.look as usize])?;
    record.label = Some(name(issue.given));
    Ok(Candidate {
        record,
        suggested: name(issue.suggested),
        confident: issue.confident,
        score: issue.score,
        given_probability: issue.shares.0,
        suggested_probability: issue.shares.1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn labels_are_the_classes_of_a_model_or_they_are_not() {
        let classes = names(&["cat", "dog", "owl"]);
        let named = |of: &[&str]| names(of).into_iter().map(Label::Name).collect::<Vec<_>>();
        assert_eq!(classes_of(&named(&["cat", "owl"]), &classes), Some(vec![0, 2]));
        assert_eq!(classes_of(&named(&["cat", "emu"]), &classes), None);
        let numbered = |to: u32| (0..to).map(Label::Index).collect::<Vec<_>>();
        assert_eq!(classes_of(&numbered(3), &classes), Some(vec![0, 1, 2]));
        assert_eq!(classes_of(&numbered(2), &classes), None, "ten digits are not the first ten of a thousand classes");
        assert_eq!(classes_of(&[], &classes), None);
    }

    #[test]
    fn scores_become_probabilities() {
        let told: Vec<f32> = softmax(&[0.0, 2.0_f32.ln(), 5.0_f32.ln()]).collect();
        for (told, expected) in told.iter().zip([0.125, 0.25, 0.625]) {
            assert!((told - expected).abs() < 1e-6, "{told}, not {expected}");
        }
        assert_eq!(some(&(0..25_000).collect::<Vec<_>>()).take(3).collect::<Vec<_>>(), [0, 3, 6]);
    }
}
