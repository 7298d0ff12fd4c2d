//! Reading files that the kernel has in memory, and no others.
//!
//! A worker that reads such a file itself saves two changes of thread; one that waited for a disk would hold up all that it does.

use std::io::IoSliceMut;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::{ReadWriteFlags, preadv2};

/// Part of a file: where it begins, and how long it is.
pub(crate) type Span = (u64, u64);

/// Reads a part of a plain file, or all of it, into `bytes`, if that is at most `largest` bytes and waits for nothing. Says whether it
/// did; if not there is anything in `bytes`, and an ordinary read says why or waits.
pub(crate) fn read_cached(path: &Path, part: Option<Span>, largest: u64, bytes: &mut Vec<u8>) -> bool {
    try_read(path, part, largest, bytes).is_some()
}

fn try_read(path: &Path, part: Option<Span>, largest: u64, bytes: &mut Vec<u8>) -> Option<()> {
    // Not to wait for whoever writes to a pipe.
    let how = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = openat2(CWD, path, how, Mode::empty(), ResolveFlags::CACHED).ok()?;
    let found = fstat(&file).ok()?;
    let (start, length) = part.unwrap_or((0, u64::try_from(found.st_size).ok()?));
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile || length > largest {
        return None;
    }
    bytes.resize(usize::try_from(length).ok()?, 0);
    let read = preadv2(&file, &mut [IoSliceMut::new(bytes)], start, ReadWriteFlags::NOWAIT).ok()?;
    (read as u64 == length).then_some(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_just_written_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content: Vec<u8> = (0..100_000_u32).map(|at| at as u8).collect();
        fs::write(&path, &content).unwrap();
        let mut bytes = vec![7; 10];
        assert!(read_cached(&path, None, 100_000, &mut bytes));
        assert_eq!(bytes, content);
        assert!(read_cached(&path, Some((300, 5)), 100_000, &mut bytes));
        assert_eq!(bytes, content[300..305]);
    }

    #[test]
    fn what_is_no_such_file_is_left_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let (path, pipe) = (folder.path().join("file"), folder.path().join("pipe"));
        fs::write(&path, [1; 100]).unwrap();
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let mut bytes = Vec::new();
        for (path, part, largest) in [
            (&path, None, 99),
            (&path, Some((50, 51)), 100),
            (&pipe, None, 100),
            (&folder.path().to_owned(), None, 1 << 20),
            (&folder.path().join("none"), None, 100),
        ] {
            assert!(!read_cached(path, part, largest, &mut bytes), "{}", path.display());
        }
    }
}
