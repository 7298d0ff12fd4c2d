//! What a corpus holds, told from a listing and a few records.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Corpus, Counted, Item, Shard};
use crate::{DataError, Payload};

/// Shards that records are looked at in: the first ones, so that none has to be listed ahead.
const SHARDS: usize = 10;
/// Records that are shown.
const EXAMPLES: usize = 5;
/// Problems that are told in words; more are counted.
const PROBLEMS: usize = 10;

/// How far a survey goes.
#[derive(Copy, Clone, Debug)]
pub struct Reach {
    /// Records that are looked at, spread over the first ten shards.
    pub records: u64,
    /// How long shards are counted. Where there are more than that allows, the counts are of those that were listed by then.
    pub patience: Duration,
}

/// What an image file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its format: JPEG, PNG.
    pub format: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Reads the header of an image; in words what is wrong with it.
pub type Look<'a> = dyn FnMut(&[u8]) -> Result<Picture, String> + 'a;

/// What a corpus holds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Survey {
    /// Its shards.
    pub counted: Counted,
    /// Whether those are all: else there was no time to list more.
    pub all_counted: bool,
    /// Shards that records were looked at in.
    pub opened: u64,
    /// Records that were looked at.
    pub looked_at: u64,
    /// Those of them that cannot be read or are no image.
    pub errors: u64,
    /// Those with a label.
    pub labelled: u64,
    /// How many records have each label.
    pub labels: BTreeMap<String, u64>,
    /// How many images have each format.
    pub formats: BTreeMap<String, u64>,
    /// Widths of the images, in pixels.
    pub width: Extent,
    /// Heights of the images, in pixels.
    pub height: Extent,
    /// Bytes of the images as they are stored.
    pub bytes: Extent,
    /// A few records.
    pub examples: Vec<Example>,
    /// The first problems with records and shards, in words.
    pub problems: Vec<String>,
}

/// The least and the most of something; both 0 where there is nothing.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// The least.
    pub least: u64,
    /// The most.
    pub most: u64,
}

impl Extent {
    fn note(&mut self, value: u64) {
        let first = *self == Extent::default();
        self.least = if first { value } else { self.least.min(value) };
        self.most = self.most.max(value);
    }
}

/// A record.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    /// Its key, 32 hexadecimal digits.
    pub key: String,
    /// Where it lies.
    pub place: String,
    /// What the data says it is.
    pub label: Option<String>,
    /// Bytes as it is stored; 0 where it cannot be read.
    pub bytes: u64,
    /// The format of the image; none where it cannot be read or is no image.
    pub format: Option<String>,
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// Why it cannot be used.
    pub error: Option<String>,
}

/// Counts the shards of a corpus and looks at some of its records. `look` reads the header of an image.
///
/// The time it takes is that of listing, at most `reach.patience`, and of reading the records: it does not grow with the corpus.
pub fn survey(corpus: &dyn Corpus, reach: Reach, look: &mut Look<'_>) -> Survey {
    let (mut survey, mut shards) = (Survey::default(), corpus.shards());
    let mut first = Vec::new();
    while first.len() < SHARDS
        && let Some(found) = shards.next()
    {
        first.extend(survey.count(found));
    }
    for (number, shard) in first.iter().enumerate() {
        let left = (first.len() - number) as u64;
        let take = reach.records.saturating_sub(survey.looked_at).div_ceil(left);
        survey.open(corpus, shard, take, EXAMPLES.div_ceil(first.len()), look);
    }
    let begun = Instant::now();
    while begun.elapsed() < reach.patience {
        match shards.next() {
            Some(found) => drop(survey.count(found)),
            None => {
                survey.all_counted = true;
                break;
            }
        }
    }
    survey
}

impl Survey {
    fn count(&mut self, found: Result<Shard, DataError>) -> Option<Shard> {
        self.counted.add(found.as_ref().ok());
        found.map_err(|error| self.problem(error.to_string())).ok()
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// Looks at the first records of a shard.
    fn open(&mut self, corpus: &dyn Corpus, shard: &Shard, take: u64, examples: usize, look: &mut Look<'_>) {
        self.opened += 1;
        let items = match corpus.read(shard) {
            Ok(items) => items,
            Err(error) => return self.problem(error.to_string()),
        };
        let enough = EXAMPLES.min(self.examples.len() + examples);
        for item in items.take(usize::try_from(take).unwrap_or(usize::MAX)) {
            match item {
                Ok(item) => self.record(item, enough, look),
                Err(error) => self.problem(error.to_string()),
            }
        }
    }

    fn record(&mut self, item: Item, enough: usize, look: &mut Look<'_>) {
        let Item { key, place, label, payload } = item;
        self.looked_at += 1;
        let label = label.map(|label| label.to_string());
        if let Some(label) = &label {
            self.labelled += 1;
            *self.labels.entry(label.clone()).or_default() += 1;
        }
        let bytes = payload.as_ref().map_or(0, |payload| payload.bytes().len() as u64);
        let seen = payload.map_err(|error| error.to_string()).and_then(|payload| picture(&payload, look));
        let seen = seen.inspect(|picture| self.picture(picture, bytes));
        let error = seen.as_ref().err().cloned();
        if let Some(error) = &error {
            self.errors += 1;
            self.problem(if error.contains(&place) { error.clone() } else { format!("{place}: {error}") });
        }
        if self.examples.len() < enough {
            let (seen, key) = (seen.ok(), key.to_string());
            let (width, height) = (seen.as_ref().map(|seen| seen.width), seen.as_ref().map(|seen| seen.height));
            let format = seen.map(|seen| seen.format);
            self.examples.push(Example { key, place, label, bytes, format, width, height, error });
        }
    }

    fn picture(&mut self, picture: &Picture, bytes: u64) {
        *self.formats.entry(picture.format.clone()).or_default() += 1;
        self.width.note(picture.width.into());
        self.height.note(picture.height.into());
        self.bytes.note(bytes);
    }
}

fn picture(payload: &Payload, look: &mut Look<'_>) -> Result<Picture, String> {
    match payload {
        Payload::Encoded(bytes) => look(bytes),
        Payload::Pixels { width, height, .. } => {
            Ok(Picture { format: "pixels".to_string(), width: *width, height: *height })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{Options, open};

    /// Images are what begins with `ok`: as wide as they are long.
    fn look(bytes: &[u8]) -> Result<Picture, String> {
        match bytes.starts_with(b"ok") {
            true => Ok(Picture { format: "OK".to_string(), width: bytes.len() as u32, height: 2 }),
            false => Err("no image".to_string()),
        }
    }

    fn folder(files: u32) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..files {
            let bytes = if number == 7 { "bad".to_string() } else { format!("ok{}", "x".repeat(number as usize % 3)) };
            std::fs::write(folder.path().join(format!("{number:03}.png")), bytes).unwrap();
        }
        folder
    }

    fn survey_of(folder: &tempfile::TempDir, records: u64, patience: Duration) -> Survey {
        let options = Options { records: 4, ..Options::default() };
        let corpus = open(&[folder.path().to_str().unwrap()], &options).unwrap();
        survey(corpus.as_ref(), Reach { records, patience }, &mut look)
    }

    #[test]
    fn all_records_of_a_small_corpus_are_looked_at() {
        let found = survey_of(&folder(30), 200, Duration::from_secs(60));
        assert_eq!((found.counted.shards, found.counted.records, found.all_counted), (8, 30, true));
        assert_eq!((found.opened, found.looked_at, found.errors), (8, 30, 1));
        assert_eq!(found.formats, BTreeMap::from([("OK".to_string(), 29)]));
        assert_eq!((found.width, found.height), (Extent { least: 2, most: 4 }, Extent { least: 2, most: 2 }));
        assert_eq!((found.bytes, found.counted.bytes), (Extent { least: 2, most: 4 }, 90));
        assert_eq!(found.examples.len(), 5);
        assert!(found.problems.len() == 1 && found.problems[0].contains("007.png: no image"), "{:?}", found.problems);
    }

    #[test]
    fn of_a_large_corpus_a_few_records_of_the_first_shards_are() {
        let folder = folder(80);
        let found = survey_of(&folder, 23, Duration::from_secs(60));
        assert_eq!((found.counted.shards, found.opened, found.looked_at), (20, 10, 23));
        let found = survey_of(&folder, 23, Duration::ZERO);
        assert_eq!((found.counted.shards, found.looked_at, found.all_counted), (10, 23, false));
    }
}
