//! What every source must keep, and fixtures for the tests of each format.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// What every source promises, whatever its format. `reopen` opens the same data again.
pub(super) fn conforms(reopen: impl Fn() -> Box<dyn Source>) -> Box<dyn Source> {
    let (source, again) = (reopen(), reopen());
    assert_eq!(source.records(), again.records());
    assert_eq!(source.classes(), again.classes());
    assert_eq!(source.fingerprint(), again.fingerprint());
    let records = source.records();
    let keys: BTreeSet<_> = records.iter().map(|record| record.key).collect();
    assert_eq!(keys.len(), records.len(), "keys are distinct");
    let places: BTreeSet<_> = (0..records.len()).map(|i| source.place(i)).collect();
    assert_eq!(places.len(), records.len(), "places are distinct");
    for (index, record) in records.iter().enumerate() {
        assert!(record.label.is_none_or(|label| (label as usize) < source.classes().len()));
        let payload = source.read(index, Vec::new()).unwrap();
        assert_eq!(payload, again.read(index, Vec::new()).unwrap());
        assert!(
            source.at_hand(index, Vec::new()).is_ok_and(|at_hand| at_hand == payload)
                || source.at_hand(index, vec![1]).is_err()
        );
    }
    assert!(source.at_hand(records.len(), Vec::new()).is_err());
    let error = source.read(records.len(), Vec::new()).unwrap_err();
    assert!(error.to_string().contains("no such record"), "{error}");
    source
}

/// Opening must fail, naming what `parts` say.
pub(super) fn refuses(config: &SourceConfig, key: KeyKind, parts: &[&str]) -> DataError {
    let error = open(config, key).expect_err(&format!("{config:?} was accepted"));
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    error
}

#[test]
fn a_place_is_the_path_as_written_less_what_means_nothing() {
    for (path, place) in [("a/b.png", "a/b.png"), ("./a//b.png", "a/b.png"), ("/x/../a/", "/x/../a"), (".", ".")] {
        assert_eq!(place_of(Path::new(path)), place);
    }
}

#[cfg(unix)]
#[test]
fn a_place_that_is_no_text_still_tells_files_apart() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let place = |bytes: &[u8]| place_of(Path::new(OsStr::from_bytes(bytes)));
    assert_eq!(place(b"a\xff.png"), "a\\xff.png");
    assert_ne!(place(b"a\xff.png"), place(b"a\xfe.png"));
}

#[test]
fn classes_labels_and_keys_are_in_the_fingerprint() {
    let classes = ["a".to_string(), "b".to_string()];
    let record = |key: u128, label| Record { key: crate::Key(key), label };
    let of =
        |classes: &[String], records: &[Record], content: &[u8]| fingerprint(classes, records, [content].into_iter());
    let prints = [
        of(&classes, &[record(1, Some(0))], b"x"),
        of(&classes, &[record(1, Some(1))], b"x"),
        of(&classes, &[record(1, None)], b"x"),
        of(&classes, &[record(2, Some(0))], b"x"),
        of(&classes, &[record(1, Some(0))], b"y"),
        of(&["ab".to_string()], &[record(1, Some(0))], b"x"),
        of(&[], &[record(1, Some(0))], b"x"),
    ];
    assert_eq!(BTreeSet::from(prints).len(), prints.len());
}
