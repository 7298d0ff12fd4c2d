//! Whole files: written all or not at all, and hashed.

use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::DataError;

/// What the names of temporary files begin with.
const TEMPORARY: &str = ".tmp-millstream-";
/// A file that was changed since may be a living process's, although nobody holds a lock on it: that process may be about to lock
/// it, or the file system may not tell of locks on other machines.
const STALE: Duration = Duration::from_secs(60);

/// The BLAKE3 hash of a file.
///
/// # Errors
/// [`DataError::Missing`] or [`DataError::Read`].
pub fn hash_file(path: &Path) -> Result<[u8; 32], DataError> {
    let mut hasher = blake3::Hasher::new();
    let read = File::open(path).and_then(|file| hasher.update_reader(file).map(|_| ()));
    read.map_err(|cause| DataError::read(path, "file", cause))?;
    Ok(*hasher.finalize().as_bytes())
}

/// Writes a file under a temporary name in the same folder, then renames it into place, both safely on disk before
/// this returns. A reader sees the old file or the new one, never a part; so does whoever looks after a power cut.
///
/// # Errors
/// [`DataError::NoRoom`] where the disk is full, [`DataError::Write`] otherwise. The temporary file is then removed.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), DataError> {
    replace(path, write).map_err(|cause| DataError::write(path, cause))
}

fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut draft = Draft::new(path)?;
    write(draft.file())?;
    draft.keep()
}

/// A file that is being written under a temporary name in the folder where it will be. Dropped, it is removed.
pub(crate) struct Draft {
    path: PathBuf,
    temporary: tempfile::NamedTempFile,
}

impl Draft {
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        Ok(Draft { path: path.to_path_buf(), temporary: new_temporary(folder_of(path))? })
    }

    pub(crate) fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// Gives the file its name, both safely on disk before this returns.
    pub(crate) fn keep(mut self) -> io::Result<()> {
        self.file().flush()?;
        self.file().sync_all()?;
        self.temporary.persist(&self.path).map_err(|error| error.error)?;
        // The rename itself is safe only once the folder is.
        File::open(folder_of(&self.path))?.sync_all()
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A file for others to read as any other: `tempfile` would otherwise keep it from them. It is locked: the lock ends with this
/// process, however that ends, and so tells [`remove_leftovers`] whether anybody still writes to it.
pub(crate) fn new_temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let temporary = builder.tempfile_in(folder)?;
    // Where a file system has no locks, no file can be locked by whoever would remove it either.
    let _ = temporary.as_file().try_lock();
    Ok(temporary)
}

/// Removes what killed processes left half-written in a folder, not in those below it. How many files that were.
///
/// Only files that are called as [`new_temporary`] calls them, that nobody holds a lock on, and that were not changed for a minute.
pub(crate) fn remove_leftovers(folder: &Path) -> io::Result<u64> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        removed += u64::from(remove_leftover(&entry?)?);
    }
    Ok(removed)
}

fn remove_leftover(entry: &DirEntry) -> io::Result<bool> {
    let name = entry.file_name();
    if !name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) || !entry.file_type()?.is_file() {
        return Ok(false);
    }
    let path = entry.path();
    // Its writer may finish at any moment: then it is not there.
    let Ok(file) = OpenOptions::new().write(true).open(&path) else { return Ok(false) };
    let untouched = file.metadata()?.modified()?.elapsed();
    // A time to come is that of a clock which goes wrong: it says nothing.
    let stale = untouched.is_ok_and(|time| time >= STALE);
    match stale && file.try_lock().is_ok() {
        true => fs::remove_file(&path).map(|()| true),
        false => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "a long old content").unwrap();
        write_atomically(&path, |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "old").unwrap();
        let error = write_atomically(&path, |file| {
            file.write_all(b"half of the")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        let error = error.unwrap_err();
        assert!(matches!(error, DataError::NoRoom { .. }), "{error}");
        assert!(error.to_string().contains("no room left"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no/a.json");
        let error = write_atomically(&path, |_| Ok(())).unwrap_err();
        assert!(matches!(error, DataError::Write { .. }));
        assert!(error.to_string().contains("no/a.json"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_they_may_read_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write_atomically(&ours, |_| Ok(())).unwrap();
        fs::write(&plain, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }

    /// A temporary file, last written to so long ago.
    fn temporary(folder: &Path, age: Duration) -> tempfile::NamedTempFile {
        let file = new_temporary(folder).unwrap();
        file.as_file().set_modified(std::time::SystemTime::now() - age).unwrap();
        file
    }

    /// Gives up a file as a process that is killed does: its lock goes, the file stays.
    fn abandon(file: tempfile::NamedTempFile) -> PathBuf {
        file.into_temp_path().keep().unwrap()
    }

    #[test]
    fn only_what_a_killed_process_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let (old, young) = (STALE + Duration::from_secs(5), Duration::from_secs(1));
        let left = abandon(temporary(folder.path(), old));
        let kept = [abandon(temporary(folder.path(), young)), abandon(temporary(&inner, old))];
        let written = temporary(folder.path(), old);
        let others = folder.path().join(".tmp-x");
        fs::write(&others, "").unwrap();
        File::options().write(true).open(&others).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();

        assert_eq!(remove_leftovers(folder.path()).unwrap(), 1);
        assert!(!left.exists() && written.path().exists() && others.exists());
        assert!(kept.iter().all(|path| path.exists()));
        // Once its writer has gone it is left over too.
        let written = abandon(written);
        assert_eq!(remove_leftovers(folder.path()).unwrap(), 1);
        assert!(!written.exists());
    }

    #[test]
    fn a_hash_is_that_of_the_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "abc").unwrap();
        assert_eq!(hash_file(&path).unwrap(), *blake3::hash(b"abc").as_bytes());
        let error = hash_file(&folder.path().join("b")).unwrap_err();
        assert!(matches!(error, DataError::Missing { .. }), "{error}");
    }
}
