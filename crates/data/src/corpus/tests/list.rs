use super::*;
use crate::source::inner::tests::{containers, list as place_list};

/// A folder with the images `a.png`, `b c.png` and `x/d.png`, and a list.
fn with_list(list: &str, lines: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("x")).unwrap();
    for image in ["a.png", "b c.png", "x/d.png"] {
        fs::write(folder.path().join(image), image).unwrap();
    }
    fs::write(folder.path().join(list), lines).unwrap();
    folder
}

const KEY: &str = "000102030405060708090a0b0c0d0e0f";

#[test]
fn csv_lines_are_records_and_wrong_ones_are_broken_records() {
    let absolute = with_list("other.csv", b"");
    let absolute = absolute.path().join("a.png");
    let lines = format!(
        "label, path ,key,other\ncat,a.png,{KEY},1\n,\"b c.png\",,\n\ndog,x/d.png,,\ncat,gone.png,,\ncat,a.png\n,,,\ncat,e.png,12,\nx,{},,\ncat,ftp://h/a.png,,\n",
        text(&absolute)
    );
    let folder = with_list("l.csv", &[lines.as_bytes(), b"\xff,\xff,,\n"].concat());
    let list = folder.path().join("l.csv");
    let mut gone = broken("/gone.png", "there is no such file");
    gone.label = name("cat");
    let expected = [
        held(&format!("{}/a.png", text(folder.path())), name("cat"), b"a.png"),
        held("/b c.png", None, b"b c.png"),
        held("/x/d.png", name("dog"), b"x/d.png"),
        gone,
        broken("l.csv:7", "2 values under 4 columns"),
        broken("l.csv:8", "no image"),
        broken("l.csv:9", "`12` is not a key"),
        held(text(&absolute), name("x"), b"a.png"),
        broken("l.csv:11", "an unknown kind of URL"),
        broken("l.csv:12", "bytes that are no text"),
    ];
    for records in [3, 4096] {
        let options = Options { records, ..options() };
        let reopen = || opened(text(&list), &options);
        conforms(&reopen, &expected);
        assert_eq!(shards(reopen().as_ref()).len(), 10usize.div_ceil(records));
        let first = reopen().shards().next().unwrap().unwrap();
        assert_eq!(first.name, "l-000000");
        assert_eq!(crate::conformance::items(reopen().as_ref(), &first)[0].key.to_string(), KEY);
    }
}

#[test]
fn json_lines_are_records_and_wrong_ones_are_broken_records() {
    let lines = format!(
        "{}\n\n{}\n{}\n{}\n{}\n{}\n{}",
        r#"{"file_name": "a.png", "label": 3, "more": [1]}"#,
        r#"{"path": "b c.png", "class": "cat"}"#,
        format_args!(r#"{{"image": "x/d.png", "key": "{KEY}"}}"#),
        r#"{"label": 3}"#,
        r#"{"image": "#,
        r#"{"image": "x/../a.png", "label": {}}"#,
        r#"[]"#,
    );
    let folder = with_list("l.jsonl", lines.as_bytes());
    let options = Options { records: 2, ..options() };
    let expected = [
        held(&format!("{}/a.png", text(folder.path())), Some(Label::Index(3)), b"a.png"),
        held("/b c.png", name("cat"), b"b c.png"),
        held("/x/d.png", None, b"x/d.png"),
        broken("l.jsonl:5", "no image"),
        broken("l.jsonl:6", "no JSON"),
        held("/x/../a.png", None, b"a.png"),
        broken("l.jsonl:8", "no image"),
    ];
    conforms(&|| opened(text(&folder.path().join("l.jsonl")), &options), &expected);
}

#[test]
fn paths_are_relative_to_the_root_that_is_given() {
    let folder = with_list("l.csv", b"path\nd.png\n");
    let root = Some(text(&folder.path().join("x")).to_string());
    let options = Options { root, ..options() };
    conforms(&|| opened(text(&folder.path().join("l.csv")), &options), &[held("/x/d.png", None, b"x/d.png")]);
}

#[test]
fn a_list_without_lines_has_no_shards() {
    for (list, lines) in [("l.csv", "path,label\n"), ("l.jsonl", "\n\n")] {
        let folder = with_list(list, lines.as_bytes());
        conforms(&|| opened(text(&folder.path().join(list)), &options()), &[]);
    }
}

#[test]
fn a_list_that_is_none_is_an_error() {
    let endless = vec![b'x'; 2 << 20];
    for (list, lines, part) in [
        ("l.csv", b"picture,class\na.png,x\n".as_slice(), "l.csv:1: found the header"),
        ("l.jsonl", &endless, "l.jsonl:1: found a line of more than"),
    ] {
        let folder = with_list(list, lines);
        let corpus = opened(text(&folder.path().join(list)), &options());
        let mut found = corpus.shards();
        let error = found.next().unwrap().unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert!(found.next().is_none());
    }
}

#[test]
fn another_line_is_another_fingerprint() {
    let print = |lines: &[u8]| {
        let folder = with_list("l.csv", lines);
        let options = Options { root: Some("/".to_string()), ..options() };
        shards(opened(text(&folder.path().join("l.csv")), &options).as_ref())[0].fingerprint
    };
    let prints = ["a.png,x", "a.png,y", "b.png,x"].map(|line| print(format!("path,label\n{line}\n").as_bytes()));
    assert!(prints[0] != prints[1] && prints[0] != prints[2]);
    assert_eq!(prints[0], print(b"label,path\nx,a.png\n"));
}

#[test]
fn the_labels_of_a_label_file_are_read_where_they_are_selected() {
    let lines = "key,place,class,class_name,selected\n,a.png,1,dog,true\n,b c.png,0,cat,false\n";
    let json = "{\"place\": \"a.png\", \"class\": 1, \"class_name\": \"dog\", \"selected\": true}\n\
        {\"place\": \"b c.png\", \"class_name\": \"cat\", \"selected\": false}\n";
    for (list, lines) in [("l.csv", lines), ("l.jsonl", json)] {
        let folder = with_list(list, lines.as_bytes());
        let expected = [held("/a.png", name("dog"), b"a.png"), held("/b c.png", None, b"b c.png")];
        conforms(&|| opened(text(&folder.path().join(list)), &options()), &expected);
    }
}

#[test]
fn a_list_is_read_up_to_a_line_that_is_too_long() {
    let line = |number: usize| if number == 5 { "x".repeat(2 << 20) } else { r#"{"path": "a.png"}"#.to_string() };
    let lines: Vec<String> = (1..=8).map(line).collect();
    let folder = with_list("l.jsonl", lines.join("\n").as_bytes());
    for (records, shards) in [(4096, 1), (3, 2), (2, 2)] {
        let corpus = opened(text(&folder.path().join("l.jsonl")), &Options { records, ..options() });
        let mut found: Vec<_> = corpus.shards().collect();
        let error = found.pop().unwrap().unwrap_err().to_string();
        assert!(error.contains("l.jsonl:5: found a line of more than"), "{error}");
        let read: Vec<u64> = found.into_iter().map(|shard| shard.unwrap().records.unwrap()).collect();
        assert_eq!((read.len(), read.iter().sum::<u64>()), (shards, 4));
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    for (list, lines) in [
        ("l.csv", "\u{feff}path,label\na.png,cat\n"),
        ("l.jsonl", "\u{feff}{\"path\": \"a.png\", \"label\": \"cat\"}\n"),
    ] {
        let folder = with_list(list, lines.as_bytes());
        let expected = [held("/a.png", name("cat"), b"a.png")];
        conforms(&|| opened(text(&folder.path().join(list)), &options()), &expected);
    }
}

#[test]
fn places_in_files_that_hold_images_are_read() {
    let folder = containers();
    let places = [
        "x.tar#a/1.jpg",
        "x.parquet[2]",
        "x-ubyte[1]",
        "x.tar#a/0.jpg",
        "x.png",
        "x.parquet[0]",
        "z.tgz#a/1.jpg",
        "z.tgz#a/0.jpg",
        "z.tgz#none",
        "x.parquet[3]",
    ];
    fs::write(folder.path().join("l.csv"), place_list(&places)).unwrap();
    let mut expected: Vec<Held> = places
        .iter()
        .zip([&b"a/1.jpg"[..], b"row 2", b"cd", b"a/0.jpg", b"plain", b"row 0", b"a/1.jpg", b"a/0.jpg"])
        .map(|(place, bytes)| held(&format!("/{place}"), name("dog"), bytes))
        .collect();
    for place in ["/x.parquet[3]", "/z.tgz#none"] {
        let mut absent = broken(place, "no such image in the file");
        absent.label = name("dog");
        expected.push(absent);
    }
    for records in [2, 4096] {
        let options = Options { records, ..options() };
        conforms(&|| opened(text(&folder.path().join("l.csv")), &options), &expected);
    }
}

#[test]
fn places_are_also_looked_for_where_the_command_is_started() {
    let folder = with_list("l.csv", b"place\na.png\nCargo.toml\n");
    let expected = [held("/a.png", None, b"a.png"), held("Cargo.toml", None, &fs::read("Cargo.toml").unwrap())];
    conforms(&|| opened(text(&folder.path().join("l.csv")), &options()), &expected);
    // What is no place but a path is not.
    let folder = with_list("l.csv", b"path\nCargo.toml\n");
    let expected = [broken("/Cargo.toml", "there is no such file")];
    conforms(&|| opened(text(&folder.path().join("l.csv")), &options()), &expected);
}
