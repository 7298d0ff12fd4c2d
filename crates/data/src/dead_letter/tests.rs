use std::fs;

use super::*;

fn letters() -> Vec<DeadLetter> {
    let letter = |number: u32, stage, bytes_hash| DeadLetter {
        key: Key(u128::from(number) << 90),
        place: format!("a folder/{number}, \"x\".png"),
        stage,
        reason: "not a PNG: ÿ".to_string(),
        bytes_hash,
        round: number,
    };
    vec![
        letter(2, Stage::Read, None),
        letter(0, Stage::Decode, Some([0xab; 32])),
        letter(1, Stage::Augment, Some(*blake3::hash(b"").as_bytes())),
    ]
}

#[test]
fn letters_come_back_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    for letters in [letters(), Vec::new()] {
        let path = folder.path().join("dead.parquet");
        write_dead_letters(&path, &letters).unwrap();
        assert_eq!(read_dead_letters(&path).unwrap(), letters);
    }
}

#[test]
fn the_same_letters_make_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |name: &str, letters: &[DeadLetter]| {
        let path = folder.path().join(name);
        write_dead_letters(&path, letters).unwrap();
        fs::read(path).unwrap()
    };
    assert_eq!(bytes("a", &letters()), bytes("b", &letters()));
    assert_ne!(bytes("a", &letters()), bytes("b", &letters()[1..]));
}

#[test]
fn files_that_are_none_of_ours_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.parquet");
    let error = read_dead_letters(&path).unwrap_err();
    assert!(error.to_string().contains("there is no such file of dead letters"), "{error}");
    fs::write(&path, "not Parquet at all").unwrap();
    let error = read_dead_letters(&path).unwrap_err();
    assert!(error.to_string().contains("a Parquet file that Millstream wrote"), "{error}");
    // Its columns are wrong although it has no row.
    crate::write_labels(&path, []).unwrap();
    let error = read_dead_letters(&path).unwrap_err();
    assert!(error.to_string().contains("no column `stage` of text"), "{error}");
}

#[test]
fn a_truncated_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.parquet");
    write_dead_letters(&path, &letters()).unwrap();
    let bytes = fs::read(&path).unwrap();
    for length in [0, 4, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        assert!(matches!(read_dead_letters(&path), Err(DataError::Malformed { .. })), "{length} bytes");
    }
}
