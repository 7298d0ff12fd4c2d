//! All records of all sources under one numbering, with labels in one numbering of classes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, SplitConfig};
use crate::{DataError, Key, Source};

/// The records of the sources that splits name. A record is known here by its position: the records of the first
/// source, then those of the second, and so on.
pub(super) struct Pool<'a> {
    entries: Vec<Entry>,
    sources: &'a [(String, Box<dyn Source>)],
    /// The positions of the records of each source.
    ranges: BTreeMap<&'a str, std::ops::Range<usize>>,
    classes: Vec<String>,
}

impl<'a> Pool<'a> {
    pub(super) fn new(sources: &'a [(String, Box<dyn Source>)], splits: &[SplitConfig]) -> Result<Self, DataError> {
        let named: BTreeSet<&str> = splits.iter().flat_map(|split| &split.from).map(String::as_str).collect();
        let lists = sources.iter().filter(|(name, _)| named.contains(name.as_str()));
        let classes = join_classes(lists.map(|(_, source)| source.classes()));
        let mut pool = Pool { entries: Vec::new(), sources, ranges: BTreeMap::new(), classes };
        for (position, (name, source)) in (0u32..).zip(sources) {
            if named.contains(name.as_str()) {
                pool.add(position, name, source.as_ref())?;
            }
        }
        Ok(pool)
    }

    fn add(&mut self, position: u32, name: &'a str, source: &dyn Source) -> Result<(), DataError> {
        let labels = self.positions_of(source.classes());
        let start = self.entries.len();
        let records = (0u32..).zip(source.records()).map(|(index, record)| Entry {
            source: position,
            index,
            key: record.key,
            label: record.label.and_then(|label| labels.get(label as usize).copied()),
        });
        self.entries.extend(records);
        if self.entries.len() > u32::MAX as usize {
            return Err(too_many(name, self.entries.len()));
        }
        if self.ranges.insert(name, start..self.entries.len()).is_some() {
            return Err(same_name(name));
        }
        Ok(())
    }

    /// Where the classes of a source are among all classes.
    fn positions_of(&self, classes: &[String]) -> Vec<u32> {
        let all: BTreeMap<&str, u32> = self.classes.iter().map(String::as_str).zip(0u32..).collect();
        classes.iter().filter_map(|class| all.get(class.as_str()).copied()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn classes(&self) -> &[String] {
        &self.classes
    }

    pub(super) fn entry(&self, position: usize) -> Entry {
        self.entries[position]
    }

    pub(super) fn key(&self, position: usize) -> Key {
        self.entries[position].key
    }

    pub(super) fn label(&self, position: usize) -> Option<u32> {
        self.entries[position].label
    }

    pub(super) fn place(&self, position: usize) -> String {
        let entry = self.entries[position];
        self.sources[entry.source as usize].1.place(entry.index as usize)
    }

    /// The positions of the records of a source.
    pub(super) fn source(&self, name: &str) -> Option<std::ops::Range<usize>> {
        self.ranges.get(name).cloned()
    }
}

/// The classes of several sources: as they have them where they agree, all of them sorted by name where not.
fn join_classes<'a>(lists: impl Iterator<Item = &'a [String]>) -> Vec<String> {
    let lists: BTreeSet<&[String]> = lists.filter(|list| !list.is_empty()).collect();
    match lists.first() {
        Some(only) if lists.len() == 1 => only.to_vec(),
        _ => lists.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().cloned().collect(),
    }
}

fn too_many(name: &str, found: usize) -> DataError {
    DataError::TooLarge {
        place: format!("source `{name}`"),
        found: format!("{found} records with the sources before it"),
        limit: u64::from(u32::MAX),
        help: "split the job",
    }
}

fn same_name(name: &str) -> DataError {
    DataError::Malformed {
        place: "data.sources".to_string(),
        found: format!("two sources named `{name}`"),
        expected: "a name of its own for each".to_string(),
        help: "rename one of them",
    }
}
