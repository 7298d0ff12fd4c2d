//! The manifest: every record of a run with its number, and the splits.

mod check;
mod pool;
mod split;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::draw::draw;
use crate::{DataError, Key, Payload, Source};
use pool::Pool;

/// A named set of records, drawn from sources and other splits.
///
/// Four names have a meaning. Records of `labelled`, `validation` and `test` must have labels. What is in `validation` may be in
/// none of the others. What is in `test` may not be in `labelled`, nor in `unlabelled` unless that names `test` in its `from`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitConfig {
    /// Its name.
    pub name: String,
    /// Sources and splits whose records may be taken. Where a source and a split share a name, the source is meant.
    pub from: Vec<String>,
    /// Splits whose records may not be taken.
    pub except: Vec<String>,
    /// Which of those that remain are taken.
    pub take: Take,
}

/// How a split chooses among the records it may take.
///
/// Records are drawn in the order of a hash of (seed, name of the split, key): which ones are drawn depends neither
/// on the order of the records nor, but for those at the edge, on what other records there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Take {
    /// All of them.
    All,
    /// As many labelled ones of each class.
    PerClass(u32),
    /// A share of them, in (0, 1], rounded to the nearest number of records.
    Fraction(f64),
    /// Those that a file names, one key or place a line. Empty lines are skipped.
    List(PathBuf),
}

/// A record of the manifest.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its source, by position.
    pub source: u32,
    /// Its index in that source.
    pub index: u32,
    /// Its identity.
    pub key: Key,
    /// Its class as an index into [`Manifest::classes`], where its source knows it (in whatever split it is).
    pub label: Option<u32>,
}

/// Every record that some split uses. Built once per process from the plan and the data, and the same in all of them.
///
/// A record number is a position in [`Manifest::entries`].
#[derive(Debug)]
pub struct Manifest {
    sources: Vec<(String, Box<dyn Source>)>,
    classes: Vec<String>,
    entries: Vec<Entry>,
    splits: BTreeMap<String, Vec<u32>>,
    by_key: Vec<(Key, u32)>,
    fingerprint: OnceLock<[u8; 32]>,
}

impl Manifest {
    /// Draws the splits from the sources, each given with its name.
    ///
    /// Sources that no split names are left out. Where the others do not agree on the classes, the manifest has all
    /// of their classes, sorted by name, and entries carry labels accordingly.
    ///
    /// # Errors
    /// [`DataError::Split`] for a reference to nothing, a cycle, an empty split or a fraction outside (0, 1];
    /// [`DataError::FewLabels`], [`DataError::Unlabelled`], [`DataError::Leak`], [`DataError::DuplicateKey`]; what is
    /// wrong with a list of keys or places.
    pub fn build(
        sources: Vec<(String, Box<dyn Source>)>,
        splits: &[SplitConfig],
        seed: u64,
    ) -> Result<Manifest, DataError> {
        let pool = Pool::new(&sources, splits)?;
        let drawn = split::draw_all(&pool, splits, seed)?;
        check::splits(&pool, splits, &drawn)?;
        let used: Vec<usize> = (0..pool.len()).filter(|i| drawn.values().any(|split| split[*i])).collect();
        let entries: Vec<Entry> = used.iter().map(|i| pool.entry(*i)).collect();
        let by_key = check::keys(&pool, &used)?;
        let numbered = drawn.iter().map(|(name, split)| (name.to_string(), numbers(&used, split)));
        let splits: BTreeMap<String, Vec<u32>> = numbered.collect();
        let classes = pool.classes().to_vec();
        Ok(Manifest { sources, classes, entries, splits, by_key, fingerprint: OnceLock::new() })
    }

    /// The records, ordered by (source, index).
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The record numbers of a split, ascending; none if there is no such split.
    pub fn split(&self, name: &str) -> &[u32] {
        self.splits.get(name).map_or(&[], Vec::as_slice)
    }

    /// A split without one of so many folds of it, and that fold, both ascending. Each class is dealt out to the folds evenly, in
    /// the order of a hash of (seed, key).
    pub fn fold(&self, split: &str, fold: u32, folds: u32, seed: u64) -> (Vec<u32>, Vec<u32>) {
        let mut dealt: Vec<(Option<u32>, u64, u32)> = Vec::new();
        for record in self.split(split) {
            let Entry { key, label, .. } = self.entries[*record as usize];
            let rank = draw(&[seed, u64::from(folds), key.0 as u64, (key.0 >> 64) as u64]);
            dealt.push((label, rank.to_bits(), *record));
        }
        dealt.sort_unstable();
        let of_fold = |place: usize| place as u64 % u64::from(folds.max(1)) == u64::from(fold);
        let (mut rest, mut held) = (Vec::new(), Vec::new());
        for (place, (_, _, record)) in dealt.into_iter().enumerate() {
            if of_fold(place) { held.push(record) } else { rest.push(record) }
        }
        rest.sort_unstable();
        held.sort_unstable();
        (rest, held)
    }

    /// The names of the classes, by label.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The bytes of a record, in `buffer` if that is large enough.
    ///
    /// # Errors
    /// Those of [`Source::read`].
    pub fn read(&self, record: u32, buffer: Vec<u8>) -> Result<Payload, DataError> {
        match self.locate(record) {
            Some((source, index)) => source.read(index, buffer),
            None => Err(no_such_record(format!("record {record}"), self.entries.len())),
        }
    }

    /// The same, if they can be had without waiting for a disk or a network.
    ///
    /// # Errors
    /// The buffer, as of [`Source::at_hand`].
    pub fn at_hand(&self, record: u32, buffer: Vec<u8>) -> Result<Payload, Vec<u8>> {
        match self.locate(record) {
            Some((source, index)) => source.at_hand(index, buffer),
            None => Err(buffer),
        }
    }

    /// Where a record lies, for messages and outputs.
    pub fn place(&self, record: u32) -> String {
        self.locate(record).map_or_else(|| format!("record {record}"), |(source, index)| source.place(index))
    }

    /// The number of the record with this key.
    pub fn find(&self, key: Key) -> Option<u32> {
        let at = self.by_key.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.by_key.get(at).map(|(_, record)| *record)
    }

    /// A BLAKE3 hash over the sources, the classes and the splits: the data part of what identifies a plan. The first
    /// call may read every file.
    pub fn fingerprint(&self) -> [u8; 32] {
        *self.fingerprint.get_or_init(|| fingerprint(&self.sources, &self.classes, &self.entries, &self.splits))
    }

    fn locate(&self, record: u32) -> Option<(&dyn Source, usize)> {
        let entry = self.entries.get(record as usize)?;
        let (_, source) = self.sources.get(entry.source as usize)?;
        Some((source.as_ref(), entry.index as usize))
    }
}

/// A record that is asked for but was never announced.
pub(crate) fn no_such_record(place: String, records: usize) -> DataError {
    DataError::TooLarge {
        place,
        found: "no such record".to_string(),
        limit: records as u64,
        help: "whoever asked works on other data: start all processes on the same data",
    }
}

/// The positions in `used` of those that a split has.
fn numbers(used: &[usize], split: &[bool]) -> Vec<u32> {
    let positions = used.iter().zip(0u32..);
    positions.filter(|(i, _)| split[**i]).map(|(_, number)| number).collect()
}

fn fingerprint(
    sources: &[(String, Box<dyn Source>)],
    classes: &[String],
    entries: &[Entry],
    splits: &BTreeMap<String, Vec<u32>>,
) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("millstream: manifest, version 1");
    let text = |hasher: &mut blake3::Hasher, text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    };
    hasher.update(&(sources.len() as u64).to_le_bytes());
    sources.iter().for_each(|(_, source)| {
        hasher.update(&source.fingerprint());
    });
    hasher.update(&(classes.len() as u64).to_le_bytes());
    classes.iter().for_each(|class| text(&mut hasher, class));
    for (name, split) in splits {
        text(&mut hasher, name);
        hasher.update(&(split.len() as u64).to_le_bytes());
        for entry in split.iter().filter_map(|record| entries.get(*record as usize)) {
            hasher.update(&entry.source.to_le_bytes()).update(&entry.index.to_le_bytes());
        }
    }
    *hasher.finalize().as_bytes()
}
