//! Checkpoints: what the round in training has come to, so that a run can go on from the middle of it.
//!
//! A checkpoint is one file, there whole or not at all. No commit names it: it counts only until its round is committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use millstream_data::DeadLetter;
use millstream_dataflow::{Job, Progress, TrainerError};
use millstream_spec::CheckpointPlan;
use millstream_train::{Snapshot, TrainError, read_note};
use serde::{Deserialize, Serialize};

use crate::error::ClusterError;

/// The folder of checkpoints inside a run directory.
pub(crate) const FOLDER: &str = "checkpoints";

/// What the file of a checkpoint says beside its tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// The hash of plan and data, in hex.
    plan: String,
    /// The incarnation of the process group that wrote it.
    generation: u64,
    round: u32,
    /// The bits of each loss: JSON's numbers would round them.
    losses: Vec<u64>,
    dead: Vec<DeadLetter>,
}

/// A checkpoint to go on from.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) path: PathBuf,
    pub(crate) generation: u64,
    pub(crate) round: u32,
    pub(crate) progress: Progress,
}

impl Kept {
    /// The newest checkpoint of a round. Damaged ones are passed over with a warning.
    pub(crate) fn newest(run: &Path, plan: &str, round: u32) -> Result<Option<Kept>, ClusterError> {
        for path in files(run, round)?.into_iter().rev() {
            match Kept::read(&path) {
                Ok((theirs, _)) if theirs != plan => return Err(ClusterError::other_plan(run, &theirs, plan)),
                Ok((_, kept)) if kept.round != round => {
                    tracing::warn!(path = %path.display(), "passed over a checkpoint of another round");
                }
                Ok((_, kept)) => return Ok(Some(kept)),
                Err(error) => tracing::warn!(%error, "passed over a damaged checkpoint"),
            }
        }
        Ok(None)
    }

    /// The plan that a checkpoint belongs to, and what it holds.
    pub(crate) fn read(path: &Path) -> Result<(String, Kept), TrainError> {
        let note: Note = serde_json::from_str(&read_note(path)?).map_err(|error| TrainError::Weights {
            path: path.to_owned(),
            reason: format!("its note cannot be understood ({error})"),
        })?;
        let losses = note.losses.into_iter().map(f64::from_bits).collect();
        let progress = Progress { losses, dead: note.dead };
        Ok((note.plan, Kept { path: path.to_owned(), generation: note.generation, round: note.round, progress }))
    }

    /// Sets a job to go on from here.
    pub(crate) fn apply(&self, job: &mut Job) {
        job.first_step = self.progress.steps();
        job.known_bad.extend(self.progress.dead.iter().map(|letter| letter.key));
    }
}

/// The checkpoints of a round, the oldest first.
fn files(run: &Path, round: u32) -> Result<Vec<PathBuf>, ClusterError> {
    let folder = run.join(FOLDER);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).map_err(|source| ClusterError::read(&folder, source))?;
    let (first, last) = (format!("{round:03}-"), ".safetensors");
    let mine = |name: &str| name.starts_with(&first) && name.ends_with(last);
    let paths = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(mine)).collect();
    files.sort();
    Ok(files)
}

/// Removes the checkpoints of a round that has been committed.
pub(crate) fn clear_round(run: &Path, round: u32) -> Result<(), ClusterError> {
    files(run, round)?.iter().try_for_each(|path| remove(path))
}

/// Removes what is no checkpoint of this round: those of later rounds, whose labels will be made anew, and files that a
/// killed process left half written.
pub(crate) fn clear_others(run: &Path, round: u32) -> Result<(), ClusterError> {
    let mine = files(run, round)?;
    let others = fs::read_dir(run.join(FOLDER)).into_iter().flatten().flatten().map(|entry| entry.path());
    others.filter(|path| !mine.contains(path)).try_for_each(|path| remove(&path))
}

/// Whether a round has any checkpoints.
pub(crate) fn exist(run: &Path, round: u32) -> Result<bool, ClusterError> {
    Ok(!files(run, round)?.is_empty())
}

/// Removes a file. That it is gone already is fine.
fn remove(path: &Path) -> Result<(), ClusterError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(ClusterError::write(path, source)),
        _ => Ok(()),
    }
}

/// Writes checkpoints on a thread of its own, one after the other.
pub(crate) struct Checkpoints {
    settings: CheckpointPlan,
    run: PathBuf,
    plan: String,
    generation: u64,
    /// Round and steps of the last one.
    last: Option<(u32, u32)>,
    writer: Option<(SyncSender<Task>, JoinHandle<()>)>,
}

struct Task {
    snapshot: Snapshot,
    note: Note,
}

impl Checkpoints {
    pub(crate) fn new(settings: CheckpointPlan, run: &Path, plan: String, generation: u64) -> Self {
        Checkpoints { settings, run: run.to_owned(), plan, generation, last: None, writer: None }
    }

    /// Whether it is time for one in a round of `steps` steps: at its interval, and at the end of training, since testing and
    /// labelling take long too.
    pub(crate) fn due(&self, progress: &Progress, steps: u32) -> bool {
        progress.steps().is_multiple_of(self.settings.every) || progress.steps() == steps
    }

    /// Waits until the last one is on disk.
    pub(crate) fn settle(&mut self) {
        if let Some((tasks, thread)) = self.writer.take() {
            drop(tasks);
            let _ = thread.join();
        }
    }

    /// Whether what there is now has not been written yet.
    pub(crate) fn is_news(&self, round: u32, progress: &Progress) -> bool {
        progress.steps() > 0 && self.last != Some((round, progress.steps()))
    }

    /// Queues a checkpoint. Waits if the one before the last is still being written. Training goes on without where there is
    /// no memory for the snapshot.
    pub(crate) fn write(
        &mut self,
        round: u32,
        progress: &Progress,
        snapshot: Result<Snapshot, TrainError>,
    ) -> Result<(), TrainerError> {
        let snapshot = match snapshot {
            Ok(snapshot) => snapshot,
            Err(error) => {
                tracing::error!(%error, "could not take a checkpoint");
                return Ok(());
            }
        };
        let losses = progress.losses.iter().map(|loss| loss.to_bits()).collect();
        let note =
            Note { plan: self.plan.clone(), generation: self.generation, round, losses, dead: progress.dead.clone() };
        self.last = Some((round, progress.steps()));
        if self.writer.is_none() {
            self.writer = Some(start(self.run.clone(), self.settings.keep as usize)?);
        }
        if let Some((tasks, _)) = &self.writer {
            // Fails only if the thread has panicked, which the log has told of.
            let _ = tasks.send(Task { snapshot, note });
        }
        Ok(())
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.settle();
    }
}

fn start(run: PathBuf, keep: usize) -> Result<(SyncSender<Task>, JoinHandle<()>), ClusterError> {
    let (send, tasks) = sync_channel::<Task>(1);
    let work = move || {
        for task in tasks {
            // Training goes on without: a full disk must not end what may still end well.
            if let Err(error) = store(&run, keep, &task) {
                tracing::error!(%error, "could not keep a checkpoint");
            }
        }
    };
    let thread = std::thread::Builder::new().name("checkpoints".to_owned()).spawn(work);
    Ok((send, thread.map_err(|error| ClusterError::Start(error.to_string()))?))
}

/// Writes one and removes those that are too many.
fn store(run: &Path, keep: usize, task: &Task) -> Result<(), ClusterError> {
    let folder = run.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|source| ClusterError::write(&folder, source))?;
    let Task { snapshot, note } = task;
    let text = serde_json::to_string(note).map_err(|error| ClusterError::write(&folder, error.into()))?;
    let path = folder.join(format!("{:03}-{:010}.safetensors", note.round, note.losses.len()));
    snapshot.write(&path, &text)?;
    // A later one is damaged, or this would not be written: it must not crowd out what can be read.
    let files = files(run, note.round)?.into_iter().filter(|file| *file <= path);
    files.rev().skip(keep).try_for_each(|old| remove(&old))
}
