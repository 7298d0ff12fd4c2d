//! `doctor` on runs and pipelines: what slows training down is planted, and must be named.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use image::{Rgb, RgbImage};

use crate::support::{Place, root};

/// A round over the digits of this repository, as training is where nothing is planted: small images, a small network.
fn digits(place: &Place, size: u32, model: &str, augment: &str) {
    let mnist = root().join("data/mnist");
    let source = format!(
        "idx: {{ images: {mnist}/train-images-idx3-ubyte.gz, labels: {mnist}/train-labels-idx1-ubyte.gz }}",
        mnist = mnist.display()
    );
    pipeline(place, &source, &format!("{{ size: [{size}, {size}], channels: gray }}"), model, augment);
}

fn pipeline(place: &Place, source: &str, stream: &str, model: &str, augment: &str) {
    place.write(
        "planted.yaml",
        &format!(
            "name: planted
memory: 64MiB
threads: 1
data:
  sources: {{ all: {{ {source} }} }}
  splits:
    test: {{ from: all, take: {{ per_class: 2 }} }}
    labelled: {{ from: all, except: test }}
stream: {stream}
training:
  steps: 60
  batch: 16
  augment: {augment}
  optimizer: {{ sgd: {{ lr: 0.01, momentum: 0.9, nesterov: true, weight_decay: 0.0005 }} }}
  schedule: constant
rounds: [ {{ model: {{ {model} }} }} ]
"
        ),
    );
}

/// What the doctor says of a run or a pipeline: the stage that it names, and the sentence.
fn says(place: &Place, args: &[&str]) -> (String, String) {
    let said = place.succeed(&[&["doctor", "--device", "cpu", "--json"], args].concat());
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (text(&said["verdict"]["bound"]), text(&said["verdict"]["sentence"]))
}

const PROBE: [&str; 3] = ["planted.yaml", "--seconds", "1"];

/// Makes the files of a folder come slowly. Dropped, it ends.
struct SlowStore(Child);

impl SlowStore {
    fn of(place: &Place, folder: &str, seconds: &str) -> SlowStore {
        let mut store = Command::new("python3")
            .arg(root().join("tests/doctor/slow_store.py"))
            .args([place.path(folder).to_str().unwrap(), seconds])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(store.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "slow\n");
        SlowStore(store)
    }
}

impl Drop for SlowStore {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_slow_model_is_named() {
    let place = Place::new();
    digits(&place, 32, "resnet18: {}", "[ { resize: { filter: nearest } }, flip ]");
    let (bound, sentence) = says(&place, &PROBE);
    assert_eq!(bound, "training", "{sentence}");
    assert!(sentence.starts_with("training-bound: with a batch always at hand it takes "), "{sentence}");
    place.succeed(&["run", "planted.yaml", "--out", "run", "--set", "training.steps=6"]);
    let (bound, sentence) = says(&place, &["run"]);
    assert_eq!(bound, "training", "{sentence}");
    assert!(!place.path("runs").exists(), "a probe writes nothing");
}

#[test]
fn a_slow_op_is_named() {
    let place = Place::new();
    let blur = ["{ gaussian_blur: 6.0 }"; 5].join(", ");
    digits(&place, 28, "smallnet: { width: 8 }", &format!("[ flip, {{ resize: {{ size: [96, 96] }} }}, {blur} ]"));
    let (bound, sentence) = says(&place, &PROBE);
    assert_eq!(bound, "augment", "{sentence}");
    assert!(sentence.starts_with("augment-bound: `gaussian_blur` takes "), "{sentence}");
    place.succeed(&["run", "planted.yaml", "--out", "run", "--set", "training.steps=30"]);
    let (bound, sentence) = says(&place, &["run"]);
    assert_eq!(bound, "augment", "{sentence}");
    let stages = &place.report("run")["rounds"][0]["stages"];
    let figure = |stage: &str, name: &str| stages[stage][name].as_f64().unwrap();
    assert_eq!(figure("train", "steps"), 29.0, "those after the first");
    assert!(figure("prepare", "busy") > 5.0 * figure("prepare", "starved") && figure("prepare", "decoding") == 0.0);
    assert!(figure("read", "bytes") == 28.0 * 28.0 * figure("read", "records") && figure("read", "fetched") == 0.0);
}

#[test]
fn slow_decoding_is_named() {
    let place = Place::new();
    photos(&place, 8, 600);
    let stream = "{ size: [16, 16], channels: rgb }";
    pipeline(
        &place,
        "folder: { path: photos, layout: classes }",
        stream,
        "smallnet: { width: 4 }",
        "[ resize: { filter: nearest } ]",
    );
    let (bound, sentence) = says(&place, &PROBE);
    assert_eq!(bound, "decode", "{sentence}");
}

#[test]
fn a_slow_store_is_named() {
    let place = Place::new();
    photos(&place, 18, 24);
    let stream = "{ size: [16, 16], channels: rgb }";
    pipeline(&place, "folder: { path: photos, layout: classes }", stream, "smallnet: { width: 4 }", "[ flip ]");
    let _slow = SlowStore::of(&place, "photos", "0.1");
    let (bound, sentence) = says(&place, &PROBE);
    assert_eq!(bound, "source", "{sentence}");
    assert!(sentence.contains("B/s from `all` (photos)"), "{sentence}");
    // Little memory: no more than two steps are there before training begins.
    place.succeed(&["run", "planted.yaml", "--out", "run", "--set", "training.steps=20", "--set", "memory=1200KiB"]);
    let (bound, sentence) = says(&place, &["run"]);
    assert_eq!(bound, "source", "{sentence}");
}

/// Two class folders of so many pictures of so many pixels a side.
fn photos(place: &Place, count: u32, side: u32) {
    for class in ["cat", "dog"] {
        let folder = place.path("photos").join(class);
        std::fs::create_dir_all(&folder).unwrap();
        for number in 0..count {
            let pixel =
                |x: u32, y: u32| Rgb([(x * 7 % 256) as u8, (y * 5 % 256) as u8, ((x * y + number) % 251) as u8]);
            RgbImage::from_fn(side, side, pixel).save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
}

#[test]
fn what_is_neither_run_nor_pipeline_is_refused() {
    let place = Place::new();
    let nothing = ["nothing is neither a run nor a pipeline", "give a run directory or a YAML file"];
    place.fail(&["doctor", "nothing"], 2, &nothing);
    place.fail(&["doctor", "."], 2, &["holds no run"]);
    place.fail(&["doctor", "pipeline.yaml", "--set", "training.batch=none"], 2, &["batch"]);
    place.fail(&["doctor", "--seconds", "1"], 2, &["RUN|PIPELINE"]);
    let short =
        ["run", "pipeline.yaml", "--out", "run", "--set", "rounds.0.training.steps=2", "--set", "training.steps=2"];
    place.succeed(&short);
    place.fail(&["doctor", "run", "--seconds", "1"], 2, &["is a run", "for a pipeline"]);
    let (bound, sentence) = says(&place, &["run"]);
    assert!(bound.is_empty() && sentence.starts_with("too short to tell"), "{sentence}");
}
