//! The store on this machine; `tests/s3.rs` has the others.

use std::fs;

use super::*;

fn at(folder: &Path, inner: &str) -> Location {
    Location::Local(folder.join(inner))
}

#[test]
fn a_file_is_written_read_replaced_and_removed() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Store::with_settings([]));
    let place = at(folder.path(), "a/b/c.bin");
    store.put(&place, b"0123456789".to_vec()).unwrap();
    assert_eq!(store.read(&place, 10).unwrap(), b"0123456789");
    assert_eq!(store.read_range(&place, 3, 4).unwrap(), b"3456");
    assert_eq!(store.read_range(&place, 8, 100).unwrap(), b"89");
    assert!(store.read(&place, 9).unwrap_err().to_string().contains("10 bytes, at most 9"));
    let mut read = Vec::new();
    store.reader(&place).unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read, b"0123456789");
    let before = store.head(&place).unwrap();
    store.put(&place, b"another".to_vec()).unwrap();
    assert_ne!(store.head(&place).unwrap(), before);
    assert!(store.delete(&place).unwrap());
    assert!(!store.delete(&place).unwrap());
    assert!(matches!(store.head(&place), Err(DataError::Missing { .. })));
    assert!(store.head(&at(folder.path(), "a")).unwrap_err().to_string().contains("not a plain file"));
}

#[test]
fn of_many_that_write_if_absent_one_does() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Store::with_settings([]));
    let place = at(folder.path(), "commits/1.json");
    let wrote: Vec<bool> = std::thread::scope(|scope| {
        let (store, place) = (&store, &place);
        let writers: Vec<_> =
            (0..8u8).map(|who| scope.spawn(move || store.put_if_absent(place, vec![who; 1000]).unwrap())).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(wrote.iter().filter(|wrote| **wrote).count(), 1);
    let winner = wrote.iter().position(|wrote| *wrote).unwrap();
    assert_eq!(store.read(&place, 1000).unwrap(), vec![winner as u8; 1000]);
    assert_eq!(fs::read_dir(folder.path().join("commits")).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn a_listing_is_in_the_order_of_whole_names() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Store::with_settings([]));
    let names = ["a!/x", "a-b", "a/x", "a/y/z", "a0", "b"];
    for name in names.iter().rev() {
        store.put(&at(folder.path(), name), vec![1]).unwrap();
    }
    let root = Location::Local(folder.path().to_path_buf());
    let listed = store.list(&root).unwrap().map(|object| object.unwrap().location.below(&root));
    assert_eq!(listed.collect::<Vec<_>>(), names);
    assert!(matches!(store.list(&at(folder.path(), "none")), Err(DataError::Missing { .. })));
}

#[test]
fn secrets_are_not_shown() {
    let store = Store::with_settings([("AWS_SECRET_ACCESS_KEY".to_string(), "hush".to_string())]);
    assert!(!format!("{store:?}").contains("hush"));
}
