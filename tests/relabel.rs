//! `relabel`: a corpus in bulk, exactly once, whatever happens.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use image::GrayImage;
use millstream_data::Key;
use millstream_data::answer::decode;
use millstream_data::corpus::Sample;
use millstream_data::store::{Location, Store};
use millstream_imageops::{Picture, Renderer, SampleKey, View};

use crate::support::{Place, root, unpacked_mnist};

mod guards;
mod s3;

/// Archives of the corpus, and images in each.
const SHARDS: usize = 24;
const IMAGES: usize = 40;

/// A trained model and `corpus/digits-000000.tar` and so on: real digits, as PNG and as JPEG in turns.
fn digits() -> Place {
    let place = Place::new();
    place.succeed(&train("run", "1"));
    for folder in ["png", "corpus"] {
        std::fs::create_dir(place.path(folder)).unwrap();
    }
    let pixels = pixels();
    for number in 0..SHARDS * IMAGES {
        let digit = GrayImage::from_raw(28, 28, pixels[number * 784..][..784].to_vec()).unwrap();
        digit.save(place.path(&format!("png/{number:06}.png"))).unwrap();
    }
    place.succeed(&["augment", "--ops", "identity", "--channels", "gray", "--format", "jpg", "png", "jpg"]);
    for shard in 0..SHARDS {
        std::fs::write(place.path(&format!("corpus/digits-{shard:06}.tar")), tar(&members(&place, shard))).unwrap();
    }
    place
}

/// The members of an archive: an image and its class, and so on.
fn members(place: &Place, shard: usize) -> Vec<(String, Vec<u8>)> {
    let member = |number: usize| {
        let kind = if number.is_multiple_of(2) { "png" } else { "jpg" };
        let image = std::fs::read(place.path(&format!("{kind}/{number:06}.{kind}"))).unwrap();
        [(format!("{number:06}.{kind}"), image), (format!("{number:06}.cls"), b"7".to_vec())]
    };
    (shard * IMAGES..(shard + 1) * IMAGES).flat_map(member).collect()
}

/// The arguments of a run that learns a little.
fn train<'a>(out: &'a str, seed: &'a str) -> Vec<&'a str> {
    let seed = if seed == "1" { "seed=1" } else { "seed=2" };
    let short = ["--set", "training.steps=10", "--set", "rounds.0.training.steps=10", "--set", seed];
    [&["run", "pipeline.yaml", "--out", out][..], &short].concat()
}

/// The pixels of the test digits, 784 each.
fn pixels() -> Vec<u8> {
    unpacked_mnist("test-images-idx3-ubyte.gz").split_off(16)
}

/// A tar archive (ustar).
fn tar(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in members {
        let mut head = [0; 512];
        head[..name.len()].copy_from_slice(name.as_bytes());
        head[100..108].copy_from_slice(b"0000644\0");
        head[124..136].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
        head[136..148].copy_from_slice(b"00000000000\0");
        head[148..156].fill(b' ');
        head[156] = b'0';
        head[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

const CORPUS: &str = "corpus/digits-{000000..000023}.tar";

fn args<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["relabel", CORPUS, "--model", "run", "--out", out, "--threads", "1", "--batch", "16"][..], more].concat()
}

/// Every file of an output with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

fn commits(place: &Place, out: &str) -> usize {
    let entries = std::fs::read_dir(place.path(&format!("{out}/_millstream/commits"))).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".json")).count()
}

/// Lets a job come to so many commits and a little further, then kills it.
fn kill_after(place: &Place, child: &mut Child, out: &str, wanted: usize) {
    while commits(place, out) < wanted {
        assert!(child.try_wait().unwrap().is_none(), "the job ended before it had {wanted} commits");
        std::thread::sleep(Duration::from_micros(200));
    }
    std::thread::sleep(Duration::from_micros(wanted as u64 * 331 % 2500));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A file as a job writes it before it has its name.
fn draft(place: &Place, folder: &str) -> tempfile::NamedTempFile {
    tempfile::Builder::new().prefix(".tmp-millstream-").tempfile_in(place.path(folder)).unwrap()
}

/// Lets two minutes pass for all such files, those of killed jobs too.
fn age_drafts(place: &Place, out: &str) {
    let before = std::time::SystemTime::now() - Duration::from_secs(120);
    for name in files(&place.path(out)).keys().filter(|name| name.contains(".tmp-millstream-")) {
        let file = std::fs::File::options().write(true).open(place.path(out).join(name)).unwrap();
        file.set_modified(before).unwrap();
    }
}

#[test]
fn a_job_that_is_killed_again_and_again_ends_as_if_it_had_not_been() {
    let place = digits();
    let says = place.tell(&args("whole", &["--workers", "2"]));
    assert!(says.contains("24 of 24 shards done: ") && says.contains(", 100 %, about 0 s left"), "{says}");
    for wanted in [0, 1, 4, 7, 11, 16] {
        let mut child = place.start(&args("cut", &["--workers", "2"]));
        kill_after(&place, &mut child, "cut", wanted);
    }
    assert!(commits(&place, "cut") >= 16);
    let says = place.succeed(&["inspect", "cut"]);
    assert!(says.contains("cut: answers (parquet), not complete") && says.contains(CORPUS), "{says}");
    let drafts = ["cut", "cut/_millstream", "cut/_millstream/commits"].map(|folder| draft(&place, folder));
    let alive = draft(&place, "cut");
    alive.as_file().try_lock().unwrap();
    let left = drafts.map(|draft| draft.into_temp_path().keep().unwrap());
    age_drafts(&place, "cut");
    let says = place.succeed(&args("cut", &["--workers", "2"]));
    assert!(says.contains("960 answers (0 errors) in 24 files"), "{says}");
    assert!(alive.path().exists(), "the draft of a living writer was removed");
    assert!(!left.iter().any(|path| path.exists()), "what killed jobs left is still there");
    drop(alive);
    assert!(files(&place.path("whole")) == files(&place.path("cut")), "some bytes differ, or something is left over");
    let verdict = place.succeed(&["verify", "cut", "--input", CORPUS]);
    assert!(
        verdict.contains("whole: 24 shards, 960 answers (0 errors), 960 records of the input compared"),
        "{verdict}"
    );
    let says = place.succeed(&["inspect", "cut"]);
    for part in ["cut: answers (parquet), complete", "shards: 24, 960 rows (0 errors), ", "classes: 10: 0, 1, 2"] {
        assert!(says.contains(part), "{part}: {says}");
    }
    let summary: serde_json::Value = serde_json::from_str(&place.succeed(&["inspect", "cut", "--json"])).unwrap();
    assert_eq!(
        (&summary["done"]["rows"], &summary["batch"], &summary["complete"]),
        (&960.into(), &16.into(), &true.into())
    );
    // Once more there is nothing to do.
    let says = place.tell(&args("cut", &[]));
    assert!(says.contains("24 shards done (24 of them before)"), "{says}");

    std::fs::write(place.path("cut/digits-000003.parquet"), "other bytes").unwrap();
    let output = place.run(&["verify", "cut"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stdout).contains("digits-000003.parquet: does not have the bytes"));
}

#[test]
fn an_interrupted_job_says_how_to_go_on() {
    let place = digits();
    let mut child = place.start(&args("cut", &["--workers", "1"]));
    while commits(&place, "cut") < 2 {
        std::thread::sleep(Duration::from_micros(200));
    }
    let status = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!place.path("cut/_millstream/complete.json").exists());
    place.succeed(&args("cut", &["--workers", "3"]));
    place.succeed(&args("whole", &["--workers", "1"]));
    assert!(files(&place.path("whole")) == files(&place.path("cut")));
}

/// One member that is no image, one that is cut, an archive that ends in the middle.
fn damage(place: &Place) {
    let mut members = members(place, 0);
    members[6].1 = b"not a picture".to_vec();
    members[20].1.truncate(40);
    std::fs::write(place.path("corpus/digits-000000.tar"), tar(&members)).unwrap();
    let path = place.path("corpus/digits-000005.tar");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

#[test]
fn bad_records_have_rows_of_their_own_and_workers_change_nothing() {
    let place = digits();
    damage(&place);
    let more =
        ["--format", "jsonl", "--view", "flip", "--model", "run/rounds/001/model.safetensors", "--max-bad", "5%"];
    for workers in ["1", "3"] {
        place.succeed(&args(workers, &[&more[..], &["--workers", workers, "--distribution"]].concat()));
    }
    assert!(files(&place.path("1")) == files(&place.path("3")), "some bytes differ");
    let text = std::fs::read_to_string(place.path("1/digits-000000.jsonl")).unwrap();
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let bad = |row: &serde_json::Value| row["error"].is_string();
    let errors: Vec<usize> = (0..rows.len()).filter(|at| bad(&rows[*at])).collect();
    assert_eq!((rows.len(), errors), (IMAGES, vec![3, 10]), "{text}");
    let text = std::fs::read_to_string(place.path("1/digits-000005.jsonl")).unwrap();
    assert!(text.lines().last().unwrap().contains("the rest of the shard cannot be read"), "{text}");
    assert!(text.lines().count() < IMAGES);
    let strict = [&more[..6], &["--max-bad", "2", "--workers", "2", "--distribution"]].concat();
    place.fail(&args("1", &strict), 3, &["3 of", "records are bad, more than `--max-bad` allows (2)"]);
}

/// The lines of a shard's answers in JSONL.
fn lines(place: &Place, out: &str, shard: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(place.path(&format!("{out}/{shard}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Answers without these columns.
fn without(mut lines: Vec<serde_json::Value>, columns: &[&str]) -> Vec<serde_json::Value> {
    for line in &mut lines {
        columns.iter().for_each(|column| drop(line.as_object_mut().unwrap().remove(*column)));
    }
    lines
}

#[test]
fn fingerprints_tell_of_the_image_and_change_no_answer() {
    let place = digits();
    damage(&place);
    let jsonl = ["--format", "jsonl", "--max-bad", "5%"];
    place.succeed(&args("plain", &jsonl));
    place.succeed(&args("prints", &[&jsonl[..], &["--fingerprint"]].concat()));
    let shard = "digits-000000";
    let lines = lines(&place, "prints", shard);
    assert_eq!(without(lines.clone(), &["content", "phash"]), self::lines(&place, "plain", shard));
    for (number, line) in lines.iter().enumerate() {
        if [3, 10].contains(&number) {
            assert!(line["content"].is_null() && line["phash"].is_null(), "{line}");
            continue;
        }
        let kind = if number.is_multiple_of(2) { "png" } else { "jpg" };
        let bytes = std::fs::read(place.path(&format!("{kind}/{number:06}.{kind}"))).unwrap();
        assert_eq!(line["content"], Key::of_content(&bytes).to_string());
        // Once more, by another way: the test digits are 28 x 28.
        let digit = millstream_imageops::decode(&bytes, 1, &millstream_imageops::Options::default()).unwrap();
        let digit = GrayImage::from_raw(28, 28, digit.pixels).unwrap();
        let shown = image::imageops::resize(&digit, 32, 32, image::imageops::FilterType::Lanczos3);
        let expected = millstream_imageops::phash(shown.as_raw().as_slice().try_into().unwrap());
        let found = u64::from_str_radix(line["phash"].as_str().unwrap(), 16).unwrap();
        assert!((found ^ expected).count_ones() <= 4, "{number}: {found:016x} {expected:016x}");
    }
    place.fail(
        &args("plain", &[&jsonl[..], &["--fingerprint"]].concat()),
        2,
        &["fingerprint is not set there and true here"],
    );
    place.fail(&args("prints", &jsonl), 2, &["fingerprint is true there and not set here"]);
}

/// The numbers of an embedding of a line.
fn embedding(line: &serde_json::Value) -> Vec<f64> {
    line["embedding"].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn embeddings_are_of_one_model_and_change_no_answer() {
    let place = digits();
    let jsonl = ["--format", "jsonl", "--distribution", "--limit", "40"];
    let call = |out, more: &[&str]| place.succeed(&args(out, &[&jsonl[..], more].concat()));
    call("plain", &[]);
    call("features", &["--embedding"]);
    call("mirror", &["--embedding", "--view", "flip"]);
    let [plain, features, mirror] = ["plain", "features", "mirror"].map(|out| lines(&place, out, "digits-000000"));
    assert_eq!(without(features.clone(), &["embedding"]), plain);
    let width = embedding(&features[0]).len();
    assert!(width > 1 && features.iter().all(|line| embedding(line).len() == width));
    assert_ne!(features[0]["embedding"], features[1]["embedding"]);
    assert_ne!(features[0]["embedding"], mirror[0]["embedding"]);
    // The same of a file that programs read.
    place.succeed(&args("binary", &["--embedding", "--limit", "40"]));
    let location = Location::Local(place.path("binary/digits-000000.parquet"));
    let rows = decode(&Store::with_settings([]), &location).unwrap();
    for (row, line) in rows.zip(&features) {
        let found = row.unwrap().said.unwrap().embedding.unwrap();
        let near = |(a, b): (&f32, f64)| (f64::from(*a) - b).abs() <= 1e-3 * b.abs() + 1e-6;
        assert!(found.len() == width && found.iter().zip(embedding(line)).all(near), "{found:?}");
    }
    let two = ["--embedding", "--model", "run/rounds/001/model.safetensors"];
    place.fail(&args("two", &two), 2, &["takes one model, and there are 2", "into a place of its own"]);
    place.fail(&args("plain", &[&jsonl[..], &["--embedding"]].concat()), 2, &["embedding is not set there"]);
}

/// The probabilities of all classes of a line.
fn distribution(line: &serde_json::Value) -> Vec<f64> {
    line["distribution"].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// The ten crops of a digit of 28 x 28 at 8/7 of its size, as files of their own.
fn cut_crops(place: &Place, number: usize) {
    let bytes = std::fs::read(place.path(&format!("png/{number:06}.png"))).unwrap();
    let sample = SampleKey { seed: 0, round: 0, epoch: 0, key: 0, copy: 0, view: 0 };
    let mut pixels = vec![0; 32 * 32];
    let view = View::new(Vec::new(), (32, 32, 1)).unwrap();
    Renderer::default().render(&view, Picture::Encoded(&bytes), &sample, &mut pixels).unwrap();
    let digit = GrayImage::from_raw(32, 32, pixels).unwrap();
    std::fs::create_dir(place.path("cut")).unwrap();
    for (at, (left, top)) in [(0, 0), (4, 0), (0, 4), (4, 4), (2, 2)].into_iter().enumerate() {
        let crop = image::imageops::crop_imm(&digit, left, top, 28, 28).to_image();
        crop.save(place.path(&format!("cut/{at}-plain.png"))).unwrap();
        image::imageops::flip_horizontal(&crop).save(place.path(&format!("cut/{at}-mirrored.png"))).unwrap();
    }
}

#[test]
fn the_answer_to_an_image_is_the_mean_of_those_to_its_crops() {
    let place = digits();
    cut_crops(&place, 0);
    let jsonl = ["--format", "jsonl", "--distribution"];
    let cut = ["relabel", "cut", "--model", "run", "--out", "each", "--threads", "1"];
    place.succeed(&[&cut[..], &jsonl].concat());
    let file =
        std::fs::read_dir(place.path("each")).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    let name = file.filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned)).next().unwrap();
    let each = lines(&place, "each", &name);
    assert_eq!(each.len(), 10);
    for (out, views, kind) in
        [("five", &["--view", "crops"][..], "plain.png"), ("ten", &["--view", "crops", "--view", "flip"], ".png")]
    {
        place.succeed(&args(out, &[&jsonl[..], views, &["--limit", "1"]].concat()));
        let found = distribution(&lines(&place, out, "digits-000000")[0]);
        let crops: Vec<_> = each.iter().filter(|line| line["place"].as_str().unwrap().ends_with(kind)).collect();
        assert_eq!(crops.len(), if out == "five" { 5 } else { 10 });
        for (class, found) in found.into_iter().enumerate() {
            let mean = crops.iter().map(|line| distribution(line)[class]).sum::<f64>() / crops.len() as f64;
            // Float sums depend on how many images are in a batch.
            assert!((mean - found).abs() < 1e-5, "{out} {class}: {mean} {found}");
        }
    }
    place.fail(
        &args("five", &[&jsonl[..], &["--view", "flip", "--limit", "1"]].concat()),
        2,
        &["crops is true there and not set here"],
    );
    // Half of the memory has room for two batches of 16 images of 28 x 28 (25088 bytes), not of 32 x 32 (32768 bytes).
    let memory = ["--memory", "51KB", "--workers", "1", "--limit", "1"];
    place.succeed(&args("small", &memory));
    place.fail(
        &args("smaller", &[&memory[..], &["--view", "crops"]].concat()),
        2,
        &["`memory` is 51000 bytes", "steps of 16384 bytes"],
    );
}

/// Every key that was answered, in order.
fn keys(place: &Place, out: &str) -> Vec<Key> {
    let shards = (0..SHARDS).flat_map(|shard| lines(place, out, &format!("digits-{shard:06}")));
    shards.map(|line| line["key"].as_str().unwrap().parse().unwrap()).collect()
}

#[test]
fn a_sample_is_the_records_whose_keys_are_in_it() {
    let place = digits();
    let jsonl = ["--format", "jsonl"];
    place.succeed(&args("all", &jsonl));
    place.succeed(&args("some", &[&jsonl[..], &["--sample", "10%", "--seed", "3"]].concat()));
    let sample = Sample { share: "10%".parse().unwrap(), seed: 3 };
    let expected: Vec<Key> = keys(&place, "all").into_iter().filter(|key| sample.has(*key)).collect();
    assert!((50..150).contains(&expected.len()));
    assert_eq!(keys(&place, "some"), expected);

    place.succeed(&args("one", &["--sample", "0.1", "--seed", "3", "--workers", "1"]));
    place.succeed(&args("three", &["--sample", "10%", "--seed", "3", "--workers", "3"]));
    assert!(files(&place.path("one")) == files(&place.path("three")), "some bytes differ");
    let verdict = place.succeed(&["verify", "one", "--input", CORPUS]);
    let count = expected.len();
    let whole = format!("whole: 24 shards, {count} answers (0 errors), {count} records of the input compared");
    assert!(verdict.contains(&whole), "{verdict}");
    place.fail(&args("one", &["--sample", "10%"]), 2, &["sample is", "{\"seed\":3,", "{\"seed\":0,"]);
    place.fail(&args("one", &[]), 2, &["sample is", "there and not set here"]);
    // The answers of one sample are not those of another.
    let set = std::fs::read_to_string(place.path("one/_millstream/set.json")).unwrap();
    place.write("one/_millstream/set.json", &set.replace("\"seed\": 3", "\"seed\": 4"));
    let output = place.run(&["verify", "one", "--input", CORPUS]);
    assert_eq!(output.status.code(), Some(4));
    let says = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(says.contains("has no answer to") && says.contains("answers to what is not in the sample of"), "{says}");

    let says = place.succeed(&args("few", &["--sample", "10%", "--limit", "17"]));
    assert!(says.contains("17 answers (0 errors)"), "{says}");
    let estimate = place.succeed(&args("none", &["--sample", "10%", "--dry-run", "--json"]));
    let estimate: serde_json::Value = serde_json::from_str(&estimate).unwrap();
    assert!((60..150).contains(&estimate["records"].as_u64().unwrap()), "{estimate}");
    place.fail(&args("none", &["--sample", "1000"]), 2, &["is no share of the records"]);
    place.fail(&args("none", &["--sample", "0.0000001%"]), 3, &["not a single record", "at `--sample`"]);
    place.fail(&args("none", &["--seed", "1"]), 2, &["--sample"]);
}

#[test]
fn answers_of_others_and_changed_inputs_are_refused() {
    let place = digits();
    place.succeed(&args("out", &[]));
    place.succeed(&train("other", "2"));
    let other = ["relabel", CORPUS, "--model", "other", "--out", "out", "--threads", "1", "--batch", "16"];
    place.fail(&other, 2, &["out holds answers of another job", "models is", "Choose another place with `--out`"]);
    place.fail(&args("out", &["--top-k", "3"]), 2, &["top_k is 5 there and 3 here"]);
    // Nobody says how many threads: as many as the others had.
    place.succeed(&["relabel", CORPUS, "--model", "run", "--out", "out", "--batch", "16"]);

    let path = place.path("corpus/digits-000007.tar");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.resize(bytes.len() + 512, 0);
    std::fs::write(&path, bytes).unwrap();
    place.fail(&args("out", &[]), 2, &["digits-000007.tar has changed since", "commits/digits-000007.json"]);

    std::fs::remove_file(&path).unwrap();
    let says = place.fail(&args("new", &[]), 3, &["1 parts of the input cannot be found", "digits-000007.tar"]);
    assert!(says.contains("not found:"), "{says}");
    assert_eq!(commits(&place, "new"), SHARDS - 1);
    assert!(!place.path("new/_millstream/complete.json").exists());
}

#[test]
fn a_few_records_of_a_folder_can_be_tried() {
    let place = Place::new();
    place.succeed(&train("run", "1"));
    let images = root().join("data/mnist/test-images-idx3-ubyte.gz");
    let images = images.to_str().unwrap();
    let call = |out| ["relabel", images, "--model", "run", "--out", out, "--limit", "150", "--records", "100"];
    let call = |out| [&call(out)[..], &["--format", "csv", "--memory", "1MiB"]].concat();
    let says = place.succeed(&call("few"));
    assert!(says.contains("150 answers (0 errors) in 2 files"), "{says}");
    let small = ["relabel", images, "--model", "run", "--out", "none", "--memory", "10KiB"];
    place.fail(&small, 2, &["memory"]);
}
