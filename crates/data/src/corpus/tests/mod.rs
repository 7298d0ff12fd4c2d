//! Every kind of corpus against the conformance suite, and what is its own.

mod folder;
mod list;
mod parquet;
mod webdataset;

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::conformance::{Held, conforms, shards};

/// Options for tests: nothing from the environment.
fn options() -> Options {
    Options { store: Store::with_settings([]), ..Options::default() }
}

fn opened(place: &str, options: &Options) -> Box<dyn Corpus> {
    open(&[place], options).unwrap_or_else(|error| panic!("{error}"))
}

fn held(place: &str, label: Option<Label>, bytes: &[u8]) -> Held {
    Held { place: place.to_string(), label, bytes: Ok(bytes.to_vec()) }
}

fn broken(place: &str, said: &str) -> Held {
    Held { place: place.to_string(), label: None, bytes: Err(said.to_string()) }
}

fn name(label: &str) -> Option<Label> {
    Some(Label::Name(label.to_string()))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn names(corpus: &dyn Corpus) -> Vec<String> {
    shards(corpus).into_iter().map(|shard| shard.name).collect()
}

#[test]
fn the_kind_is_found_out_by_names() {
    let folder = tempfile::tempdir().unwrap();
    let make = |path: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    };
    ["tars/a.tar", "images/a.png", "deep/x/a.png", "mixed/a.tar", "mixed/a.png", "pq/a.parquet", "a.bin"]
        .iter()
        .for_each(|path| make(path));
    let said = |place: &str| {
        let place = folder.path().join(place);
        open(&[text(&place)], &options()).map_or_else(|error| error.to_string(), |corpus| format!("{corpus:?}"))
    };
    for (place, part) in [
        ("tars", "WebDataset"),
        ("t-{0..9}.tar.gz", "WebDataset"),
        ("images", "Folders"),
        ("deep", "Folders"),
        ("pq", ".parquet"),
        ("l.csv", "Csv"),
        ("l.jsonl", "Jsonl"),
        ("T.TAR", "WebDataset"),
        ("t.Parquet", ".parquet"),
        ("L.CSV", "Csv"),
        ("mixed", "several kinds"),
        ("a.bin", "does not say what it is"),
        ("none", "there is no such file or folder"),
        ("t10k-images-idx3-ubyte.gz", "there is no such IDX file"),
    ] {
        let said = said(place);
        assert!(said.contains(part), "{place}: {said}");
    }
    let two = ["a.tar", "b.csv"];
    assert!(open(&two, &options()).unwrap_err().to_string().contains("another kind of data than a.tar"));
    assert!(open(&[] as &[&str], &options()).is_err());
}

#[test]
fn a_plain_file_is_of_the_kind_that_it_is_said_to_be_and_case_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = ::tar::Builder::new(Vec::new());
    let mut header = ::tar::Header::new_gnu();
    header.set_size(1);
    archive.append_data(&mut header, "0.jpg", &b"x"[..]).unwrap();
    let archive = archive.into_inner().unwrap();
    fs::write(folder.path().join("x.png"), "x").unwrap();
    for (file, bytes, kind, shard, place) in [
        ("s000.bin", archive.as_slice(), Some(Kind::WebDataset), "s000.bin", "s000.bin#0.jpg"),
        ("S.TAR", &archive, None, "S.TAR", "S.TAR#0.jpg"),
        ("list.txt", b"path\nx.png\n", Some(Kind::Csv), "list.txt-000000", "/x.png"),
        ("lines", b"{\"path\": \"x.png\"}", Some(Kind::Jsonl), "lines-000000", "/x.png"),
    ] {
        let path = folder.path().join(file);
        fs::write(&path, bytes).unwrap();
        let options = Options { kind, ..options() };
        let reopen = || opened(text(&path), &options);
        conforms(&reopen, &[held(place, None, b"x")]);
        assert_eq!(names(reopen().as_ref()), [shard]);
    }
}

#[test]
fn names_that_are_not_safe_or_not_alone_get_a_hash() {
    assert_eq!(name_of("train-000017", "x/train-000017.tar", true), "train-000017");
    for (inner, alone) in
        [("a b", true), ("a", false), ("x/a", true), ("..", true), ("é", true), (&"x".repeat(300), true)]
    {
        let (one, two) = (name_of(inner, "one", alone), name_of(inner, "two", alone));
        assert_ne!(one, two);
        assert!(one.len() < 140 && one.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter)));
    }
}

#[test]
fn an_idx_file_is_cut_into_shards() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/mnist");
    let images = folder.join("test-images-idx3-ubyte.gz");
    let options = Options { labels: Some(folder.join("test-labels-idx1-ubyte.gz")), records: 1500, ..options() };
    let source = crate::open(
        &crate::SourceConfig::Idx { images: images.clone(), labels: options.labels.clone() },
        KeyKind::Place,
    );
    let source = source.unwrap();
    let expected: Vec<Held> = (0..source.records().len())
        .map(|index| {
            let Payload::Pixels { bytes, .. } = source.read(index, Vec::new()).unwrap() else { panic!("no pixels") };
            held(&format!("[{index}]"), source.records()[index].label.map(Label::Index), &bytes)
        })
        .collect();
    let reopen = || opened(text(&images), &options);
    conforms(&reopen, &expected);
    assert_eq!(names(reopen().as_ref()).len(), 3);
    assert!(names(reopen().as_ref())[2].starts_with("test-images-idx3-ubyte.gz-000002"));
}

#[test]
fn a_shard_of_another_corpus_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.png"), "x").unwrap();
    let images = opened(text(folder.path()), &options());
    let shard = shards(images.as_ref()).remove(0);
    let error = opened("x.tar", &options()).read(&shard).err().unwrap();
    assert!(error.to_string().contains("another kind of data"), "{error}");
}
