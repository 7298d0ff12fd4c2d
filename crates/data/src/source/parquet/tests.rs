use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::file::properties::WriterProperties;
use arrow_array::{ArrayRef, BinaryArray, Int64Array, StringArray};

use super::*;
use crate::source::tests::{conforms, refuses};
use crate::source::{SourceConfig, open};

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(10)).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Two files: 25 images with labels 0, 1, 2, 0 and so on, then 3 without.
fn two_files() -> (tempfile::TempDir, SourceConfig) {
    let folder = tempfile::tempdir().unwrap();
    let images = |from: u32, to: u32| -> ArrayRef {
        Arc::new(BinaryArray::from_iter_values((from..to).map(|number| format!("image {number}").repeat(100))))
    };
    let labels: ArrayRef = Arc::new(Int64Array::from_iter_values((0..25).map(|number| number % 3)));
    write(&folder.path().join("0.parquet"), vec![("image", images(0, 25)), ("label", labels)]);
    write(&folder.path().join("1.parquet"), vec![("image", images(25, 28))]);
    let config = SourceConfig::Parquet { path: folder.path().to_path_buf(), image: None, label: None };
    (folder, config)
}

#[test]
fn any_row_of_any_file_is_read() {
    let (folder, config) = two_files();
    for kind in [KeyKind::Place, KeyKind::Content] {
        let source = conforms(|| open(&config, kind).unwrap());
        assert_eq!(source.records().len(), 28);
        assert_eq!(source.classes(), ["0", "1", "2"]);
        for index in [0, 9, 10, 24, 25, 27] {
            let expected = format!("image {index}").repeat(100).into_bytes();
            assert_eq!(source.read(index, vec![1; 5]).unwrap(), Payload::Encoded(expected), "{index}");
            let label = (index < 25).then_some(index as u32 % 3);
            assert_eq!(source.records()[index].label, label);
        }
        assert!(source.place(26).ends_with("1.parquet[1]"));
    }
    let corpus = crate::corpus::open(&[folder.path().to_str().unwrap()], &crate::corpus::Options::default()).unwrap();
    let shard = crate::conformance::shards(corpus.as_ref()).remove(1);
    let key = crate::conformance::items(corpus.as_ref(), &shard)[2].key;
    assert_eq!(open(&config, KeyKind::Place).unwrap().records()[27].key, key);
}

#[test]
fn a_row_without_an_image_fails_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let images: ArrayRef = Arc::new(BinaryArray::from_iter([Some(b"x"), None]));
    write(&path, vec![("jpg", images)]);
    let source = open(&SourceConfig::Parquet { path, image: None, label: None }, KeyKind::Content).unwrap();
    let error = source.read(1, Vec::new()).unwrap_err().to_string();
    assert!(error.contains("a.parquet[1]: found no image"), "{error}");
    assert_eq!(source.read(0, Vec::new()).unwrap(), Payload::Encoded(b"x".to_vec()));
}

#[test]
fn files_that_cannot_be_used_are_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let config = |label: Option<&str>| SourceConfig::Parquet {
        path: path.clone(),
        image: None,
        label: label.map(str::to_string),
    };
    refuses(&config(None), KeyKind::Place, &["a.parquet: there is no such file"]);
    std::fs::write(&path, "no Parquet at all").unwrap();
    refuses(&config(None), KeyKind::Place, &["a.parquet", "a whole Parquet file"]);
    let images = || -> ArrayRef { Arc::new(BinaryArray::from_iter_values([b"x"])) };
    write(&path, vec![("image", images()), ("score", Arc::new(Int64Array::from(vec![-5])))]);
    refuses(&config(Some("class")), KeyKind::Place, &["no column `class`"]);
    assert_eq!(open(&config(Some("score")), KeyKind::Place).unwrap().records()[0].label, None);
    refuses(&config(Some("image")), KeyKind::Place, &["the column `image` of type Binary"]);
    write(&path, vec![("text", Arc::new(StringArray::from(vec!["x"])))]);
    refuses(&config(None), KeyKind::Place, &["may have images: none"]);
    write(&path, vec![("image", Arc::new(BinaryArray::from_iter_values([b"x"; 0])))]);
    refuses(&config(None), KeyKind::Place, &["holds no row"]);
}
