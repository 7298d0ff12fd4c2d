//! Answers as Parquet.

use std::fs::File;
use std::iter::FusedIterator;
use std::path::Path;
use std::sync::Arc;
use std::vec::IntoIter;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use ::parquet::file::reader::ChunkReader;
use ::parquet::schema::types::ColumnPath;
use arrow_array::builder::{FixedSizeListBuilder, Float16Builder, ListBuilder, PrimitiveBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float16Type, Float32Type, Int32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, FixedSizeListArray, Float32Array, Int32Array, ListArray, RecordBatch,
    StringArray, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use half::f16;

use super::{Answer, AnswerSet, Failure, Line, Summary};
use crate::parquet_file::{Columns, sound};
use crate::store::blocks::Blocks;
use crate::store::watched::{Faults, Watched};
use crate::store::{Location, Store};
use crate::{DataError, Fingerprint, Key, KeyError, Stage};

/// Where a file's metadata has the set.
const SET: &str = "millstream.answers";
/// Rows that are turned into columns and back at a time.
const BATCH: usize = 1024;
/// Rows of a row group: few enough to hold, enough to scan.
const GROUP_ROWS: usize = 1 << 16;
/// Bytes of a row group, where distributions or embeddings are long.
const GROUP_BYTES: usize = 64 << 20;

pub(super) fn encode(set: &AnswerSet, answers: &[Answer]) -> Result<Vec<u8>, DataError> {
    let failed = |error: ParquetError| super::wrong("answers", error.to_string(), "answers that fit".to_string());
    let schema = schema(set);
    let properties = properties(set).map_err(failed)?;
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties)).map_err(failed)?;
    for answers in answers.chunks(BATCH) {
        let lines = answers.iter().map(|answer| Line::new(set, answer)).collect::<Result<Vec<_>, _>>()?;
        let batch = columns(set, &lines).and_then(|columns| Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?));
        writer.write(&batch.map_err(failed)?).map_err(failed)?;
    }
    writer.into_inner().map_err(failed)
}

fn properties(set: &AnswerSet) -> Result<WriterProperties, ParquetError> {
    let settings = serde_json::to_string(set).map_err(|error| ParquetError::External(Box::new(error)))?;
    let plain = |builder: WriterPropertiesBuilder, name: &str| {
        // A column without two equal values: a dictionary of it is only in the way.
        builder.set_column_dictionary_enabled(ColumnPath::from(name), false)
    };
    let builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .set_key_value_metadata(Some(vec![KeyValue::new(SET.to_string(), settings)]));
    Ok(["key", "place", "confidence", "margin", "entropy", "content", "phash"].into_iter().fold(builder, plain).build())
}

fn schema(set: &AnswerSet) -> SchemaRef {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let list = |kind: DataType| DataType::List(Arc::new(Field::new_list_field(kind, false)));
    let mut fields = vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("place", DataType::Utf8, false),
        Field::new("label", DataType::Utf8, true),
        Field::new("class", dictionary, true),
        Field::new("class_index", DataType::Int32, true),
        Field::new("confidence", DataType::Float32, true),
        Field::new("top_classes", list(DataType::Int32), true),
        Field::new("top_probabilities", list(DataType::Float32), true),
        Field::new("margin", DataType::Float32, true),
        Field::new("entropy", DataType::Float32, true),
    ];
    let halves = |name: &str, length| Field::new(name, DataType::FixedSizeList(Arc::new(half()), length), true);
    fields.extend(set.distribution.then(|| halves("distribution", set.classes.len() as i32)));
    fields.extend(set.embedding.map(|length| halves("embedding", length as i32)));
    let prints = [("content", DataType::Utf8), ("phash", DataType::UInt64)];
    fields.extend(prints.into_iter().filter(|_| set.fingerprint).map(|(name, kind)| Field::new(name, kind, true)));
    fields.extend([
        Field::new("model", DataType::Utf8, false),
        Field::new("error_stage", DataType::Utf8, true),
        Field::new("error", DataType::Utf8, true),
    ]);
    Arc::new(Schema::new(fields))
}

fn half() -> Field {
    Field::new_list_field(DataType::Float16, false)
}

fn columns(set: &AnswerSet, lines: &[Line<'_>]) -> Result<Vec<ArrayRef>, ParquetError> {
    let text = |value: &dyn Fn(&Line<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(lines.iter().map(value).collect::<StringArray>())
    };
    let float = |value: fn(&Summary) -> Option<f32>| -> ArrayRef {
        Arc::new(lines.iter().map(|line| line.summary().and_then(value)).collect::<Float32Array>())
    };
    let classes: Int32Array = lines.iter().map(|line| line.summary().map(|summary| summary.class() as i32)).collect();
    let names = StringArray::from_iter_values(&set.classes);
    let mut columns: Vec<ArrayRef> = vec![
        text(&|line| Some(line.answer.key.to_string())),
        text(&|line| Some(line.answer.place.clone())),
        text(&|line| line.answer.label.clone()),
        Arc::new(DictionaryArray::try_new(classes.clone(), Arc::new(names))?),
        Arc::new(classes),
        float(|summary| Some(summary.confidence())),
        lists::<Int32Type>(lines, |(class, _)| class as i32),
        lists::<Float32Type>(lines, |(_, probability)| probability),
        float(|summary| summary.margin),
        float(|summary| summary.entropy),
    ];
    let length = set.classes.len();
    columns.extend(set.distribution.then(|| halves(lines.iter().map(|line| line.distribution(set)), length)));
    columns.extend(set.embedding.map(|length| halves(lines.iter().map(|line| line.embedding(set)), length)));
    if set.fingerprint {
        columns.push(text(&|line| line.fingerprint(set).map(|print| print.content.to_string())));
        let looks = lines.iter().map(|line| line.fingerprint(set).map(|print| print.perceptual));
        columns.push(Arc::new(looks.collect::<UInt64Array>()));
    }
    columns.push(text(&|_| Some(set.model.clone())));
    columns.push(text(&|line| line.failure().map(|failure| failure.stage.name().to_string())));
    columns.push(text(&|line| line.failure().map(|failure| failure.reason.clone())));
    Ok(columns)
}

/// A list for each line of what `of` takes of its likeliest classes.
fn lists<T: ArrowPrimitiveType>(lines: &[Line<'_>], of: fn((u32, f32)) -> T::Native) -> ArrayRef {
    let field = Field::new_list_field(T::DATA_TYPE, false);
    let mut lists = ListBuilder::new(PrimitiveBuilder::<T>::new()).with_field(field);
    for line in lines {
        let top = line.summary().map(|summary| summary.top.as_slice());
        top.unwrap_or_default().iter().for_each(|likely| lists.values().append_value(of(*likely)));
        lists.append(top.is_some());
    }
    Arc::new(lists.finish())
}

fn halves<'a>(rows: impl Iterator<Item = Option<&'a [f32]>>, length: usize) -> ArrayRef {
    let mut lists = FixedSizeListBuilder::new(Float16Builder::new(), length as i32).with_field(half());
    for row in rows {
        // A list of fixed size has room for its numbers where it is null, too.
        let numbers = row.map_or_else(|| vec![f16::ZERO; length], |row| row.iter().map(|x| half_of(*x)).collect());
        lists.values().append_slice(&numbers);
        lists.append(row.is_some());
    }
    Arc::new(lists.finish())
}

/// The nearest 16-bit float; infinity would spoil every sum that it is in.
fn half_of(number: f32) -> f16 {
    f16::from_f32(number.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()))
}

/// A row of a file of answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The record.
    pub key: Key,
    /// Where it lies.
    pub place: String,
    /// What the corpus said it is.
    pub label: Option<String>,
    /// What identifies its image, where the set has fingerprints and the image could be decoded.
    pub fingerprint: Option<Fingerprint>,
    /// What the model said, or why it was not asked.
    pub said: Result<Told, Failure>,
}

/// What a file has of what a model said.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The likeliest classes, each one of the set, and what else is told.
    pub summary: Summary,
    /// The probability of each class, as 16-bit floats have it, where the set has distributions.
    pub distribution: Option<Vec<f32>>,
    /// The embedding, as 16-bit floats have it, where the set has them.
    pub embedding: Option<Vec<f32>>,
}

/// Reads a Parquet file that [`super::encode`] made, row by row: no more than a row group is held, and none of it but what is
/// being read.
///
/// # Errors
/// [`DataError::Missing`], [`DataError::Read`], [`DataError::Store`], or [`DataError::Malformed`] for any other file.
pub fn decode(store: &Store, location: &Location) -> Result<Rows, DataError> {
    match location {
        Location::Local(path) => {
            let file = File::open(path).map_err(|cause| DataError::read(path, "file of answers", cause))?;
            Rows::open(location, file)
        }
        Location::Remote { .. } => Rows::open(location, Blocks::new(store.clone(), store.head(location)?)),
    }
}

/// The rows of a file in their order. After an error there is nothing more.
pub struct Rows {
    reader: ParquetRecordBatchReader,
    faults: Faults,
    place: String,
    set: AnswerSet,
    at_hand: IntoIter<Row>,
    failed: bool,
}

impl Rows {
    fn open<T: ChunkReader + 'static>(location: &Location, file: T) -> Result<Self, DataError> {
        let file = Watched::new(location, file);
        let faults = file.faults();
        Rows::watched(location.to_string(), file).map_err(|error| faults.or(error))
    }

    fn watched<T: ChunkReader + 'static>(place: String, file: Watched<T>) -> Result<Self, DataError> {
        let faults = file.faults();
        let failed = |error: ParquetError| crate::corpus::parquet::broken(&place, &error);
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
        sound(builder.metadata()).map_err(failed)?;
        let none = RecordBatch::new_empty(Arc::clone(builder.schema()));
        let columns = Columns::new(Path::new(&place), none);
        let metadata = builder.metadata().file_metadata().key_value_metadata();
        let settings =
            metadata.into_iter().flatten().find(|pair| pair.key == SET).and_then(|pair| pair.value.as_deref());
        let settings = settings.ok_or_else(|| columns.wrong(format!("no `{SET}` in its metadata")))?;
        let set: AnswerSet = serde_json::from_str(settings)
            .map_err(|error| columns.wrong(format!("`{SET}` in its metadata of another form ({error})")))?;
        // A file without rows must have the right columns too.
        rows(&set, &columns)?;
        let reader = builder.with_batch_size(BATCH).build().map_err(failed)?;
        Ok(Rows { reader, faults, place, set, at_hand: Vec::new().into_iter(), failed: false })
    }

    /// What the answers have in common.
    pub fn set(&self) -> &AnswerSet {
        &self.set
    }

    fn batch(&mut self) -> Option<Result<Vec<Row>, DataError>> {
        let broken = |error| self.faults.or(crate::corpus::parquet::broken(&self.place, &error));
        let batch = self.reader.next()?.map_err(broken);
        Some(batch.and_then(|batch| rows(&self.set, &Columns::new(Path::new(&self.place), batch))))
    }
}

impl Iterator for Rows {
    type Item = Result<Row, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.at_hand.next() {
                return Some(Ok(row));
            }
            if self.failed {
                return None;
            }
            match self.batch()? {
                Ok(rows) => self.at_hand = rows.into_iter(),
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl FusedIterator for Rows {}

fn rows(set: &AnswerSet, columns: &Columns<'_>) -> Result<Vec<Row>, DataError> {
    let told = Tellings::find(set, columns)?;
    let (places, labels) = (columns.strings("place")?, columns.strings("label")?);
    let (stages, reasons) = (columns.strings("error_stage")?, columns.strings("error")?);
    let prints = set.fingerprint.then(|| Prints::find(columns)).transpose()?;
    let row = |(row, key)| {
        let failure = stages.is_valid(row).then(|| {
            let stage = Stage::of_name(stages.value(row));
            let stage = stage.ok_or_else(|| columns.wrong(format!("the stage `{}`", stages.value(row))))?;
            Ok(Failure { stage, reason: reasons.value(row).to_string() })
        });
        let said = match failure.transpose()? {
            Some(failure) => Err(failure),
            None => Ok(told.row(row).ok_or_else(|| columns.wrong(format!("no class of the set for {key}")))?),
        };
        let label = labels.is_valid(row).then(|| labels.value(row).to_string());
        let fingerprint = prints.as_ref().map(|prints| prints.row(row)).transpose()?.flatten();
        Ok(Row { key, place: places.value(row).to_string(), label, fingerprint, said })
    };
    columns.keys()?.into_iter().enumerate().map(row).collect()
}

/// The columns of the fingerprints.
struct Prints<'a> {
    columns: &'a Columns<'a>,
    contents: &'a StringArray,
    looks: &'a UInt64Array,
}

impl<'a> Prints<'a> {
    fn find(columns: &'a Columns<'_>) -> Result<Self, DataError> {
        let (contents, looks) = (columns.strings("content")?, columns.numbers::<UInt64Type>("phash")?);
        Ok(Prints { columns, contents, looks })
    }

    /// The fingerprint of a row; none where one of the two is null.
    fn row(&self, row: usize) -> Result<Option<Fingerprint>, DataError> {
        if self.contents.is_null(row) || self.looks.is_null(row) {
            return Ok(None);
        }
        let content =
            self.contents.value(row).parse().map_err(|error: KeyError| self.columns.wrong(error.to_string()))?;
        Ok(Some(Fingerprint { content, perceptual: self.looks.value(row) }))
    }
}

/// The columns that are null where there is no answer.
struct Tellings<'a> {
    classes: usize,
    top_classes: &'a ListArray,
    top_probabilities: &'a ListArray,
    margins: &'a Float32Array,
    entropies: &'a Float32Array,
    distributions: Option<&'a FixedSizeListArray>,
    embeddings: Option<&'a FixedSizeListArray>,
}

impl<'a> Tellings<'a> {
    fn find(set: &AnswerSet, columns: &'a Columns<'_>) -> Result<Self, DataError> {
        let list = |name: &str| columns.column(name, "lists", |column| column.as_list_opt::<i32>());
        Ok(Tellings {
            classes: set.classes.len(),
            top_classes: list("top_classes")?,
            top_probabilities: list("top_probabilities")?,
            margins: columns.numbers::<Float32Type>("margin")?,
            entropies: columns.numbers::<Float32Type>("entropy")?,
            distributions: set.distribution.then(|| fixed(columns, "distribution", set.classes.len())).transpose()?,
            embeddings: set.embedding.map(|length| fixed(columns, "embedding", length)).transpose()?,
        })
    }

    /// What a row tells; none where that is not of the set.
    fn row(&self, row: usize) -> Option<Told> {
        let (classes, probabilities) = (self.top_classes.value(row), self.top_probabilities.value(row));
        let classes = classes.as_primitive_opt::<Int32Type>()?.values();
        let probabilities = probabilities.as_primitive_opt::<Float32Type>()?.values();
        let known = |class: &i32| u32::try_from(*class).ok().filter(|class| (*class as usize) < self.classes);
        let classes: Option<Vec<u32>> = classes.iter().map(known).collect();
        let top: Vec<(u32, f32)> = classes?.into_iter().zip(probabilities.iter().copied()).collect();
        if top.is_empty() {
            return None;
        }
        let number = |column: &Float32Array| column.is_valid(row).then(|| column.value(row));
        let summary = Summary { top, margin: number(self.margins), entropy: number(self.entropies) };
        let distribution = self.distributions.map(|lists| floats(lists, row));
        let embedding = self.embeddings.map(|lists| floats(lists, row));
        Some(Told { summary, distribution, embedding })
    }
}

/// The column of that name, of `length` 16-bit floats a row.
fn fixed<'a>(columns: &'a Columns<'_>, name: &str, length: usize) -> Result<&'a FixedSizeListArray, DataError> {
    let of_halves = |lists: &&FixedSizeListArray| {
        lists.value_type() == DataType::Float16 && lists.value_length() as usize == length
    };
    let kind = format!("lists of {length} 16-bit floats");
    columns.column(name, &kind, |column| column.as_fixed_size_list_opt().filter(of_halves))
}

/// The numbers of a column that [`fixed`] found.
fn floats(lists: &FixedSizeListArray, row: usize) -> Vec<f32> {
    let numbers = lists.value(row);
    let numbers = numbers.as_primitive_opt::<Float16Type>().map(|numbers| numbers.values().as_ref());
    numbers.unwrap_or_default().iter().map(|number| number.to_f32()).collect()
}
