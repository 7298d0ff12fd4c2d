use std::io::{Cursor, Read};

use ::tar::{Builder, EntryType, Header};

use super::*;
use proptest::prelude::*;

use crate::conformance::{ends_at_an_error, items, reads_in_little_memory};

/// An archive of these files.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in files {
        add(&mut builder, name, bytes);
    }
    builder.into_inner().unwrap()
}

fn add(builder: &mut Builder<Vec<u8>>, name: &str, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, name, bytes).unwrap();
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, Vec<u8>)]) -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (name, bytes) in files {
            let path = folder.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn place(&self, inner: &str) -> String {
        text(&self.0.path().join(inner)).to_string()
    }
}

/// The records before the error, and the error.
fn cut_short(bytes: Vec<u8>) -> (usize, String) {
    let folder = Folder::with(&[("a.tar", bytes)]);
    let corpus = opened(&folder.place("a.tar"), &options());
    let shard = shards(corpus.as_ref()).remove(0);
    ends_at_an_error(&|| opened(&folder.place("a.tar"), &options()));
    let mut read: Vec<_> = corpus.read(&shard).unwrap().collect();
    let error = read.pop().unwrap().unwrap_err().to_string();
    assert!(read.iter().all(|item| item.as_ref().unwrap().payload.is_ok()));
    (read.len(), error)
}

#[test]
fn samples_are_what_lies_side_by_side_with_one_name() {
    let long = format!("{}/x.jpg", "d".repeat(200));
    let first = archive(&[
        ("a/0001.jpg", b"one"),
        ("a/0001.cls", b"7\n"),
        ("a/0002.json", br#"{"label": "cat", "x": 1}"#),
        ("a/0002.seg.png", b"a mask"),
        ("a/0002.PNG", b"two"),
        ("a/0002.txt", b"a caption"),
        ("b/0002.webp", b"three"),
        ("b/0002.json", br#"{"x": 1}"#),
        (&long, b"four"),
        ("gr\u{fc}n \u{1f600}.jpeg", b"five"),
        ("._0001.jpg", b"of another system"),
        ("Makefile", b"no ending"),
        ("__meta.x__", b"of the writer"),
    ]);
    let second = archive(&[("a/0001.jpg", b"another one")]);
    let folder =
        Folder::with(&[("t-0.tar", first), ("t-1.tar", second), ("t-2.tar", archive(&[])), ("t.txt", Vec::new())]);
    let expected = [
        held("t-0.tar#a/0001.jpg", Some(Label::Index(7)), b"one"),
        held("a/0002.PNG", name("cat"), b"two"),
        held("b/0002.webp", None, b"three"),
        held(&long, None, b"four"),
        held("gr\u{fc}n \u{1f600}.jpeg", None, b"five"),
        held("t-1.tar#a/0001.jpg", None, b"another one"),
    ];
    for keys in [KeyKind::Place, KeyKind::Content] {
        let options = Options { keys, ..options() };
        let reopen = || opened(&folder.place(""), &options);
        conforms(&reopen, &expected);
        assert_eq!(names(reopen().as_ref()), ["t-0", "t-1", "t-2"]);
    }
    let reopen = || opened(&folder.place("t-{0..2}.tar"), &options());
    conforms(&reopen, &expected);
    assert_eq!(names(reopen().as_ref()), ["t-0", "t-1", "t-2"]);
    let shard = shards(reopen().as_ref()).remove(0);
    let keys: Vec<Key> = items(reopen().as_ref(), &shard).iter().map(|item| item.key).collect();
    assert_eq!(keys[3], Key::of_place(&folder.place("t-0.tar"), 3));
}

#[test]
fn gzipped_shards_are_as_others_and_keep_their_ending_in_names() {
    let files = archive(&[("1.jpg", b"one"), ("1.cls", b"0")]);
    let folder = Folder::with(&[
        ("a.tgz", gzip(&files)),
        ("a.tar.gz", gzip(&files)),
        ("a.tar", files),
        ("x/a.tar", archive(&[])),
    ]);
    let reopen = || opened(&folder.place(""), &options());
    let expected =
        ["a.tar", "a.tar.gz", "a.tgz"].map(|file| held(&format!("/{file}#1.jpg"), Some(Label::Index(0)), b"one"));
    conforms(&reopen, &expected);
    let names = names(reopen().as_ref());
    assert_eq!(names[..3], ["a", "a.tar.gz", "a.tgz"]);
    assert!(names[3].starts_with("x_a-"), "{names:?}");
}

#[test]
fn several_places_are_one_corpus() {
    let files = |bytes: &[u8]| archive(&[("1.jpg", bytes)]);
    let folder = Folder::with(&[("a/0.tar", files(b"a")), ("b/0.tar", files(b"b")), ("b/1.tar", files(b"c"))]);
    let places = [folder.place("a/0.tar"), folder.place("b/{0..1}.tar")];
    let expected = ["a/0", "b/0", "b/1"].into_iter().zip([b"a", b"b", b"c"]);
    let expected: Vec<Held> = expected.map(|(at, bytes)| held(&format!("{at}.tar#1.jpg"), None, bytes)).collect();
    conforms(&|| open(&places, &options()).unwrap(), &expected);
}

#[test]
fn a_broken_sample_is_told_and_its_neighbours_are_not_touched() {
    let mut builder = Builder::new(Vec::new());
    add(&mut builder, "0.jpg", b"good");
    let mut link = Header::new_gnu();
    link.set_entry_type(EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "1.jpg", "0.jpg").unwrap();
    add(&mut builder, "2.jpg", b"a name");
    add(&mut builder, "2.cls", b"cat");
    add(&mut builder, "3.txt", b"no image");
    add(&mut builder, "4.jpg", b"a");
    add(&mut builder, "4.png", b"b");
    add(&mut builder, "5.jpg", b"bad json");
    add(&mut builder, "5.json", b"{");
    add(&mut builder, "6.jpg", b"bad label");
    add(&mut builder, "6.json", br#"{"label": -2}"#);
    add(&mut builder, "7.jpg", b"good too");
    add(&mut builder, "7.cls", b"-1");
    add(&mut builder, "8.cls", b"4.0");
    add(&mut builder, "8.jpg", b"two labels");
    add(&mut builder, "8.json", br#"{"label": [1, 2]}"#);
    let folder = Folder::with(&[("a.tar", builder.into_inner().unwrap())]);
    let expected = [
        held("#0.jpg", None, b"good"),
        broken("#1.jpg", "a link or special file"),
        held("#2.jpg", name("cat"), b"a name"),
        broken("#3", "a sample without an image"),
        broken("#4.png", "a second image of the same sample"),
        held("#5.jpg", None, b"bad json"),
        held("#6.jpg", None, b"bad label"),
        held("#7.jpg", None, b"good too"),
        held("#8.jpg", Some(Label::Index(4)), b"two labels"),
    ];
    conforms(&|| opened(&folder.place("a.tar"), &options()), &expected);
}

#[test]
fn an_archive_that_ends_early_is_an_error_after_its_whole_samples() {
    let whole = archive(&[("0.jpg", &[7; 700]), ("1.jpg", &[8; 700]), ("2.jpg", &[9; 700])]);
    // Header and two blocks of content each; then two blocks of zeros.
    let sample = 512 * 3;
    for (length, records) in
        [(sample * 2 + 512 + 100, 2), (sample * 2 + 300, 1), (sample * 2 + 512, 2), (sample + 512, 1)]
    {
        let (read, error) = cut_short(whole[..length].to_vec());
        assert_eq!(read, records, "{length} bytes: {error}");
        assert!(error.contains("a.tar, byte ") && error.contains("truncated"), "{error}");
    }
    // Nothing is missing but the mark: the last sample might have had more members.
    assert_eq!(cut_short(whole[..sample * 3].to_vec()).0, 2);
    let zipped = gzip(&whole);
    let (_, error) = cut_short(zipped[..zipped.len() - 12].to_vec());
    assert!(error.contains("a whole tar archive"), "{error}");
}

#[test]
fn bytes_that_are_no_archive_are_refused() {
    let (read, error) = cut_short(vec![b'x'; 5000]);
    assert_eq!(read, 0);
    assert!(error.contains("byte 0") && error.contains("no header of a member"), "{error}");
    let mut flipped = archive(&[("0.jpg", b"x"), ("1.jpg", b"y")]);
    flipped[1024 + 3] ^= 1;
    assert!(cut_short(flipped).1.contains("byte 1024"));
    let mut damaged = gzip(&archive(&[("0.jpg", b"x")]));
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    assert!(cut_short(damaged).1.contains("found corrupt gzip stream"), "the checksum is looked at");
}

#[test]
fn a_name_or_a_size_that_is_a_lie_takes_no_memory() {
    let mut long = Header::new_gnu();
    long.set_entry_type(EntryType::GNULongName);
    long.set_path("././@LongLink").unwrap();
    long.set_size(1 << 40);
    long.set_cksum();
    assert!(cut_short(long.as_bytes().to_vec()).1.contains("a name of 1099511627776 bytes"));
    let mut huge = Header::new_gnu();
    huge.set_path("0.jpg").unwrap();
    huge.set_size(200 << 20);
    huge.set_cksum();
    assert!(cut_short(huge.as_bytes().to_vec()).1.contains("truncated"));
}

#[test]
fn a_gzip_bomb_is_streamed_and_its_image_refused() {
    let member = |name: &str, bytes: u64| {
        let mut header = Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_size(bytes);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&member("0.jpg", 300 << 20)).unwrap();
    std::io::copy(&mut std::io::repeat(0).take(300 << 20), &mut encoder).unwrap();
    encoder.write_all(&archive(&[("1.jpg", b"good")])).unwrap();
    let folder = Folder::with(&[("a.tgz", encoder.finish().unwrap())]);
    let reopen = || opened(&folder.place("a.tgz"), &options());
    reads_in_little_memory(&reopen, 100 << 20);
    let expected = [broken("#0.jpg", "314572800 bytes in `0.jpg`"), held("#1.jpg", None, b"good")];
    crate::conformance::holds(&reopen, &expected);
}

#[test]
fn memory_does_not_grow_with_the_archive() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let image = vec![1; 4 << 20];
    for number in 0..60 {
        let mut one = archive(&[(&format!("{number}.jpg"), &image)]);
        one.truncate(one.len() - 1024);
        encoder.write_all(&one).unwrap();
    }
    encoder.write_all(&archive(&[])).unwrap();
    let folder = Folder::with(&[("a.tgz", encoder.finish().unwrap())]);
    reads_in_little_memory(&|| opened(&folder.place("a.tgz"), &options()), 100 << 20);
}

#[test]
fn names_and_sizes_of_extended_headers_count() {
    let mut builder = Builder::new(Vec::new());
    builder.append_pax_extensions([("path", "\u{e9}/0.jpg".as_bytes()), ("size", b"3")]).unwrap();
    let mut header = Header::new_ustar();
    header.set_path("other.txt").unwrap();
    header.set_size(3);
    header.set_cksum();
    builder.append(&header, Cursor::new(b"abc")).unwrap();
    let folder = Folder::with(&[("a.tar", builder.into_inner().unwrap())]);
    conforms(&|| opened(&folder.place("a.tar"), &options()), &[held("\u{e9}/0.jpg", None, b"abc")]);
}

#[test]
fn a_shard_that_is_not_there_is_an_error_and_the_next_one_is_found() {
    let folder = Folder::with(&[("1.tar", archive(&[("0.jpg", b"x")]))]);
    let corpus = opened(&folder.place("{0..1}.tar"), &options());
    let found: Vec<_> = corpus.shards().collect();
    assert!(found[0].as_ref().unwrap_err().to_string().contains("0.tar: there is no such file"));
    assert_eq!(found[1].as_ref().unwrap().number, 1);
}

#[test]
fn another_content_is_another_fingerprint() {
    let folder = Folder::with(&[("0.tar", archive(&[("0.jpg", b"x")])), ("1.tar", archive(&[("0.jpg", b"x")]))]);
    let prints = || shards(opened(&folder.place(""), &options()).as_ref()).into_iter().map(|shard| shard.fingerprint);
    let before: Vec<_> = prints().collect();
    fs::write(folder.place("0.tar"), archive(&[("0.jpg", &[0; 1000])])).unwrap();
    let after: Vec<_> = prints().collect();
    assert_ne!(before[0], before[1]);
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1], after[1]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Whatever is changed in an archive: it is read to some end, and nothing but what is there is taken into memory.
    #[test]
    fn damaged_archives_are_read_to_some_end(changes in prop::collection::vec((0usize..6000, any::<u8>()), 0..8), fix: bool) {
        let long = format!("{}/2.jpg", "d".repeat(150));
        let mut bytes = archive(&[("0.jpg", b"one"), ("0.cls", b"1"), ("1.json", b"{}"), (&long, b"two")]);
        for (at, byte) in changes {
            if let Some(old) = bytes.get_mut(at) {
                *old = byte;
            }
        }
        if fix {
            // A checksum that fits again lets the damage through.
            for block in bytes.chunks_exact_mut(512).filter(|block| block.iter().any(|byte| *byte != 0)) {
                let mut header = Header::from_byte_slice(block).clone();
                header.set_cksum();
                block.copy_from_slice(header.as_bytes());
            }
        }
        let folder = Folder::with(&[("a.tar", bytes)]);
        let corpus = opened(&folder.place("a.tar"), &options());
        let shard = shards(corpus.as_ref()).remove(0);
        let read: Vec<_> = corpus.read(&shard).unwrap().collect();
        prop_assert!(read.len() <= 8);
        prop_assert!(read.iter().rev().skip(1).all(Result::is_ok), "nothing follows an error");
    }
}
