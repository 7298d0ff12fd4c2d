//! The house keeps its shape: which crate may use which, and who alone knows what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// The allowed edges, exactly those of ARCHITECTURE.md.
const EDGES: &[(&str, &[&str])] = &[
    ("imageops", &[]),
    ("data", &[]),
    ("spec", &["imageops"]),
    ("labels", &["data"]),
    ("metrics", &[]),
    ("pages", &[]),
    ("c10d", &[]),
    ("train", &["data", "c10d"]),
    ("dataflow", &["spec", "imageops", "data", "labels"]),
    ("cluster", &["spec", "data", "dataflow", "train", "metrics", "c10d"]),
    ("cli", &["spec", "imageops", "data", "dataflow", "train", "metrics", "pages", "cluster"]),
];

/// What only some crates may know.
const KNOWLEDGE: &[(&str, &[&str])] = &[
    ("tch", &["c10d", "train"]),
    ("pytorch-reader", &["train"]),
    ("libloading", &["c10d", "train"]),
    ("cc", &["imageops", "c10d"]),
    ("image", &["imageops"]),
    ("object_store", &["data"]),
    ("tokio", &["data"]),
    ("tar", &["data"]),
    ("parquet", &["data"]),
    ("arrow-array", &["data"]),
    ("csv", &["data", "metrics"]),
    ("flate2", &["data"]),
    ("saphyr-parser", &["spec"]),
    ("schemars", &["spec"]),
    ("differential-dataflow", &["labels", "dataflow"]),
    ("timely", &["labels", "dataflow", "cluster"]),
    ("plotters", &["metrics"]),
    ("base64", &["pages"]),
    ("prost", &["metrics"]),
    ("clap", &["cli"]),
    ("noto-sans-mono-bitmap", &["cli"]),
    ("anyhow", &["cli"]),
    ("indicatif", &["cli"]),
];

fn metadata() -> Metadata {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    MetadataCommand::new().current_dir(root).no_deps().other_options(vec!["--offline".to_owned()]).exec().unwrap()
}

/// The dependencies of each crate, those of tests left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let short = |name: &str| name.strip_prefix("millstream-").map(str::to_owned);
    let crates = metadata().packages.into_iter().filter_map(|package| {
        let kept = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
        Some((short(&package.name)?, kept.map(|d| d.name.clone()).collect()))
    });
    crates.collect()
}

/// Edges between our crates that are not allowed, and crates that the table does not know.
fn trespasses(dependencies: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let allowed: BTreeMap<_, _> = EDGES.iter().copied().collect();
    let mut found = Vec::new();
    for (from, all) in dependencies {
        let Some(to) = allowed.get(from.as_str()) else {
            found.push(format!("{from} is not in the table"));
            continue;
        };
        let ours = all.iter().filter_map(|name| name.strip_prefix("millstream-"));
        found.extend(ours.filter(|name| !to.contains(name)).map(|name| format!("{from} -> {name}")));
    }
    found
}

#[test]
fn crates_use_only_the_crates_that_they_may() {
    let dependencies = dependencies();
    assert_eq!(dependencies.keys().collect::<BTreeSet<_>>().len(), EDGES.len());
    assert_eq!(trespasses(&dependencies), Vec::<String>::new());
}

#[test]
fn a_forbidden_edge_is_found() {
    let mut dependencies = dependencies();
    dependencies.get_mut("spec").unwrap().insert("millstream-train".to_owned());
    assert_eq!(trespasses(&dependencies), ["spec -> train"]);
}

#[test]
fn only_some_crates_know() {
    let dependencies = dependencies();
    for (what, who) in KNOWLEDGE {
        let knowing: Vec<&str> =
            dependencies.iter().filter(|(_, all)| all.contains(*what)).map(|(name, _)| name.as_str()).collect();
        assert!(!knowing.is_empty(), "nobody knows {what}: take it out of the table");
        assert!(knowing.iter().all(|name| who.contains(name)), "{what} is known to {knowing:?}, only {who:?} may");
    }
}
