//! Files of answers and what is exported of them, as real readers have them: pyarrow, pandas, cleanlab, Label Studio.

use std::fs;
use std::path::Path;
use std::process::Command;

use millstream_data::answer::{
    Answer, AnswerSet, Failure, Format, Said, Target, decode, encode, export, read_corrections,
};
use millstream_data::store::{Location, Store};
use millstream_data::{Fingerprint, Key, Stage};
use serde_json::{Value, json};

/// The record whose label is wrong.
const WRONG: u32 = 30;

fn set() -> AnswerSet {
    AnswerSet {
        classes: ["cat", "dog, \"wild\" & <tame>", "Gänse 🦆"].map(str::to_string).to_vec(),
        top_k: 2,
        distribution: true,
        embedding: Some(4),
        fingerprint: true,
        model: "00ff".to_string(),
    }
}

/// Sixty records, each with its label but one, and one that is no image.
fn answers() -> Vec<Answer> {
    let answer = |number: u32| {
        let class = number as usize % 3;
        let mut probabilities = vec![0.125; 3];
        probabilities[class] = 0.75;
        let failure = Failure { stage: Stage::Decode, reason: "truncated\nat 7".to_string() };
        let label = if number == WRONG { class + 1 } else { class };
        Answer {
            key: Key(u128::from(number)),
            place: format!("photos/ü {number}.jpg"),
            label: Some(set().classes[label].clone()),
            fingerprint: (number != 7).then_some(Fingerprint { content: Key(9), perceptual: u64::MAX }),
            said: if number == 7 { Err(failure) } else { Ok(Said { probabilities, embedding: Some(vec![0.5; 4]) }) },
        }
    };
    (0..60).map(answer).collect()
}

/// Writes every format and every export into a folder, and has them read.
fn read(folder: &Path) -> Value {
    let store = Store::with_settings([]);
    for format in Format::ALL {
        let name = format!("answers.{}", format.extension());
        fs::write(folder.join(name), encode(&set(), &answers(), format).unwrap()).unwrap();
    }
    for target in Target::ALL {
        let rows = decode(&store, &Location::Local(folder.join("answers.parquet"))).unwrap();
        export(rows, &set(), target, &folder.join(target.to_string())).unwrap();
    }
    python("read_answers.py", folder)
}

fn python(script: &str, folder: &Path) -> Value {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../../.tools/answers/bin/python");
    let output = Command::new(&python)
        .args(["-B".as_ref(), here.join("tests").join(script).as_os_str(), folder.as_os_str()])
        .output()
        .unwrap_or_else(|error| {
            panic!("{}: {error}. Run scripts/bootstrap --tests, which installs it", python.display())
        });
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "scripts/bootstrap --tests installs what may be missing in .tools/answers: {says}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn real_readers_have_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let said = read(folder.path());
    parquet(&said["parquet"]);
    let classes: Vec<String> = (0..60).filter(|n| *n != 7).map(|n| set().classes[n % 3].clone()).collect();
    for frame in said["frames"].as_array().unwrap() {
        assert_eq!(frame["classes"], json!(classes));
        assert_eq!(frame["confidences"], json!(vec![0.75; 59]));
        assert_eq!(frame["errors"], json!(["truncated\nat 7"]));
    }
    let choices = [set().classes, vec!["rejected".to_string()]].concat();
    assert_eq!(said["label_studio"], json!({ "tasks": 59, "wrong": [], "choices": choices, "shown": ["image"] }));
    let expected = json!({
        "types": ["int64", "float32"],
        "shape": [59, 3],
        "sums": true,
        "issues": [Key(u128::from(WRONG)).to_string()],
    });
    assert_eq!(said["cleanlab"], expected, "cleanlab finds the wrong label");
}

fn parquet(said: &Value) {
    assert_eq!(said["set"], json!(set()));
    let types = json!({
        "key": "string", "place": "string", "label": "string",
        "class": "dictionary<values=string, indices=int32, ordered=0>", "class_index": "int32", "confidence": "float",
        "top_classes": "list<item: int32 not null>", "top_probabilities": "list<item: float not null>",
        "margin": "float", "entropy": "float",
        "distribution": "fixed_size_list<item: halffloat not null>[3]",
        "embedding": "fixed_size_list<item: halffloat not null>[4]",
        "content": "string", "phash": "uint64", "model": "string", "error_stage": "string", "error": "string",
    });
    assert_eq!(said["types"], types);
    let (row, failed) = (&said["rows"][1], &said["rows"][7]);
    assert_eq!(row["key"], "00000000000000000000000000000001");
    assert_eq!(row["top_classes"], json!([1, 0]), "of equal ones the lower");
    assert_eq!(row["distribution"], json!([0.125, 0.75, 0.125]));
    assert_eq!((&row["content"], &row["phash"]), (&json!(Key(9)), &json!(u64::MAX)));
    assert_eq!((&failed["content"], &failed["phash"]), (&Value::Null, &Value::Null));
    assert_eq!((&row["margin"], &row["error"]), (&json!(0.625), &Value::Null));
    assert_eq!((&failed["class"], &failed["distribution"]), (&Value::Null, &Value::Null));
    assert_eq!((&failed["error_stage"], &failed["model"]), (&json!("decode"), &json!("00ff")));
}

#[test]
fn a_task_that_was_annotated_is_a_correction() {
    let folder = tempfile::tempdir().unwrap();
    let rows = answers().into_iter().take(3);
    fs::write(folder.path().join("x.parquet"), encode(&set(), &rows.collect::<Vec<_>>(), Format::Parquet).unwrap())
        .unwrap();
    let rows = decode(&Store::with_settings([]), &Location::Local(folder.path().join("x.parquet"))).unwrap();
    export(rows, &set(), Target::LabelStudio, folder.path()).unwrap();
    // A person agrees with what was predicted: Label Studio makes an annotation of the prediction.
    let mut tasks: Vec<Value> = serde_json::from_slice(&fs::read(folder.path().join("tasks.json")).unwrap()).unwrap();
    for task in &mut tasks {
        let result = task["predictions"][0]["result"].clone();
        task["annotations"] = json!([{ "completed_by": 1, "result": result, "was_cancelled": false }]);
    }
    let path = folder.path().join("export.json");
    fs::write(&path, json!(tasks).to_string()).unwrap();
    let corrections = read_corrections(&path, |_| None).unwrap();
    let classes: Vec<String> = corrections.said.into_iter().filter_map(|correction| correction.class).collect();
    assert_eq!(classes, set().classes);
}
