use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;

use super::*;
use crate::Record;

/// Records in memory, whose one byte is their index.
#[derive(Clone, Debug)]
struct Memory {
    name: &'static str,
    records: Vec<Record>,
    classes: Vec<String>,
}

impl Memory {
    /// `count` records labelled 0, 1, 2, 0, 1 ... of classes a, b, c, with the keys `from`, `from + 1` ...
    fn new(name: &'static str, from: u128, count: usize) -> Self {
        let record = |(key, label)| Record { key: Key(key), label: Some(label) };
        Memory {
            name,
            records: (from..).zip((0..3).cycle()).take(count).map(record).collect(),
            classes: ["a", "b", "c"].map(str::to_string).to_vec(),
        }
    }

    fn unlabelled(mut self) -> Self {
        self.records.iter_mut().for_each(|record| record.label = None);
        self.classes.clear();
        self
    }

    fn classes(mut self, classes: &[&str]) -> Self {
        self.classes = classes.iter().map(|class| class.to_string()).collect();
        self
    }
}

impl Source for Memory {
    fn records(&self) -> &[Record] {
        &self.records
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn place(&self, index: usize) -> String {
        format!("{}[{index}]", self.name)
    }

    fn read(&self, index: usize, _: Vec<u8>) -> Result<Payload, DataError> {
        Ok(Payload::Encoded(vec![index as u8]))
    }

    fn at_hand(&self, index: usize, buffer: Vec<u8>) -> Result<Payload, Vec<u8>> {
        if self.name == "disk" { Err(buffer) } else { self.read(index, buffer).map_err(|_| Vec::new()) }
    }

    fn fingerprint(&self) -> [u8; 32] {
        let keys: Vec<u8> = self.records.iter().flat_map(|record| record.key.0.to_le_bytes()).collect();
        *blake3::hash(&keys).as_bytes()
    }
}

/// A split; names are given with commas between them.
fn split(name: &str, from: &str, except: &str, take: Take) -> SplitConfig {
    let names = |list: &str| list.split(',').filter(|name| !name.is_empty()).map(str::to_string).collect();
    SplitConfig { name: name.to_string(), from: names(from), except: names(except), take }
}

fn build(sources: &[Memory], splits: &[SplitConfig], seed: u64) -> Result<Manifest, DataError> {
    let boxed = |source: &Memory| (source.name.to_string(), Box::new(source.clone()) as Box<dyn Source>);
    Manifest::build(sources.iter().map(boxed).collect(), splits, seed)
}

/// The keys of a split.
fn keys(manifest: &Manifest, split: &str) -> Vec<u128> {
    let entries = manifest.entries();
    manifest.split(split).iter().map(|record| entries[*record as usize].key.0).collect()
}

/// As the quickstart has it: 2 labels a class out of 30 records, the rest unlabelled, 9 test records.
fn quickstart() -> ([Memory; 2], [SplitConfig; 3]) {
    let splits = [
        split("labelled", "train", "", Take::PerClass(2)),
        split("unlabelled", "train", "labelled", Take::All),
        split("test", "test", "", Take::All),
    ];
    ([Memory::new("train", 0, 30), Memory::new("test", 100, 9)], splits)
}

fn refuses(sources: &[Memory], splits: &[SplitConfig], parts: &[&str]) -> DataError {
    let error = build(sources, splits, 1).expect_err("the manifest was built");
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    error
}

#[test]
fn a_pipeline_gets_its_three_splits() {
    let (sources, splits) = quickstart();
    let manifest = build(&sources, &splits, 1).unwrap();
    assert_eq!(manifest.entries().len(), 39);
    assert_eq!(manifest.classes(), ["a", "b", "c"]);
    let (labelled, unlabelled) = (keys(&manifest, "labelled"), keys(&manifest, "unlabelled"));
    let mut classes: Vec<u128> = labelled.iter().map(|key| key % 3).collect();
    classes.sort_unstable();
    assert_eq!(classes, [0, 0, 1, 1, 2, 2]);
    let mut both = [labelled, unlabelled].concat();
    both.sort_unstable();
    assert!(both.into_iter().eq(0..30));
    assert!(keys(&manifest, "test").into_iter().eq(100..109));
    assert!(manifest.split("nothing").is_empty());
}

#[test]
fn a_record_number_leads_to_the_record() {
    let (sources, splits) = quickstart();
    // Only the test records count, so that numbers and indices differ.
    let manifest = build(&sources, &splits[2..], 1).unwrap();
    assert_eq!(manifest.entries().len(), 9);
    assert_eq!(manifest.entries()[4], Entry { source: 1, index: 4, key: Key(104), label: Some(1) });
    assert_eq!(manifest.place(4), "test[4]");
    assert_eq!(manifest.read(4, Vec::new()).unwrap(), Payload::Encoded(vec![4]));
    assert_eq!(manifest.find(Key(104)), Some(4));
    assert_eq!(manifest.find(Key(4)), None);
    assert_eq!(manifest.at_hand(4, Vec::new()), Ok(Payload::Encoded(vec![4])));
    let error = manifest.read(9, Vec::new()).unwrap_err();
    assert!(error.to_string().contains("record 9: no such record"), "{error}");
    assert_eq!((manifest.place(9).as_str(), manifest.at_hand(9, vec![1])), ("record 9", Err(vec![1])));
    let disk = build(&[Memory::new("disk", 0, 3)], &[split("test", "disk", "", Take::All)], 1).unwrap();
    assert_eq!(disk.at_hand(0, vec![1]), Err(vec![1]));
}

#[test]
fn keys_are_found_whatever_the_order_of_records() {
    let mut source = Memory::new("train", 0, 50);
    source.records.reverse();
    let manifest = build(&[source], &[split("test", "train", "", Take::All)], 1).unwrap();
    for (number, entry) in (0u32..).zip(manifest.entries()) {
        assert_eq!(manifest.find(entry.key), Some(number));
    }
}

#[test]
fn the_seed_and_the_name_choose_other_records() {
    let sources = [Memory::new("train", 0, 300)];
    let drawn = |name: &str, seed| {
        let manifest = build(&sources, &[split(name, "train", "", Take::PerClass(10))], seed).unwrap();
        keys(&manifest, name)
    };
    assert_eq!(drawn("labelled", 1), drawn("labelled", 1));
    assert_ne!(drawn("labelled", 1), drawn("labelled", 2));
    assert_ne!(drawn("labelled", 1), drawn("other", 1));
}

#[test]
fn a_draw_is_even_over_the_records() {
    let sources = [Memory::new("train", 0, 30)];
    let mut counts = [0u32; 30];
    for seed in 0..1000 {
        let manifest = build(&sources, &[split("some", "train", "", Take::Fraction(0.2))], seed).unwrap();
        keys(&manifest, "some").into_iter().for_each(|key| counts[key as usize] += 1);
    }
    // 200 each, with a standard deviation of 12.6.
    assert!(counts.iter().all(|count| (140..260).contains(count)), "{counts:?}");
}

#[test]
fn a_fraction_is_rounded_to_whole_records() {
    let sources = [Memory::new("train", 0, 30)];
    for (share, count) in [(0.05, 2), (0.1, 3), (0.5, 15), (0.999, 30), (1.0, 30)] {
        let manifest = build(&sources, &[split("some", "train", "", Take::Fraction(share))], 1).unwrap();
        assert_eq!(manifest.split("some").len(), count, "{share}");
    }
    for share in [0.0, -0.5, 1.01, f64::NAN, f64::INFINITY] {
        let splits = [split("some", "train", "", Take::Fraction(share))];
        refuses(&sources, &splits, &["split `some`", &format!("`fraction: {share}`"), "(0, 1]"]);
    }
}

#[test]
fn a_split_may_name_several_sources_and_splits_in_any_order() {
    let sources = [Memory::new("one", 0, 30), Memory::new("two", 100, 30)];
    let splits = [
        split("rest", "one,two", "some,others", Take::All),
        split("both", "some,others", "", Take::All),
        split("some", "one", "", Take::Fraction(0.5)),
        split("others", "two", "", Take::Fraction(0.5)),
    ];
    let manifest = build(&sources, &splits, 1).unwrap();
    assert_eq!(manifest.split("rest").len(), 30);
    let (both, rest) = (keys(&manifest, "both"), keys(&manifest, "rest"));
    assert_eq!(both.iter().chain(&rest).collect::<BTreeSet<_>>().len(), 60);
}

#[test]
fn a_source_is_meant_where_a_split_has_its_name_too() {
    let sources = [Memory::new("test", 0, 30)];
    let splits = [split("test", "test", "", Take::PerClass(1)), split("all", "test", "", Take::All)];
    let manifest = build(&sources, &splits, 1).unwrap();
    assert_eq!((manifest.split("test").len(), manifest.split("all").len()), (3, 30));
}

#[test]
fn lists_name_records_by_key_or_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.txt");
    let sources = [Memory::new("train", 0, 30)];
    let splits = [split("some", "train", "", Take::List(path.clone()))];
    fs::write(&path, format!("train[7]\r\n\n  {}  \n", Key(3))).unwrap();
    let manifest = build(&sources, &splits, 1).unwrap();
    assert_eq!(keys(&manifest, "some"), [3, 7]);
    let rows = [
        ("train[7]\ntrain[30]\n", vec!["list.txt:2", "`train[30]`", "the key or the place"]),
        ("train[7]\n\n00000000000000000000000000000007", vec!["list.txt:3", "which line 1 has too"]),
        ("\n", vec!["split `some`: it has no record"]),
    ];
    for (text, parts) in rows {
        fs::write(&path, text).unwrap();
        refuses(&sources, &splits, &parts);
    }
    fs::remove_file(&path).unwrap();
    refuses(&sources, &splits, &["list.txt: there is no such list of keys or places"]);
}

#[test]
fn references_to_nothing_and_circles_are_refused() {
    let sources = [Memory::new("train", 0, 30)];
    let all = |name, from, except| split(name, from, except, Take::All);
    refuses(&sources, &[all("x", "trian", "")], &["split `x`: `from` names `trian`", "no source and no split"]);
    refuses(&sources, &[all("x", "train", "train")], &["split `x`: `except` names `train`", "no split"]);
    let circle = [all("x", "y", ""), all("y", "train", "z"), all("z", "x", "")];
    refuses(&sources, &circle, &["drawn from itself (x -> y -> z -> x)"]);
    refuses(&sources, &[all("x", "x", "")], &["drawn from itself (x -> x)"]);
    refuses(&sources, &[all("x", "train", ""), all("x", "train", "")], &["split `x`: there are two splits"]);
    let twice = [sources[0].clone(), sources[0].clone()];
    refuses(&twice, &[all("x", "train", "")], &["two sources named `train`"]);
}

#[test]
fn an_empty_split_is_refused() {
    let sources = [Memory::new("train", 0, 30)];
    for empty in [split("x", "", "", Take::All), split("x", "train", "y", Take::All)] {
        let splits = [empty, split("y", "train", "", Take::All)];
        refuses(&sources, &splits, &["split `x`: it has no record"]);
    }
}

#[test]
fn too_few_labels_are_refused_with_the_class() {
    let (sources, mut splits) = quickstart();
    splits[0].take = Take::PerClass(11);
    let parts = ["split `labelled`", "class 0 (`a`) has 10 labelled images, 11 wanted"];
    refuses(&sources, &splits, &parts);
    let mut sources = sources;
    sources[0].records.iter_mut().filter(|record| record.label == Some(2)).for_each(|record| record.label = None);
    splits[0].take = Take::PerClass(1);
    refuses(&sources, &splits, &["class 2 (`c`) has 0 labelled images, 1 wanted"]);
}

#[test]
fn a_class_that_nobody_labelled_is_refused_however_labels_are_taken() {
    let (mut sources, mut splits) = quickstart();
    sources[0].records.retain(|record| record.label != Some(1));
    splits[0].take = Take::Fraction(0.8);
    refuses(&sources, &splits, &["split `labelled`", "class 1 (`b`) has 0 labelled images, 1 wanted"]);
}

#[test]
fn records_without_labels_are_refused_where_labels_are_needed() {
    for name in ["labelled", "validation", "test"] {
        let source = Memory::new("pool", 0, 30).unlabelled();
        let splits = [split(name, "pool", "", Take::All)];
        refuses(&[source], &splits, &[&format!("split `{name}`: 30 of its records"), "first is pool[0]"]);
    }
    let source = Memory::new("pool", 0, 30).unlabelled();
    assert!(build(&[source], &[split("unlabelled", "pool", "", Take::All)], 1).is_ok());
}

#[test]
fn what_is_tested_on_is_not_trained_on() {
    let sources = [Memory::new("train", 0, 30)];
    let all = |name, except| split(name, "train", except, Take::All);
    let parts =
        ["train[0] is in split `labelled` and in split `test` (30 records are)", "`except` of split `labelled`"];
    let error = refuses(&sources, &[all("labelled", ""), all("test", "")], &parts);
    assert!(matches!(error, DataError::Leak { .. }));
    let test = split("test", "train", "", Take::PerClass(3));
    let unlabelled = all("unlabelled", "");
    refuses(&sources, &[test.clone(), unlabelled], &["split `unlabelled` and in split `test` (9 records are)"]);
    assert!(build(&sources, &[test.clone(), all("unlabelled", "test")], 1).is_ok());
    let on_purpose = split("unlabelled", "train,test", "", Take::All);
    assert!(build(&sources, &[test, on_purpose], 1).is_ok());
    assert!(build(&sources, &[all("labelled", ""), all("unlabelled", "")], 1).is_ok());
}

#[test]
fn what_validates_is_in_no_other_split() {
    let sources = [Memory::new("train", 0, 30)];
    let all = |name, except| split(name, "train", except, Take::All);
    let validation = split("validation", "train", "", Take::PerClass(2));
    for name in ["labelled", "unlabelled"] {
        let says = format!("is in split `{name}` and in split `validation` (6 records are)");
        let error =
            refuses(&sources, &[validation.clone(), all(name, "")], &[&says, "add `validation` to the `except`"]);
        assert!(matches!(error, DataError::Leak { .. }));
        assert!(build(&sources, &[validation.clone(), all(name, "validation")], 1).is_ok());
    }
    let on_purpose = split("unlabelled", "train,validation", "", Take::All);
    refuses(&sources, &[validation.clone(), on_purpose], &["in split `unlabelled` and in split `validation`"]);
    refuses(
        &sources,
        &[validation, all("test", "")],
        &["is in split `validation` and in split `test` (6 records are)"],
    );
}

#[test]
fn two_records_with_one_key_are_refused_with_both_places() {
    let sources = [Memory::new("one", 0, 30), Memory::new("two", 29, 30)];
    let splits = [split("test", "one,two", "", Take::All)];
    let parts = ["one[29] and two[0]", "key 0000000000000000000000000000001d", "`key: place`"];
    let error = refuses(&sources, &splits, &parts);
    assert!(matches!(error, DataError::DuplicateKey { .. }));
    let apart = [split("test", "one", "", Take::All)];
    assert!(build(&sources, &apart, 1).is_ok(), "records that no split uses do not matter");
}

#[test]
fn classes_of_sources_are_joined_by_name() {
    let train = Memory::new("train", 0, 30).classes(&["ant", "cat", "dog"]);
    let test = Memory::new("test", 100, 3).classes(&["bee", "cat", "dog"]);
    let unused = Memory::new("unused", 200, 3).classes(&["x", "y", "z"]);
    let splits = [split("pool", "train", "", Take::All), split("test", "test", "", Take::All)];
    let manifest = build(&[train, test, unused], &splits, 1).unwrap();
    assert_eq!(manifest.classes(), ["ant", "bee", "cat", "dog"]);
    let labels = |range: std::ops::Range<usize>| -> Vec<_> {
        manifest.entries()[range].iter().map(|entry| entry.label.unwrap()).collect()
    };
    assert_eq!(labels(0..3), [0, 2, 3]);
    assert_eq!(labels(30..33), [1, 2, 3]);
}

#[test]
fn classes_keep_the_order_that_all_sources_agree_on() {
    let sources = [
        Memory::new("train", 0, 30).classes(&["z", "y", "x"]),
        Memory::new("test", 100, 9).classes(&["z", "y", "x"]),
        Memory::new("pool", 200, 9).unlabelled(),
    ];
    let splits = [split("labelled", "train", "", Take::All), split("unlabelled", "pool,test", "", Take::All)];
    assert_eq!(build(&sources, &splits, 1).unwrap().classes(), ["z", "y", "x"]);
}

#[test]
fn the_fingerprint_tells_data_and_splits_apart() {
    let (sources, splits) = quickstart();
    let print = |sources: &[Memory], splits: &[SplitConfig], seed| build(sources, splits, seed).unwrap().fingerprint();
    let first = print(&sources, &splits, 1);
    assert_eq!(first, print(&sources, &splits, 1));
    let mut changed = sources.clone();
    changed[0].records[29].key = Key(77);
    let mut more = splits.to_vec();
    more.push(split("more", "train", "", Take::All));
    let renamed = sources.clone().map(|source| source.classes(&["a", "b", "d"]));
    let prints = BTreeSet::from([
        first,
        print(&sources, &splits, 2),
        print(&changed, &splits, 1),
        print(&renamed, &splits, 1),
        print(&sources, &more, 1),
    ]);
    assert_eq!(prints.len(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_records_does_not_matter(seed: u64, turn in 0usize..60, share in 0.1f64..0.9) {
        let source = Memory::new("train", 0, 60);
        let mut turned = source.clone();
        turned.records.rotate_left(turn);
        for take in [Take::Fraction(share), Take::PerClass(7)] {
            let splits = [split("some", "train", "", take)];
            let mut drawn = keys(&build(std::slice::from_ref(&source), &splits, seed).unwrap(), "some");
            let mut again = keys(&build(std::slice::from_ref(&turned), &splits, seed).unwrap(), "some");
            drawn.sort_unstable();
            again.sort_unstable();
            prop_assert_eq!(drawn, again);
        }
    }

    #[test]
    fn what_is_added_only_displaces(seed: u64, added in 0usize..30) {
        let draw = |count: usize| {
            let splits = [split("some", "train", "", Take::PerClass(7))];
            keys(&build(&[Memory::new("train", 0, count)], &splits, seed).unwrap(), "some")
        };
        let before: BTreeSet<u128> = draw(60).into_iter().collect();
        for key in draw(60 + added) {
            prop_assert!(key >= 60 || before.contains(&key), "{key} was not drawn among fewer records");
        }
    }
}

#[test]
fn folds_share_a_split_out_evenly_in_each_class() {
    let split =
        SplitConfig { name: "labelled".to_string(), from: vec!["a".to_string()], except: Vec::new(), take: Take::All };
    let manifest = build(&[Memory::new("a", 0, 90)], &[split], 1).unwrap();
    let mut seen = Vec::new();
    for fold in 0..5 {
        let (rest, held) = manifest.fold("labelled", fold, 5, 7);
        let of_class = |class| held.iter().filter(|r| manifest.entries()[**r as usize].label == Some(class)).count();
        assert_eq!([of_class(0), of_class(1), of_class(2)], [6; 3]);
        assert_eq!(rest.len() + held.len(), 90);
        assert!(rest.iter().all(|record| !held.contains(record)) && rest.is_sorted() && held.is_sorted());
        seen.extend(held);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..90).collect::<Vec<u32>>(), "each record is in one fold");
    let held = |seed| manifest.fold("labelled", 0, 5, seed).1;
    assert_ne!(held(7), held(8));
}
