//! CSV lists of image files: the columns `path`, `label` and, if wanted, `key`, in any order.
//!
//! What `millstream augment` says beside of each image is left alone: the columns `source`, `variant` and `ops`. A label file
//! (`curate`, `predict`, or a run's) is a list too: `place` and `class_name` are path and label there, and a label that was not
//! selected is none.
//! Spaces around values are dropped. An empty label means that nobody labelled the image. The classes are the
//! labels that occur, sorted by their bytes. Records are in the order of the lines.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};

use super::files::{Files, Listed, inside};
use super::inner::beside;
use super::{KeyKind, place_of};
use crate::label_file::{LABEL_COLUMNS, counting};
use crate::{DataError, Key};

pub(super) fn open(path: &Path, root: Option<&Path>, kind: KeyKind) -> Result<Files, DataError> {
    let lines = read_lines(path)?;
    if lines.is_empty() {
        let help = "list one image a line under the header `path,label`";
        return Err(DataError::Empty { path: path.to_path_buf(), what: "line with an image", help });
    }
    let root = root.or_else(|| path.parent()).unwrap_or(Path::new(""));
    let named: BTreeSet<&str> = lines.iter().filter_map(|line| line.label.as_deref()).collect();
    let labels: BTreeMap<&str, u32> = named.into_iter().zip(0u32..).collect();
    let listed: Vec<Listed> = lines.iter().map(|line| line.listed(root, &labels)).collect();
    if !listed.iter().any(|file| inside(&file.path).map_or(file.path.as_path(), |(file, _)| file).exists()) {
        return Err(nothing_there(path, &listed[0].path));
    }
    let classes = labels.keys().map(|name| name.to_string()).collect();
    Files::open(listed, classes, kind)
}

struct Line {
    path: PathBuf,
    /// Whether the path is the place of a record, as a command has written it.
    is_place: bool,
    label: Option<String>,
    key: Option<Key>,
}

impl Line {
    fn listed(&self, root: &Path, labels: &BTreeMap<&str, u32>) -> Listed {
        let label = self.label.as_deref().and_then(|name| labels.get(name)).copied();
        Listed { path: self.found(root), label, key: self.key }
    }
}

impl Line {
    /// Where the image lies.
    fn found(&self, root: &Path) -> PathBuf {
        match (inside(&self.path), self.path.to_str()) {
            (Some((file, rest)), _) => {
                let mut path = beside(root, &place_of(file)).into_os_string();
                path.push(rest);
                path.into()
            }
            (None, Some(file)) if self.is_place => beside(root, file),
            _ => root.join(&self.path),
        }
    }
}

fn read_lines(path: &Path) -> Result<Vec<Line>, DataError> {
    let file = File::open(path).map_err(|cause| DataError::read(path, "CSV file", cause))?;
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(file);
    let columns = Columns::find(path, reader.headers().map_err(|error| refused(path, error))?)?;
    let (mut lines, mut seen) = (Vec::new(), BTreeMap::new());
    for row in reader.records() {
        let row = row.map_err(|error| refused(path, error))?;
        let number = row.position().map_or(0, csv::Position::line);
        let line = columns.read(path, number, &row)?;
        if let Some(first) = seen.insert(place_of(&line.path), number) {
            let found = format!("`{}`, which line {first} has too", line.path.display());
            return Err(wrong_line(path, number, found, "each image once", "remove one of the lines"));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Columns that a list may have. Any other is refused: it may be a misspelt `key`.
const COLUMNS: [&str; 6] = ["path", "label", "key", "source", "variant", "ops"];

/// Which column is which.
struct Columns {
    path: usize,
    label: usize,
    key: Option<usize>,
    /// Of a label file: whether the label counts.
    selected: Option<usize>,
}

impl Columns {
    fn find(file: &Path, header: &StringRecord) -> Result<Self, DataError> {
        let at = |name: &str| header.iter().position(|column| column == name);
        let distinct: BTreeSet<&str> = header.iter().collect();
        let of_labels = distinct.contains("selected");
        let (path, label, all) = match of_labels {
            true => ("place", "class_name", &LABEL_COLUMNS[..]),
            false => ("path", "label", &COLUMNS[..]),
        };
        let known = distinct.iter().all(|column| all.contains(column));
        match (at(path), at(label), known && distinct.len() == header.len()) {
            (Some(path), Some(label), true) => Ok(Columns { path, label, key: at("key"), selected: at("selected") }),
            _ => Err(wrong_line(
                file,
                1,
                format!("the header `{}`", header.iter().collect::<Vec<_>>().join(",")),
                "`path,label` or `path,label,key`",
                "correct the first line; an image without a label has an empty one",
            )),
        }
    }

    fn read(&self, file: &Path, number: u64, row: &StringRecord) -> Result<Line, DataError> {
        let value = |column: usize| row.get(column).unwrap_or_default();
        if value(self.path).is_empty() {
            let (found, expected) = ("an empty path".to_string(), "the path of an image");
            return Err(wrong_line(file, number, found, expected, "give it or remove the line"));
        }
        let key = self.key.map(|column| value(column).parse::<Key>()).transpose().map_err(|error| {
            let found = format!("the key `{}`", error.text);
            wrong_line(file, number, found, "32 hexadecimal digits", "give every line a key, or none (drop the column)")
        })?;
        let label = counting(value(self.label), self.selected.map(value));
        Ok(Line {
            path: PathBuf::from(value(self.path)),
            is_place: self.selected.is_some(),
            label: label.map(str::to_string),
            key,
        })
    }
}

fn wrong_line(file: &Path, line: u64, found: String, expected: &str, help: &'static str) -> DataError {
    DataError::Malformed { place: format!("{}:{line}", file.display()), found, expected: expected.to_string(), help }
}

/// What the CSV reader does not like, said in our words.
fn refused(file: &Path, error: csv::Error) -> DataError {
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(cause) => DataError::read(file, "CSV file", cause),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => wrong_line(
            file,
            line,
            format!("{len} values"),
            &format!("{expected_len}, as in the header"),
            "put values with commas in double quotes",
        ),
        csv::ErrorKind::Utf8 { .. } => {
            wrong_line(file, line, "bytes that are no text".to_string(), "UTF-8", "save the file as UTF-8")
        }
        other => wrong_line(file, line, format!("{other:?}"), "a line of CSV", "correct the line"),
    }
}

fn nothing_there(file: &Path, first: &Path) -> DataError {
    DataError::Malformed {
        place: file.display().to_string(),
        found: format!("not one of its images, the first of which should be {}", first.display()),
        expected: "images at the paths that it lists".to_string(),
        help: "set `root` to the folder that the paths are relative to",
    }
}
