//! Files of this machine, as an object store would have them.

use std::fs;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{Location, Object};
use crate::file::{self, new_temporary};
use crate::{DataError, write_atomically};

/// What is read from the disk at a time.
const BLOCK: usize = 1 << 20;

pub(super) fn head(path: &Path) -> Result<Object, DataError> {
    let metadata = fs::metadata(path).map_err(|cause| failed(path, cause))?;
    if !metadata.is_file() {
        return Err(failed(path, io::Error::other("it is not a plain file")));
    }
    Ok(object(path, &metadata))
}

fn object(path: &Path, metadata: &fs::Metadata) -> Object {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let version = modified.map_or_else(String::new, |time| time.as_nanos().to_string());
    Object { location: Location::Local(path.to_path_buf()), bytes: metadata.len(), version }
}

pub(super) fn read_range(path: &Path, start: u64, length: u64) -> Result<Vec<u8>, DataError> {
    let read = || {
        let mut file = fs::File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    head(path)?;
    read().map_err(|cause| failed(path, cause))
}

pub(super) fn reader(path: &Path) -> Result<Box<dyn Read + Send>, DataError> {
    head(path)?;
    let file = fs::File::open(path).map_err(|cause| failed(path, cause))?;
    Ok(Box::new(BufReader::with_capacity(BLOCK, file)))
}

pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    make_folder(path)?;
    write_atomically(path, |file| file.write_all(bytes))
}

/// Whether the file is written: it is not where there is one already.
pub(super) fn put_if_absent(path: &Path, bytes: &[u8]) -> Result<bool, DataError> {
    let folder = make_folder(path)?;
    let write = || {
        let mut temporary = new_temporary(folder)?;
        temporary.write_all(bytes)?;
        temporary.as_file().sync_all()?;
        match temporary.persist_noclobber(path) {
            Ok(_) => fs::File::open(folder)?.sync_all().map(|()| true),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        }
    };
    write().map_err(|cause| DataError::write(path, cause))
}

fn make_folder(path: &Path) -> Result<&Path, DataError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|cause| DataError::write(folder, cause))?;
    Ok(folder)
}

/// Whether there was such a file.
pub(super) fn delete(path: &Path) -> Result<bool, DataError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(DataError::write(path, cause)),
    }
}

/// Removes what killed processes left half-written in a folder. A folder that is not there has nothing of it.
pub(super) fn remove_leftovers(folder: &Path) -> Result<u64, DataError> {
    match file::remove_leftovers(folder) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(0),
        removed => removed.map_err(|cause| DataError::write(folder, cause)),
    }
}

/// The files below a folder in the order of the bytes of their paths, as a store with slashes in its names would have
/// them. Holds the names of one folder at each depth.
pub(super) struct Walk {
    /// Names yet to come, the last first. A folder's has a slash at its end, so that it is sorted as what lies in it.
    open: Vec<PathBuf>,
}

impl Walk {
    pub(super) fn new(folder: &Path) -> Result<Self, DataError> {
        let mut walk = Walk { open: Vec::new() };
        walk.enter(folder)?;
        Ok(walk)
    }

    fn enter(&mut self, folder: &Path) -> Result<(), DataError> {
        let fail = |cause| DataError::read(folder, "folder", cause);
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let mut path = entry.path().into_os_string();
            if entry.file_type().map_err(fail)?.is_dir() {
                path.push("/");
            }
            names.push(PathBuf::from(path));
        }
        names.sort_unstable_by(|a, b| b.as_os_str().cmp(a.as_os_str()));
        self.open.append(&mut names);
        Ok(())
    }
}

impl Iterator for Walk {
    type Item = Result<Object, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let path = self.open.pop()?;
            if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
                match self.enter(&path) {
                    Ok(()) => continue,
                    Err(error) => return Some(Err(error)),
                }
            }
            match fs::metadata(&path) {
                Ok(metadata) if !metadata.is_file() => {}
                Ok(metadata) => return Some(Ok(object(&path, &metadata))),
                Err(cause) => return Some(Err(failed(&path, cause))),
            }
        }
    }
}

fn failed(path: &Path, cause: io::Error) -> DataError {
    DataError::read(path, "file", cause)
}
