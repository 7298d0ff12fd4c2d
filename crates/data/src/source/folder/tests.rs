use tempfile::TempDir;

use super::*;
use crate::source::tests::{conforms, refuses};
use crate::source::{Source, SourceConfig, open};
use crate::{Key, Payload};

/// A folder with these files, each holding its own name.
fn folder(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    folder
}

fn config(folder: &TempDir, layout: FolderLayout) -> SourceConfig {
    SourceConfig::Folder { path: folder.path().to_path_buf(), layout }
}

/// The paths of the records below the folder, with their labels.
fn listing(folder: &TempDir, source: &dyn Source) -> Vec<(String, Option<u32>)> {
    let root = format!("{}/", place_of(folder.path()));
    let below = |index: usize| source.place(index).strip_prefix(&root).unwrap().to_string();
    source.records().iter().enumerate().map(|(index, record)| (below(index), record.label)).collect()
}

#[test]
fn class_folders_label_their_images() {
    let folder = folder(&["dog/2.png", "dog/10.JPG", "cat/old/1.webp", "cat/a.gif", "ant/x.jpeg"]);
    let source = conforms(|| open(&config(&folder, FolderLayout::Classes), KeyKind::Place).unwrap());
    assert_eq!(source.classes(), ["ant", "cat", "dog"]);
    let expected = [("ant/x.jpeg", 0), ("cat/a.gif", 1), ("cat/old/1.webp", 1), ("dog/10.JPG", 2), ("dog/2.png", 2)];
    let expected = expected.map(|(path, label)| (path.to_string(), Some(label)));
    assert_eq!(listing(&folder, source.as_ref()), expected);
    assert_eq!(source.at_hand(0, vec![7; 3]), Ok(Payload::Encoded(b"ant/x.jpeg".to_vec())));
    assert_eq!(source.read(0, Vec::new()).unwrap(), Payload::Encoded(b"ant/x.jpeg".to_vec()));
}

#[test]
fn a_flat_folder_labels_nothing() {
    let folder = folder(&["b.png", "a/c.png"]);
    let source = conforms(|| open(&config(&folder, FolderLayout::Flat), KeyKind::Content).unwrap());
    assert!(source.classes().is_empty());
    let expected = [("a/c.png".to_string(), None), ("b.png".to_string(), None)];
    assert_eq!(listing(&folder, source.as_ref()), expected);
}

#[test]
fn hidden_files_and_other_files_are_left_alone() {
    let folder = folder(&["c/1.png", "c/.2.png", ".git/3.png", "c/labels.txt", "README.md", "c/png"]);
    let source = open(&config(&folder, FolderLayout::Classes), KeyKind::Place).unwrap();
    assert_eq!(listing(&folder, source.as_ref()), [("c/1.png".to_string(), Some(0))]);
}

#[test]
fn keys_are_made_of_place_or_content() {
    let folder = folder(&["1.png", "2.png"]);
    let keys = |kind| {
        let source = open(&config(&folder, FolderLayout::Flat), kind).unwrap();
        source.records().iter().map(|record| record.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(KeyKind::Content), [Key::of_content(b"1.png"), Key::of_content(b"2.png")]);
    let path = |name: &str| place_of(&folder.path().join(name));
    assert_eq!(keys(KeyKind::Place), [Key::of_place(&path("1.png"), 0), Key::of_place(&path("2.png"), 0)]);
}

#[test]
fn a_changed_byte_or_another_class_changes_the_fingerprint() {
    let folder = folder(&["a/1.png", "b/2.png"]);
    let print = |layout| open(&config(&folder, layout), KeyKind::Place).unwrap().fingerprint();
    let before = print(FolderLayout::Classes);
    assert_ne!(before, print(FolderLayout::Flat));
    fs::write(folder.path().join("b/2.png"), "b/3.png").unwrap();
    assert_ne!(before, print(FolderLayout::Classes));
    fs::write(folder.path().join("b/2.png"), "b/2.png").unwrap();
    assert_eq!(before, print(FolderLayout::Classes));
}

#[test]
fn many_files_keep_their_order_whatever_the_threads_do() {
    let names: Vec<String> = (0..300).map(|i| format!("{i:03}.png")).collect();
    let folder = folder(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let source = conforms(|| open(&config(&folder, FolderLayout::Flat), KeyKind::Content).unwrap());
    for (name, record) in names.iter().zip(source.records()) {
        assert_eq!(record.key, Key::of_content(name.as_bytes()));
    }
}

#[test]
fn what_holds_no_images_is_refused() {
    let empty = folder(&[]);
    let texts = folder(&["a.txt", ".b.png"]);
    for folder in [&empty, &texts] {
        for layout in [FolderLayout::Classes, FolderLayout::Flat] {
            let error = refuses(&config(folder, layout), KeyKind::Place, &["holds no image", &place_of(folder.path())]);
            assert!(matches!(error, DataError::Empty { .. }));
        }
    }
    let class = folder(&["cat/1.png", "dog/readme.txt"]);
    let parts = ["/dog: holds no image", "it counts as a class"];
    refuses(&config(&class, FolderLayout::Classes), KeyKind::Place, &parts);
}

#[test]
fn what_is_no_image_folder_is_refused() {
    let folder = folder(&["cat/1.png", "stray.png"]);
    let parts = ["stray.png: found an image beside the class folders", "layout: flat"];
    refuses(&config(&folder, FolderLayout::Classes), KeyKind::Place, &parts);
    let at = |name: &str| SourceConfig::Folder { path: folder.path().join(name), layout: FolderLayout::Flat };
    let error = refuses(&at("nowhere"), KeyKind::Place, &["nowhere: there is no such folder"]);
    assert!(matches!(error, DataError::Missing { .. }));
    refuses(&at("stray.png"), KeyKind::Place, &["stray.png: found a file, expected a folder"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    use std::os::unix::fs::symlink;
    let folder = folder(&["pool/1.png", "c/2.png"]);
    symlink(folder.path().join("pool"), folder.path().join("c/more")).unwrap();
    let source = open(&config(&folder, FolderLayout::Classes), KeyKind::Place).unwrap();
    assert_eq!(source.records().len(), 3);
    symlink(folder.path(), folder.path().join("c/up")).unwrap();
    refuses(&config(&folder, FolderLayout::Classes), KeyKind::Place, &["a link to a folder that it lies in"]);
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_is_a_record_all_the_same() {
    use std::os::unix::fs::symlink;
    let folder = folder(&["1.png"]);
    symlink("nowhere", folder.path().join("2.png")).unwrap();
    let source = open(&config(&folder, FolderLayout::Flat), KeyKind::Place).unwrap();
    assert_eq!(source.records().len(), 2);
    assert!(source.read(0, Vec::new()).is_ok());
    assert!(source.read(1, Vec::new()).unwrap_err().to_string().contains("2.png: there is no such image file"));
    refuses(&config(&folder, FolderLayout::Flat), KeyKind::Content, &["2.png: there is no such image file"]);
}

#[test]
fn a_file_too_large_for_an_image_is_not_loaded() {
    let folder = folder(&["1.png"]);
    let source = open(&config(&folder, FolderLayout::Flat), KeyKind::Place).unwrap();
    // Only the length is large: no disk is filled.
    let file = fs::File::options().write(true).open(folder.path().join("1.png")).unwrap();
    file.set_len((1 << 30) + 1).unwrap();
    let error = source.read(0, Vec::new()).unwrap_err();
    assert!(matches!(error, DataError::TooLarge { .. }), "{error}");
}
