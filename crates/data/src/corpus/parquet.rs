//! Parquet files with a column of images: plain bytes, or, as Hugging Face has them, a struct of `bytes` and `path`.
//!
//! A shard is a file: row groups are read one after the other, a page at a time, so that a large file needs no more memory
//! than a small one. A label is a number (-1, where Hugging Face has none) or a name.

use std::fs::File;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use ::parquet::file::reader::ChunkReader;
use ::parquet::schema::types::SchemaDescriptor;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

use super::inputs::Inputs;
use super::{Content, Corpus, Item, Items, Label, Options, Shard, Shards, key_of};
use crate::store::Location;
use crate::store::blocks::Blocks;
use crate::store::watched::{Faults, Watched};
use crate::{DataError, KeyKind, Payload};

/// What Parquet files are called.
pub(crate) const ENDINGS: [&str; 1] = [".parquet"];
/// Rows that are taken out of a page at a time.
const ROWS: usize = 16;

#[derive(Debug)]
pub(super) struct Files {
    inputs: Inputs,
    options: Options,
}

impl Files {
    pub(super) fn open(places: Vec<String>, options: Options) -> Self {
        Files { inputs: Inputs { store: options.store.clone(), places, endings: &ENDINGS }, options }
    }

    /// The rows of a file. Where the disk or the network fails the error says so, not that the file is damaged.
    pub(super) fn rows<T: ChunkReader + 'static>(&self, location: &Location, file: T) -> Result<Rows, DataError> {
        let file = Watched::new(location, file);
        let faults = file.faults();
        self.watched(&location.to_string(), file).map_err(|error| faults.or(error))
    }

    fn watched<T: ChunkReader + 'static>(&self, place: &str, file: Watched<T>) -> Result<Rows, DataError> {
        let faults = file.faults();
        let metadata = metadata(place, &file)?;
        let Options { image_column, label_column, keys, .. } = &self.options;
        let columns = Columns::find(place, metadata.schema(), image_column.as_deref(), label_column.as_deref())?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        let mask = columns.both(builder.parquet_schema());
        let reader = builder.with_projection(mask).with_batch_size(ROWS).build();
        let reader = reader.map_err(|error| broken(place, &error))?;
        Ok(Rows { reader, faults, place: place.to_string(), columns, keys: *keys, batch: None, number: 0, failed: false })
    }
}

/// What the end of a file says of the rest. Types are as Parquet has them, not as the writer had them: large and
/// dictionary-coded columns look like others.
pub(crate) fn metadata(place: &str, file: &impl ChunkReader) -> Result<ArrowReaderMetadata, DataError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(file, options);
    let sound = |metadata: ArrowReaderMetadata| crate::parquet_file::sound(metadata.metadata()).map(|()| metadata);
    metadata.and_then(sound).map_err(|error| broken(place, &error))
}

/// Which columns have images and labels: position and name.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    image: Column,
    label: Option<Column>,
}

impl Columns {
    /// The columns of these names; without, those that can be them.
    pub(crate) fn find(
        place: &str,
        schema: &Schema,
        image: Option<&str>,
        label: Option<&str>,
    ) -> Result<Self, DataError> {
        let fields = schema.fields().iter().enumerate().filter(|(_, field)| has_images(field));
        let images: Vec<Column> = fields.map(|(at, field)| (at, field.name().clone())).collect();
        let named = |name: &str| images.iter().find(|column| column.1 == name).cloned();
        let found = match (image, images.as_slice()) {
            (Some(name), _) => named(name),
            (None, [only]) => Some(only.clone()),
            (None, _) => named("image"),
        };
        let Some(found) = found else {
            return Err(no_column(place, &images, image));
        };
        let labels = schema.column_with_name(label.unwrap_or("label")).map(|(at, field)| (at, field.name().clone()));
        match (label, labels) {
            (Some(name), None) => {
                let found = format!("no column `{name}`");
                Err(malformed(place.to_string(), found, "that column of labels".to_string(), "see how it is spelt"))
            }
            (_, label) => Ok(Columns { image: found, label }),
        }
    }

    /// The columns of images and labels.
    pub(crate) fn both(&self, schema: &SchemaDescriptor) -> ProjectionMask {
        let label = self.label.as_ref().map(|label| label.0);
        ProjectionMask::roots(schema, [Some(self.image.0), label].into_iter().flatten())
    }

    /// The column of labels, or none.
    pub(crate) fn labels(&self, schema: &SchemaDescriptor) -> ProjectionMask {
        ProjectionMask::roots(schema, self.label.iter().map(|label| label.0))
    }

    /// The image of a row of a batch that has the column.
    pub(crate) fn image<'a>(&self, batch: &'a RecordBatch, row: usize) -> Option<&'a [u8]> {
        bytes(batch.column_by_name(&self.image.1)?, row)
    }

    /// The label of a row, or what is wrong with it.
    pub(crate) fn label(&self, batch: &RecordBatch, row: usize) -> Result<Option<Label>, String> {
        let column = self.label.as_ref().and_then(|label| batch.column_by_name(&label.1));
        column.map_or(Ok(None), |column| label_of(column, row))
    }
}

fn no_column(place: &str, images: &[Column], wanted: Option<&str>) -> DataError {
    let names: Vec<&str> = images.iter().map(|column| column.1.as_str()).collect();
    let names = if names.is_empty() { "none".to_string() } else { names.join(", ") };
    let expected = match wanted {
        Some(name) => format!("a column `{name}` of bytes, or of a struct with `bytes`"),
        None => "one, or one that is named `image`".to_string(),
    };
    let found = format!("columns that may have images: {names}");
    malformed(place.to_string(), found, expected, "name the column that has the images")
}

type Column = (usize, String);

fn has_images(field: &Field) -> bool {
    match field.data_type() {
        DataType::Binary => true,
        DataType::Struct(fields) => fields.iter().any(|f| f.name() == "bytes" && *f.data_type() == DataType::Binary),
        _ => false,
    }
}

impl Corpus for Files {
    fn shards(&self) -> Shards<'_> {
        self.inputs.shards()
    }

    fn read(&self, shard: &Shard) -> Result<Items, DataError> {
        let Content::File(location) = &shard.content else {
            return Err(super::foreign(shard));
        };
        let store = &self.inputs.store;
        let object = store.head(location)?;
        let rows = match location {
            Location::Local(path) => {
                let file = File::open(path).map_err(|cause| DataError::read(path, "Parquet file", cause))?;
                self.rows(location, file)?
            }
            Location::Remote { .. } => self.rows(location, Blocks::new(store.clone(), object))?,
        };
        Ok(Box::new(rows.fuse()))
    }
}

/// The rows of a file. After an error there is nothing more.
pub(super) struct Rows {
    reader: ParquetRecordBatchReader,
    faults: Faults,
    place: String,
    columns: Columns,
    keys: KeyKind,
    /// Rows at hand, and which of them is the next.
    batch: Option<(RecordBatch, usize)>,
    /// The number of the next row in the file.
    number: u64,
    failed: bool,
}

impl Iterator for Rows {
    type Item = Result<Item, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((batch, row)) = self.batch.take()
                && row < batch.num_rows()
            {
                let item = self.item(&batch, row);
                self.number += 1;
                self.batch = Some((batch, row + 1));
                return Some(Ok(item));
            }
            if self.failed {
                return None;
            }
            match self.reader.next()? {
                Ok(batch) => self.batch = Some((batch, 0)),
                Err(error) => {
                    // The library would say the same again and again.
                    self.failed = true;
                    let place = format!("{}[{}]", self.place, self.number);
                    return Some(Err(self.faults.or(broken(&place, &error))));
                }
            }
        }
    }
}

impl Rows {
    fn item(&self, batch: &RecordBatch, row: usize) -> Item {
        let place = format!("{}[{}]", self.place, self.number);
        let fault = |found: String| {
            let expected = "an image in each row, and a label that is a number or a name".to_string();
            malformed(place.clone(), found, expected, "write the file again without the row")
        };
        let (image, label) = (self.columns.image(batch, row), self.columns.label(batch, row));
        let (payload, label) = match (image, label) {
            (None, label) => (Err(fault("no image".to_string())), label.ok().flatten()),
            (Some(_), Err(found)) => (Err(fault(found)), None),
            (Some(image), Ok(label)) => (Ok(Payload::Encoded(image.to_vec())), label),
        };
        Item { key: key_of(self.keys, &payload, &self.place, self.number), place, label, payload }
    }
}

fn bytes(column: &dyn Array, row: usize) -> Option<&[u8]> {
    let plain = match column.as_struct_opt() {
        Some(fields) if fields.is_null(row) => return None,
        Some(fields) => fields.column_by_name("bytes")?.as_binary_opt::<i32>()?,
        None => column.as_binary_opt::<i32>()?,
    };
    plain.is_valid(row).then(|| plain.value(row))
}

fn label_of(column: &dyn Array, row: usize) -> Result<Option<Label>, String> {
    if column.is_null(row) {
        return Ok(None);
    }
    match column.data_type() {
        DataType::Utf8 => Ok(column.as_string_opt::<i32>().map(|texts| Label::Name(texts.value(row).to_string()))),
        DataType::Int8 => index::<Int8Type>(column, row),
        DataType::Int16 => index::<Int16Type>(column, row),
        DataType::Int32 => index::<Int32Type>(column, row),
        DataType::Int64 => index::<Int64Type>(column, row),
        DataType::UInt8 => index::<UInt8Type>(column, row),
        DataType::UInt16 => index::<UInt16Type>(column, row),
        DataType::UInt32 => index::<UInt32Type>(column, row),
        DataType::UInt64 => index::<UInt64Type>(column, row),
        other => Err(format!("a label of type {other}")),
    }
}

fn index<T: ArrowPrimitiveType>(column: &dyn Array, row: usize) -> Result<Option<Label>, String>
where
    T::Native: TryInto<i64>,
{
    let number = column.as_primitive_opt::<T>().and_then(|numbers| numbers.value(row).try_into().ok());
    match number {
        Some(-1) => Ok(None),
        Some(number) if u32::try_from(number).is_ok() => Ok(u32::try_from(number).ok().map(Label::Index)),
        _ => Err("a label that is no number from 0 to 4294967295".to_string()),
    }
}

pub(crate) fn broken(place: &str, error: &(impl std::error::Error + 'static)) -> DataError {
    let expected = "a whole Parquet file".to_string();
    malformed(
        place.to_string(),
        error.to_string(),
        expected,
        "see that it can be reached and is whole; rows from there on are lost",
    )
}

pub(crate) fn malformed(place: String, found: String, expected: String, help: &'static str) -> DataError {
    DataError::Malformed { place, found, expected, help }
}
