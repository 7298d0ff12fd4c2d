//! Hands answers, or the labels of a round, to programs where people look at them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use millstream_data::answer::{AnswerSet, Exported, Row, Said, Summary, Target, Told, export as write};
use millstream_data::store::Store;
use millstream_data::{DataError, Key, LabelRow, read_labels};
use millstream_train::{Device, Session};

use crate::commit::Commit;
use crate::error::ClusterError;
use crate::relabel::{AnswerFiles, is_answers, rows};
use crate::run_dir::{model_file, round_folder};

/// What is exported, and where to.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// The place of answers, or a run directory.
    pub source: String,
    /// Who is to read it.
    pub target: Target,
    /// The folder for the files.
    pub out: PathBuf,
    /// Of answers: a label file; only its records are exported, with its labels.
    pub labels: Option<PathBuf>,
    /// Of a run: the round; the last if none.
    pub round: Option<u32>,
    /// Of a run: only records that were selected.
    pub selected: bool,
}

/// Writes the files.
///
/// # Errors
/// [`ClusterError::NoAnswers`], [`ClusterError::NoRun`], [`ClusterError::NoRound`], [`ClusterError::Answers`],
/// [`ClusterError::Export`] for options that are not of this source, or what cannot be read or written.
pub fn export(options: &ExportOptions) -> Result<Exported, ClusterError> {
    let refuse = |problem| Err(ClusterError::Export { place: options.source.clone(), problem });
    if is_answers(&options.source)? {
        return match options.round.is_some() || options.selected {
            true => {
                refuse("`--round` and `--selected` are for runs, and these are answers; choose records with `--labels`")
            }
            false => of_answers(options),
        };
    }
    match Path::new(&options.source).is_dir() {
        true if options.labels.is_some() => {
            refuse("`--labels` is for answers, and this is a run; choose records with `--round` and `--selected`")
        }
        true => of_run(options, Path::new(&options.source)),
        false => Err(ClusterError::NoAnswers { place: options.source.clone() }),
    }
}

fn of_answers(options: &ExportOptions) -> Result<Exported, ClusterError> {
    let store = Store::from_env();
    let answers = AnswerFiles::open(&store, &options.source)?;
    let Some(path) = &options.labels else {
        let all = rows(&store, std::iter::once(&answers));
        return Ok(write(all, &answers.set(), options.target, &options.out)?);
    };
    let labels = read_labels(path)?.into_iter().filter(|row| row.selected);
    let labels: BTreeMap<Key, String> = labels.map(|row| (row.key, row.class_name)).collect();
    let chosen = rows(&store, std::iter::once(&answers)).filter_map(|row| match row {
        Ok(row) => labels.get(&row.key).map(|label| Ok(Row { label: Some(label.clone()), ..row })),
        Err(error) => Some(Err(error)),
    });
    Ok(write(chosen, &answers.set(), options.target, &options.out)?)
}

fn of_run(options: &ExportOptions, run: &Path) -> Result<Exported, ClusterError> {
    let done = Commit::newest(run)?.map_or(0, |commit| commit.next_round);
    let last = done.checked_sub(1).ok_or_else(|| ClusterError::NoRun { path: run.to_owned() })?;
    let round = options.round.unwrap_or(last);
    if round > last {
        return Err(ClusterError::NoRound { path: run.to_owned(), round, done });
    }
    if options.target == Target::Cleanlab {
        let problem = "cleanlab compares given labels with what a model says, and a run tells of images without given \
            labels; label a corpus that has labels with `relabel CORPUS --model RUN --distribution`, and export those answers";
        return Err(ClusterError::Export { place: options.source.clone(), problem });
    }
    let file = run.join(round_folder(round)).join("labels.parquet");
    let labels = read_labels(&file)?;
    let config = Session::load(&model_file(run, round), Device::Cpu, 1)?.config().clone();
    let set = AnswerSet {
        classes: config.classes,
        top_k: 1,
        distribution: labels.first().is_some_and(|row| !row.distribution.is_empty()),
        embedding: None,
        fingerprint: false,
        model: labels.first().map(|row| row.model.clone()).unwrap_or_default(),
    };
    let labels = labels.into_iter().filter(|row| row.selected || !options.selected).map(answer);
    Ok(write(labels, &set, options.target, &options.out)?)
}

/// A label as an answer.
fn answer(label: LabelRow) -> Result<Row, DataError> {
    let LabelRow { key, place, class, confidence, distribution, .. } = label;
    let summary = match distribution.is_empty() {
        true => Summary { top: vec![(class, confidence)], margin: None, entropy: None },
        false => Said { probabilities: distribution.clone(), embedding: None }.summary(1),
    };
    let distribution = (!distribution.is_empty()).then_some(distribution);
    Ok(Row { key, place, label: None, said: Ok(Told { summary, distribution, embedding: None }), fingerprint: None })
}
