use std::fs::{self, read_to_string};

use serde_json::Value;

use super::*;
use crate::Key;
use crate::answer::tests::{answer, set};
use crate::answer::{Answer, Format, Summary, decode, encode};
use crate::store::{Location, Store};

/// Exports answers by way of a Parquet file.
fn exported(set: &AnswerSet, answers: &[Answer], target: Target, folder: &Path) -> Result<Exported, DataError> {
    let store = Store::with_settings([]);
    let location = Location::Local(folder.join("answers.parquet"));
    store.put(&location, encode(set, answers, Format::Parquet)?)?;
    export(decode(&store, &location)?, set, target, &folder.join("out"))
}

fn some() -> Vec<Answer> {
    (0..10).map(answer).collect()
}

#[test]
fn label_studio_gets_tasks_with_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let done = exported(&set(), &some(), Target::LabelStudio, folder.path()).unwrap();
    assert_eq!(done, Exported { written: 8, left_out: 2 });
    let tasks = read_to_string(folder.path().join("out/tasks.json")).unwrap();
    let tasks: Vec<Value> = serde_json::from_str(&tasks).unwrap();
    let expected = serde_json::json!({
        "data": { "image": "s3://b/ü/1.tar#a,b.jpg", "key": "00000000000000000000000000000001", "label": "cat" },
        "predictions": [{
            "model_version": "00ff",
            "score": 0.625,
            "result": [{
                "from_name": "label", "to_name": "image", "type": "choices",
                "value": { "choices": ["dog, \"wild\""] },
            }],
        }],
    });
    assert_eq!((tasks.len(), &tasks[1]), (8, &expected));
    let config = read_to_string(folder.path().join("out/config.xml")).unwrap();
    let expected = "\
<View>
  <Image name=\"image\" value=\"$image\"/>
  <Choices name=\"label\" toName=\"image\" choice=\"single\">
    <Choice value=\"cat\"/>
    <Choice value=\"dog, &quot;wild&quot;\"/>
    <Choice value=\"Gänse 🦆\"/>
    <Choice value=\"rejected\"/>
  </Choices>
</View>
";
    assert_eq!(config, expected);
}

#[test]
fn a_class_that_is_called_as_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut set = set();
    set.classes[0] = "rejected".to_string();
    let error = exported(&set, &some(), Target::LabelStudio, folder.path()).unwrap_err().to_string();
    assert!(error.contains("found a class `rejected`"), "{error}");
}

#[test]
fn fiftyone_gets_samples() {
    let folder = tempfile::tempdir().unwrap();
    let done = exported(&set(), &some(), Target::FiftyOne, folder.path()).unwrap();
    assert_eq!(done, Exported { written: 8, left_out: 2 });
    let samples = read_to_string(folder.path().join("out/samples.json")).unwrap();
    let samples: Value = serde_json::from_str(&samples).unwrap();
    assert_eq!(samples["samples"][1]["prediction"]["label"], "dog, \"wild\"");
    assert_eq!(samples["samples"][1]["label"]["label"], "cat");
    assert!(samples["samples"][0].get("label").is_none(), "no label, no field");
}

#[test]
fn fiftyone_gets_no_figure_that_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let row = |number: u32, (margin, entropy)| {
        let summary = Summary { top: vec![(number, 0.75)], margin, entropy };
        let said = Ok(Told { summary, distribution: None, embedding: None });
        Ok(Row { key: Key(number.into()), place: number.to_string(), label: None, said, fingerprint: None })
    };
    let rows = [row(0, (None, None)), row(1, (Some(0.5), Some(0.25)))];
    let done = export(rows, &set(), Target::FiftyOne, folder.path()).unwrap();
    assert_eq!(done.written, 2);
    let samples: Value = serde_json::from_str(&read_to_string(folder.path().join("samples.json")).unwrap()).unwrap();
    let figures = |number: usize| ["margin", "entropy"].map(|name| samples["samples"][number].get(name).cloned());
    assert_eq!(figures(0), [None, None]);
    assert_eq!(figures(1), [Some(0.5.into()), Some(0.25.into())]);
    assert_eq!(samples["samples"][0]["prediction"]["confidence"], 0.75);
}

#[test]
fn cleanlab_gets_arrays_of_the_labelled() {
    let folder = tempfile::tempdir().unwrap();
    let done = exported(&set(), &some(), Target::Cleanlab, folder.path()).unwrap();
    assert_eq!(done, Exported { written: 5, left_out: 5 });
    let labels = fs::read(folder.path().join("out/labels.npy")).unwrap();
    let header = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<i8', 'fortran_order': False, 'shape': (5,), } ";
    assert_eq!((labels.len(), &labels[..header.len()], labels[127]), (128 + 5 * 8, header.as_slice(), b'\n'));
    let probabilities = fs::read(folder.path().join("out/pred_probs.npy")).unwrap();
    assert_eq!(probabilities.len(), 128 + 5 * 3 * 4);
    assert_eq!(probabilities[128..132], 0.25f32.to_le_bytes());
    let records = read_to_string(folder.path().join("out/records.csv")).unwrap();
    assert!(records.starts_with("row,key,place\n0,00000000000000000000000000000001,"), "{records}");
    assert_eq!(records.lines().count(), 6);
}

#[test]
fn cleanlab_needs_all_probabilities() {
    let folder = tempfile::tempdir().unwrap();
    let set = AnswerSet { distribution: false, ..set() };
    let error = exported(&set, &some(), Target::Cleanlab, folder.path()).unwrap_err().to_string();
    assert!(error.contains("relabel --distribution"), "{error}");
}

#[test]
fn a_label_is_the_name_of_a_class_or_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let labels = ["Gänse 🦆", "1", "3", "-1", "bird", ""];
    let answers: Vec<Answer> = labels.map(|label| Answer { label: Some(label.to_string()), ..answer(1) }).to_vec();
    let done = exported(&set(), &answers, Target::Cleanlab, folder.path()).unwrap();
    assert_eq!(done, Exported { written: 2, left_out: 4 });
    let labels = fs::read(folder.path().join("out/labels.npy")).unwrap();
    assert_eq!((labels[128], labels[136]), (2, 1));
}

#[test]
fn equal_rows_make_equal_bytes_and_none_make_files() {
    let read = |folder: &Path| -> Vec<Vec<u8>> {
        let mut paths: Vec<_> = fs::read_dir(folder.join("out")).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| fs::read(path).unwrap()).collect()
    };
    for target in Target::ALL {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        for folder in &folders {
            exported(&set(), &some(), target, folder.path()).unwrap();
        }
        assert!(read(folders[0].path()) == read(folders[1].path()), "{target}");
        assert_eq!(exported(&set(), &[], target, folders[0].path()).unwrap(), Exported::default());
    }
}

#[test]
fn an_error_among_the_rows_leaves_what_was_there() {
    for target in Target::ALL {
        let folder = tempfile::tempdir().unwrap();
        exported(&set(), &some(), target, folder.path()).unwrap();
        let count = || fs::read_dir(folder.path().join("out")).unwrap().count();
        let before = count();
        let error = DataError::Malformed {
            place: "x".to_string(),
            found: "damage".to_string(),
            expected: "none".to_string(),
            help: "",
        };
        let failed = export([Err(error)], &set(), target, &folder.path().join("out")).unwrap_err();
        assert!(failed.to_string().contains("damage") && count() == before, "{failed}");
    }
}

#[test]
fn targets_have_names() {
    for target in Target::ALL {
        assert_eq!(target.to_string().parse::<Target>(), Ok(target));
    }
    assert!("coco".parse::<Target>().unwrap_err().to_string().contains("label-studio, fiftyone or cleanlab"));
}
