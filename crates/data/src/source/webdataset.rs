//! WebDataset archives on this machine, read where a record lies.
//!
//! Opening goes through the headers of all archives and, where keys are made of place, reads no image. Which files make a
//! sample, and what its label is, is as for corpora ([`crate::corpus`]).

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::labels::classes;
use super::{KeyKind, LARGEST, Source, fingerprint, local_files, place_of};
use crate::cached::read_cached;
use crate::corpus::Label;
use crate::corpus::key_of;
use crate::corpus::tar::Plain;
use crate::corpus::webdataset::{ENDINGS, GZIP, Images, Sample, Samples, broken};
use crate::manifest::no_such_record;
use crate::store::Location;
use crate::{DataError, Key, Payload, Record, hash_file};

/// Archives and where in them each record lies.
#[derive(Debug)]
pub(super) struct Archives {
    paths: Vec<PathBuf>,
    spans: Vec<Span>,
    records: Vec<Record>,
    classes: Vec<String>,
    fingerprint: OnceLock<[u8; 32]>,
}

/// Where a record lies.
#[derive(Debug)]
struct Span {
    archive: usize,
    place: String,
    /// The first byte of the image and its size, or why it cannot be had.
    image: Result<(u64, u64), String>,
}

impl Archives {
    pub(super) fn open(path: &Path, kind: KeyKind) -> Result<Self, DataError> {
        let paths = local_files(path, &ENDINGS)?;
        let (mut spans, mut keys, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for (archive, path) in paths.iter().enumerate() {
            for (span, key, label) in index(path, archive, kind)? {
                spans.push(span);
                keys.push(key);
                labels.push(label);
            }
        }
        if spans.is_empty() {
            let help = "give archives that have images in them";
            return Err(DataError::Empty { path: path.to_path_buf(), what: "sample", help });
        }
        let (labels, classes) =
            classes(&labels, |index| spans.get(index).map_or_else(String::new, |span| span.place.clone()))?;
        let records = keys.into_iter().zip(labels).map(|(key, label)| Record { key, label }).collect();
        Ok(Archives { paths, spans, records, classes, fingerprint: OnceLock::new() })
    }
}

type Indexed = (Span, Key, Option<Label>);

fn index(path: &Path, archive: usize, kind: KeyKind) -> Result<Vec<Indexed>, DataError> {
    let fail = |cause| DataError::read(path, "archive", cause);
    refuse_gzip(path)?;
    let images = if kind == KeyKind::Content { Images::Read } else { Images::Pass };
    let mut samples = Samples::new(Plain::open(path).map_err(fail)?, images);
    let (name, mut indexed) = (place_of(path), Vec::new());
    loop {
        match samples.next() {
            Ok(None) => return Ok(indexed),
            Ok(Some(sample)) => indexed.push(look_at(sample, &name, (archive, indexed.len()), kind)),
            Err(cause) => return Err(broken(&Location::Local(path.to_path_buf()), samples.position(), cause)),
        }
    }
}

fn look_at(sample: Sample, name: &str, (archive, position): (usize, usize), kind: KeyKind) -> Indexed {
    let (place, span) = (sample.place(name), sample.span());
    let (payload, label) = sample.finish(&place);
    let key = key_of(kind, &payload, name, position as u64);
    let image = payload.map(|_| span).map_err(|error| error.to_string());
    (Span { archive, place, image }, key, label)
}

fn refuse_gzip(path: &Path) -> Result<(), DataError> {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(2).read_to_end(&mut head));
    read.map_err(|cause| DataError::read(path, "archive", cause))?;
    if head != GZIP {
        return Ok(());
    }
    Err(DataError::Malformed {
        place: place_of(path),
        found: "a gzipped archive".to_string(),
        expected: "a plain one, in which records can be read in any order".to_string(),
        help: "unpack it with gunzip: images hardly shrink by it",
    })
}

impl Source for Archives {
    fn records(&self) -> &[Record] {
        &self.records
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn place(&self, index: usize) -> String {
        self.spans.get(index).map_or_else(|| format!("sample {index}"), |span| span.place.clone())
    }

    fn read(&self, index: usize, mut bytes: Vec<u8>) -> Result<Payload, DataError> {
        let span = self.spans.get(index);
        let span = span.ok_or_else(|| no_such_record(self.place(index), self.spans.len()))?;
        let path = self.paths.get(span.archive).ok_or_else(|| no_such_record(self.place(index), self.spans.len()))?;
        let (start, length) = span.image.as_ref().copied().map_err(|found| DataError::Malformed {
            place: span.place.clone(),
            found: found.clone(),
            expected: "a sample with one image".to_string(),
            help: "write the archive again without it",
        })?;
        bytes.clear();
        read_at(path, start, length, &mut bytes).map_err(|cause| DataError::read(path, "archive", cause))?;
        Ok(Payload::Encoded(bytes))
    }

    fn at_hand(&self, index: usize, buffer: Vec<u8>) -> Result<Payload, Vec<u8>> {
        let part = |span: &Span| Some((self.paths.get(span.archive)?, *span.image.as_ref().ok()?));
        match self.spans.get(index).and_then(part) {
            Some((path, part)) => read_cached(path, Some(part), LARGEST, buffer),
            None => Err(buffer),
        }
    }

    fn fingerprint(&self) -> [u8; 32] {
        *self.fingerprint.get_or_init(|| {
            // An archive that cannot be read must not look like any that can.
            let hashes: Vec<[u8; 32]> = self.paths.iter().map(|path| hash_file(path).unwrap_or([0; 32])).collect();
            fingerprint(&self.classes, &self.records, hashes.iter().map(|hash| hash.as_slice()))
        })
    }
}

fn read_at(path: &Path, start: u64, length: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let read = file.take(length).read_to_end(bytes)?;
    if read as u64 == length { Ok(()) } else { Err(io::Error::other("the archive is shorter than it was")) }
}
