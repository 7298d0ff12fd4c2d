//! The documents tell the truth: commands in the README are real, files that documents name exist.

use std::collections::BTreeSet;

use crate::support::{Place, millstream, root};

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// The lines of all shell blocks of a document.
fn shell_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => lines.push(line.to_owned()),
            _ => {}
        }
    }
    lines
}

/// Every `millstream` command of the README is understood, and those that only look are run.
#[test]
fn commands_of_the_readme_work() {
    let mut seen = BTreeSet::new();
    for line in shell_lines(&read("README.md")) {
        let line = line.split(" #").next().unwrap_or_default().trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(place) = words.iter().position(|word| word.ends_with("millstream")) else {
            continue;
        };
        let args = &words[place + 1..];
        seen.insert(args[0].to_owned());
        // `bench` has commands of its own.
        let command = &args[..if args[0] == "bench" { 2 } else { 1 }];
        let only_looks = ["validate", "graph", "plan", "schema"].contains(&args[0]);
        let output = if only_looks {
            millstream().args(args).current_dir(root()).output().unwrap()
        } else {
            millstream().args(command).arg("--help").output().unwrap()
        };
        assert_eq!(output.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        let help = millstream().args(command).arg("--help").output().unwrap();
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        for flag in args.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag.split('=').next().unwrap()), "{line}: there is no {flag}");
        }
    }
    assert!(seen.len() > 5, "the README shows {seen:?}");
}

/// The examples of hosts files are good, and their schema is what the program says.
#[test]
fn examples_of_hosts_files_are_good() {
    let place = Place::new();
    for entry in std::fs::read_dir(root().join("configs/hosts")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "yaml") {
            // Good enough to look for the machines, of which some are in no network.
            let hosts = path.to_str().unwrap();
            let output = place.run(&["launch", "pipeline.yaml", "--hosts", hosts, "--check", "--set", "seed=1"]);
            let says = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(says.contains("ssh cannot log in there") || says.contains("machines are ready"), "{hosts}: {says}");
        }
    }
    let schema = place.succeed(&["schema", "--hosts"]);
    assert_eq!(
        schema,
        read("configs/hosts/hosts.schema.json"),
        "millstream schema --hosts > configs/hosts/hosts.schema.json"
    );
}

#[test]
fn scripts_and_files_that_documents_name_exist() {
    for document in ["README.md", "ARCHITECTURE.md"] {
        for word in read(document).split(|c: char| c.is_whitespace() || "`()[],;".contains(c)) {
            let word = word.trim_end_matches(['.', ':']);
            let ours = ["scripts/", "crates/", "pipelines/", "data/mnist", "tests/"];
            if ours.iter().any(|start| word.starts_with(start)) && !word.contains(['*', '{', '<', '|']) {
                assert!(root().join(word).exists(), "{document} names {word}");
            }
        }
    }
}

#[test]
fn every_pipeline_of_the_repository_is_valid() {
    let pipelines = std::fs::read_dir(root().join("pipelines")).unwrap();
    let mut count = 0;
    for pipeline in
        pipelines.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "yaml"))
    {
        let output = millstream().arg("validate").arg(&pipeline).current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        count += 1;
    }
    assert!(count >= 3);
}

/// The quickstart as it is, but for the number of steps and labels.
#[test]
fn the_quickstart_runs_at_toy_size() {
    let place = Place::new();
    let out = place.path("run").display().to_string();
    let mut command = millstream();
    command.args(["run", "pipelines/quickstart.yaml", "--out", &out]).current_dir(root());
    for setting in [
        "training.steps=3",
        "rounds.0.training.steps=3",
        "data.splits.unlabelled.take.fraction=0.02",
        "data.splits.test.take.fraction=0.02",
        "selection.threshold=0.11",
    ] {
        command.args(["--set", setting]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rounds = place.report("run")["rounds"].as_array().unwrap().clone();
    assert_eq!(rounds.len(), 4);
    assert!(rounds[1..].iter().all(|round| round["pseudo_labelled"].as_u64().unwrap() > 0), "{rounds:#?}");
}
