//! Records that are image files: what folders and CSV lists have in common.

use std::fs::{self, File};
use std::io::{self, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;

use super::inner::{Containers, split};
use super::{KeyKind, Source, fingerprint, place_of};
use crate::cached::read_cached;
use crate::manifest::no_such_record;
use crate::{DataError, Key, Payload, Record};

/// The largest image file that is read: far above any photograph, far below what would fill the memory.
pub(crate) const LARGEST: u64 = 1 << 30;
/// Most threads that read files to hash them.
const READERS: usize = 16;

/// A file that is to be a record.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) path: PathBuf,
    pub(super) label: Option<u32>,
    /// The key that the list gives, if it gives one.
    pub(super) key: Option<Key>,
}

/// A fixed list of image files.
#[derive(Debug)]
pub(super) struct Files {
    paths: Vec<PathBuf>,
    /// The files that hold images which are no files of their own.
    containers: Containers,
    records: Vec<Record>,
    classes: Vec<String>,
    /// The hash of each file, once somebody asked for it.
    contents: OnceLock<Vec<[u8; 32]>>,
}

impl Files {
    /// Reads every file once where keys are made of contents.
    ///
    /// A file that cannot be read still is a record: reading it will fail again when its turn comes. Only where its
    /// key is to be made of its content there is nothing to call it by.
    pub(super) fn open(listed: Vec<Listed>, classes: Vec<String>, kind: KeyKind) -> Result<Self, DataError> {
        let needed = kind == KeyKind::Content && listed.iter().any(|file| file.key.is_none());
        let paths: Vec<PathBuf> = listed.iter().map(|file| file.path.clone()).collect();
        let mut containers = Containers::default();
        paths.iter().filter_map(|path| inside(path)).for_each(|(file, _)| containers.open(file));
        let contents = if needed { hash_all(&paths, &containers) } else { Vec::new() };
        let mut records = Vec::with_capacity(listed.len());
        for (number, file) in listed.into_iter().enumerate() {
            let key = match (file.key, contents.get(number)) {
                (Some(key), _) => key,
                (None, None) => Key::of_place(&place_of(&file.path), 0),
                (None, Some(Ok(hash))) => Key::from_hash(hash),
                (None, Some(Err(cause))) => {
                    let cause = io::Error::new(cause.kind(), cause.to_string());
                    return Err(DataError::read(&file.path, "image file", cause));
                }
            };
            records.push(Record { key, label: file.label });
        }
        let contents = if needed { OnceLock::from(hashes(&contents)) } else { OnceLock::new() };
        Ok(Files { paths, containers, records, classes, contents })
    }
}

/// An unreadable file must not look like any file that can be read.
fn hashes(contents: &[io::Result<[u8; 32]>]) -> Vec<[u8; 32]> {
    contents.iter().map(|content| content.as_ref().map_or([0; 32], |hash| *hash)).collect()
}

impl Source for Files {
    fn records(&self) -> &[Record] {
        &self.records
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn place(&self, index: usize) -> String {
        self.paths.get(index).map_or_else(|| format!("file {index}"), |path| place_of(path))
    }

    fn read(&self, index: usize, buffer: Vec<u8>) -> Result<Payload, DataError> {
        let path = self.paths.get(index);
        let path = path.ok_or_else(|| no_such_record(self.place(index), self.paths.len()))?;
        match inside(path) {
            Some((file, rest)) => self.containers.read(file, rest, buffer),
            None => read_whole(path, buffer).map(Payload::Encoded),
        }
    }

    fn at_hand(&self, index: usize, buffer: Vec<u8>) -> Result<Payload, Vec<u8>> {
        match self.paths.get(index).filter(|path| inside(path).is_none()) {
            Some(path) => read_cached(path, None, LARGEST, buffer),
            None => Err(buffer),
        }
    }

    fn fingerprint(&self) -> [u8; 32] {
        let contents = self.contents.get_or_init(|| hashes(&hash_all(&self.paths, &self.containers)));
        fingerprint(&self.classes, &self.records, contents.iter().map(|hash| hash.as_slice()))
    }
}

fn read_whole(path: &Path, mut bytes: Vec<u8>) -> Result<Vec<u8>, DataError> {
    let fail = |cause| DataError::read(path, "image file", cause);
    let (file, length) = open_file(path).map_err(fail)?;
    if length > LARGEST {
        return Err(too_large(path, length));
    }
    bytes.clear();
    bytes.reserve(usize::try_from(length).unwrap_or(0));
    file.take(LARGEST).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// A file and its length. Anything but a plain file is refused before it is opened: a pipe would wait for ever.
fn open_file(path: &Path) -> io::Result<(File, u64)> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    Ok((File::open(path)?, metadata.len()))
}

fn too_large(path: &Path, length: u64) -> DataError {
    DataError::TooLarge {
        place: place_of(path),
        found: format!("{length} bytes"),
        limit: LARGEST,
        help: "see whether this is an image; if so, make it smaller",
    }
}

/// The file that holds an image, and where in it the image lies; none where the image is a file of its own.
pub(super) fn inside(path: &Path) -> Option<(&Path, &str)> {
    split(path.to_str()?).map(|(file, rest)| (Path::new(file), rest))
}

/// The content hash of every file, in their order, by as many threads as there are cores.
fn hash_all(paths: &[PathBuf], containers: &Containers) -> Vec<io::Result<[u8; 32]>> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(paths.len()));
    let work = || {
        let mut mine = Vec::new();
        while let Some((index, path)) = take_next(paths, &next) {
            mine.push((index, hash_content(path, containers)));
        }
        done.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).append(&mut mine);
    };
    thread::scope(|scope| {
        for _ in 1..cores.min(READERS).min(paths.len()) {
            // Where no thread is to be had, this one does the work alone.
            let _ = thread::Builder::new().name("hash".to_string()).spawn_scoped(scope, work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, hash)| hash).collect()
}

fn take_next<'a>(paths: &'a [PathBuf], next: &AtomicUsize) -> Option<(usize, &'a PathBuf)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    paths.get(index).map(|path| (index, path))
}

/// The hash that [`Key::of_content`] is the head of.
fn hash_content(path: &Path, containers: &Containers) -> io::Result<[u8; 32]> {
    let mut hasher = Key::content_hasher();
    if let Some((file, rest)) = inside(path) {
        let payload = containers.read(file, rest, Vec::new()).map_err(io::Error::other)?;
        return Ok(*hasher.update(payload.bytes()).finalize().as_bytes());
    }
    hasher.update_reader(open_file(path)?.0)?;
    Ok(*hasher.finalize().as_bytes())
}
