//! `inspect --out`: a look at every image.

use std::collections::BTreeSet;
use std::path::Path;

use image::RgbImage;
use image::imageops::{FilterType, resize};
use serde_json::{Value, json};

use crate::support::{Place, unpacked_mnist};

/// A soft picture of random colours, another one for each seed.
fn picture(seed: u32) -> RgbImage {
    let scatter = |number: u32| {
        let bits = number.wrapping_mul(0x9e37_79b1) ^ (number.wrapping_mul(0x85eb_ca6b) >> 13);
        (bits.wrapping_mul(0xc2b2_ae35) >> 24) as u8
    };
    let patches = RgbImage::from_fn(8, 6, |x, y| {
        let at = seed * 1000 + y * 8 + x;
        image::Rgb([scatter(at * 3), scatter(at * 3 + 1), scatter(at * 3 + 2)])
    });
    resize(&patches, 96, 72, FilterType::CatmullRom)
}

fn copy(place: &Place, from: &str, to: &str) {
    std::fs::copy(place.path(from), place.path(to)).unwrap();
}

/// The same picture in another size and somewhat darker.
fn copy_near(place: &Place, from: &str, to: &str) {
    let mut near = resize(&image::open(place.path(from)).unwrap().to_rgb8(), 72, 54, FilterType::Triangle);
    near.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|value| value / 8 * 7));
    near.save(place.path(to)).unwrap();
}

/// Two splits of two classes, with three exact copies, two near ones, three leaks and two broken files.
fn planted() -> Place {
    let place = Place::new();
    for (split, count, seed) in [("train", 12, 0), ("test", 6, 100)] {
        for (class, seed) in [("lake", seed), ("wood", seed + 50)] {
            let folder = place.path(&format!("{split}/{class}"));
            std::fs::create_dir_all(&folder).unwrap();
            for number in 0..count {
                picture(seed + number).save(folder.join(format!("{number:02}.png"))).unwrap();
            }
        }
    }
    for number in ["01", "02", "03"] {
        copy(&place, &format!("train/lake/{number}.png"), &format!("train/lake/copy{number}.png"));
    }
    copy_near(&place, "train/wood/04.png", "train/wood/near04.png");
    copy_near(&place, "train/wood/05.png", "train/lake/near05.png");
    copy(&place, "train/lake/06.png", "test/lake/leak06.png");
    copy(&place, "train/lake/07.png", "test/wood/leak07.png");
    copy_near(&place, "train/wood/08.png", "test/wood/leak08.png");
    let whole = std::fs::read(place.path("train/wood/00.png")).unwrap();
    std::fs::write(place.path("train/wood/cut.png"), &whole[..whole.len() / 2]).unwrap();
    place.write("test/lake/text.jpg", "not a picture");
    place
}

fn report(place: &Place, out: &str) -> Value {
    serde_json::from_slice(&std::fs::read(place.path(out).join("report.json")).unwrap()).unwrap()
}

/// The files of each group, by name, and whether it is exact, a leak, a contradiction. A folder has no order of its own: leaks come
/// first, then contradictions, then the rest, in any order.
fn groups(report: &Value) -> [BTreeSet<(Vec<&str>, bool)>; 4] {
    let mut groups: [BTreeSet<_>; 4] = Default::default();
    let mut last = 0;
    for group in report["duplicates"]["groups"].as_array().unwrap() {
        let is = |what: &str| group[what].as_bool().unwrap();
        let kind = match (is("leak"), is("contradiction")) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        assert!(kind >= last, "{group} comes too late");
        last = kind;
        let mut files: Vec<&str> = group["records"].as_array().unwrap().iter().map(place_of).collect();
        files.sort_unstable();
        groups[kind].insert((files, is("exact")));
    }
    groups
}

fn place_of(record: &Value) -> &str {
    record["place"].as_str().unwrap()
}

#[test]
fn what_was_planted_is_found_and_nothing_else() {
    let place = planted();
    let said = place.succeed(&["inspect", "train=train", "test=test", "--out", "report", "--workers", "1"]);
    let report = report(&place, "report");
    let expected: [BTreeSet<(Vec<&str>, bool)>; 4] = [
        [(vec!["test/wood/leak07.png", "train/lake/07.png"], true)].into(),
        [
            (vec!["test/lake/leak06.png", "train/lake/06.png"], true),
            (vec!["test/wood/leak08.png", "train/wood/08.png"], false),
        ]
        .into(),
        [(vec!["train/lake/near05.png", "train/wood/05.png"], false)].into(),
        [
            (vec!["train/lake/01.png", "train/lake/copy01.png"], true),
            (vec!["train/lake/02.png", "train/lake/copy02.png"], true),
            (vec!["train/lake/03.png", "train/lake/copy03.png"], true),
            (vec!["train/wood/04.png", "train/wood/near04.png"], false),
        ]
        .into(),
    ];
    assert_eq!(groups(&report), expected);
    let duplicates = &report["duplicates"];
    assert_eq!(duplicates["leaked"], json!([{ "from": "train", "into": "test", "records": 3 }]));
    assert_eq!((&duplicates["exact_groups"], &duplicates["near_groups"]), (&json!(5), &json!(3)));
    let broken: Vec<&str> = report["broken"]["records"].as_array().unwrap().iter().map(place_of).collect();
    assert_eq!(broken, ["train/wood/cut.png", "test/lake/text.jpg"]);
    assert_eq!(report["splits"][0]["records"], 12 * 2 + 3 + 2 + 1);
    assert_eq!(report["balance"]["largest"], json!(["lake", 16]));
    let wood = &report["classes"][1];
    assert_eq!((&wood["name"], &wood["records"]), (&json!("wood"), &json!([13, 8])));
    for part in [
        "train: 30 records, 29 labelled, 1 broken",
        "imbalance 1.2 to 1 (lake 16, wood 13)",
        "leaks: 3 of test in train",
        "broken: train/wood/cut.png: ",
        "normalize: { mean: [0.",
        "report/report.html (",
    ] {
        assert!(said.contains(part), "no {part:?}: {said}");
    }
}

#[test]
fn the_report_does_not_depend_on_how_many_work_or_on_the_format() {
    let place = planted();
    let args = |workers: &'static str| ["inspect", "train=train", "test=test", "--workers", workers, "--out", workers];
    let [one, two, three] = ["1", "2", "3"].map(|workers| {
        place.succeed(&args(workers));
        std::fs::read(place.path(workers).join("report.json")).unwrap()
    });
    assert!(one == two && two == three);
    let page = |workers: &str| std::fs::read_to_string(place.path(workers).join("report.html")).unwrap();
    assert_eq!(page("1"), page("2"));
    // What pictures are made of may spell anything.
    let text: Vec<String> =
        page("1").split("base64,").map(|part| part[part.find('"').unwrap_or(0)..].to_owned()).collect();
    for part in ["http:", "https:", "<script", "NaN", "inf"] {
        assert!(!text.iter().any(|text| text.contains(part)), "{part:?} in the page");
    }
    assert!(page("1").contains("data:image/jpeg;base64,") && page("1").contains("<pre>normalize: { mean: ["));
    let names: Vec<_> = std::fs::read_dir(place.path("2")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let printed = place.succeed(&["inspect", "train=train", "test=test", "--out", "json", "--json"]);
    assert_eq!(printed.as_bytes(), one);
}

/// What channels and mean images are, worked out here.
#[test]
fn figures_are_those_of_the_images() {
    let place = Place::new();
    for (class, gray, side) in [("dark", 40, 16), ("light", 200, 64)] {
        std::fs::create_dir_all(place.path(&format!("plain/{class}"))).unwrap();
        let plain = RgbImage::from_pixel(side, side / 2, image::Rgb([gray, gray, gray]));
        plain.save(place.path(&format!("plain/{class}/0.png"))).unwrap();
    }
    place.succeed(&["inspect", "plain", "--out", "report"]);
    let report = report(&place, "report");
    // Each image counts the same, whatever its size: 120 and a deviation of 80, in shares of 255.
    assert_eq!(report["normalize"], json!({ "mean": [0.4706], "std": [0.3137] }));
    assert_eq!((&report["splits"][0]["gray"], &report["splits"][0]["aspect"]["median"]), (&json!(2), &json!(2.0)));
    assert_eq!(report["classes"][1]["brightness"]["median"], 200.0);
    assert_eq!(report["classes"][0]["sharpness"]["most"], 0.0);
    assert_eq!((&report["duplicates"]["repeats"], &report["labels"]), (&json!(0), &Value::Null));
    assert_eq!(report["extremes"]["dark"][0]["record"]["place"], "plain/dark/0.png");
}

#[test]
fn data_without_labels_and_data_without_images_say_so() {
    let place = Place::new();
    std::fs::create_dir(place.path("flat")).unwrap();
    picture(1).save(place.path("flat/a.png")).unwrap();
    let said = place.succeed(&["inspect", "flat", "--out", "report"]);
    assert!(said.contains("classes: nothing is labelled") && !said.contains("leaks"), "{said}");
    let page = std::fs::read_to_string(place.path("report/report.html")).unwrap();
    assert!(page.contains("Nothing is labelled") && page.contains("without a label"));
    std::fs::create_dir(place.path("bad")).unwrap();
    place.write("bad/a.png", "nothing");
    place.succeed(&["inspect", "bad", "--out", "bad report"]);
    let report = report(&place, "bad report");
    assert_eq!((&report["broken"]["count"], &report["normalize"]), (&json!(1), &Value::Null));
    std::fs::create_dir(place.path("empty")).unwrap();
    place.fail(&["inspect", "empty", "--out", "none"], 3, &["not a single record"]);
    assert!(!place.path("none").exists(), "a folder of a report that came to nothing");
}

#[test]
fn a_folder_with_other_files_and_wrong_requests_are_refused() {
    let place = planted();
    std::fs::create_dir(place.path("full")).unwrap();
    place.write("full/mine.txt", "mine");
    place.fail(&["inspect", "train", "--out", "full"], 2, &["full is not empty", "--overwrite"]);
    place.fail(&["inspect", "train", "--out", "full/mine.txt"], 2, &["full/mine.txt is no folder"]);
    place.write("full/label_issues.csv", "old");
    place.succeed(&["inspect", "train", "--out", "full", "--overwrite"]);
    assert!(place.path("full/mine.txt").exists() && !place.path("full/label_issues.csv").exists());
    place.fail(&["inspect", "train", "--out", "train/report"], 2, &["which is in the input train"]);
    place.fail(&["inspect", "a=train", "test", "--out", "x"], 2, &["test has no name", "train=test"]);
    place.fail(&["inspect", "train", "--model", "m"], 2, &["--out"]);
    place.fail(&["inspect", "train", "--out", "x", "--model", "none.safetensors"], 2, &["none.safetensors"]);
    place.fail(&["inspect", "train", "--out", "x", "--labels", "b=l.idx"], 2, &["--labels b=l.idx"]);
    assert!(!place.path("x").exists());
}

/// Digits 0, 1 and 2 as files of classes of these names, the first five of each under the name of the next.
fn digits(place: &Place, folder: &str, classes: [&str; 3]) {
    let (images, labels) = (unpacked_mnist("train-images-idx3-ubyte.gz"), unpacked_mnist("train-labels-idx1-ubyte.gz"));
    for class in classes {
        std::fs::create_dir_all(place.path(&format!("{folder}/{class}"))).unwrap();
    }
    let mut counts = [0; 3];
    for (pixels, label) in images[16..].chunks(28 * 28).zip(&labels[8..]) {
        let label = usize::from(*label);
        let Some(count) = counts.get_mut(label).filter(|count| **count < 60) else { continue };
        *count += 1;
        let (class, name) = if *count <= 5 { ((label + 1) % 3, "wrong") } else { (label, "right") };
        let path = place.path(&format!("{folder}/{}/{name}-{label}-{count:02}.png", classes[class]));
        image::GrayImage::from_raw(28, 28, pixels.to_vec()).unwrap().save(path).unwrap();
    }
}

#[test]
fn wrong_labels_are_found_by_probabilities_and_by_embeddings() {
    let place = Place::new();
    place.succeed(&["run", "pipeline.yaml", "--out", "run"]);
    digits(&place, "known", ["0", "1", "2"]);
    digits(&place, "new", ["zero", "one", "two"]);
    for (folder, judge) in [("known", "probabilities"), ("new", "embeddings")] {
        let out = format!("{folder} report");
        let args = ["inspect", folder, "--model", "run", "--candidates", "15", "--out", &out];
        let said = place.succeed(&[&args[..], &["--workers", "2"]].concat());
        assert!(said.contains("are probably wrong"), "{said}");
        let report = report(&place, &out);
        let labels = &report["labels"];
        assert_eq!((&labels["judge"], &labels["judged"]), (&json!(judge), &json!(180)));
        let candidates = labels["candidates"].as_array().unwrap();
        let wrong = candidates.iter().filter(|of| place_of(&of["record"]).contains("wrong")).count();
        assert!(candidates.len() == 15 && wrong >= 10, "{judge}: {wrong} of {}", candidates.len());
        let worst = &candidates[0];
        let digit = Path::new(place_of(&worst["record"])).file_name().unwrap().to_str().unwrap().as_bytes()[6] - b'0';
        let names = if folder == "known" { ["0", "1", "2"] } else { ["zero", "one", "two"] };
        assert_eq!(worst["suggested"], names[usize::from(digit)], "{worst}");
        let list = std::fs::read_to_string(place.path(&out).join("label_issues.csv")).unwrap();
        let confident = list.lines().filter(|line| line.ends_with(",true")).count();
        assert_eq!(confident as u64, labels["issues"].as_u64().unwrap());
        assert!(list.starts_with("key,place,given,suggested,score,confident\n") && list.contains("/wrong-"), "{list}");
    }
    place.succeed(&["inspect", "new", "--model", "run", "--candidates", "15", "--out", "again", "--workers", "1"]);
    let read = |out: &str| std::fs::read(place.path(out).join("report.json")).unwrap();
    assert!(read("again") == read("new report"), "the numbers of workers show");
}
