use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::file::properties::WriterProperties;
use arrow_array::{ArrayRef, BinaryArray, Int64Array, LargeBinaryArray, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field};

use super::*;

/// A file of these columns, in row groups of two rows.
fn write(folder: &Path, name: &str, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
    let path = folder.join(name);
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

/// Images as Hugging Face has them; one is missing.
fn structs(images: &[Option<&[u8]>]) -> ArrayRef {
    let bytes: ArrayRef = Arc::new(BinaryArray::from_iter(images.iter().copied()));
    let paths: ArrayRef = Arc::new(StringArray::from_iter(images.iter().map(|_| Some("0.jpg"))));
    let field = |name, kind| Arc::new(Field::new(name, kind, true));
    Arc::new(StructArray::from(vec![(field("bytes", DataType::Binary), bytes), (field("path", DataType::Utf8), paths)]))
}

#[test]
fn images_as_hugging_face_has_them_are_read_with_their_labels() {
    let folder = tempfile::tempdir().unwrap();
    let images = structs(&[Some(b"one"), Some(b"two"), None, Some(b"four"), Some(b"five")]);
    let labels: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), Some(-1), Some(0), None, Some(1 << 40)]));
    let other: ArrayRef = Arc::new(BinaryArray::from_iter_values([b"m"; 5]));
    write(folder.path(), "t-0.parquet", vec![("mask", other), ("image", images), ("label", labels)]);
    write(folder.path(), "t-1.parquet", vec![("image", structs(&[]))]);
    let mut missing = broken("[2]", "no image");
    missing.label = Some(Label::Index(0));
    let expected = [
        held("t-0.parquet[0]", Some(Label::Index(3)), b"one"),
        held("[1]", None, b"two"),
        missing,
        held("[3]", None, b"four"),
        broken("[4]", "a label that is no number"),
    ];
    for keys in [KeyKind::Place, KeyKind::Content] {
        let options = Options { keys, ..options() };
        let reopen = || opened(text(folder.path()), &options);
        conforms(&reopen, &expected);
        assert_eq!(names(reopen().as_ref()), ["t-0", "t-1"]);
    }
}

#[test]
fn plain_bytes_of_any_width_and_named_labels_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let images: ArrayRef = Arc::new(LargeBinaryArray::from_iter_values([b"one", b"two"]));
    let labels: ArrayRef = Arc::new(StringArray::from(vec![Some("cat"), None]));
    let path = write(folder.path(), "a.parquet", vec![("jpg", images), ("class", labels)]);
    let options = Options { label_column: Some("class".to_string()), ..options() };
    let expected = [held("[0]", name("cat"), b"one"), held("[1]", None, b"two")];
    conforms(&|| opened(text(&path), &options), &expected);
}

#[test]
fn many_row_groups_and_batches_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<String> = (0..75).map(|number| format!("image {number}")).collect();
    let images: ArrayRef = Arc::new(BinaryArray::from_iter_values(&bytes));
    let path = write(folder.path(), "a.parquet", vec![("image", images)]);
    let expected: Vec<Held> =
        bytes.iter().enumerate().map(|(row, bytes)| held(&format!("[{row}]"), None, bytes.as_bytes())).collect();
    conforms(&|| opened(text(&path), &options()), &expected);
}

#[test]
fn columns_that_cannot_be_told_apart_or_are_not_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let binary = || -> ArrayRef { Arc::new(BinaryArray::from_iter_values([b"x"])) };
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let two = write(folder.path(), "two.parquet", vec![("a", binary()), ("b", binary())]);
    let none = write(folder.path(), "none.parquet", vec![("image", numbers)]);
    let cut = folder.path().join("cut.parquet");
    fs::write(&cut, &fs::read(&two).unwrap()[..100]).unwrap();
    let said = |path: &Path, options: &Options| {
        let corpus = opened(text(path), options);
        let shard = shards(corpus.as_ref()).remove(0);
        corpus.read(&shard).map(|items| items.count().to_string()).unwrap_or_else(|error| error.to_string())
    };
    let column = |image: &str, label: Option<&str>| {
        let label_column = label.map(str::to_string);
        Options { image_column: Some(image.to_string()), label_column, ..options() }
    };
    assert!(said(&two, &options()).contains("may have images: a, b"));
    assert_eq!(said(&two, &column("b", None)), "1");
    assert!(said(&two, &column("c", None)).contains("a column `c` of bytes"));
    assert!(said(&two, &column("b", Some("class"))).contains("no column `class`"));
    assert!(said(&none, &options()).contains("may have images: none"));
    assert!(said(&cut, &options()).contains("a whole Parquet file"));
}
