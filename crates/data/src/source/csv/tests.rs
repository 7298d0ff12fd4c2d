use std::fs;

use tempfile::TempDir;

use super::*;
use crate::source::tests::{conforms, refuses};
use crate::source::{Source, SourceConfig, open};

const KEY: &str = "00112233445566778899aabbccddeeff";

/// `list.csv` with these bytes, beside the images 1.png, 2.png and sub/3.png.
fn list(bytes: impl AsRef<[u8]>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    for image in ["1.png", "2.png", "sub/3.png"] {
        fs::write(folder.path().join(image), image).unwrap();
    }
    fs::write(folder.path().join("list.csv"), bytes).unwrap();
    folder
}

fn config(folder: &TempDir) -> SourceConfig {
    SourceConfig::Csv { path: folder.path().join("list.csv"), root: None }
}

fn labels(source: &dyn Source) -> Vec<Option<u32>> {
    source.records().iter().map(|record| record.label).collect()
}

#[test]
fn lines_are_records_in_their_order() {
    let folder = list("path,label\nsub/3.png,dog\n1.png,\n\"2.png\", cat \n");
    let source = conforms(|| open(&config(&folder), KeyKind::Place).unwrap());
    assert_eq!(source.classes(), ["cat", "dog"]);
    assert_eq!(labels(source.as_ref()), [Some(1), None, Some(0)]);
    assert!(source.place(0).ends_with("/sub/3.png"));
    assert_eq!(source.read(0, Vec::new()).unwrap(), crate::Payload::Encoded(b"sub/3.png".to_vec()));
    assert_eq!(source.records()[0].key, Key::of_place(&source.place(0), 0));
}

#[test]
fn columns_may_stand_in_any_order_and_keys_of_the_list_win() {
    let folder = list(format!("\u{feff}key,label,path\r\n{KEY},a,1.png\r\n"));
    for kind in [KeyKind::Place, KeyKind::Content] {
        let source = open(&config(&folder), kind).unwrap();
        assert_eq!(source.records()[0].key.to_string(), KEY);
    }
}

#[test]
fn paths_are_relative_to_the_list_or_to_the_root() {
    let folder = list("path,label\n3.png,a\n");
    refuses(&config(&folder), KeyKind::Place, &["list.csv: found not one of its images", "/3.png", "set `root`"]);
    let path = folder.path().join("list.csv");
    let source = open(&SourceConfig::Csv { path, root: Some(folder.path().join("sub")) }, KeyKind::Place).unwrap();
    assert!(source.read(0, Vec::new()).is_ok());
}

#[test]
fn a_listed_file_that_is_missing_is_a_record_that_cannot_be_read() {
    let folder = list("path,label\n1.png,a\ngone.png,b\n");
    let source = open(&config(&folder), KeyKind::Place).unwrap();
    assert_eq!(labels(source.as_ref()), [Some(0), Some(1)]);
    let error = source.read(1, Vec::new()).unwrap_err();
    assert!(error.to_string().contains("gone.png: there is no such image file"), "{error}");
}

#[test]
fn one_byte_or_one_label_changes_the_fingerprint() {
    let folder = list("path,label\n1.png,a\n2.png,b\n");
    let print = || open(&config(&folder), KeyKind::Place).unwrap().fingerprint();
    let before = print();
    fs::write(folder.path().join("2.png"), "3.png").unwrap();
    let after = print();
    assert_ne!(before, after);
    fs::write(folder.path().join("list.csv"), "path,label\n1.png,b\n2.png,a\n").unwrap();
    assert_ne!(after, print());
}

#[test]
fn what_augment_says_beside_is_left_alone() {
    let folder = list("path,label,source,variant,ops\n1.png,b,in/1.jpg,0,\"rotate 9.0; invert\"\n2.png,a,,,\n");
    let source = open(&config(&folder), KeyKind::Place).unwrap();
    assert_eq!((source.classes().len(), labels(source.as_ref())), (2, vec![Some(1), Some(0)]));
}

#[test]
fn bad_lines_are_refused_with_their_numbers() {
    let rows: Vec<(Vec<u8>, &[&str])> = vec![
        (b"".to_vec(), &["list.csv:1", "the header ``", "`path,label`"]),
        (b"path\n1.png\n".to_vec(), &["list.csv:1", "the header `path`"]),
        (b"path,lable\n1.png,a\n".to_vec(), &["list.csv:1", "the header `path,lable`"]),
        (b"path,label,size\n1.png,a,3\n".to_vec(), &["list.csv:1", "path,label,size"]),
        (b"path,label,label\n1.png,a,b\n".to_vec(), &["list.csv:1", "path,label,label"]),
        (b"path,label\n".to_vec(), &["list.csv: holds no line with an image"]),
        (b"path,label\n1.png,a\n2.png\n".to_vec(), &["list.csv:3", "found 1 values, expected 2", "double quotes"]),
        (b"path,label\n1.png,a,b\n".to_vec(), &["list.csv:2", "found 3 values"]),
        (b"path,label\n1.png,a\n ,b\n".to_vec(), &["list.csv:3", "an empty path"]),
        (b"path,label\n1.png,a\n2.png,a\n./1.png,b\n".to_vec(), &["list.csv:4", "which line 2 has too"]),
        (b"path,label\n1.png,a\n\xff.png,a\n".to_vec(), &["list.csv:3", "UTF-8"]),
        (b"path,label,key\n1.png,a,123\n".to_vec(), &["list.csv:2", "the key `123`", "32 hexadecimal"]),
        (format!("path,label,key\n1.png,a,{KEY}\n2.png,a,\n").into_bytes(), &["list.csv:3", "the key ``"]),
    ];
    for (bytes, parts) in rows {
        refuses(&config(&list(bytes)), KeyKind::Place, parts);
    }
}

#[test]
fn a_missing_list_is_named() {
    let folder = list("");
    fs::remove_file(folder.path().join("list.csv")).unwrap();
    let error = refuses(&config(&folder), KeyKind::Place, &["list.csv: there is no such CSV file"]);
    assert!(matches!(error, DataError::Missing { .. }));
}
