//! Parquet files with a column of images: plain bytes, or, as Hugging Face has them, a struct of `bytes` and `path`.
//!
//! A shard is a file: row groups are read one after the other, a page at a time, so that a large file needs no more
//! memory than a small one. A label is a number (-1, where Hugging Face has none), perhaps a float without a fraction,
//! or a name.

use std::fs::File;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use ::parquet::file::reader::ChunkReader;
use ::parquet::schema::types::SchemaDescriptor;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
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
        Ok(Rows {
            reader,
            faults,
            place: place.to_string(),
            columns,
            keys: *keys,
            batch: None,
            number: 0,
            failed: false,
        })
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
        match (label, schema.column_with_name(label.unwrap_or("label"))) {
            (_, Some((at, field))) if has_labels(field) => {
                Ok(Columns { image: found, label: Some((at, field.name().clone())) })
            }
            (Some(name), other) => Err(no_labels(place, name, other.map(|(_, field)| field))),
            (None, _) => Ok(Columns { image: found, label: None }),
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

    /// The label of a row, if it has one that can be read.
    pub(crate) fn label(&self, batch: &RecordBatch, row: usize) -> Option<Label> {
        label_of(batch.column_by_name(&self.label.as_ref()?.1)?, row)
    }
}

fn no_column(place: &str, images: &[Column], wanted: Option<&str>) -> DataError {
    let names: Vec<&str> = images.iter().map(|column| column.1.as_str()).collect();
    let names = if names.is_empty() { "none".to_string() } else { names.join(", ") };
    let (expected, help) = match wanted {
        Some(name) => (format!("a column `{name}` of bytes, or of a struct with `bytes`"), "see how it is spelt"),
        None => (
            "one, or one that is named `image`".to_string(),
            "write the file again with the column of images named `image`, or without the others",
        ),
    };
    let found = format!("columns that may have images: {names}");
    DataError::Schema { place: place.to_string(), found, expected, help }
}

fn no_labels(place: &str, name: &str, column: Option<&Field>) -> DataError {
    let (found, help) = match column {
        None => (format!("no column `{name}`"), "see how it is spelt"),
        Some(field) => (format!("the column `{name}` of type {}", field.data_type()), "name another column"),
    };
    let (place, expected) = (place.to_string(), "that column, of labels that are numbers or names".to_string());
    DataError::Schema { place, found, expected, help }
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
        let fault = || {
            let (found, expected) = ("no image".to_string(), "an image in each row".to_string());
            malformed(place.clone(), found, expected, "write the file again without the row")
        };
        let image = self.columns.image(batch, row).ok_or_else(fault);
        let (payload, label) = (image.map(|image| Payload::Encoded(image.to_vec())), self.columns.label(batch, row));
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

fn label_of(column: &dyn Array, row: usize) -> Option<Label> {
    match column.data_type() {
        _ if column.is_null(row) => None,
        DataType::Utf8 => Label::of_name(column.as_string_opt::<i32>()?.value(row)),
        DataType::Int8 => index::<Int8Type>(column, row),
        DataType::Int16 => index::<Int16Type>(column, row),
        DataType::Int32 => index::<Int32Type>(column, row),
        DataType::Int64 => index::<Int64Type>(column, row),
        DataType::UInt8 => index::<UInt8Type>(column, row),
        DataType::UInt16 => index::<UInt16Type>(column, row),
        DataType::UInt32 => index::<UInt32Type>(column, row),
        DataType::UInt64 => index::<UInt64Type>(column, row),
        DataType::Float16 => Label::of_float(column.as_primitive_opt::<Float16Type>()?.value(row).into()),
        DataType::Float32 => Label::of_float(column.as_primitive_opt::<Float32Type>()?.value(row).into()),
        DataType::Float64 => Label::of_float(column.as_primitive_opt::<Float64Type>()?.value(row)),
        _ => None,
    }
}

fn has_labels(field: &Field) -> bool {
    let kind = field.data_type();
    kind.is_integer() || kind.is_floating() || matches!(kind, DataType::Utf8 | DataType::Null)
}

fn index<T: ArrowPrimitiveType>(column: &dyn Array, row: usize) -> Option<Label>
where
    T::Native: TryInto<u32>,
{
    Label::of_integer(column.as_primitive_opt::<T>()?.value(row))
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
