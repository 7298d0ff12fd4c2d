use std::fs::{self, File};
use std::io::Write;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use arrow_array::{ArrayRef, BinaryArray, RecordBatch};

use super::*;

#[test]
fn places_are_split_and_names_of_files_are_not() {
    for (place, file, rest) in [
        ("a/x.tar#b/c.png", "a/x.tar", "#b/c.png"),
        ("a#b/x.TAR#c#d.png", "a#b/x.TAR", "#c#d.png"),
        ("x.tar.gz#0.jpg", "x.tar.gz", "#0.jpg"),
        ("a/x.parquet[12]", "a/x.parquet", "[12]"),
        ("t10k-images-idx3-ubyte.gz[7]", "t10k-images-idx3-ubyte.gz", "[7]"),
    ] {
        assert_eq!(split(place), Some((file, rest)), "{place}");
    }
    for place in ["a.png", "a#1.png", "x.tar", "a[3]", "x.parquet[x]", "x.parquet[-1]", "x.csv[3]", "a[1].png"] {
        assert_eq!(split(place), None, "{place}");
    }
}

/// A folder with an archive of two images, a Parquet file of three rows and an IDX file of two images.
pub(crate) fn containers() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    for name in ["a/0.jpg", "a/1.jpg"] {
        let mut header = tar::Header::new_gnu();
        header.set_size(name.len() as u64);
        archive.append_data(&mut header, name, name.as_bytes()).unwrap();
    }
    let archive = archive.into_inner().unwrap();
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(&archive).unwrap();
    fs::write(folder.path().join("x.tar"), archive).unwrap();
    fs::write(folder.path().join("z.tgz"), zipped.finish().unwrap()).unwrap();
    let images: ArrayRef = Arc::new(BinaryArray::from_iter_values([b"row 0", b"row 1", b"row 2"]));
    let batch = RecordBatch::try_from_iter([("image", images)]).unwrap();
    let file = File::create(folder.path().join("x.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let idx = [[0, 0, 8, 3], [0, 0, 0, 2], [0, 0, 0, 1], [0, 0, 0, 2]].concat();
    fs::write(folder.path().join("x-ubyte"), [idx.as_slice(), b"abcd"].concat()).unwrap();
    fs::write(folder.path().join("x.png"), "plain").unwrap();
    folder
}

/// A label file of these places.
pub(crate) fn list(places: &[&str]) -> String {
    let lines: Vec<String> = (0..).zip(places).map(|(key, place)| format!("{key:032x},{place},1,dog,true\n")).collect();
    format!("key,place,class,class_name,selected\n{}", lines.concat())
}

#[test]
fn a_pipeline_reads_a_list_of_places() {
    let folder = containers();
    let places =
        ["x.parquet[2]", "x.tar#a/1.jpg", "x.png", "x-ubyte[1]", "x.tar#a/0.jpg", "x.tar#none", "z.tgz#a/0.jpg"];
    let path = folder.path().join("list.csv");
    // Nothing of its columns is a label file's but what is read.
    let header = "key,place,class,class_name,confidence,distribution,round,model,selected,copies,import\n";
    let lines = (0..).zip(places).map(|(key, place)| format!("{key:032x},{place},1,dog,1,,0,,true,1,\n"));
    fs::write(&path, format!("{header}{}", lines.collect::<String>())).unwrap();
    let config = SourceConfig::Csv { path, root: None };
    let source = open(&config, KeyKind::Place).unwrap();
    let read = |index| source.read(index, vec![1; 3]).unwrap();
    assert_eq!(source.classes(), ["dog"]);
    for (index, bytes) in [(0, &b"row 2"[..]), (1, b"a/1.jpg"), (2, b"plain"), (4, b"a/0.jpg")] {
        assert_eq!(read(index), Payload::Encoded(bytes.to_vec()));
    }
    assert_eq!(read(3), Payload::Pixels { width: 2, height: 1, channels: 1, bytes: b"cd".to_vec() });
    assert!(source.place(1).ends_with("/x.tar#a/1.jpg"), "{}", source.place(1));
    for (index, part) in [(5, "no such image in the file"), (6, "a gzipped archive")] {
        let error = source.read(index, Vec::new()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let print = || open(&config, KeyKind::Place).unwrap().fingerprint();
    let before = print();
    let rows = fs::read(folder.path().join("x-ubyte")).unwrap();
    fs::write(folder.path().join("x-ubyte"), [&rows[..rows.len() - 1], b"x"].concat()).unwrap();
    assert_ne!(before, print(), "one pixel changes it");
}

#[test]
fn places_are_looked_for_beside_the_list_and_then_where_the_command_is_started() {
    let folder = containers();
    assert_eq!(beside(folder.path(), "x.tar"), folder.path().join("x.tar"));
    assert_eq!(beside(folder.path(), "Cargo.toml"), Path::new("Cargo.toml"));
    assert_eq!(beside(folder.path(), "none"), folder.path().join("none"));
}
