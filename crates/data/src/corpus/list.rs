//! Lists of images: CSV with a header, or one JSON object a line, cut into shards while they are read.
//!
//! The image is what stands under `path`, `image`, `file_name`, `file`, `url` or (in label files) `place`: a path
//! relative to the folder of the list (or to the root that was given), an absolute path, or a URL. A place may be one
//! in a file that holds several images (`x.tar#member`, `x.parquet[3]`), and is also looked for in the folder that the
//! command is started in.
//!
//! There may be a `label` (a name, or in JSON a number) and a `key` of 32 hexadecimal digits; in label files the label
//! is `class_name`, and none where the line is not `selected`. Whatever else there is, is left alone. A line that says
//! none of this is a record that cannot be had.

use std::io::{BufRead, BufReader, Read};

use csv::{ByteRecord, ReaderBuilder, Trim};
use serde_json::Value;

use super::images::{self, Listed};
use super::inputs::{Input, Inputs};
use super::{Content, Corpus, Items, Label, Options, Shard, Shards};
use crate::label_file::counting;
use crate::source::inner::{beside, split};
use crate::store::{Location, into_data_error};
use crate::{DataError, Key};

/// What CSV lists are called.
pub(super) const CSV: [&str; 1] = [".csv"];
/// What lists of JSON objects are called.
pub(super) const JSONL: [&str; 2] = [".jsonl", ".ndjson"];
/// What an image may stand under.
const IMAGE: [&str; 6] = ["path", "image", "file_name", "file", "url", PLACE];
/// What the place of a record stands under.
const PLACE: &str = "place";
/// What a label may stand under.
const LABEL: [&str; 2] = ["label", "class_name"];
/// The longest line.
const LONGEST: u64 = 1 << 20;

/// How lines are written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Jsonl,
}

#[derive(Debug)]
pub(super) struct Lists {
    inputs: Inputs,
    format: Format,
    options: Options,
}

/// What one line says, with its number; an error ends the list.
type Lines = Box<dyn Iterator<Item = Result<(u64, Said), DataError>> + Send>;

/// What a line says, or what is wrong with it.
type Said = Result<Line, String>;

/// A line that can be read.
struct Line {
    image: String,
    /// Whether it is the place of a record, as a command has written it.
    is_place: bool,
    label: Option<Label>,
    key: Option<Key>,
}

impl Lists {
    pub(super) fn open(places: Vec<String>, format: Format, options: Options) -> Self {
        let endings: &'static [&'static str] = match format {
            Format::Csv => &CSV,
            Format::Jsonl => &JSONL,
        };
        Lists { inputs: Inputs { store: options.store.clone(), places, endings }, format, options }
    }

    fn of_file(
        &self,
        input: &Input,
    ) -> Result<impl Iterator<Item = Result<Shard, DataError>> + Send + use<>, DataError> {
        let file = &input.object.location;
        let root = match &self.options.root {
            Some(root) => Location::parse(root)?,
            None => file.parent(),
        };
        let stream = self.options.store.reader(file)?;
        let lines = match self.format {
            Format::Csv => csv_lines(file, stream)?,
            Format::Jsonl => json_lines(file, stream),
        };
        let (name, place) = (input.name.clone(), file.to_string());
        Ok(Cut { lines: Some(lines), failed: None, name, place, root, records: self.options.records.max(1), number: 0 })
    }
}

impl Corpus for Lists {
    fn shards(&self) -> Shards<'_> {
        let of_input = |input: Result<Input, DataError>| -> Shards<'_> {
            match input.and_then(|input| self.of_file(&input)) {
                Ok(shards) => Box::new(shards),
                Err(error) => Box::new(std::iter::once(Err(error))),
            }
        };
        let shards = self.inputs.files().flat_map(of_input);
        Box::new((0..).zip(shards).map(|(number, shard)| Ok(Shard { number, ..shard? })))
    }

    fn read(&self, shard: &Shard) -> Result<Items, DataError> {
        match &shard.content {
            Content::Images(listed) => Ok(images::read(&self.options.store, listed.clone(), self.options.keys)),
            _ => Err(super::foreign(shard)),
        }
    }
}

/// Shards of the lines of one file.
struct Cut {
    lines: Option<Lines>,
    /// The error that ended them, not yet told.
    failed: Option<DataError>,
    name: String,
    place: String,
    root: Location,
    records: usize,
    number: u64,
}

impl Iterator for Cut {
    type Item = Result<Shard, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut listed = Vec::new();
        while listed.len() < self.records
            && let Some(line) = self.lines.as_mut().and_then(Iterator::next)
        {
            match line {
                Ok((line, said)) => listed.push(self.listed(line, said)),
                Err(error) => {
                    self.lines = None;
                    self.failed = Some(error);
                }
            }
        }
        // What was read before an error comes first.
        if listed.is_empty() { self.failed.take().map(Err) } else { Some(Ok(self.shard(listed))) }
    }
}

impl Cut {
    fn shard(&mut self, listed: Vec<Listed>) -> Shard {
        let name = format!("{}-{:06}", self.name, self.number);
        self.number += 1;
        images::shard(name, self.place.clone(), None, listed)
    }

    /// The file of an image, and where in it the image lies if it is not the whole file.
    fn find(&self, said: &Line) -> Result<(Location, Option<String>), DataError> {
        let (file, inner) = split(&said.image).map_or((said.image.as_str(), None), |(file, rest)| (file, Some(rest)));
        let image = match &self.root {
            Location::Local(root) if !file.contains("://") && (said.is_place || inner.is_some()) => {
                Location::Local(beside(root, file))
            }
            root => root.join(file)?,
        };
        Ok((image, inner.map(str::to_string)))
    }

    fn listed(&self, line: u64, said: Said) -> Listed {
        let read = said.and_then(|said| match self.find(&said) {
            Ok((image, inner)) => Ok((image, inner, said.label, said.key)),
            Err(error) => Err(error.to_string()),
        });
        match read {
            Ok((image, inner, label, key)) => {
                let place = format!("{image}{}", inner.as_deref().unwrap_or_default());
                Listed { place, image: Ok(image), inner, label, key, version: String::new() }
            }
            Err(found) => {
                let (place, version) = (format!("{}:{line}", self.place), found.clone());
                Listed { place, image: Err(found), inner: None, label: None, key: None, version }
            }
        }
    }
}

/// Which column is which.
struct Columns {
    count: usize,
    image: usize,
    is_place: bool,
    label: Option<usize>,
    /// Of a label file: whether the label counts.
    selected: Option<usize>,
    key: Option<usize>,
}

fn csv_lines(file: &Location, stream: Box<dyn Read + Send>) -> Result<Lines, DataError> {
    let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(stream);
    let header = reader.byte_headers().map_err(|error| csv_failed(file, error))?.clone();
    let at = |name: &str| header.iter().position(|column| column == name.as_bytes());
    let Some((image, is_place)) = IMAGE.iter().find_map(|name| Some((at(name)?, *name == PLACE))) else {
        return Err(DataError::Malformed {
            place: format!("{file}:1"),
            found: format!(
                "the header `{}`",
                String::from_utf8_lossy(header.as_slice()).chars().take(80).collect::<String>()
            ),
            expected: format!("a column named {}", IMAGE.join(", ")),
            help: "give the list a header such as `path,label`",
        });
    };
    let label = LABEL.iter().find_map(|name| at(name));
    let columns = Columns { count: header.len(), image, is_place, label, selected: at("selected"), key: at("key") };
    let file = file.clone();
    Ok(Box::new(reader.into_byte_records().map(move |row| {
        let row = row.map_err(|error| csv_failed(&file, error))?;
        let line = row.position().map_or(0, csv::Position::line);
        Ok((line, columns.read(&row)))
    })))
}

impl Columns {
    fn read(&self, row: &ByteRecord) -> Said {
        if row.len() != self.count {
            return Err(format!("{} values under {} columns", row.len(), self.count));
        }
        let value = |column: usize| str::from_utf8(row.get(column).unwrap_or_default());
        let text = |column: usize| value(column).map_err(|_| "bytes that are no text".to_string());
        let (label, selected) = (self.label.map(text).transpose()?, self.selected.map(text).transpose()?);
        let label = label.and_then(|label| counting(label, selected));
        let key = self.key.map(text).transpose()?.filter(|key| !key.is_empty());
        line((text(self.image)?, self.is_place), label.map(|label| Label::Name(label.to_string())), key)
    }
}

fn line((image, is_place): (&str, bool), label: Option<Label>, key: Option<&str>) -> Said {
    if image.is_empty() {
        return Err("no image".to_string());
    }
    let key = key.map(str::parse).transpose().map_err(|error: crate::KeyError| error.to_string())?;
    Ok(Line { image: image.to_string(), is_place, label, key })
}

fn csv_failed(file: &Location, error: csv::Error) -> DataError {
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(cause) => into_data_error(file, cause),
        other => malformed(file, line, format!("{other:?}"), "lines of CSV"),
    }
}

fn json_lines(file: &Location, stream: Box<dyn Read + Send>) -> Lines {
    let file = file.clone();
    let mut stream = BufReader::new(stream);
    let lines = (1u64..).map_while(move |number| {
        let mut bytes = Vec::new();
        match (&mut stream).take(LONGEST).read_until(b'\n', &mut bytes) {
            Ok(0) => None,
            Ok(read) if read as u64 == LONGEST => {
                let found = format!("a line of more than {LONGEST} bytes");
                Some(Err(malformed(&file, number, found, "one JSON object a line")))
            }
            Ok(_) => Some(Ok((number, bytes))),
            Err(cause) => Some(Err(into_data_error(&file, cause))),
        }
    });
    let plain = lines.map(|line| line.map(|(number, bytes)| (number, without_mark(number, bytes))));
    let full = plain.filter(|line| line.as_ref().map_or(true, |(_, bytes)| !bytes.trim_ascii().is_empty()));
    Box::new(full.map(|line| line.map(|(number, bytes)| (number, object(&bytes)))))
}

/// Some editors put a mark in front of the first line, which says that the file is UTF-8.
fn without_mark(number: u64, bytes: Vec<u8>) -> Vec<u8> {
    match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) if number == 1 => rest.to_vec(),
        _ => bytes,
    }
}

fn object(bytes: &[u8]) -> Said {
    let said: Value = serde_json::from_slice(bytes).map_err(|error| format!("no JSON ({error})"))?;
    let image = IMAGE.iter().find_map(|name| Some((said.get(name)?, *name == PLACE)));
    let (image, is_place) =
        image.map_or(("", false), |(image, is_place)| (image.as_str().unwrap_or_default(), is_place));
    let label = Label::of_json(&said).filter(|_| said.get("selected").and_then(Value::as_bool) != Some(false));
    line((image, is_place), label, said.get("key").and_then(Value::as_str))
}

fn malformed(file: &Location, line: u64, found: String, expected: &str) -> DataError {
    DataError::Malformed {
        place: format!("{file}:{line}"),
        found,
        expected: expected.to_string(),
        help: "correct the list; it is read up to there",
    }
}
