//! The files that people run, and the schema that their editors use.

use std::path::PathBuf;

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines")
}

#[test]
fn every_pipeline_validates() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            load(&path, &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
            count += 1;
        }
    }
    assert!(count >= 3, "only {count} files in {}", folder().display());
}

#[test]
fn the_quickstart_is_the_recipe_it_promises() {
    let plan = load(&folder().join("quickstart.yaml"), &[]).unwrap();
    let rounds: Vec<_> = plan.rounds.iter().map(|round| (round.model, round.training.steps)).collect();
    let net = |width| ModelPlan { name: "smallnet", width: Some(width), dropout: 0.0, drop_path: None };
    assert_eq!(rounds, [(net(16), 400), (net(20), 600), (net(24), 600), (net(28), 600)]);
    assert!(plan.rounds.iter().all(|round| (round.training.batch, round.training.unlabelled_ratio) == (64, 3)));
    assert_eq!(plan.selection.threshold, 0.6);
    assert_eq!(plan.data.splits.iter().find(|split| split.name == "labelled").unwrap().take, TakePlan::PerClass(10));
}

/// `MILLSTREAM_BLESS=1 cargo test -p millstream-spec` writes the file anew.
#[test]
fn the_schema_file_is_up_to_date() {
    let path = folder().join("pipeline.schema.json");
    let current = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("MILLSTREAM_BLESS").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == current, "{} is old: run this test with MILLSTREAM_BLESS=1", path.display());
}

#[test]
fn the_schema_describes_every_key_and_gives_its_default() {
    let schema = schema();
    let mut keys = 0;
    let sections = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for section in sections {
        for (key, property) in section["properties"].as_object().into_iter().flatten() {
            let described = property["description"].as_str().is_some_and(|text| text.ends_with('.'));
            assert!(described, "`{key}` has no description: {property}");
            keys += 1;
        }
    }
    assert!(keys > 50, "{keys}");
    assert_eq!(schema["properties"]["threads"]["default"], 2);
    assert_eq!(schema["$defs"]["Training"]["properties"]["batch"]["default"], 64);
    assert_eq!(schema["$defs"]["Selection"]["properties"]["threshold"]["exclusiveMaximum"], 1);
    let text = schema.to_string();
    assert!(!text.contains("null"), "a key is there with a value, or not there");
}

/// The check of the structure must understand every word of the schema.
#[test]
fn the_schema_uses_only_what_the_check_understands() {
    const CHECKED: [&str; 20] = [
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "oneOf",
        "properties",
        "required",
        "type",
    ];
    // `pattern` is for editors: the meaning of the text is checked in `check`.
    const NOTES: [&str; 7] = ["$defs", "$schema", "default", "description", "format", "pattern", "title"];
    fn visit(schema: &serde_json::Value) {
        for (word, value) in schema.as_object().into_iter().flatten() {
            assert!(CHECKED.contains(&word.as_str()) || NOTES.contains(&word.as_str()), "`{word}` in {schema}");
            match word.as_str() {
                "properties" | "$defs" => value.as_object().unwrap().values().for_each(visit),
                "oneOf" | "anyOf" => value.as_array().unwrap().iter().for_each(visit),
                "items" | "additionalProperties" => visit(value),
                _ => {}
            }
        }
    }
    visit(&schema());
}

#[test]
fn a_file_that_cannot_be_read_is_one_mistake() {
    let folder = folder();
    for (path, expected) in [(folder.join("no-such.yaml"), "No such file"), (folder, "not a file")] {
        let mistakes = load(&path, &[]).unwrap_err();
        assert_eq!(mistakes.items()[0].code, Code::Unreadable);
        assert!(mistakes.to_string().contains(expected), "{mistakes}");
    }
    let gzip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/mnist/test-labels-idx1-ubyte.gz");
    assert!(load(&gzip, &[]).unwrap_err().to_string().contains("UTF-8"), "a file that is not text");
}
