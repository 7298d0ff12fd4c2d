//! Parquet files on this machine, of which any row can be read.
//!
//! Opening reads the ends of all files and their labels; where keys are made of content, the images too.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use ::parquet::schema::types::SchemaDescriptor;
use arrow_array::RecordBatch;

use super::labels::classes;
use super::{KeyKind, Source, fingerprint, local_files, place_of};
use crate::corpus::Label;
use crate::corpus::parquet::{Columns, ENDINGS, broken, malformed, metadata};
use crate::manifest::no_such_record;
use crate::{DataError, Key, Payload, Record, hash_file};

/// Rows that are looked at together when a file is opened.
const ROWS: usize = 64;

/// Files, and which rows of them are records.
#[derive(Debug)]
pub(super) struct Files {
    files: Vec<OneFile>,
    records: Vec<Record>,
    classes: Vec<String>,
    fingerprint: OnceLock<[u8; 32]>,
}

#[derive(Debug)]
struct OneFile {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    columns: Columns,
    /// The index of its first row among all records.
    first: usize,
}

impl Files {
    pub(super) fn open(
        path: &Path,
        image: Option<&str>,
        label: Option<&str>,
        kind: KeyKind,
    ) -> Result<Self, DataError> {
        let (mut files, mut keys, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for path in local_files(path, &ENDINGS)? {
            let file = OneFile::open(path, image, label, keys.len())?;
            file.index(kind, &mut keys, &mut labels)?;
            files.push(file);
        }
        if keys.is_empty() {
            let help = "give Parquet files that have rows";
            return Err(DataError::Empty { path: path.to_path_buf(), what: "row", help });
        }
        let (labels, classes) = classes(&labels, |index| place(&files, index))?;
        let records = keys.into_iter().zip(labels).map(|(key, label)| Record { key, label }).collect();
        Ok(Files { files, records, classes, fingerprint: OnceLock::new() })
    }
}

/// The file that a record is in, and its row there.
fn find(files: &[OneFile], index: usize) -> Option<(&OneFile, usize)> {
    let after = files.partition_point(|file| file.first <= index);
    let file = files.get(after.checked_sub(1)?)?;
    Some((file, index - file.first))
}

fn place(files: &[OneFile], index: usize) -> String {
    let found = find(files, index);
    found.map_or_else(|| format!("row {index}"), |(file, row)| format!("{}[{row}]", place_of(&file.path)))
}

impl OneFile {
    fn open(path: PathBuf, image: Option<&str>, label: Option<&str>, first: usize) -> Result<Self, DataError> {
        let file = File::open(&path).map_err(|cause| DataError::read(&path, "Parquet file", cause))?;
        let place = place_of(&path);
        let metadata = metadata(&place, &file)?;
        let columns = Columns::find(&place, metadata.schema(), image, label)?;
        Ok(OneFile { path, metadata, columns, first })
    }

    /// Batches of the columns that are wanted: of some rows of one row group, or of all.
    fn batches(
        &self,
        rows: Option<(usize, RowSelection)>,
        mask: impl Fn(&SchemaDescriptor) -> ProjectionMask,
    ) -> Result<Box<dyn Iterator<Item = Result<RecordBatch, DataError>>>, DataError> {
        let place = place_of(&self.path);
        let file = File::open(&self.path).map_err(|cause| DataError::read(&self.path, "Parquet file", cause))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let mask = mask(builder.parquet_schema());
        let builder = builder.with_projection(mask).with_batch_size(ROWS);
        let builder = match rows {
            Some((group, rows)) => builder.with_row_groups(vec![group]).with_row_selection(rows),
            None => builder,
        };
        let reader = builder.build().map_err(|error| broken(&place, &error))?;
        Ok(Box::new(reader.map(move |batch| batch.map_err(|error| broken(&place, &error)))))
    }

    fn index(&self, kind: KeyKind, keys: &mut Vec<Key>, labels: &mut Vec<Option<Label>>) -> Result<(), DataError> {
        let place = place_of(&self.path);
        let mask = |schema: &SchemaDescriptor| match kind {
            KeyKind::Content => self.columns.both(schema),
            KeyKind::Place => self.columns.labels(schema),
        };
        let mut number = 0;
        for batch in self.batches(None, mask)? {
            let batch = batch?;
            for row in 0..batch.num_rows() {
                let image = (kind == KeyKind::Content).then(|| self.columns.image(&batch, row)).flatten();
                keys.push(image.map_or_else(|| Key::of_place(&place, number), Key::of_content));
                labels.push(self.columns.label(&batch, row));
                number += 1;
            }
        }
        Ok(())
    }

    /// The row group of a row, and the row in it.
    fn group(&self, mut row: usize) -> Option<(usize, usize)> {
        for (number, group) in self.metadata.metadata().row_groups().iter().enumerate() {
            match row.checked_sub(usize::try_from(group.num_rows()).unwrap_or(0)) {
                None => return Some((number, row)),
                Some(rest) => row = rest,
            }
        }
        None
    }
}

impl Source for Files {
    fn records(&self) -> &[Record] {
        &self.records
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn place(&self, index: usize) -> String {
        place(&self.files, index)
    }

    fn read(&self, index: usize, mut bytes: Vec<u8>) -> Result<Payload, DataError> {
        let none = || no_such_record(self.place(index), self.records.len());
        let (file, row) = find(&self.files, index).ok_or_else(none)?;
        let (group, row) = file.group(row).ok_or_else(none)?;
        let only = RowSelection::from(vec![RowSelector::skip(row), RowSelector::select(1)]);
        let batch =
            file.batches(Some((group, only)), |schema| file.columns.both(schema))?.next().ok_or_else(none)??;
        let image = file.columns.image(&batch, 0).ok_or_else(|| {
            let (found, expected) = ("no image".to_string(), "an image in each row".to_string());
            malformed(self.place(index), found, expected, "write the file again without the row")
        })?;
        bytes.clear();
        bytes.extend_from_slice(image);
        Ok(Payload::Encoded(bytes))
    }

    fn fingerprint(&self) -> [u8; 32] {
        *self.fingerprint.get_or_init(|| {
            // A file that cannot be read must not look like any that can.
            let hashes: Vec<[u8; 32]> =
                self.files.iter().map(|file| hash_file(&file.path).unwrap_or([0; 32])).collect();
            fingerprint(&self.classes, &self.records, hashes.iter().map(|hash| hash.as_slice()))
        })
    }
}
