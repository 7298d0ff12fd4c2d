//! Parquet files of one record batch after another. The same rows make the same bytes.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, UInt32Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, RecordBatch, RecordBatchReader, StringArray};
use arrow_schema::{ArrowError, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::properties::WriterProperties;

use crate::file::Draft;
use crate::{DataError, Key};

/// Rows that are turned into columns at a time.
const BATCH: usize = 8192;

/// Writes rows as a Parquet file (zstd), whole or not at all. `columns` turns rows into one array per field of
/// `schema`. A row is forgotten once it is written.
pub(crate) fn write_rows<R>(
    path: &Path,
    schema: Schema,
    rows: impl IntoIterator<Item = Result<R, DataError>>,
    columns: impl Fn(&[R]) -> Vec<ArrayRef>,
) -> Result<(), DataError> {
    let schema = Arc::new(schema);
    let failed = |error: ParquetError| DataError::write(path, into_io(error));
    let compression = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let draft = Draft::new(path).map_err(|cause| DataError::write(path, cause))?;
    let mut writer = ArrowWriter::try_new(draft, Arc::clone(&schema), Some(properties)).map_err(failed)?;
    let mut rows = rows.into_iter();
    loop {
        let some = rows.by_ref().take(BATCH).collect::<Result<Vec<R>, DataError>>()?;
        if some.is_empty() {
            break;
        }
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns(&some)).map_err(ParquetError::from);
        batch.and_then(|batch| writer.write(&batch)).map_err(failed)?;
    }
    let draft = writer.into_inner().map_err(failed)?;
    draft.keep().map_err(|cause| DataError::write(path, cause))
}

/// What the operating system said, if it was the operating system.
fn into_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        other => io::Error::other(other),
    }
}

/// Reads the rows of a Parquet file. `rows` takes them out of a batch of columns.
pub(crate) fn read_rows<R>(
    path: &Path,
    what: &'static str,
    rows: impl Fn(&Columns) -> Result<Vec<R>, DataError>,
) -> Result<Vec<R>, DataError> {
    let file = File::open(path).map_err(|cause| DataError::read(path, what, cause))?;
    let broken = |reason: String| malformed(path, reason, "a Parquet file that Millstream wrote");
    let builder = ParquetRecordBatchReaderBuilder::try_new(file);
    let reader = builder.and_then(|builder| sound(builder.metadata()).and_then(|()| builder.build()));
    let reader = reader.map_err(|error| broken(error.to_string()))?;
    // A file without rows must have the right columns too.
    let none = RecordBatch::new_empty(reader.schema());
    let mut all = rows(&Columns::new(path, none))?;
    for batch in reader {
        let batch = batch.map_err(|error: ArrowError| broken(error.to_string()))?;
        all.extend(rows(&Columns::new(path, batch))?);
    }
    Ok(all)
}

/// Refuses what the library would panic at: where the end of a file says that a column begins before the file, or has fewer
/// than no bytes.
pub(crate) fn sound(metadata: &ParquetMetaData) -> Result<(), ParquetError> {
    let mut columns = metadata.row_groups().iter().flat_map(|group| group.columns());
    let negative = |column: &ColumnChunkMetaData| {
        let start = column.dictionary_page_offset().unwrap_or_default();
        start < 0 || column.data_page_offset() < 0 || column.compressed_size() < 0
    };
    match columns.find(|column| negative(column)) {
        Some(column) => Err(ParquetError::General(format!("column {} begins before the file", column.column_path()))),
        None => Ok(()),
    }
}

/// Columns of a file, by name.
pub(crate) struct Columns<'a> {
    path: &'a Path,
    batch: RecordBatch,
}

impl<'p> Columns<'p> {
    pub(crate) fn new(path: &'p Path, batch: RecordBatch) -> Self {
        Columns { path, batch }
    }

    pub(crate) fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// The column of that name, as `cast` sees it.
    pub(crate) fn column<'a, A>(
        &'a self,
        name: &str,
        kind: &str,
        cast: impl FnOnce(&'a dyn Array) -> Option<&'a A>,
    ) -> Result<&'a A, DataError> {
        let column = self.batch.column_by_name(name).and_then(|column| cast(column.as_ref()));
        column.ok_or_else(|| self.wrong(format!("no column `{name}` of {kind}")))
    }

    pub(crate) fn strings(&self, name: &str) -> Result<&StringArray, DataError> {
        self.column(name, "text", |column| column.as_string_opt::<i32>())
    }

    pub(crate) fn numbers<T: ArrowPrimitiveType>(&self, name: &str) -> Result<&PrimitiveArray<T>, DataError> {
        self.column(name, "numbers", |column| column.as_primitive_opt::<T>())
    }

    pub(crate) fn u32s(&self, name: &str) -> Result<&PrimitiveArray<UInt32Type>, DataError> {
        self.numbers(name)
    }

    /// The column `key`.
    pub(crate) fn keys(&self) -> Result<Vec<Key>, DataError> {
        let texts = self.strings("key")?;
        let keys = (0..self.len()).map(|row| texts.value(row).parse::<Key>());
        keys.map(|key| key.map_err(|error| self.wrong(error.to_string()))).collect()
    }

    pub(crate) fn wrong(&self, found: String) -> DataError {
        malformed(self.path, found, "the columns that Millstream writes")
    }
}

fn malformed(path: &Path, found: String, expected: &str) -> DataError {
    DataError::Malformed {
        place: path.display().to_string(),
        found,
        expected: expected.to_string(),
        help: "the file is damaged or of another kind: write it again",
    }
}
