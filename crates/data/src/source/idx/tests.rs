use std::fs;
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;
use crate::source::tests::{conforms, refuses};
use crate::source::{SourceConfig, open};

/// An IDX file of bytes.
fn idx(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|n| n.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Files of images and labels in a folder of their own.
struct Pair {
    _folder: TempDir,
    images: PathBuf,
    labels: PathBuf,
}

impl Pair {
    fn new(images: &[u8], labels: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pair = Pair { images: folder.path().join("images"), labels: folder.path().join("labels"), _folder: folder };
        fs::write(&pair.images, images).unwrap();
        fs::write(&pair.labels, labels).unwrap();
        pair
    }

    fn config(&self) -> SourceConfig {
        SourceConfig::Idx { images: self.images.clone(), labels: Some(self.labels.clone()) }
    }

    fn open(&self, key: KeyKind) -> Box<dyn Source> {
        open(&self.config(), key).unwrap()
    }
}

/// Three gray images of 2 x 3 pixels, 0 to 17, with the labels 7, 0 and 9.
fn gray() -> Pair {
    let pixels: Vec<u8> = (0..18).collect();
    Pair::new(&idx(&[3, 2, 3], &pixels), &gzip(&idx(&[3], &[7, 0, 9])))
}

#[test]
fn gray_images_and_their_labels_are_read_plain_or_gzipped() {
    let pair = gray();
    let source = conforms(|| pair.open(KeyKind::Place));
    let labels: Vec<Option<u32>> = source.records().iter().map(|record| record.label).collect();
    assert_eq!(labels, [Some(7), Some(0), Some(9)]);
    assert_eq!(source.classes().join(""), "0123456789");
    assert!(source.place(1).ends_with("/images[1]"));
    let second = Payload::Pixels { width: 3, height: 2, channels: 1, bytes: (6..12).collect() };
    assert_eq!(source.read(1, Vec::new()).unwrap(), second);
    assert_eq!(source.at_hand(1, Vec::new()), Ok(second.clone()));
    let plain = fs::read(&pair.images).unwrap();
    fs::write(&pair.images, gzip(&plain)).unwrap();
    let zipped = pair.open(KeyKind::Place);
    assert_eq!(zipped.fingerprint(), source.fingerprint());
    assert_eq!(zipped.read(1, Vec::new()).unwrap(), second);
}

#[test]
fn rgb_images_have_three_channels_innermost() {
    let pixels: Vec<u8> = (0..24).collect();
    let pair = Pair::new(&idx(&[2, 2, 2, 3], &pixels), &idx(&[2], &[1, 1]));
    let source = conforms(|| pair.open(KeyKind::Content));
    let last = Payload::Pixels { width: 2, height: 2, channels: 3, bytes: (12..24).collect() };
    assert_eq!(source.read(1, Vec::new()).unwrap(), last);
}

#[test]
fn images_without_labels_have_none_and_no_classes() {
    let pair = gray();
    let config = SourceConfig::Idx { images: pair.images.clone(), labels: None };
    let source = open(&config, KeyKind::Place).unwrap();
    assert!(source.classes().is_empty());
    assert!(source.records().iter().all(|record| record.label.is_none()));
    let keys = |source: &dyn Source| source.records().iter().map(|record| record.key).collect::<Vec<_>>();
    assert_eq!(keys(source.as_ref()), keys(pair.open(KeyKind::Place).as_ref()), "labels do not change keys");
}

#[test]
fn keys_are_made_of_place_or_content() {
    let pair = gray();
    let place = pair.images.to_str().unwrap();
    assert_eq!(pair.open(KeyKind::Place).records()[2].key, Key::of_place(place, 2));
    let third: Vec<u8> = (12..18).collect();
    assert_eq!(pair.open(KeyKind::Content).records()[2].key, Key::of_content(&third));
}

#[test]
fn one_pixel_one_label_or_another_shape_changes_the_fingerprint() {
    let print = |images: &[u8], labels: &[u8]| Pair::new(images, labels);
    let pixels: Vec<u8> = (0..18).collect();
    let mut other = pixels.clone();
    other[17] ^= 1;
    let pair = print(&idx(&[3, 2, 3], &pixels), &idx(&[3], &[7, 0, 9]));
    let mut prints = vec![pair.open(KeyKind::Place).fingerprint()];
    for (images, labels) in [
        (idx(&[3, 2, 3], &other), [7, 0, 9]),
        (idx(&[3, 2, 3], &pixels), [7, 0, 8]),
        (idx(&[3, 3, 2], &pixels), [7, 0, 9]),
    ] {
        // The same paths, so that the same keys.
        fs::write(&pair.images, images).unwrap();
        fs::write(&pair.labels, idx(&[3], &labels)).unwrap();
        prints.push(pair.open(KeyKind::Place).fingerprint());
    }
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), 4);
}

#[test]
fn bad_images_are_refused_with_file_finding_and_advice() {
    let good: Vec<u8> = (0..18).collect();
    let whole = idx(&[3, 2, 3], &good);
    let zipped = gzip(&whole);
    let mut flipped = zipped.clone();
    let middle = flipped.len() - 6;
    flipped[middle] ^= 0xff;
    let rows: Vec<(Vec<u8>, &[&str])> = vec![
        (vec![], &["found nothing", "an IDX file"]),
        (b"\x89PNG\r\n\x1a\n".to_vec(), &["89 50 4e 47", "00 00 08"]),
        ([&[0, 0, 0x0d, 3][..], &whole[4..]].concat(), &["00 00 0d 03"]),
        (vec![0, 0, 8, 0], &["00 00 08 00"]),
        (idx(&[18], &good), &["1 dimensions (18)", "not swapped"]),
        (idx(&[1, 1, 2, 4], &good[..8]), &["1 x 1 x 2 x 4", "the last of which is 3"]),
        (whole[..9].to_vec(), &["5 bytes of sizes (it is truncated)", "12 for 3"]),
        (whole[..12].to_vec(), &["8 bytes of sizes"]),
        (whole[..20].to_vec(), &["found 4 (it is truncated)", "18 bytes", "fetch the file again"]),
        ([&whole[..], &[1]].concat(), &["found more", "18 bytes"]),
        (idx(&[0, 2, 3], &[]), &["holds no image"]),
        (idx(&[3, 0, 3], &[]), &["at least one pixel"]),
        (zipped[..zipped.len() - 10].to_vec(), &["truncated gzip stream"]),
        (flipped, &["gzip stream"]),
        (idx(&[u32::MAX; 3], &[1, 2]), &["found 2 (it is truncated)"]),
    ];
    for (bytes, parts) in rows {
        let pair = Pair::new(&bytes, &idx(&[3], &[1, 2, 3]));
        let place = pair.images.to_str().unwrap().to_string();
        refuses(&pair.config(), KeyKind::Place, &[&[place.as_str()], parts].concat());
    }
}

#[test]
fn bad_labels_are_refused_with_file_finding_and_advice() {
    let pixels: Vec<u8> = (0..18).collect();
    let images = idx(&[3, 2, 3], &pixels);
    let rows: [(Vec<u8>, &[&str]); 5] = [
        (idx(&[2], &[1, 2]), &["2 labels", "3, one for each image"]),
        (idx(&[3], &[1, 10, 255]), &["labels[1]", "label 10", "from 0 to 9"]),
        (idx(&[3], &[1]), &["found 1 (it is truncated)"]),
        (images.clone(), &["3 dimensions", "not swapped"]),
        (b"3,1,2".to_vec(), &["33 2c 31 2c"]),
    ];
    for (bytes, parts) in rows {
        let pair = Pair::new(&images, &bytes);
        let place = pair.labels.to_str().unwrap().to_string();
        refuses(&pair.config(), KeyKind::Place, &[&[place.as_str()], parts].concat());
    }
}

#[test]
fn a_missing_file_is_named() {
    let pair = gray();
    fs::remove_file(&pair.labels).unwrap();
    let error = refuses(&pair.config(), KeyKind::Place, &["labels: there is no such IDX file of labels"]);
    assert!(matches!(error, DataError::Missing { .. }));
    fs::remove_file(&pair.images).unwrap();
    refuses(&pair.config(), KeyKind::Place, &["images: there is no such IDX file of images", "check the path"]);
}

#[test]
fn the_mnist_sample_is_what_its_card_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/mnist");
    let images = folder.join("test-images-idx3-ubyte.gz");
    let labels = Some(folder.join("test-labels-idx1-ubyte.gz"));
    let source = open(&SourceConfig::Idx { images, labels }, KeyKind::Place).unwrap();
    let mut counts = [0; 10];
    for record in source.records() {
        counts[record.label.unwrap() as usize] += 1;
    }
    assert_eq!(counts, [390, 451, 412, 410, 423, 375, 380, 403, 360, 396]);
    let Payload::Pixels { width: 28, height: 28, channels: 1, bytes } = source.read(3999, Vec::new()).unwrap() else {
        panic!("not 28 x 28 gray");
    };
    assert!(bytes.iter().any(|pixel| *pixel > 200));
}
