//! Asks a trained model: `eval` and `predict`. The same stream, with nothing to train.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;

use millstream_data::{DeadLetter, LabelRow, Manifest};
use millstream_dataflow::{Event, Job, Stop, Surroundings, Tally};
use millstream_train::{Device, Session};

use crate::commit::Commit;
use crate::error::ClusterError;
use crate::group::{Group, run_workers};
use crate::node::AskingNode;
use crate::run_dir::model_file;

/// What a model said.
#[derive(Debug, Default)]
pub struct Answers {
    /// The count over the test records.
    pub test: Tally,
    /// The labels of the unlabelled records.
    pub labels: Vec<LabelRow>,
    /// Records that could not be used.
    pub dead: Vec<DeadLetter>,
}

/// The model that a path means: a model file, or the last model of a run directory.
pub fn find_model(path: &Path) -> Result<PathBuf, ClusterError> {
    if !path.exists() && path.extension().is_none() {
        return Err(ClusterError::NoRun { path: path.to_owned() });
    }
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let commit = Commit::newest(path)?.ok_or_else(|| ClusterError::NoRun { path: path.to_owned() })?;
    match commit.next_round.checked_sub(1) {
        Some(last) => Ok(model_file(path, last)),
        None => Err(ClusterError::NoRun { path: path.to_owned() }),
    }
}

/// Where and on how much an ask runs.
#[derive(Clone, Copy, Debug)]
pub struct AskOptions {
    /// Worker threads.
    pub workers: usize,
    /// Where the model runs.
    pub device: Device,
    /// Intra-operation threads of libtorch.
    pub threads: u32,
}

/// Runs a job without training over a model.
pub fn ask(
    job: Job,
    model: &Path,
    options: AskOptions,
    stop: &Stop,
    watch: impl Fn(&Event) + Send + Sync + 'static,
) -> Result<Answers, ClusterError> {
    job.check(options.workers)?;
    fits(model, &job, options)?;
    let (send, receive) = channel();
    let model = model.to_owned();
    let around = Surroundings::new(
        Arc::new(move || Ok(Box::new(AskingNode::new(&model, options.device, options.threads)?))),
        Arc::new(move |event| {
            watch(&event);
            // Fails only when nobody waits any more.
            let _ = send.send(event);
        }),
        stop.clone(),
    );
    run_workers(Group::alone(options.workers), Arc::new(job), around)?;
    if let Some(reason) = stop.reason() {
        return Err(reason.clone().into());
    }
    let mut answers = Answers::default();
    for event in receive.try_iter() {
        match event {
            Event::Dead(letter) => answers.dead.push(letter),
            Event::Round(round) => (answers.test, answers.labels) = (round.test, round.labels),
            Event::Stepped { .. } | Event::Predicted { .. } => {}
        }
    }
    answers.dead.sort();
    Ok(answers)
}

/// Refuses a model that cannot be read, or that was trained for other images or classes than the job's.
fn fits(model: &Path, job: &Job, options: AskOptions) -> Result<(), ClusterError> {
    let session = Session::load(model, options.device, options.threads)?;
    let (shape, classes) = (session.config().shape, &session.config().classes);
    if shape == job.shape && *classes == job.classes {
        return Ok(());
    }
    let trained = format!("{}x{}x{} images of {} classes", shape.height, shape.width, shape.channels, classes.len());
    Err(ClusterError::OtherModel { path: model.to_owned(), trained })
}

/// A manifest of one source, all of it in the split `unlabelled`.
pub fn unlabelled(
    source: &millstream_data::SourceConfig,
    key: millstream_data::KeyKind,
) -> Result<Manifest, ClusterError> {
    let split = millstream_data::SplitConfig {
        name: "unlabelled".to_owned(),
        from: vec!["data".to_owned()],
        except: Vec::new(),
        take: millstream_data::Take::All,
    };
    let source = millstream_data::open(source, key)?;
    Ok(Manifest::build(vec![("data".to_owned(), source)], &[split], 0)?)
}
