//! The log of commits: what of a run directory counts.
//!
//! A commit is one small JSON file that names every file that counts, with its hash. It is written to a
//! temporary name, synced and renamed, so it is there whole or not at all. What no commit names is garbage.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use millstream_data::write_atomically;
use serde::{Deserialize, Serialize};

use crate::error::ClusterError;
use crate::report::RoundReport;

/// A file that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// blake3 of the contents, in hex.
    pub blake3: String,
    /// Length in bytes.
    pub bytes: u64,
}

/// The state of a run after some round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Commit {
    /// The number of the commit, from 0.
    pub sequence: u64,
    /// The incarnation of the process group that wrote it.
    pub generation: u64,
    /// The hash of plan and data, in hex.
    pub plan: String,
    /// Where to go on: the round that comes next.
    pub next_round: u32,
    /// Every file that counts, by its path inside the run directory.
    pub files: BTreeMap<String, FileEntry>,
    /// What the rounds so far reported.
    pub rounds: Vec<RoundReport>,
}

/// A commit as it lies on disk: with a hash of its own, so that a damaged one is known.
#[derive(Serialize, Deserialize)]
struct Sealed {
    blake3: String,
    commit: Commit,
}

/// The folder of commits inside a run directory.
const FOLDER: &str = "commits";

impl Commit {
    /// Writes the commit into a run directory.
    pub(crate) fn write(&self, run: &Path) -> Result<(), ClusterError> {
        let folder = run.join(FOLDER);
        let path = folder.join(format!("{:06}.json", self.sequence));
        fs::create_dir_all(&folder).map_err(|source| ClusterError::write(&path, source))?;
        let sealed = Sealed { blake3: seal(self), commit: self.clone() };
        let text = serde_json::to_vec_pretty(&sealed).unwrap_or_default();
        write_atomically(&path, |file| file.write_all(&text)).map_err(ClusterError::Data)
    }

    /// The newest valid commit of a run directory, if it has any commits. Damaged ones are passed over with a
    /// warning; that all are damaged is an error, because then something is lost.
    pub fn newest(run: &Path) -> Result<Option<Commit>, ClusterError> {
        let files = commit_files(run)?;
        for path in files.iter().rev() {
            match read(path)? {
                Some(commit) => return Ok(Some(commit)),
                None => tracing::warn!(path = %path.display(), "passed over a damaged commit"),
            }
        }
        match files.last() {
            Some(path) => Err(ClusterError::Damaged {
                path: path.clone(),
                problem: "neither this commit nor any before it is valid; `--overwrite` starts anew".to_owned(),
            }),
            None => Ok(None),
        }
    }
}

fn commit_files(run: &Path) -> Result<Vec<PathBuf>, ClusterError> {
    let folder = run.join(FOLDER);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).map_err(|source| ClusterError::read(&folder, source))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    Ok(files)
}

/// A commit, or nothing if the file does not hold a valid one.
fn read(path: &Path) -> Result<Option<Commit>, ClusterError> {
    let text = fs::read(path).map_err(|source| ClusterError::read(path, source))?;
    let sealed: Option<Sealed> = serde_json::from_slice(&text).ok();
    Ok(sealed.filter(|sealed| sealed.blake3 == seal(&sealed.commit)).map(|sealed| sealed.commit))
}

fn seal(commit: &Commit) -> String {
    // A commit holds strings, whole numbers and floats that JSON can carry: this cannot fail.
    let text = serde_json::to_vec(commit).unwrap_or_default();
    blake3::hash(&text).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(sequence: u64) -> Commit {
        let files = BTreeMap::from([("a".to_owned(), FileEntry { blake3: "00".to_owned(), bytes: 1 })]);
        Commit {
            sequence,
            generation: 1,
            plan: "p".to_owned(),
            next_round: sequence as u32 + 1,
            files,
            rounds: Vec::new(),
        }
    }

    #[test]
    fn the_newest_valid_commit_counts() {
        let run = tempfile::tempdir().unwrap();
        assert!(Commit::newest(run.path()).unwrap().is_none());
        for sequence in 0..3 {
            commit(sequence).write(run.path()).unwrap();
        }
        assert_eq!(Commit::newest(run.path()).unwrap().unwrap().sequence, 2);
        // One flipped digit, one cut file: both are passed over.
        let path = |n: u32| run.path().join(format!("commits/{n:06}.json"));
        let text = fs::read_to_string(path(2)).unwrap();
        fs::write(path(2), text.replace("\"next_round\": 3", "\"next_round\": 9")).unwrap();
        assert_eq!(Commit::newest(run.path()).unwrap().unwrap().sequence, 1);
        let text = fs::read_to_string(path(1)).unwrap();
        fs::write(path(1), &text[..text.len() / 2]).unwrap();
        assert_eq!(Commit::newest(run.path()).unwrap().unwrap().sequence, 0);
        fs::write(path(0), "x").unwrap();
        assert!(matches!(Commit::newest(run.path()), Err(ClusterError::Damaged { .. })), "a lost run is no empty one");
    }
}
