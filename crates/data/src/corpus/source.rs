//! Sources that lie in memory, such as IDX files, as corpora.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::{Content, Corpus, Item, Items, Label, Options, Shard, Shards, fingerprint, name_of};
use crate::store::Location;
use crate::{DataError, Source, SourceConfig};

/// A source, cut into shards of some records.
#[derive(Debug)]
pub(super) struct Sourced {
    source: Arc<dyn Source>,
    place: String,
    records: usize,
}

impl Sourced {
    pub(super) fn idx(images: &Location, options: &Options) -> Result<Self, DataError> {
        let Some(images) = images.local() else {
            return Err(DataError::Malformed {
                place: images.to_string(),
                found: "an IDX file that is not on this machine".to_string(),
                expected: "a path".to_string(),
                help: "download it: IDX files are read whole",
            });
        };
        let config = SourceConfig::Idx { images: images.to_path_buf(), labels: options.labels.clone() };
        let source = Arc::from(crate::open(&config, options.keys)?);
        Ok(Sourced { source, place: crate::source::place_of(images), records: options.records.max(1) })
    }

    fn shard(&self, number: u64, records: Range<usize>) -> Shard {
        let file = Path::new(&self.place).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = format!("{}-{number:06}", name_of(file, &self.place, true));
        let range = format!("{}-{}", records.start, records.end);
        let fingerprint = fingerprint([self.source.fingerprint().as_slice(), range.as_bytes()]);
        let (place, count) = (self.place.clone(), Some(records.len() as u64));
        Shard { number, name, place, records: count, bytes: None, fingerprint, content: Content::Range(records) }
    }
}

impl Corpus for Sourced {
    fn shards(&self) -> Shards<'_> {
        let count = self.source.records().len();
        let starts = (0..count).step_by(self.records);
        Box::new(
            (0..).zip(starts).map(move |(number, start)| {
                Ok(self.shard(number, start..count.min(start.saturating_add(self.records))))
            }),
        )
    }

    fn read(&self, shard: &Shard) -> Result<Items, DataError> {
        let Content::Range(range) = &shard.content else {
            return Err(super::foreign(shard));
        };
        let source = Arc::clone(&self.source);
        Ok(Box::new(range.clone().map_while(move |index| {
            source.records().get(index).map(|record| {
                let label = record.label.map(Label::Index);
                Ok(Item { key: record.key, place: source.place(index), label, payload: source.read(index, Vec::new()) })
            })
        })))
    }
}
