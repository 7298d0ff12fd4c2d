use super::*;
use crate::conformance::items;

/// Images whose content is their own path.
fn tree(paths: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for path in paths {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, path).unwrap();
    }
    folder
}

fn cut(records: usize) -> Options {
    Options { records, ..options() }
}

#[test]
fn images_flat_and_nested_are_found_and_cut_into_shards() {
    let paths = ["a.png", "b c.JPG", "d/\u{e9}.webp", "d/e/f.tif", "#1?.gif", "g.ppm", "h.bmp"];
    let folder = tree(&[&paths[..], &[".hidden.png", ".git/x.png", "notes.txt"]].concat());
    let expected: Vec<Held> = paths.iter().map(|path| held(&format!("/{path}"), None, path.as_bytes())).collect();
    for (keys, records) in [(KeyKind::Place, 2), (KeyKind::Content, 3), (KeyKind::Place, 100)] {
        let options = Options { keys, ..cut(records) };
        let reopen = || opened(text(folder.path()), &options);
        conforms(&reopen, &expected);
        assert_eq!(shards(reopen().as_ref()).len(), paths.len().div_ceil(records));
    }
}

#[test]
fn class_folders_are_labels_where_they_are_said_to_be() {
    let folder = tree(&["cat/0.png", "cat/x/1.png", "dog/0.png", "stray.png"]);
    let options = Options { layout: FolderLayout::Classes, ..options() };
    let expected = [
        held("cat/0.png", name("cat"), b"cat/0.png"),
        held("cat/x/1.png", name("cat"), b"cat/x/1.png"),
        held("dog/0.png", name("dog"), b"dog/0.png"),
        held("stray.png", None, b"stray.png"),
    ];
    conforms(&|| opened(text(folder.path()), &options), &expected);
}

#[test]
fn a_folder_without_images_has_no_shards_and_one_that_is_not_there_is_an_error() {
    let folder = tree(&["notes.txt"]);
    let options = Options { kind: Some(Kind::Folder), ..options() };
    conforms(&|| opened(text(folder.path()), &options), &[]);
    let corpus = opened(text(&folder.path().join("none")), &options);
    let error = corpus.shards().next().unwrap().unwrap_err().to_string();
    assert!(error.contains("none: there is no such folder"), "{error}");
}

#[test]
fn a_changed_size_or_name_is_another_fingerprint_and_a_changed_time_is_not() {
    let folder = tree(&["a.png", "b.png"]);
    let print = || shards(opened(text(folder.path()), &cut(10)).as_ref())[0].fingerprint;
    let first = print();
    fs::write(folder.path().join("a.png"), "z.png").unwrap();
    assert_eq!(print(), first, "of as many bytes");
    fs::write(folder.path().join("a.png"), "longer").unwrap();
    let second = print();
    fs::rename(folder.path().join("a.png"), folder.path().join("c.png")).unwrap();
    assert!(first != second && second != print());
}

#[test]
fn folders_of_one_name_have_shards_of_several() {
    let folder = tree(&["x/i/0.png", "y/i/0.png"]);
    let places = ["x/i", "y/i"].map(|inner| text(&folder.path().join(inner)).to_string());
    let expected = ["x/i/0.png", "y/i/0.png"].map(|path| held(path, None, path.as_bytes()));
    conforms(&|| open(&places, &options()).unwrap(), &expected);
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles_and_a_dead_one_is_a_broken_record() {
    use std::os::unix::fs::symlink;
    let folder = tree(&["in/0.png"]);
    let inside = |path: &str| folder.path().join(path);
    symlink(inside("in/0.png"), inside("link.png")).unwrap();
    symlink(inside("gone.png"), inside("dead.png")).unwrap();
    let expected = [
        held("in/0.png", None, b"in/0.png"),
        held("/link.png", None, b"in/0.png"),
        broken("/dead.png", "there is no such file"),
    ];
    conforms(&|| opened(text(folder.path()), &options()), &expected);
    symlink(folder.path(), inside("in/up")).unwrap();
    let corpus = opened(text(folder.path()), &options());
    let found: Vec<_> = corpus.shards().collect();
    let errors: Vec<String> = found.iter().filter_map(|shard| shard.as_ref().err()).map(ToString::to_string).collect();
    assert!(errors.len() == 1 && errors[0].contains("in/up: found a link to a folder that it lies in"), "{errors:?}");
    let read: usize = found.iter().flatten().map(|shard| items(corpus.as_ref(), shard).len()).sum();
    assert_eq!(read, 3, "what is around the circle is there");
}

#[cfg(unix)]
#[test]
fn folders_that_lead_to_each_other_end() {
    let folder = tree(&["a/0.png", "c/1.png"]);
    std::os::unix::fs::symlink("../c", folder.path().join("a/b")).unwrap();
    std::os::unix::fs::symlink("../a", folder.path().join("c/d")).unwrap();
    let corpus = opened(text(folder.path()), &Options { kind: Some(Kind::Folder), ..options() });
    let found: Vec<_> = corpus.shards().collect();
    let errors: Vec<String> = found.iter().filter_map(|shard| shard.as_ref().err()).map(ToString::to_string).collect();
    assert_eq!(errors.len(), 2);
    assert!(errors.iter().all(|error| error.contains("a link to a folder that it lies in")), "{errors:?}");
    let read: usize = found.iter().flatten().map(|shard| items(corpus.as_ref(), shard).len()).sum();
    assert_eq!(read, 4, "each link is followed once");
}

/// Run by hand: `cargo test --release -p millstream-data -- --ignored million`.
#[test]
#[ignore = "makes a million files"]
fn a_million_files_are_begun_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..1_000_000 {
        fs::write(folder.path().join(format!("{number:07}.jpg")), "").unwrap();
    }
    let begun = std::time::Instant::now();
    let corpus = opened(text(folder.path()), &options());
    let mut all = corpus.shards();
    let first = all.next().unwrap().unwrap();
    assert_eq!(items(corpus.as_ref(), &first).len(), 4096);
    let started = begun.elapsed();
    assert!(started.as_secs_f64() < 1.0, "{started:?} to the end of the first shard");
    assert_eq!(1 + all.count(), 1_000_000usize.div_ceil(4096));
}
