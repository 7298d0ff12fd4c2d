//! What people say of records, against what a model or the corpus says.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;

use crate::{DataError, Key};

/// What stands for no class at all.
pub(super) const REJECTED: &str = "rejected";

/// What a person says of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Correction {
    /// The record.
    pub key: Key,
    /// The name of its class; none where it belongs to no class (`rejected`).
    pub class: Option<String>,
}

/// What people say of records in one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corrections {
    /// Of records that are known, in the order of their keys.
    pub said: Vec<Correction>,
    /// The places that something is said of although no record lies there, in the order of the file.
    pub nowhere: Vec<String>,
}

/// Reads corrections.
///
/// The file is what Label Studio exports as JSON, of tasks that [`super::export`] made or of others with the place of a record as
/// `image`; or else, if its name ends with `.csv`, CSV with a column `class` and one of `key` or `place`. `find` gives the key of
/// the record at a place. Records that nobody has said anything of are passed over; of several annotations or lines of one
/// record, the last counts.
///
/// # Errors
/// [`DataError::Missing`], [`DataError::Read`], or [`DataError::Malformed`] for a file of another form, a record without a key
/// and a place, or one with several classes.
pub fn read_corrections(path: &Path, find: impl Fn(&str) -> Option<Key>) -> Result<Corrections, DataError> {
    let file = File::open(path).map_err(|cause| DataError::read(path, "file of corrections", cause))?;
    let file = Input { path, file: BufReader::new(file) };
    let csv = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    let Classes { of, nowhere } = if csv { file.lines(find) } else { file.tasks(find) }?;
    let said = of.into_iter().map(|(key, class)| Correction { key, class: (class != REJECTED).then_some(class) });
    Ok(Corrections { said: said.collect(), nowhere })
}

/// The class of each record, and places of none.
#[derive(Default)]
struct Classes {
    of: BTreeMap<Key, String>,
    nowhere: Vec<String>,
}

impl Classes {
    fn insert(&mut self, record: Found, class: String) {
        match record {
            Found::Record(key) => drop(self.of.insert(key, class)),
            Found::Nowhere(place) => self.nowhere.push(place),
        }
    }
}

/// What is said to be a record.
enum Found {
    Record(Key),
    Nowhere(String),
}

struct Input<'a> {
    path: &'a Path,
    file: BufReader<File>,
}

#[derive(Deserialize)]
struct Line {
    key: Option<String>,
    place: Option<String>,
    class: String,
}

#[derive(Deserialize)]
struct Task {
    data: Data,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Data {
    key: Option<String>,
    image: Option<String>,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    was_cancelled: bool,
    result: Vec<Region>,
}

/// A part of an annotation. Other kinds than choices have other values.
#[derive(Deserialize)]
struct Region {
    #[serde(default)]
    value: Choices,
}

#[derive(Default, Deserialize)]
struct Choices {
    #[serde(default)]
    choices: Vec<String>,
}

impl Input<'_> {
    fn lines(self, find: impl Fn(&str) -> Option<Key>) -> Result<Classes, DataError> {
        let path = self.path;
        let mut classes = Classes::default();
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(self.file);
        let header = reader.headers().map_err(|error| wrong(path, "CSV", error.to_string()))?;
        // Answers and label files have these beside `class`, and would pass for what people say.
        if ["confidence", "model"].iter().all(|column| header.iter().any(|name| name == *column)) {
            return Err(wrong(path, "CSV", "labels that a model gave".to_string()));
        }
        for (line, number) in reader.into_deserialize().zip(2u64..) {
            let at = || format!("record {number}");
            let line: Line = line.map_err(|error| wrong(path, "CSV", error.to_string()))?;
            if !line.class.is_empty() {
                let key = key_of(line.key, line.place, &find).map_err(|found| wrong(path, &at(), found))?;
                classes.insert(key, line.class);
            }
        }
        Ok(classes)
    }

    fn tasks(self, find: impl Fn(&str) -> Option<Key>) -> Result<Classes, DataError> {
        let path = self.path;
        let tasks: Vec<Task> =
            serde_json::from_reader(self.file).map_err(|error| wrong(path, "JSON", error.to_string()))?;
        let mut classes = Classes::default();
        for (task, number) in tasks.into_iter().zip(1u64..) {
            let at = format!("task {number}");
            let said = task.annotations.iter().rev().filter(|annotation| !annotation.was_cancelled);
            let said = said.map(Annotation::choices).find(|choices| !choices.is_empty());
            let class = match said.as_deref() {
                None => continue,
                Some([class]) => (*class).clone(),
                Some(several) => return Err(wrong(path, &at, format!("{} classes", several.len()))),
            };
            let key = key_of(task.data.key, task.data.image, &find).map_err(|found| wrong(path, &at, found))?;
            classes.insert(key, class);
        }
        Ok(classes)
    }
}

impl Annotation {
    fn choices(&self) -> Vec<&String> {
        self.result.iter().flat_map(|region| &region.value.choices).collect()
    }
}

/// The key that is said, or that of the place; or what is wrong.
fn key_of(key: Option<String>, place: Option<String>, find: impl Fn(&str) -> Option<Key>) -> Result<Found, String> {
    match (key.filter(|key| !key.is_empty()), place) {
        (Some(key), _) => key.parse().map(Found::Record).map_err(|error: crate::KeyError| error.to_string()),
        (None, Some(place)) => Ok(find(&place).map_or(Found::Nowhere(place), Found::Record)),
        (None, None) => Err("neither a key nor a place".to_string()),
    }
}

fn wrong(path: &Path, at: &str, found: String) -> DataError {
    DataError::Malformed {
        place: format!("{} ({at})", path.display()),
        found,
        expected: "records of this corpus, each with one class".to_string(),
        help: "export from Label Studio as JSON, or write CSV with `class` and `key` or `place`",
    }
}
