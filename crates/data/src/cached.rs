//! Reading files that the kernel has in memory, and no others.
//!
//! A worker that reads such a file itself saves two changes of thread; one that waited for a disk would hold up all that it does.

use std::io::IoSliceMut;
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, fstatfs, openat2};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use crate::Payload;

/// Part of a file: where it begins, and how long it is.
pub(crate) type Span = (u64, u64);

/// What the kernel calls file systems that have no other place than memory (`statfs(2)`): tmpfs and ramfs.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// Reads a part of a plain file, or all of it, into the buffer, if that is at most `largest` bytes and waits for nothing.
///
/// # Errors
/// The buffer, with anything in it: an ordinary read says why, or waits.
pub(crate) fn read_cached(
    path: &Path,
    part: Option<Span>,
    largest: u64,
    mut buffer: Vec<u8>,
) -> Result<Payload, Vec<u8>> {
    match try_read(path, part, largest, &mut buffer) {
        Some(()) => Ok(Payload::Encoded(buffer)),
        None => Err(buffer),
    }
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
    // Most files that are not there have not even their first byte there: no buffer has to grow for them.
    read_now(&file, start, &mut [0])?;
    bytes.resize(usize::try_from(length).ok()?, 0);
    (read_now(&file, start, bytes)? as u64 == length).then_some(())
}

fn read_now(file: &OwnedFd, start: u64, bytes: &mut [u8]) -> Option<usize> {
    let mut into = [IoSliceMut::new(bytes)];
    match preadv2(file, &mut into, start, ReadWriteFlags::NOWAIT) {
        // tmpfs does not know the question.
        Err(Errno::OPNOTSUPP) if in_memory(file) => preadv2(file, &mut into, start, ReadWriteFlags::empty()).ok(),
        read => read.ok(),
    }
}

fn in_memory(file: &OwnedFd) -> bool {
    fstatfs(file).is_ok_and(|system| IN_MEMORY.contains(&system.f_type))
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
        let read = |part| read_cached(&path, part, 100_000, vec![7; 10]).map(Payload::into_bytes);
        assert_eq!(read(None), Ok(content.clone()));
        assert_eq!(read(Some((300, 5))), Ok(content[300..305].to_vec()));
    }

    #[test]
    fn what_lies_in_memory_alone_is_there() {
        // Nothing is said where there is no such file system.
        let Ok(folder) = tempfile::tempdir_in("/dev/shm") else { return };
        let path = folder.path().join("file");
        fs::write(&path, [1, 2, 3]).unwrap();
        assert_eq!(read_cached(&path, None, 10, Vec::new()), Ok(Payload::Encoded(vec![1, 2, 3])));
    }

    #[test]
    fn what_is_no_such_file_is_left_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let (path, pipe) = (folder.path().join("file"), folder.path().join("pipe"));
        fs::write(&path, [1; 100]).unwrap();
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        for (path, part, largest) in [
            (&path, None, 99),
            (&path, Some((50, 51)), 100),
            (&pipe, None, 100),
            (&folder.path().to_owned(), None, 1 << 20),
            (&folder.path().join("none"), None, 100),
        ] {
            assert!(read_cached(path, part, largest, Vec::new()).is_err(), "{}", path.display());
        }
    }
}
