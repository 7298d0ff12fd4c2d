//! What is too much for memory and is needed once more: a file that nobody else sees.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::DataError;

/// Bytes that are gathered before they are written.
const BUFFER: usize = 1 << 20;

/// A file without a name: it is gone when this is dropped, however the process ends. Threads may share it.
#[derive(Debug)]
pub struct Spill {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: BufWriter<File>,
    length: u64,
}

impl Spill {
    /// An empty one on the disk of a folder.
    ///
    /// # Errors
    /// [`DataError::Write`] or [`DataError::NoRoom`].
    pub fn new(folder: &Path) -> Result<Self, DataError> {
        let file = tempfile::tempfile_in(folder).map_err(|cause| DataError::write(folder, cause))?;
        let state = State { file: BufWriter::with_capacity(BUFFER, file), length: 0 };
        Ok(Spill { folder: folder.to_owned(), state: Mutex::new(state) })
    }

    /// Adds bytes. Returns where they lie.
    ///
    /// # Errors
    /// Those of [`Spill::new`].
    pub fn push(&self, bytes: &[u8]) -> Result<u64, DataError> {
        let mut state = self.state();
        state.file.write_all(bytes).map_err(|cause| DataError::write(&self.folder, cause))?;
        let at = state.length;
        state.length += bytes.len() as u64;
        Ok(at)
    }

    /// Reads bytes that lie at `at`.
    ///
    /// # Errors
    /// Those of [`Spill::new`], and [`DataError::Read`] where there are not so many.
    pub fn read(&self, at: u64, bytes: &mut [u8]) -> Result<(), DataError> {
        let mut state = self.state();
        if !state.file.buffer().is_empty() {
            state.file.flush().map_err(|cause| DataError::write(&self.folder, cause))?;
        }
        let read = state.file.get_ref().read_exact_at(bytes, at);
        read.map_err(|cause| DataError::Read { path: self.folder.clone(), cause })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_is_read_again_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let spill = Spill::new(folder.path()).unwrap();
        let (first, second) = (spill.push(b"abc").unwrap(), spill.push(b"defgh").unwrap());
        let mut bytes = [0; 4];
        spill.read(second + 1, &mut bytes).unwrap();
        assert_eq!((first, second, &bytes), (0, 3, b"efgh"));
        spill.push(b"!").unwrap();
        spill.read(5, &mut bytes).unwrap();
        assert_eq!(&bytes, b"fgh!");
        assert!(matches!(spill.read(6, &mut bytes), Err(DataError::Read { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
