//! Whole files: written all or not at all, and hashed.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::DataError;

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

/// A file for others to read as any other: `tempfile` would otherwise keep it from them.
pub(crate) fn new_temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tmp-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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
