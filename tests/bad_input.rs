//! Bad input gets a clear error and the right exit code, and nothing is lost.

use std::path::Path;

use crate::support::{Place, root};

fn mnist(name: &str) -> String {
    root().join("data/mnist").join(name).display().to_string()
}

const IMAGES: &str = "train-images-idx3-ubyte.gz";
const LABELS: &str = "train-labels-idx1-ubyte.gz";

fn idx(magic: u8, sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, magic];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

/// A pipeline whose training images or labels are replaced by the given bytes.
fn with_file(name: &str, bytes: &[u8]) -> Place {
    let place = Place::new();
    std::fs::write(place.path("broken"), bytes).unwrap();
    place.edit(&mnist(name), "broken");
    place
}

#[test]
fn idx_files_that_are_missing_cut_or_of_another_kind() {
    let missing = Place::new();
    missing.edit(&mnist(IMAGES), "nowhere/images.gz");
    missing.fail(&["run", "pipeline.yaml"], 2, &["nowhere/images.gz", "there is no such"]);
    let gzip = std::fs::read(mnist(IMAGES)).unwrap();
    with_file(IMAGES, &gzip[..gzip.len() / 2]).fail(&["run", "pipeline.yaml"], 2, &["broken"]);
    with_file(IMAGES, &idx(3, &[12_000, 28, 28], &[0; 1000])).fail(
        &["run", "pipeline.yaml"],
        2,
        &["broken", "9408000"],
    );
    with_file(IMAGES, b"\x89PNG\r\n\x1a\n and so on").fail(&["run", "pipeline.yaml"], 2, &["broken"]);
    with_file(LABELS, &idx(1, &[3], &[1, 2, 3])).fail(&["run", "pipeline.yaml"], 2, &["12000", "3"]);
    with_file(LABELS, &idx(1, &[12_000], &[200; 12_000])).fail(&["run", "pipeline.yaml"], 2, &["200"]);
}

fn save(path: &Path, shade: u8) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::GrayImage::from_fn(16, 16, |x, y| image::Luma([(x * 5 + y * 3) as u8 ^ shade])).save(path).unwrap();
}

/// A pipeline over class folders, `count` images in each of two classes.
fn folders(count: u8) -> Place {
    let place = Place::new();
    for class in ["cat", "dog"] {
        for i in 0..count {
            save(&place.path(&format!("photos/{class}/{i:03}.png")), if class == "cat" { i } else { 255 - i });
        }
    }
    place.write(
        "pipeline.yaml",
        "name: folders
seed: 1
memory: 64MiB
max_bad: 0
threads: 1
data:
  sources: { photos: { folder: { path: photos, layout: classes } } }
  splits:
    test: { from: photos, take: { fraction: 0.2 } }
    labelled: { from: photos, except: test, take: { per_class: 3 } }
    unlabelled: { from: photos, except: [test, labelled] }
stream: { size: [28, 28], channels: rgb, normalize: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }, eval_batch: 16 }
training: { steps: 4, batch: 8, unlabelled_ratio: 1, augment: [] }
rounds: [ { model: { smallnet: { width: 8 } } }, { model: { smallnet: { width: 8 } } } ]
selection: { threshold: 0.5 }
",
    );
    place
}

#[test]
fn folders_that_are_empty_or_too_small() {
    let place = folders(20);
    place.succeed(&["plan", "pipeline.yaml"]);
    let few = folders(3);
    few.fail(&["run", "pipeline.yaml"], 2, &["class ", "has 2 labelled images, 3 wanted"]);
    let empty = folders(20);
    std::fs::remove_dir_all(empty.path("photos")).unwrap();
    std::fs::create_dir(empty.path("photos")).unwrap();
    empty.fail(&["run", "pipeline.yaml"], 2, &["photos"]);
}

#[test]
fn two_files_with_one_key_are_named() {
    let place = folders(20);
    std::fs::copy(place.path("photos/cat/000.png"), place.path("photos/dog/copy.png")).unwrap();
    place.succeed(&["plan", "pipeline.yaml"]);
    place.edit("data:\n", "data:\n  key: content\n");
    place.fail(&["run", "pipeline.yaml"], 2, &["cat/000.png", "dog/copy.png", "key"]);
}

#[test]
fn a_hundred_broken_images_among_five_thousand_are_dead_letters() {
    let place = folders(0);
    let mut broken = Vec::new();
    for i in 0..5000_u32 {
        let class = if i % 2 == 0 { "cat" } else { "dog" };
        let path = place.path(&format!("photos/{class}/{i:04}.png"));
        save(&path, (i % 251) as u8);
        if i % 50 == 7 {
            spoil(&path, i);
            broken.push(path.strip_prefix(place.path("")).unwrap().display().to_string());
        }
    }
    place.edit("max_bad: 0", "max_bad: 2.5%");
    place.succeed(&["run", "pipeline.yaml", "--out", "run"]);
    let mut found: Vec<_> = ["run/rounds/000/dead_letters.parquet", "run/rounds/001/dead_letters.parquet"]
        .iter()
        .filter(|file| place.path(file).exists())
        .flat_map(|file| millstream_data::read_dead_letters(&place.path(file)).unwrap())
        .collect();
    found.sort_by(|a, b| a.place.cmp(&b.place));
    broken.sort();
    assert_eq!(found.iter().map(|letter| letter.place.clone()).collect::<Vec<_>>(), broken);
    assert!(found.iter().all(|letter| !letter.reason.is_empty() && letter.bytes_hash.is_some()));
    assert_eq!(place.report("run")["dead_letters"], 100);
    // The same data with a smaller budget: 25 of 5000.
    let says = ["26 of 5000 records are bad", "max_bad", "dead_letters.parquet"];
    place.fail(&["run", "pipeline.yaml", "--out", "strict", "--set", "max_bad=0.5%"], 3, &says);
    assert!(place.path("strict/rounds/000/dead_letters.parquet").exists());
}

/// Breaks a file in one of several ways.
fn spoil(path: &Path, how: u32) {
    let bytes = std::fs::read(path).unwrap();
    match (how / 50) % 4 {
        0 => std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap(),
        1 => std::fs::write(path, b"").unwrap(),
        2 => std::fs::write(path, b"this is no image").unwrap(),
        _ => {
            let mut flipped = bytes.clone();
            flipped[bytes.len() / 2..].iter_mut().for_each(|byte| *byte ^= 0x5a);
            std::fs::write(path, flipped).unwrap();
        }
    }
}

#[test]
fn six_mistakes_are_six_reports_in_one_go() {
    let place = Place::new();
    place.edit("seed: 1", "seed: many");
    place.edit("  channels: gray", "  chanels: gray");
    place.edit("unlabelled_ratio: 2", "unlabelled_ratio: -2");
    place.edit("smallnet: { width: 12 }", "smalnet: { width: 12 }");
    place.edit("except: labelled", "except: labeled");
    place.edit("threshold: 0.5", "threshold: 1.5");
    let text = place.fail(
        &["validate", "pipeline.yaml"],
        2,
        &[
            "pipeline.yaml:2:7",
            "pipeline.yaml:16:3",
            "pipeline.yaml:22:21",
            "pipeline.yaml:32:14",
            "pipeline.yaml:12:40",
            "pipeline.yaml:33:25",
            "6 mistakes",
            "chanels",
            "did you mean",
            "channels",
            "smallnet",
            "labelled",
        ],
    );
    let json = place.run(&["validate", "pipeline.yaml", "--json"]);
    assert_eq!(json.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(json["errors"].as_array().unwrap().len() == 6, "{text}\n{json:#}");
}

#[test]
fn yaml_that_is_no_yaml_or_goes_in_circles() {
    let place = Place::new();
    place.write("pipeline.yaml", "name: [unclosed\n");
    place.fail(&["run", "pipeline.yaml"], 2, &["pipeline.yaml:"]);
    let circle = Place::new();
    circle.edit(
        "labelled: { from: train, take: { per_class: 4 } }",
        "labelled: { from: unlabelled, take: { per_class: 4 } }",
    );
    circle.fail(&["run", "pipeline.yaml"], 2, &["labelled", "unlabelled"]);
    Place::new().fail(&["run", "nothing.yaml"], 2, &["nothing.yaml"]);
}

#[test]
fn requests_that_cannot_be_met() {
    let place = Place::new();
    place.fail(&["run", "pipeline.yaml", "--workers", "0"], 2, &["--workers"]);
    place.fail(&["run", "pipeline.yaml", "--workers", "20"], 2, &["20 workers", "16 images"]);
    place.fail(&["run", "pipeline.yaml", "--processes", "9", "--workers", "2"], 2, &["18 workers"]);
    place.fail(&["run", "pipeline.yaml", "--set", "memory=100KiB"], 2, &["memory"]);
    place.fail(&["run", "pipeline.yaml", "--set", "rounds.0.model.alexnet.dropout=0.5"], 2, &["rounds"]);
    place.fail(&["run", "pipeline.yaml", "--resume", "--overwrite"], 2, &["--overwrite"]);
    place.fail(&["verify", "nowhere"], 2, &["nowhere", "no committed run"]);
    place.fail(&["eval", "pipeline.yaml", "--model", "nowhere.safetensors"], 2, &["nowhere.safetensors"]);
    place.fail(
        &["run", "pipeline.yaml", "--set", "rounds=[{model: {smallnet: {width: 8}}}, {model: {alexnet: {}}}]"],
        2,
        &["alexnet needs images of at least 63 pixels"],
    );
    place.fail(&["run", "pipeline.yaml", "--device", "cuda"], 2, &["CUDA", "--device cpu"]);
}

#[test]
fn a_taken_port_is_named() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    place.fail(&["run", "pipeline.yaml", "--processes", "2", "--listen", &address], 2, &[&address, "--listen"]);
}

/// A disk of 192 KiB: too small for the first round.
#[test]
fn a_full_disk_fails_the_job_and_says_so() {
    let place = Place::new();
    std::fs::create_dir(place.path("disk")).unwrap();
    let disk = place.path("disk").display().to_string();
    let mount = std::process::Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c"])
        .arg(format!(
            "mount -t tmpfs -o size=192k none {disk} && exec {} run pipeline.yaml --out {disk}/run --set training.steps=2 --set rounds.0.training.steps=2",
            env!("CARGO_BIN_EXE_millstream")
        ))
        .current_dir(place.path(""))
        .output()
        .unwrap();
    let text = crate::support::stderr(&mount);
    assert_eq!(mount.status.code(), Some(4), "{text}");
    assert!(text.contains("No space left"), "{text}");
}
