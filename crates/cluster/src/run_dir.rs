//! The run directory: immutable files, and the log of commits that names those that count.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use millstream_data::hash_file;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::checkpoint;
use crate::commit::{Commit, FileEntry};
use crate::error::ClusterError;
use crate::launch;
use crate::run::Start;

/// A run directory that this process alone may write to.
#[derive(Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
    /// Held as long as the run: a second run on the same directory is refused.
    _lock: File,
}

/// The file that is locked.
const LOCK: &str = ".lock";

/// Refuses a folder that holds something, and nothing of a run.
pub(crate) fn refuse_foreign(path: &Path) -> Result<(), ClusterError> {
    // What a launch keeps there may come before the run.
    let foreign = |entry: &fs::DirEntry| entry.file_name() != launch::FOLDER;
    let holds_something = || fs::read_dir(path).is_ok_and(|entries| entries.flatten().any(|entry| foreign(&entry)));
    if path.is_file() || (!path.join(LOCK).exists() && holds_something()) {
        return Err(ClusterError::NotARun { path: path.to_owned() });
    }
    Ok(())
}

/// Locks a file of a run directory, as long as it is open, from all others or from those that do not share it. Somebody else at work there
/// is an error.
pub(crate) fn hold(file: &File, name: &Path, run: &Path, shared: bool) -> Result<(), ClusterError> {
    let how = match shared {
        true => FlockOperation::NonBlockingLockShared,
        false => FlockOperation::NonBlockingLockExclusive,
    };
    flock(file, how).map_err(|error| match error {
        Errno::WOULDBLOCK => ClusterError::Busy { path: run.to_owned() },
        error => ClusterError::write(name, error.into()),
    })
}

/// Says why a run could not have this directory, and changes nothing in it.
pub(crate) fn look_at(path: &Path, start: Start) -> Result<(), ClusterError> {
    refuse_foreign(path)?;
    let busy = |lock: File| flock(&lock, FlockOperation::NonBlockingLockShared).is_err();
    if File::open(path.join(LOCK)).is_ok_and(busy) {
        return Err(ClusterError::Busy { path: path.to_owned() });
    }
    match Commit::newest(path)? {
        Some(commit) if start == Start::Fresh => {
            Err(ClusterError::Occupied { path: path.to_owned(), rounds: commit.next_round })
        }
        None if start == Start::Fresh && checkpoint::exist(path, 0)? => {
            Err(ClusterError::Occupied { path: path.to_owned(), rounds: 0 })
        }
        _ => Ok(()),
    }
}

impl RunDir {
    /// Opens or creates a run directory for writing and takes its lock. A folder with other things in it is refused.
    pub(crate) fn open(path: &Path) -> Result<Self, ClusterError> {
        refuse_foreign(path)?;
        let lock = path.join(LOCK);
        fs::create_dir_all(path).map_err(|source| ClusterError::write(path, source))?;
        let file = File::create(&lock).map_err(|source| ClusterError::write(&lock, source))?;
        hold(&file, &lock, path, false)?;
        Ok(RunDir { path: path.to_owned(), _lock: file })
    }

    /// Removes what an earlier launch said of itself, which nobody is to take for news of this run.
    pub(crate) fn forget_launch(&self) -> Result<(), ClusterError> {
        let path = self.path.join(launch::FOLDER).join(launch::STATUS);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(ClusterError::write(&path, source)),
            _ => Ok(()),
        }
    }

    /// Removes what an earlier run left here. Only what a run writes: nothing else of the user's is touched.
    pub(crate) fn clear(&self) -> Result<(), ClusterError> {
        // The commits go first: a half-cleared directory must not look like a run.
        for name in ["commits", "rounds", checkpoint::FOLDER, "tensorboard", "plots"] {
            let path = self.path.join(name);
            if path.exists() {
                fs::remove_dir_all(&path).map_err(|source| ClusterError::write(&path, source))?;
            }
        }
        for name in ["report.json", "plan.json", "metrics.jsonl"] {
            let path = self.path.join(name);
            if path.exists() {
                fs::remove_file(&path).map_err(|source| ClusterError::write(&path, source))?;
            }
        }
        Ok(())
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the folder of a round.
    pub(crate) fn create_round(&self, round: u32) -> Result<PathBuf, ClusterError> {
        let path = self.path.join(round_folder(round));
        fs::create_dir_all(&path).map_err(|source| ClusterError::write(&path, source))?;
        Ok(path)
    }
}

/// The folder of a round inside a run directory.
pub(crate) fn round_folder(round: u32) -> String {
    format!("rounds/{round:03}")
}

/// The model that a round trained, inside a run directory.
pub fn model_file(run: &Path, round: u32) -> PathBuf {
    run.join(round_folder(round)).join("model.safetensors")
}

/// Hashes a file of a run directory for a commit.
pub(crate) fn entry(run: &Path, name: &str) -> Result<FileEntry, ClusterError> {
    let path = run.join(name);
    let bytes = fs::metadata(&path).map_err(|source| ClusterError::read(&path, source))?.len();
    let hash = hash_file(&path).map_err(ClusterError::Data)?;
    Ok(FileEntry { blake3: blake3::Hash::from_bytes(hash).to_hex().to_string(), bytes })
}

/// What is wrong with a file that a commit names.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// The path inside the run directory.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Re-hashes every file that a commit names. Returns how many there are, and those that do not match.
pub(crate) fn audit(run: &Path, commit: &Commit) -> (usize, Vec<Damage>) {
    let damage = commit.files.iter().filter_map(|(file, expected)| {
        let problem = match entry(run, file) {
            Ok(found) if found == *expected => return None,
            Ok(found) if found.bytes != expected.bytes => {
                format!("{} bytes long, {} when it was committed", found.bytes, expected.bytes)
            }
            Ok(_) => "its contents have changed since it was committed".to_owned(),
            Err(error) => error.to_string(),
        };
        Some(Damage { file: file.clone(), problem })
    });
    (commit.files.len(), damage.collect())
}

/// Hashes several files of a run directory for a commit.
pub(crate) fn entries(run: &Path, names: &[String]) -> Result<BTreeMap<String, FileEntry>, ClusterError> {
    names.iter().map(|name| Ok((name.clone(), entry(run, name)?))).collect()
}
