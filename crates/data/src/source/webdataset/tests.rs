use std::fs;

use tar::{Builder, Header};

use super::*;
use crate::source::tests::{conforms, refuses};
use crate::source::{SourceConfig, open};

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn folder(archives: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, SourceConfig) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in archives {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let path = folder.path().to_path_buf();
    (folder, SourceConfig::WebDataset { path })
}

#[test]
fn records_of_several_archives_are_read_where_they_lie() {
    let large = vec![9; 100_000];
    let (_folder, config) = folder(&[
        ("0.tar", archive(&[("a/0.cls", b"2"), ("a/0.jpg", b"one"), ("a/1.png", &large)])),
        ("1.tar", archive(&[("a/0.json", b"{\"label\": 0}"), ("a/0.txt", &large), ("a/0.webp", b"three")])),
    ]);
    for kind in [KeyKind::Place, KeyKind::Content] {
        let source = conforms(|| open(&config, kind).unwrap());
        let labels: Vec<Option<u32>> = source.records().iter().map(|record| record.label).collect();
        assert_eq!(labels, [Some(2), None, Some(0)]);
        assert_eq!(source.classes(), ["0", "1", "2"]);
        let read = |index| source.read(index, Vec::new()).unwrap();
        assert_eq!(read(1), Payload::Encoded(large.clone()));
        assert_eq!(read(2), Payload::Encoded(b"three".to_vec()));
        assert!(source.place(2).ends_with("1.tar#a/0.webp"));
        assert_eq!(source.at_hand(1, vec![7; 3]), Ok(Payload::Encoded(large.clone())));
    }
    let content = open(&config, KeyKind::Content).unwrap();
    assert_eq!(content.records()[0].key, Key::of_content(b"one"));
}

#[test]
fn keys_and_labels_are_those_of_the_corpus() {
    let (folder, config) = folder(&[(
        "0.tar",
        archive(&[
            ("0.jpg", b"x"),
            ("0.json", br#"{"class": "b"}"#),
            ("1.jpg", b"y"),
            ("1.json", br#"{"class": "a"}"#),
        ]),
    )]);
    let source = open(&config, KeyKind::Place).unwrap();
    let corpus = crate::corpus::open(&[folder.path().to_str().unwrap()], &crate::corpus::Options::default()).unwrap();
    let shard = crate::conformance::shards(corpus.as_ref()).remove(0);
    let keys: Vec<Key> = crate::conformance::items(corpus.as_ref(), &shard).iter().map(|item| item.key).collect();
    assert_eq!(source.records().iter().map(|record| record.key).collect::<Vec<_>>(), keys);
    assert_eq!(source.classes(), ["a", "b"]);
    assert_eq!(source.records()[0].label, Some(1));
}

#[test]
fn a_broken_sample_fails_when_it_is_read() {
    let (_folder, config) = folder(&[("0.tar", archive(&[("0.txt", b"x"), ("1.jpg", b"y")]))]);
    let source = open(&config, KeyKind::Place).unwrap();
    let error = source.read(0, Vec::new()).unwrap_err().to_string();
    assert!(error.contains("0.tar#0: ") && error.contains("a sample without an image"), "{error}");
    assert_eq!(source.read(1, Vec::new()).unwrap(), Payload::Encoded(b"y".to_vec()));
}

#[test]
fn one_changed_byte_changes_the_fingerprint() {
    let bytes = archive(&[("0.jpg", b"x")]);
    let (folder, config) = folder(&[("0.tar", bytes.clone())]);
    let before = open(&config, KeyKind::Place).unwrap().fingerprint();
    let mut changed = bytes;
    changed[512] ^= 1;
    fs::write(folder.path().join("0.tar"), changed).unwrap();
    assert_ne!(open(&config, KeyKind::Place).unwrap().fingerprint(), before);
}

#[test]
fn archives_that_cannot_be_used_are_refused_with_advice() {
    let whole = archive(&[("0.jpg", &[1; 5000]), ("0.cls", b"1")]);
    let huge = archive(&[("0.jpg", b"x"), ("0.cls", b"4000000000")]);
    let mixed = archive(&[("0.jpg", b"x"), ("0.cls", b"1"), ("1.jpg", b"x"), ("1.json", br#"{"label": "a"}"#)]);
    let mut zipped = GZIP.to_vec();
    zipped.extend([8; 600]);
    for (name, bytes, parts) in [
        ("0.tar", whole[..3000].to_vec(), ["0.tar, byte", "truncated"]),
        ("0.tar", zipped.clone(), ["a gzipped archive", "gunzip"]),
        ("0.tgz", zipped, ["0.tgz", "a gzipped archive"]),
        ("0.tar", huge, ["the label 4000000000", "below 1048576"]),
        ("0.tar", mixed, ["1.jpg", "all names, or all numbers"]),
        ("0.tar", archive(&[]), ["holds no sample", "images"]),
        ("0.txt", Vec::new(), ["holds no sample", "images"]),
    ] {
        let (_folder, config) = folder(&[(name, bytes)]);
        refuses(&config, KeyKind::Place, &parts);
    }
}
