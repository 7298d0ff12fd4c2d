use std::fs;

use super::*;

const ONE: &str = "00000000000000000000000000000001";

/// What is read of a file of that name and content, where `a.jpg` is the place of record 2.
fn read(name: &str, content: &str) -> Result<Vec<(u128, Option<String>)>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    let read = read_corrections(&path, |place| (place == "a.jpg").then_some(Key(2)));
    let read = read.map_err(|error| error.to_string())?;
    Ok(read.said.into_iter().map(|correction| (correction.key.0, correction.class)).collect())
}

fn cat() -> Option<String> {
    Some("cat".to_string())
}

fn task(data: &str, annotations: &str) -> String {
    format!(r#"{{"id": 7, "data": {data}, "annotations": [{annotations}], "predictions": []}}"#)
}

fn annotation(choices: &str, cancelled: bool) -> String {
    let region = format!(r#"{{"type": "choices", "value": {{"choices": [{choices}]}}, "from_name": "label"}}"#);
    format!(r#"{{"id": 1, "result": [{region}], "was_cancelled": {cancelled}, "ground_truth": false}}"#)
}

#[test]
fn csv_says_by_key_or_by_place() {
    let by_key = format!("key,class,who\n{ONE}, cat,me\n");
    assert_eq!(read("x.csv", &by_key), Ok(vec![(1, cat())]));
    assert_eq!(read("x.CSV", "class,place\nrejected,a.jpg\n"), Ok(vec![(2, None)]));
    let both = format!("place,key,class\na.jpg,,cat\nb.jpg,{ONE},rejected\na.jpg,,\nb.jpg,{ONE},cat\n");
    assert_eq!(read("x.csv", &both), Ok(vec![(1, cat()), (2, cat())]), "the last counts, none does not");
}

#[test]
fn label_studio_says_by_the_last_annotation_that_was_not_cancelled() {
    let keyed = format!(r#"{{"key": "{ONE}", "image": "b.jpg", "label": null}}"#);
    let placed = r#"{"image": "a.jpg"}"#;
    let annotations = [annotation("\"dog\"", false), annotation("\"cat\"", false), annotation("\"cow\"", true)];
    let tasks = [task(&keyed, &annotations.join(", ")), task(placed, &annotation("\"rejected\"", false))];
    assert_eq!(read("x.json", &format!("[{}]", tasks.join(","))), Ok(vec![(1, cat()), (2, None)]));
    let unsaid = [task(placed, ""), task(placed, &annotation("", false)), task(placed, &annotation("\"x\"", true))];
    assert_eq!(read("x.json", &format!("[{}]", unsaid.join(","))), Ok(Vec::new()));
}

#[test]
fn places_where_no_record_lies_are_told_beside_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    fs::write(&path, "place,class\nq.jpg,cat\na.jpg,cat\nb.jpg,\nc.jpg,rejected\n").unwrap();
    let read = read_corrections(&path, |place| (place == "a.jpg").then_some(Key(2))).unwrap();
    assert_eq!(read.said, [Correction { key: Key(2), class: cat() }]);
    assert_eq!(read.nowhere, ["q.jpg", "c.jpg"]);
    let path = folder.path().join("x.json");
    let tasks =
        ["q.jpg", "a.jpg"].map(|place| task(&format!(r#"{{"image": "{place}"}}"#), &annotation("\"cat\"", false)));
    fs::write(&path, format!("[{}]", tasks.join(","))).unwrap();
    let read = read_corrections(&path, |place| (place == "a.jpg").then_some(Key(2))).unwrap();
    assert_eq!((read.said.len(), read.nowhere), (1, vec!["q.jpg".to_string()]));
}

#[test]
fn what_cannot_be_taken_is_named_with_its_place() {
    let two = task(r#"{"image": "a.jpg"}"#, &annotation("\"cat\", \"dog\"", false));
    let nowhere = task(r#"{"text": "x"}"#, &annotation("\"cat\"", false));
    for (name, content, expected) in [
        ("x.csv", "key,class\nzz,cat\n", "record 2): found `zz` is not a key"),
        ("x.csv", "class\ncat\n", "neither a key nor a place"),
        ("x.csv", "place\na.jpg\n", "missing field `class`"),
        ("x.json", "{}", "expected a sequence"),
        ("x.json", &format!("[{two}]"), "task 1): found 2 classes"),
        ("x.json", &format!("[{nowhere}]"), "neither a key nor a place"),
    ] {
        let error = read(name, content).unwrap_err();
        assert!(error.contains(expected) && error.contains("export from Label Studio as JSON"), "{error}");
    }
    assert!(matches!(read_corrections(Path::new("no.csv"), |_| None), Err(DataError::Missing { .. })));
}
