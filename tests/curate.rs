//! `curate` and `export`: from what teachers and people say to a training set.

use std::collections::{BTreeMap, BTreeSet};

use image::GrayImage;
use millstream_data::answer::{Row, decode};
use millstream_data::store::{Location, Store};
use millstream_data::{Key, LabelRow, read_labels};

use crate::support::{Place, unpacked_mnist};

/// Digits of the corpus.
const DIGITS: usize = 300;
/// Digits after those, held out.
const HELD_OUT: usize = 300;

/// Real digits in folders by class, `corpus` and `held_out`, and what two models of other seeds say of them: `a` and `b`.
fn taught() -> Place {
    let place = Place::new();
    let (pixels, classes) = (
        unpacked_mnist("test-images-idx3-ubyte.gz").split_off(16),
        unpacked_mnist("test-labels-idx1-ubyte.gz").split_off(8),
    );
    for number in 0..DIGITS + HELD_OUT {
        let folder = if number < DIGITS { "corpus" } else { "held_out" };
        let folder = place.path(&format!("{folder}/{}", classes[number]));
        std::fs::create_dir_all(&folder).unwrap();
        let digit = GrayImage::from_raw(28, 28, pixels[number * 784..][..784].to_vec()).unwrap();
        digit.save(folder.join(format!("{number:06}.png"))).unwrap();
    }
    for (name, seed) in [("a", "seed=1"), ("b", "seed=2")] {
        let run = format!("run-{name}");
        let one = "rounds=[{model: {smallnet: {width: 8}}}]";
        place.succeed(&[
            "run",
            "pipeline.yaml",
            "--out",
            &run,
            "--set",
            seed,
            "--set",
            one,
            "--set",
            "training.steps=120",
        ]);
        place.succeed(&relabel("corpus", &run, name));
    }
    place
}

fn relabel<'a>(corpus: &'a str, run: &'a str, out: &'a str) -> Vec<&'a str> {
    vec!["relabel", corpus, "--model", run, "--out", out, "--class-folders", "--distribution", "--fingerprint"]
}

fn answers(place: &Place, out: &str) -> BTreeMap<Key, Row> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(place.path(out)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "parquet") {
            let rows = decode(&Store::from_env(), &Location::Local(path)).unwrap();
            all.extend(rows.map(|row| row.unwrap()).map(|row| (row.key, row)));
        }
    }
    all
}

/// Class and confidence.
fn said(row: &Row) -> (u32, f32) {
    let told = row.said.as_ref().unwrap();
    (told.summary.class(), told.summary.confidence())
}

fn labels(place: &Place, file: &str) -> BTreeMap<Key, LabelRow> {
    let rows = read_labels(&place.path(file)).unwrap();
    let count = rows.len();
    let rows: BTreeMap<Key, LabelRow> = rows.into_iter().map(|row| (row.key, row)).collect();
    assert_eq!(rows.len(), count, "a record is there twice");
    rows
}

fn classes(rows: &BTreeMap<Key, LabelRow>) -> BTreeMap<Key, u32> {
    rows.iter().map(|(key, row)| (*key, row.class)).collect()
}

#[test]
fn teachers_agree_people_overrule_them_and_pipelines_learn_from_it() {
    let place = taught();
    let (a, b) = (answers(&place, "a"), answers(&place, "b"));
    let agreed = |threshold: f32| -> BTreeMap<Key, u32> {
        let both = a.iter().map(|(key, row)| (*key, said(row), said(&b[key])));
        let sure = both.filter(|(_, one, other)| one.0 == other.0 && (one.1 + other.1) / 2.0 >= threshold);
        sure.map(|(key, one, _)| (key, one.0)).collect()
    };
    let says = place.succeed(&["curate", "a", "b", "--threshold", "0.6", "--out", "all.parquet", "--workers", "1"]);
    let all = labels(&place, "all.parquet");
    assert_eq!(classes(&all), agreed(0.6));
    assert!(all.len() > 30 && all.len() < DIGITS, "{}", all.len());
    assert!(says.contains("0 of people") && says.contains("% of the known ones right"), "{says}");
    assert!(says.contains("teachers 0 and 1 agree about") && says.contains("teachers 0 and 1 disagree"), "{says}");
    place.succeed(&["curate", "a", "b", "--threshold", "0.6", "--out", "three.parquet", "--workers", "3"]);
    let bytes = |file| std::fs::read(place.path(file)).unwrap();
    assert!(bytes("all.parquet") == bytes("three.parquet"), "the result depends on workers");

    // One person by place and by key, another later.
    let mut keys = all.keys();
    let (one, two, three) = (keys.next().unwrap(), keys.next().unwrap(), keys.next().unwrap());
    place.write("first.csv", &format!("key,place,class\n,{},7\n{two},,rejected\n{three},,1\n", a[one].place));
    place.write(
        "second.json",
        &format!(
            r#"[{{"data": {{"key": "{three}"}}, "annotations": [{{"result": [{{"value": {{"choices": ["2"]}}}}]}}]}}]"#
        ),
    );
    let people = ["--corrections", "first.csv", "--corrections", "second.json"];
    let call = ["curate", "a", "b", "--threshold", "0.6", "--out", "people.csv"];
    let says = place.succeed(&[&call[..], &people].concat());
    assert!(says.contains(&format!("{} labels: 2 of people", all.len() - 1)), "{says}");
    let parquet = ["curate", "a", "b", "--threshold", "0.6", "--out", "people.parquet"];
    place.succeed(&[&parquet[..], &people].concat());
    let corrected = labels(&place, "people.parquet");
    let row = |key: &Key| corrected.get(key).map(|row| (row.class, row.import, row.model.is_empty()));
    assert_eq!((row(one), row(two), row(three)), (Some((7, Some(1), true)), None, Some((2, Some(2), true))));

    // What was chosen trains a model and is labelled again.
    let source = format!("csv: {{ path: people.csv, root: {} }}", place.path("").display());
    let text = std::fs::read_to_string(place.path("pipeline.yaml")).unwrap();
    let start = text.find("    train: {").unwrap();
    let end = start + text[start..].find('\n').unwrap();
    let text = text.replace(&text[start..end], &format!("    train: {{ {source} }}"));
    let text =
        text.replace("    labelled: { from: train, take: { per_class: 4 } }\n", "    labelled: { from: train }\n");
    let text = text.replace("    unlabelled: { from: train, except: labelled, take: { fraction: 0.05 } }\n", "");
    place.write("again.yaml", &text);
    let short = ["--set", "rounds=[{model: {smallnet: {width: 8}}}]", "--set", "training.steps=5"];
    let say = place.succeed(&[&["plan", "again.yaml", "--json"][..], &short].concat());
    let plan: serde_json::Value = serde_json::from_str(&say).unwrap();
    assert_eq!(plan["labelled"], serde_json::json!(corrected.len()), "{say}");
    place.succeed(&[&["run", "again.yaml", "--out", "again"][..], &short].concat());
    let says = place.succeed(&["relabel", "people.csv", "--model", "again", "--out", "twice"]);
    assert!(says.contains(&format!("{} answers (0 errors)", corrected.len())), "{says}");
}

#[test]
fn thresholds_keep_a_precision_and_the_best_of_a_class_come_first() {
    let place = taught();
    place.succeed(&relabel("held_out", "run-a", "held"));
    place.succeed(&relabel("held_out", "run-b", "held-b"));
    let precision = ["curate", "a", "--precision", "0.9", "--held-out"];
    let out = ["--out", "sure.parquet", "--json"];
    let says = place.succeed(&[&precision[..], &["held"], &out].concat());
    let says: serde_json::Value = serde_json::from_str(&says).unwrap();
    let thresholds: Vec<f32> = serde_json::from_value(says["thresholds"].clone()).unwrap();
    assert_eq!(thresholds.len(), 10);
    // The same by hand: few answers a class, so all classes have the threshold that all answers have together.
    let mut held: Vec<(f32, bool)> = answers(&place, "held")
        .values()
        .map(|row| (said(row).1, row.label.as_deref() == Some(said(row).0.to_string().as_str())))
        .collect();
    held.sort_by(|one, other| other.0.total_cmp(&one.0));
    let right = |count: usize| held[..count].iter().filter(|(_, right)| *right).count() as f64 / count as f64;
    let last = (1..=held.len()).rev().find(|count| right(*count) >= 0.9).unwrap();
    assert!(thresholds.contains(&held[last - 1].0), "{thresholds:?} without {}", held[last - 1].0);
    for row in labels(&place, "sure.parquet").values() {
        assert!(row.confidence >= thresholds[row.class as usize]);
    }
    place.fail(&[&precision[..], &["held-b"], &out].concat(), 2, &["held-b", "another model gave them"]);

    place.succeed(&["curate", "a", "--threshold", "0.01", "--top", "5", "--out", "top.parquet"]);
    let (top, all) = (labels(&place, "top.parquet"), answers(&place, "a"));
    for class in 0..10 {
        let mut confidences: Vec<f32> = all.values().map(said).filter(|one| one.0 == class).map(|one| one.1).collect();
        confidences.sort_by(|one, other| other.total_cmp(one));
        confidences.truncate(5);
        let mut chosen: Vec<f32> = top.values().filter(|row| row.class == class).map(|row| row.confidence).collect();
        chosen.sort_by(|one, other| other.total_cmp(one));
        assert_eq!(chosen, confidences, "class {class}");
    }

    // Another teacher looks at the members again.
    place.succeed(&["curate", "a", "--threshold", "0.01", "--top", "5", "--reassign", "b", "--out", "again.parquet"]);
    let (again, other) = (labels(&place, "again.parquet"), answers(&place, "b"));
    assert_eq!(again.keys().collect::<BTreeSet<_>>(), top.keys().collect());
    assert!(again.iter().all(|(key, row)| (row.class, row.confidence) == said(&other[key]) && row.round == 1));

    // People gave the labels that the data came with.
    place.succeed(&["curate", "a", "--threshold", "0.5", "--trust-labels", "--out", "trusted.parquet"]);
    let trusted = labels(&place, "trusted.parquet");
    assert_eq!(trusted.len(), DIGITS);
    assert!(trusted.values().all(|row| row.import == Some(0) && row.place.contains(&format!("/{}/", row.class))));
}

#[test]
fn what_cannot_be_chosen_from_is_refused() {
    let place = taught();
    let out = ["--out", "x.parquet"];
    place.fail(&["curate", "a", "--out", "x.txt"], 2, &["--out writes .parquet or .csv, not .txt"]);
    place.fail(&["curate", "a", "--out", ""], 2, &["--out"]);
    place.fail(&["curate", "a", "--out", "no/such/x.csv"], 2, &["there is no folder no/such: create it"]);
    std::fs::create_dir(place.path("folder.csv")).unwrap();
    place.fail(&["curate", "a", "--out", "folder.csv"], 2, &["folder.csv, which is a folder"]);
    place.fail(&["relabel", "corpus", "--model", "run-a", "--out", ""], 2, &["--out"]);
    place.fail(&[&["curate", "nowhere"][..], &out].concat(), 2, &["nowhere holds no answers"]);
    place.fail(&[&["curate", "a", "--threshold", "1.5"][..], &out].concat(), 2, &["threshold is 1.5"]);
    place.fail(&[&["curate", "a", "--threshold", "0.9999999"][..], &out].concat(), 3, &["no label was chosen"]);
    place.fail(&[&["curate", "a", "b", "--reassign", "a"][..], &out].concat(), 2, &["--reassign is given 1 times"]);
    place.write("wrong.csv", "place,class\ncorpus/nothing.png,7\n");
    let wrong = ["curate", "a", "--corrections", "wrong.csv"];
    let says = place.tell(&[&wrong[..], &["--threshold", "0.2"], &out].concat());
    assert!(says.contains("1 corrections are of records that there are no answers to; the first: corpus/nothing.png"));
    let key = answers(&place, "a").into_keys().next().unwrap();
    place.write("wrong.csv", &format!("key,class\n{key},cow\n"));
    place.fail(&[&wrong[..], &out].concat(), 2, &["`cow` is no class of the model"]);
    place.succeed(&["curate", "a", "--threshold", "0.2", "--out", "own.csv"]);
    place.fail(
        &[&["curate", "a", "--corrections", "own.csv"][..], &out].concat(),
        2,
        &["own.csv", "labels that a model gave"],
    );
    place.write("elsewhere.csv", &format!("key,class\n{:032x},7\n", 5));
    let says =
        place.tell(&[&["curate", "a", "--threshold", "0.2", "--corrections", "elsewhere.csv"][..], &out].concat());
    assert!(says.contains("1 corrections are of records that there are no answers to"), "{says}");
    assert!(!place.path("x.txt").exists());
    std::fs::remove_file(place.path("a/_millstream/complete.json")).unwrap();
    place.fail(&[&["curate", "a"][..], &out].concat(), 2, &["has not come to its end"]);
}

/// Whether a copy, or what it repeats, repeats a test image too.
fn gone_as_leaks(leaks: &[serde_json::Value], copy: &serde_json::Value) -> bool {
    leaks.iter().any(|leak| leak[0] == copy[0] || leak[0] == copy[1]["of"])
}

#[test]
fn copies_and_leaks_stay_out() {
    let place = taught();
    // A copy as it is, one that only looks the same, and one of a held-out image.
    let some = |folder: &str| {
        let mut all: Vec<_> =
            std::fs::read_dir(place.path(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all
    };
    let (sevens, held_out) = (some("corpus/7"), some("held_out/7"));
    std::fs::copy(&sevens[0], place.path("corpus/7/copy.png")).unwrap();
    image::open(&sevens[1]).unwrap().save(place.path("corpus/7/alike.bmp")).unwrap();
    std::fs::copy(&held_out[0], place.path("corpus/7/leak.png")).unwrap();
    place.succeed(&relabel("corpus", "run-a", "more"));
    place.succeed(&relabel("held_out", "run-a", "held"));
    let call =
        |what, out| ["curate", "more", "--threshold", "0.01", "--duplicates", what, "--out", out, "--test", "held"];
    let exact = ["--distance", "0", "--json"];
    let says = place.succeed(&[&call("report", "report.parquet")[..], &exact].concat());
    let says: serde_json::Value = serde_json::from_str(&says).unwrap();
    let (copies, leaks) = (says["copies"].as_array().unwrap(), says["leaks"].as_array().unwrap());
    let rows = answers(&place, "more");
    let named = |found: &serde_json::Value| rows[&found[0].as_str().unwrap().parse::<Key>().unwrap()].place.clone();
    assert!(leaks.iter().any(|leak| named(leak).ends_with("leak.png")), "{leaks:?}");
    // Which of two is the copy is decided by their keys.
    let repeated: Vec<String> = copies.iter().map(named).collect();
    let of = |a: &str, b: &str| repeated.iter().filter(|place| place.ends_with(a) || place.ends_with(b)).count();
    let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(of("copy.png", &name(&sevens[0])), 1, "{repeated:?}");
    assert_eq!(of("alike.bmp", &name(&sevens[1])), 1, "{repeated:?}");
    assert_eq!(labels(&place, "report.parquet").len(), DIGITS + 3);

    place.succeed(&[&call("drop", "drop.parquet")[..], &exact].concat());
    let dropped = labels(&place, "drop.parquet");
    assert_eq!(dropped.len(), DIGITS + 3 - leaks.len());
    assert!(dropped.values().all(|row| !row.place.ends_with("leak.png")));
    place.succeed(&[&call("keep-one", "one.parquet")[..], &exact].concat());
    let one = labels(&place, "one.parquet");
    let gone: BTreeSet<String> = leaks.iter().chain(copies).map(named).collect();
    assert_eq!(one.len(), DIGITS + 3 - gone.len());
    assert!(one.values().all(|row| !gone.contains(&row.place)));

    // The other one of each two, once a person has labelled it or rejected the first.
    let key = |key: &serde_json::Value| key.as_str().unwrap().parse::<Key>().unwrap();
    let twice = |of: &serde_json::Value| copies.iter().filter(|copy| copy[1]["of"] == *of).count() > 1;
    let twins = copies.iter().filter(|copy| !gone_as_leaks(leaks, copy) && !twice(&copy[1]["of"]));
    let pairs: Vec<(Key, Key)> = twins.map(|copy| (key(&copy[0]), key(&copy[1]["of"]))).collect();
    assert!(!pairs.is_empty());
    for (verdict, corrected) in [("7", true), ("rejected", false)] {
        let lines = pairs.iter().map(|(copy, of)| format!("{},{verdict}\n", if corrected { copy } else { of }));
        place.write("people.csv", &format!("key,class\n{}", lines.collect::<String>()));
        let out = [&call("keep-one", "people.parquet")[..], &exact, &["--corrections", "people.csv"]].concat();
        place.succeed(&out);
        let kept = labels(&place, "people.parquet");
        assert!(pairs.iter().all(|(copy, of)| kept.contains_key(copy) && !kept.contains_key(of)), "{verdict}");
    }

    // The same images under other keys.
    let absolute = place.path("corpus").display().to_string();
    place.succeed(&relabel(&absolute, "run-a", "absolute"));
    let says = place.tell(&["curate", "more", "absolute", "--threshold", "0.2", "--out", "apart.parquet"]);
    assert!(says.contains(&format!("more and absolute share 0 records of the {}", DIGITS + 3)), "{says}");

    let plain = ["relabel", "corpus", "--model", "run-a", "--out", "plain", "--threads", "1"];
    place.succeed(&plain);
    let call = ["curate", "plain", "--duplicates", "report", "--out", "x.parquet"];
    place.fail(&call, 2, &["label anew with `--fingerprint`"]);
    place.fail(&["curate", "plain", "--soft", "--out", "x.parquet"], 2, &["label anew with `--distribution`"]);
}

#[test]
fn what_was_chosen_goes_to_people_and_comes_back() {
    let place = taught();
    place.succeed(&["curate", "a", "--threshold", "0.5", "--out", "chosen.parquet"]);
    let chosen = labels(&place, "chosen.parquet");
    let call = |target, out| ["export", "a", "--to", target, "--out", out, "--labels", "chosen.parquet"];
    let says = place.succeed(&call("label-studio", "studio"));
    assert!(says.contains(&format!("{} records for label-studio", chosen.len())), "{says}");
    let tasks: serde_json::Value =
        serde_json::from_slice(&std::fs::read(place.path("studio/tasks.json")).unwrap()).unwrap();
    let keys: BTreeSet<Key> =
        tasks.as_array().unwrap().iter().map(|task| task["data"]["key"].as_str().unwrap().parse().unwrap()).collect();
    assert!(keys.iter().eq(chosen.keys()));
    place.succeed(&call("cleanlab", "cleanlab"));
    let given = std::fs::read(place.path("cleanlab/labels.npy")).unwrap();
    assert_eq!(given.len(), 128 + 8 * chosen.len());
    place.succeed(&["export", "a", "--to", "fiftyone", "--out", "fiftyone"]);

    // The labels of a round of a run.
    place.succeed(&["run", "pipeline.yaml", "--out", "rounds"]);
    let round = labels(&place, "rounds/rounds/001/labels.parquet");
    let selected = round.values().filter(|row| row.selected).count();
    let call = ["export", "rounds", "--to", "label-studio", "--out", "round", "--round", "1", "--selected", "--json"];
    let says: serde_json::Value = serde_json::from_str(&place.succeed(&call)).unwrap();
    assert_eq!(says["records"], serde_json::json!(selected));
    assert!(selected > 0 && selected < round.len());
    let late = ["export", "rounds", "--to", "label-studio", "--out", "round", "--round", "7"];
    place.fail(&late, 2, &["rounds holds no committed round 7"]);
    let clean = ["export", "rounds", "--to", "cleanlab", "--out", "clean"];
    place.fail(&clean, 2, &["rounds cannot be exported like that", "images without given labels"]);
    // What is of a run is not of answers, and the other way round.
    let to = ["--to", "fiftyone", "--out", "refused"];
    for of_run in [&["--round", "0"][..], &["--selected"]] {
        place.fail(&[&["export", "a"][..], &to, of_run].concat(), 2, &["are for runs, and these are answers"]);
    }
    let of_answers = ["export", "rounds", "--labels", "chosen.parquet"];
    place.fail(&[&of_answers[..], &to].concat(), 2, &["is for answers, and this is a run"]);
    // Of hard labels nothing is known beyond the class and its confidence.
    place.succeed(&["export", "rounds", "--to", "fiftyone", "--out", "hard"]);
    let samples: serde_json::Value =
        serde_json::from_slice(&std::fs::read(place.path("hard/samples.json")).unwrap()).unwrap();
    let sample = samples["samples"][0].as_object().unwrap();
    assert!(sample.contains_key("prediction") && !sample.contains_key("margin") && !sample.contains_key("entropy"));
    place.fail(&["export", "nothing", "--to", "cleanlab", "--out", "clean"], 2, &["nothing holds no answers"]);
}
