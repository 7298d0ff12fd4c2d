//! Label files: what a round says about each record.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Float32Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Float32Array, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use crate::file::Draft;
use crate::parquet_file::{Columns, read_rows, write_rows};
use crate::{DataError, Key};

/// The label that a model gave to a record, and what was made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelRow {
    /// The record.
    pub key: Key,
    /// Where it lies.
    pub place: String,
    /// The most probable class.
    pub class: u32,
    /// The name of that class.
    pub class_name: String,
    /// The probability of that class, in [0, 1].
    pub confidence: f32,
    /// The probability of each class; empty where only the class is kept.
    pub distribution: Vec<f32>,
    /// The round whose model this is.
    pub round: u32,
    /// The hash of that model, in hexadecimal digits.
    pub model: String,
    /// Whether the next round trains on it.
    pub selected: bool,
    /// How often the next round has it in an epoch; 0 where it is not selected.
    pub copies: u32,
    /// The number of the import of corrections that says so, where a person does and no model: 0 for the labels that the data
    /// came with.
    pub import: Option<u32>,
}

/// Rows, or why one cannot be had.
pub trait LabelRows: IntoIterator<Item = Result<LabelRow, DataError>> {}

impl<I: IntoIterator<Item = Result<LabelRow, DataError>>> LabelRows for I {}

/// Writes labels as a Parquet file (zstd) with a column for each field of [`LabelRow`]; the key is text. The same
/// rows in the same order make the same bytes. A row is forgotten once it is written.
///
/// # Errors
/// The first error among the rows, or those of [`crate::write_atomically`].
pub fn write_labels(path: &Path, rows: impl LabelRows) -> Result<(), DataError> {
    let field = |name: &str, kind: DataType| Field::new(name, kind, false);
    let schema = Schema::new(vec![
        field("key", DataType::Utf8),
        field("place", DataType::Utf8),
        field("class", DataType::UInt32),
        field("class_name", DataType::Utf8),
        field("confidence", DataType::Float32),
        field("distribution", DataType::List(Arc::new(probability()))),
        field("round", DataType::UInt32),
        field("model", DataType::Utf8),
        field("selected", DataType::Boolean),
        field("copies", DataType::UInt32),
        Field::new("import", DataType::UInt32, true),
    ]);
    write_rows(path, schema, rows, columns)
}

fn probability() -> Field {
    Field::new_list_field(DataType::Float32, false)
}

fn columns(rows: &[LabelRow]) -> Vec<ArrayRef> {
    let text = |value: fn(&LabelRow) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(value)))
    };
    let number =
        |value: fn(&LabelRow) -> u32| -> ArrayRef { Arc::new(UInt32Array::from_iter_values(rows.iter().map(value))) };
    vec![
        text(|row| row.key.to_string()),
        text(|row| row.place.clone()),
        number(|row| row.class),
        text(|row| row.class_name.clone()),
        Arc::new(Float32Array::from_iter_values(rows.iter().map(|row| row.confidence))),
        distributions(rows),
        number(|row| row.round),
        text(|row| row.model.clone()),
        Arc::new(rows.iter().map(|row| Some(row.selected)).collect::<BooleanArray>()),
        number(|row| row.copies),
        Arc::new(rows.iter().map(|row| row.import).collect::<UInt32Array>()),
    ]
}

fn distributions(rows: &[LabelRow]) -> ArrayRef {
    let mut lists = ListBuilder::new(Float32Builder::new()).with_field(probability());
    for row in rows {
        lists.values().append_slice(&row.distribution);
        lists.append(true);
    }
    Arc::new(lists.finish())
}

/// Reads what [`write_labels`] wrote.
///
/// # Errors
/// [`DataError::Missing`], [`DataError::Read`], or [`DataError::Malformed`] for any other file.
pub fn read_labels(path: &Path) -> Result<Vec<LabelRow>, DataError> {
    read_rows(path, "label file", rows)
}

fn rows(columns: &Columns) -> Result<Vec<LabelRow>, DataError> {
    let (keys, places) = (columns.keys()?, columns.strings("place")?);
    let (classes, names) = (columns.u32s("class")?, columns.strings("class_name")?);
    let confidences = columns.numbers::<Float32Type>("confidence")?;
    let lists = columns.column("distribution", "lists", |column| column.as_list_opt::<i32>())?;
    let (rounds, models) = (columns.u32s("round")?, columns.strings("model")?);
    let selected = columns.column("selected", "truth values", |column| column.as_boolean_opt())?;
    let (copies, imports) = (columns.u32s("copies")?, columns.u32s("import")?);
    let row = |(row, key)| {
        let list = lists.value(row);
        let distribution = list.as_primitive_opt::<Float32Type>();
        let distribution = distribution.ok_or_else(|| columns.wrong("lists of something else".to_string()))?;
        Ok(LabelRow {
            key,
            place: places.value(row).to_string(),
            class: classes.value(row),
            class_name: names.value(row).to_string(),
            confidence: confidences.value(row),
            distribution: distribution.values().to_vec(),
            round: rounds.value(row),
            model: models.value(row).to_string(),
            selected: selected.value(row),
            copies: copies.value(row),
            import: imports.is_valid(row).then(|| imports.value(row)),
        })
    };
    keys.into_iter().enumerate().map(row).collect()
}

/// Writes labels as a CSV file with the columns of [`write_labels`]; a distribution is numbers with spaces between
/// them. Every number is written with as many digits as bring it back exactly. Such a file is a list of images for pipelines too.
///
/// # Errors
/// As [`write_labels`].
pub fn write_labels_csv(path: &Path, rows: impl LabelRows) -> Result<(), DataError> {
    let failed = |cause| DataError::write(path, cause);
    let mut writer = csv::Writer::from_writer(Draft::new(path).map_err(failed)?);
    let mut write = |line: [String; 11]| writer.write_record(line).map_err(|error| failed(error.into()));
    write(LABEL_COLUMNS.map(str::to_string))?;
    for row in rows {
        write(line(row?))?;
    }
    writer.into_inner().map_err(|error| error.into_error()).and_then(Draft::keep).map_err(failed)
}

/// The columns of a label file.
pub(crate) const LABEL_COLUMNS: [&str; 11] = [
    "key",
    "place",
    "class",
    "class_name",
    "confidence",
    "distribution",
    "round",
    "model",
    "selected",
    "copies",
    "import",
];

/// The label of a line of a list. In a label file it counts where it was selected.
pub(crate) fn counting<'a>(label: &'a str, selected: Option<&str>) -> Option<&'a str> {
    Some(label).filter(|label| !label.is_empty() && selected.is_none_or(|selected| selected == "true"))
}

fn line(row: LabelRow) -> [String; 11] {
    let distribution: Vec<String> = row.distribution.iter().map(f32::to_string).collect();
    [
        row.key.to_string(),
        row.place,
        row.class.to_string(),
        row.class_name,
        row.confidence.to_string(),
        distribution.join(" "),
        row.round.to_string(),
        row.model,
        row.selected.to_string(),
        row.copies.to_string(),
        row.import.map(|import| import.to_string()).unwrap_or_default(),
    ]
}
