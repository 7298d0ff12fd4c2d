//! `augment` and `preview`: what people see of augmentation, as files.

use std::collections::BTreeMap;
use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage};

use crate::support::Place;

/// A picture of which no part looks like another.
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 7 % 256) as u8, (y * 5 % 256) as u8, (x * y % 251) as u8]))
}

/// Two class folders of three pictures each.
fn photos(place: &Place) {
    for (class, number) in [("cat", 0), ("cat", 1), ("cat", 2), ("dog", 3), ("dog", 4), ("dog", 5)] {
        let folder = place.path("photos").join(class);
        std::fs::create_dir_all(&folder).unwrap();
        picture(40 + number, 30 + 2 * number).save(folder.join(format!("{number}.png"))).unwrap();
    }
}

fn open(path: &Path) -> RgbImage {
    image::open(path).unwrap().to_rgb8()
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(name, bytes)| (format!("{}/{name}", path.display()), bytes)));
        } else {
            found.insert(path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn ops_on_one_file_are_exact() {
    let place = Place::new();
    let before = picture(31, 17);
    before.save(place.path("in.png")).unwrap();
    let ops = "[flip_horizontal, {crop: {left: 3, top: 2, width: 20, height: 10}}, invert]";
    place.succeed(&["augment", "--ops", ops, "in.png", "out.png"]);
    let after = open(&place.path("out.png"));
    assert_eq!(after.dimensions(), (20, 10));
    for (x, y, pixel) in after.enumerate_pixels() {
        let expected = before.get_pixel(30 - (x + 3), y + 2).0.map(|value| 255 - value);
        assert_eq!(pixel.0, expected, "at {x}, {y}");
    }
    place.succeed(&["augment", "--ops", ops, "in.png", "out.jpg", "--quality", "100"]);
    place.succeed(&["augment", "--ops", "identity", "out.jpg", "back.png"]);
    let near = open(&place.path("back.png"));
    let mean = |image: &RgbImage| image.as_raw().iter().map(|value| u64::from(*value)).sum::<u64>() / 600;
    assert!(mean(&near).abs_diff(mean(&after)) <= 2, "JPEG is near, if not equal");
}

#[test]
fn variants_of_a_folder_do_not_depend_on_workers_and_train_as_they_are() {
    let place = Place::new();
    photos(&place);
    let variants = ["augment", "--policy", "randaugment", "--variants", "3", "--keep-originals", "--seed", "5"];
    place.succeed(&[&variants[..], &["photos", "one", "--workers", "1"]].concat());
    place.succeed(&[&variants[..], &["photos", "three", "--workers", "3"]].concat());
    let (one, three) = (files(&place.path("one")), files(&place.path("three")));
    assert_eq!(one.len(), 6 * 4 + 1, "three variants and the original of each, and the list");
    assert!(one.values().eq(three.values()), "the number of workers changes nothing");
    let other = [&variants[..7], &["6", "photos", "other"]].concat();
    place.succeed(&other);
    assert!(!files(&place.path("other")).values().eq(one.values()), "another seed draws other ops");
    assert_eq!(open(&place.path("one/cat/1.png")), picture(41, 32), "an original stays as it is");

    let list = std::fs::read_to_string(place.path("one/manifest.csv")).unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!((lines.len(), lines[0]), (25, "path,label,source,variant,ops"));
    assert!(lines[1..].iter().all(|line| line.contains("photos/")), "{list}");
    // The list is a source like any other.
    place.write(
        "trains.yaml",
        "data:
  sources:
    inflated: { csv: { path: one/manifest.csv } }
  splits:
    labelled: { from: inflated, take: { per_class: 4 } }
    unlabelled: { from: inflated, except: [labelled, test] }
    test: { from: inflated, except: labelled, take: { per_class: 2 } }
",
    );
    let pipeline = std::fs::read_to_string(place.path("pipeline.yaml")).unwrap();
    let (head, tail) = (pipeline.find("data:").unwrap(), pipeline.find("stream:").unwrap());
    let data = std::fs::read_to_string(place.path("trains.yaml")).unwrap();
    place.write("trains.yaml", &format!("{}{data}{}", &pipeline[..head], &pipeline[tail..]));
    let plan = place.run(&["plan", "trains.yaml", "--json"]);
    assert!(plan.status.success(), "{}", crate::support::stderr(&plan));
}

#[test]
fn what_cannot_be_augmented_is_named_and_the_rest_is_written() {
    let place = Place::new();
    photos(&place);
    std::fs::write(place.path("photos/cat/broken.png"), b"no picture").unwrap();
    let augment = ["augment", "--ops", "invert", "photos", "out"];
    place.fail(&augment, 3, &["photos/cat/broken.png"]);
    assert_eq!(files(&place.path("out")).len(), 6);
    let inverted = open(&place.path("out/dog/4.png"));
    let before = picture(44, 38);
    assert!(inverted.pixels().zip(before.pixels()).all(|(a, b)| (0..3).all(|c| a[c] == 255 - b[c])));
    place.fail(&augment, 2, &["out", "--overwrite"]);
    for out in ["photos/out", "missing/../photos/out", "."] {
        place.fail(&["augment", "--overwrite", "--ops", "invert", "photos", out], 2, &["among the images of"]);
    }
    place.fail(&["augment", "--ops", "invert", "photos", "out.bmp"], 2, &["out.bmp", ".png"]);
    place.fail(&["augment", "--ops", "invret", "photos", "new"], 2, &["invret", "invert"]);
    place.fail(&["augment", "--ops", "invert", "nowhere", "new"], 2, &["nowhere"]);
    assert!(!place.path("new").exists(), "a refused request writes nothing");
}

#[test]
fn nothing_is_lost_by_augmenting() {
    let place = Place::new();
    photos(&place);
    let before = files(&place.path("photos"));
    place.fail(&["augment", "--overwrite", "--ops", "invert", "photos/cat/1.png", "photos/cat"], 2, &["over them"]);
    assert!(files(&place.path("photos")).values().eq(before.values()), "an image does not replace itself");
    std::fs::create_dir(place.path("mine")).unwrap();
    place.write("mine/manifest.csv", "somebody else's");
    place.succeed(&["augment", "--overwrite", "--ops", "invert", "photos/cat/1.png", "mine"]);
    assert_eq!(std::fs::read_to_string(place.path("mine/manifest.csv")).unwrap(), "somebody else's");

    // Names that would meet: the same but for the ending, a variant and an image, a file and a folder.
    for (name, variants) in [("1.bmp", None), ("1.0.png", Some("1")), ("1.0.png/2.png", Some("1"))] {
        let path = place.path("photos/cat").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        picture(8, 8).save(&path).unwrap();
        let mut args = vec!["augment", "--ops", "invert", "photos", "met"];
        args.extend(variants.into_iter().flat_map(|count| ["--keep-originals", "--variants", count]));
        place.fail(&args, 2, &["cat/1.png", name, "rename"]);
        let top = place.path("photos/cat").join(name.split('/').next().unwrap());
        if top.is_dir() { std::fs::remove_dir_all(top).unwrap() } else { std::fs::remove_file(top).unwrap() }
    }
    place.succeed(&["augment", "--ops", "invert", "photos", "met"]);
}

#[test]
fn a_preview_shows_settings_of_randaugment_side_by_side() {
    let place = Place::new();
    let own = place.succeed(&[
        "preview",
        "pipeline.yaml",
        "--images",
        "2",
        "--set",
        "training.augment.1.randaugment.magnitude=30",
    ]);
    let compared = place.succeed(&["preview", "pipeline.yaml", "--images", "2", "--compare", "M=0,30"]);
    let lines: Vec<&str> = compared.lines().collect();
    assert!(lines.len() == 4 && lines[0].contains("  M=0 train  "), "{compared}");
    assert_eq!(lines[1].replace("M=30 ", ""), own.lines().next().unwrap(), "as the pipeline itself would have it");
    place.succeed(&["preview", "pipeline.yaml", "--images", "2", "--compare", "N=1,2,3", "--out", "n.png"]);
    assert!(open(&place.path("n.png")).width() > 3 * 160);
    place.fail(&["preview", "pipeline.yaml", "--compare", "M=31"], 2, &["M=31"]);
    place.fail(&["preview", "pipeline.yaml", "--compare", "K=1"], 2, &["M is the magnitude"]);
    place.edit("{ randaugment: { ops: 1, magnitude: 3 } }", "invert");
    place.fail(&["preview", "pipeline.yaml", "--compare", "M=3"], 2, &["no view of round 0 has a `randaugment`"]);
}

#[test]
fn a_preview_shows_the_samples_of_the_stream_and_says_what_was_done() {
    let place = Place::new();
    place.succeed(&["preview", "pipeline.yaml", "--images", "4", "--columns", "4", "--out", "grid.png"]);
    let sheet = open(&place.path("grid.png"));
    assert!(sheet.width() > 4 * 160 && sheet.height() > 2 * 160, "{}x{}", sheet.width(), sheet.height());
    place.edit(
        "{ affine: { degrees: 8, shear: 0.09, translate: 2 } }, { randaugment: { ops: 1, magnitude: 3 } }",
        "invert",
    );
    place.succeed(&["preview", "pipeline.yaml", "--images", "1", "--out", "new/inverted.png"]);
    let inverted = open(&place.path("new/inverted.png"));
    // A digit of 28 pixels a side, six times as large, and 12 pixels on each side of it.
    let values: Vec<u8> = (0..168 * 168).map(|at| inverted.get_pixel(12 + at % 168, 12 + at / 168)[0]).collect();
    assert!(values.contains(&0) && values.iter().any(|value| *value > 200), "an image is there");
    for (at, value) in (0..).zip(values) {
        assert_eq!(inverted.get_pixel(12 + 180 + at % 168, 12 + at / 168).0, [255 - value; 3], "at {at}");
    }
    place.edit("augment: [ invert ]", "augment: [ { affine: { degrees: 8, shear: 0.09, translate: 2 } } ]");
    let text = place.succeed(&["preview", "pipeline.yaml", "--images", "4"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines.iter().all(|line| line.contains("affine ") && line.contains("train-images")), "{text}");
    assert_eq!(text, place.succeed(&["preview", "pipeline.yaml", "--images", "4"]), "the stream is deterministic");
    place.edit("affine: { degrees: 8, shear: 0.09, translate: 2 }", "rotate: 90.0");
    let turned = place.succeed(&["preview", "pipeline.yaml", "--images", "2"]);
    assert!(turned.lines().all(|line| line.contains("rotate 90.0")), "{turned}");
    place.fail(&["preview", "pipeline.yaml", "--out", "grid.jpg"], 2, &["PNG"]);
    place.fail(&["preview", "pipeline.yaml", "--round", "9"], 2, &["rounds 0 to 2"]);
    let long = ["preview", "pipeline.yaml", "--images", "1000", "--columns", "1", "--out", "grid.png"];
    place.fail(&long, 2, &["fewer --images"]);
    place.fail(&["preview", "pipeline.yaml", "--view", "weak"], 2, &["weak", "train"]);
}

#[test]
fn one_gray_picture_stays_gray() {
    let place = Place::new();
    GrayImage::from_fn(9, 7, |x, y| Luma([(x * 20 + y) as u8])).save(place.path("gray.png")).unwrap();
    place.succeed(&["augment", "--channels", "gray", "--ops", "flip_vertical", "gray.png", "out"]);
    let flipped = image::open(place.path("out/gray.png")).unwrap();
    assert_eq!(flipped.color(), image::ColorType::L8);
    assert!(flipped.to_luma8().enumerate_pixels().all(|(x, y, value)| u32::from(value[0]) == x * 20 + 6 - y));
}

#[test]
fn a_preview_shows_what_is_mixed_with_what_and_the_label_that_it_has() {
    let place = Place::new();
    place.edit("label_smoothing: 0.1", "label_smoothing: 0.0\n  mix: { cutmix: 1.0 }");
    let preview = ["preview", "pipeline.yaml", "--images", "6"];
    let text = place.succeed(&[&preview[..], &["--text", "--columns", "4", "--out", "cut.png"]].concat());
    let mixed: Vec<&str> = text.lines().filter(|line| line.contains("cutmix ")).collect();
    assert_eq!(mixed.len(), 6, "{text}");
    assert!(mixed.iter().all(|line| line.contains(" with ") && line.contains("train-images")), "{text}");
    let label = mixed.iter().find(|line| line.contains(" + ")).expect("two digits that differ");
    let shares = label.rsplit(": ").next().unwrap().split(" + ").map(|share| share.split(' ').next().unwrap());
    let sum: f64 = shares.map(|share| share.parse::<f64>().unwrap()).sum();
    assert!((sum - 1.0).abs() < 0.011, "{label}");
    // Image, view, the other one and what came of the two, side by side: each pixel is one of theirs.
    let sheet = open(&place.path("cut.png"));
    let at = |tile: u32, x: u32, y: u32| sheet.get_pixel(12 + 180 * tile + x, 12 + y).0;
    let places = || (0..168).flat_map(|y| (0..168).map(move |x| (x, y)));
    assert!(places().all(|(x, y)| at(3, x, y) == at(1, x, y) || at(3, x, y) == at(2, x, y)));
    assert!(places().any(|(x, y)| at(1, x, y) != at(2, x, y)), "two images");
    place.edit("mix: { cutmix: 1.0 }", "mix: { mixup: 1.0 }");
    assert!(place.succeed(&preview).lines().all(|line| line.contains("mixup 0.")), "blended, not cut");
}

#[test]
fn a_preview_shows_pseudo_labels_with_their_confidence() {
    let place = Place::new();
    place.succeed(&["run", "pipeline.yaml", "--out", "run"]);
    let preview = ["preview", "pipeline.yaml", "--run", "run", "--images", "7"];
    let text = place.succeed(&preview);
    let confidence = |line: &str| line.split(" %").next().unwrap().rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    let sure: Vec<f64> = text.lines().map(confidence).collect();
    assert!(sure.len() == 7 && sure.is_sorted_by(|a, b| a >= b), "{text}");
    assert!(
        text.lines()
            .all(|line| line.contains("selected") && (line.contains("right") || line.contains("wrong: it is ")))
    );
    assert!(text.lines().next().unwrap().contains("; right") && text.contains("not selected"), "{text}");
    assert_eq!(text, place.succeed(&preview), "in the same order each time");
    place.succeed(&[&preview[..], &["--out", "labels.png"]].concat());
    assert!(open(&place.path("labels.png")).width() > 7 * 168);
    assert_ne!(text, place.succeed(&[&preview[..], &["--round", "0"]].concat()), "another teacher");
    place.fail(&["preview", "pipeline.yaml", "--run", "nothing"], 2, &["nothing holds no run"]);
    place.fail(&[&preview[..], &["--round", "9"]].concat(), 2, &["round 9 of run has labelled nothing"]);
    photos(&place);
    let text = std::fs::read_to_string(place.path("pipeline.yaml")).unwrap();
    let (data, stream) = (text.find("data:").unwrap(), text.find("stream:").unwrap());
    let splits = "labelled: { from: photos, take: { per_class: 1 } }, test: { from: photos, except: labelled, take: { per_class: 1 } }, \
                  unlabelled: { from: photos, except: [labelled, test] }";
    let other = format!(
        "data: {{ sources: {{ photos: {{ folder: {{ path: photos, layout: classes }} }} }}, splits: {{ {splits} }} }}\n"
    );
    place.write("other.yaml", &format!("{}{other}{}", &text[..data], &text[stream..]));
    place.fail(&["preview", "other.yaml", "--run", "run"], 2, &["labelled no image of this pipeline"]);
}
