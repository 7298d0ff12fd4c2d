//! `inspect`: what data hold.

mod examine;

use serde_json::Value;

use crate::support::{Place, root};

/// Folders `cat` and `dog` with gray images of two sizes, and one file that is no image.
fn pets() -> Place {
    let place = Place::new();
    for (class, width) in [("cat", 20), ("dog", 31)] {
        let folder = place.path(&format!("pets/{class}"));
        std::fs::create_dir_all(&folder).unwrap();
        for number in 0..3 {
            let image = image::GrayImage::from_fn(width, 17, |x, y| image::Luma([(x * y + number) as u8]));
            image.save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
    place.write("pets/dog/bad.jpg", "not a picture");
    place
}

fn json(place: &Place, args: &[&str]) -> Value {
    serde_json::from_str(&place.succeed(&[&["inspect"][..], args, &["--json"]].concat())).unwrap()
}

#[test]
fn a_folder_tells_its_classes_and_its_bad_files() {
    let place = pets();
    let said = json(&place, &["pets"]);
    assert_eq!(
        (&said["kind"], &said["counted"]["shards"], &said["counted"]["records"]),
        (&"Folder".into(), &1.into(), &7.into())
    );
    assert_eq!((&said["looked_at"], &said["errors"], &said["all_counted"]), (&7.into(), &1.into(), &true.into()));
    assert_eq!(said["labels"], serde_json::json!({ "cat": 3, "dog": 4 }));
    assert_eq!(said["formats"], serde_json::json!({ "PNG": 6 }));
    assert_eq!(
        (&said["width"], &said["height"]["most"]),
        (&serde_json::json!({ "least": 20, "most": 31 }), &17.into())
    );
    let text = place.succeed(&["inspect", "pets"]);
    for part in [
        "pets: folder of images",
        "shards: 1, ",
        " MB, 7 records",
        "looked at: 7 records of 1 shards, 1 with errors",
        "images: 6 PNG; 20-31 x 17 pixels",
        "labels: 2 seen on 7 of 7 records: dog (4), cat (3)",
        "problem: pets/dog/bad.jpg: not an image",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let few = place.succeed(&["inspect", "pets", "--limit", "2"]);
    assert!(few.contains("looked at: 2 records of 1 shards"), "{few}");
    // Keys are those by which answers name records.
    let example = &said["examples"][0];
    let place_of = example["place"].as_str().unwrap();
    assert_eq!(example["key"].as_str().unwrap(), millstream_data::Key::of_place(place_of, 0).to_string());
}

#[test]
fn a_list_and_an_idx_file_tell_what_they_are() {
    let place = pets();
    place.write("list.csv", "path,label\npets/cat/0.png,tabby\npets/cat/1.png,\npets/gone.png,ghost\n");
    let text = place.succeed(&["inspect", "list.csv"]);
    assert!(text.contains("list.csv: CSV list") && text.contains("labels: 2 seen on 2 of 3 records"), "{text}");
    assert!(
        text.contains("PNG 20x17") && text.contains("label tabby") && text.contains("problem: pets/gone.png"),
        "{text}"
    );
    let images = root().join("data/mnist/test-images-idx3-ubyte.gz");
    let said = json(&place, &[images.to_str().unwrap(), "--limit", "30"]);
    assert_eq!(
        (&said["kind"], &said["counted"]["records"], &said["looked_at"]),
        (&"Idx".into(), &4000.into(), &30.into())
    );
    assert_eq!((&said["examples"][0]["format"], &said["examples"][0]["width"]), (&"pixels".into(), &28.into()));
}

#[test]
fn what_is_not_there_is_an_error_and_what_is_partly_there_is_told() {
    let place = pets();
    place.fail(&["inspect", "nowhere"], 2, &["nowhere", "there is no such"]);
    place.fail(&["inspect", "nowhere.tar"], 2, &["nowhere.tar: there is no such file"]);
    place.fail(&["inspect", "pipeline.yaml"], 2, &["pipeline.yaml", "does not say what it is"]);
    place.fail(&["inspect", "pets", "--kind", "parquet"], 2, &["pets: holds nothing of the kind Parquet", "--kind"]);
    place.fail(&["inspect", "pets", "--limit", "0"], 2, &["--limit"]);
    place.write("a-0.csv", "path\npets/cat/0.png\n");
    let text = place.succeed(&["inspect", "a-{0..1}.csv"]);
    assert!(text.contains("1 parts not found") && text.contains("problem: a-1.csv: there is no such file"), "{text}");
}
