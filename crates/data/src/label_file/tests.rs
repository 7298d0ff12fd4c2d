use std::fs;

use proptest::prelude::*;

use super::*;

fn told(rows: &[LabelRow]) -> impl Iterator<Item = Result<LabelRow, DataError>> {
    rows.iter().cloned().map(Ok)
}

fn row(number: u32) -> LabelRow {
    LabelRow {
        key: Key(u128::from(number) * 7),
        place: format!("data/x.gz[{number}]"),
        class: number % 3,
        class_name: ["a", "b, c", "d"][number as usize % 3].to_string(),
        confidence: 1.0 / (1.0 + number as f32),
        distribution: vec![0.1; number as usize % 4],
        round: 1,
        model: "00ff".to_string(),
        selected: number.is_multiple_of(2),
        copies: number % 5,
        import: (number % 4 == 3).then_some(number % 3),
    }
}

#[test]
fn more_rows_than_a_batch_come_back_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.parquet");
    let rows: Vec<LabelRow> = (0..20_000).map(row).collect();
    write_labels(&path, told(&rows)).unwrap();
    assert_eq!(read_labels(&path).unwrap(), rows);
    let first = fs::read(&path).unwrap();
    write_labels(&path, told(&rows)).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first, "the same rows make the same bytes");
}

#[test]
fn no_rows_make_a_file_with_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.parquet");
    write_labels(&path, []).unwrap();
    assert!(read_labels(&path).unwrap().is_empty());
}

#[test]
fn csv_is_what_a_person_expects() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.csv");
    let mut second = row(1);
    second.distribution = vec![0.25, 0.1, 1e-10];
    write_labels_csv(&path, told(&[row(0), second])).unwrap();
    let expected = "\
key,place,class,class_name,confidence,distribution,round,model,selected,copies,import
00000000000000000000000000000000,data/x.gz[0],0,a,1,,1,00ff,true,0,
00000000000000000000000000000007,data/x.gz[1],1,\"b, c\",0.5,0.25 0.1 0.0000000001,1,00ff,false,1,
";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
}

#[test]
fn files_that_are_none_of_ours_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.parquet");
    assert!(matches!(read_labels(&path), Err(DataError::Missing { .. })));
    // Its columns are wrong although it has no row.
    crate::write_dead_letters(&path, &[]).unwrap();
    let error = read_labels(&path).unwrap_err();
    assert!(error.to_string().contains("no column `class` of numbers"), "{error}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/labels");
    for error in [write_labels(&path, [Ok(row(0))]), write_labels_csv(&path, [Ok(row(0))])] {
        let error = error.unwrap_err();
        assert!(matches!(error, DataError::Write { .. }), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_rows_come_back(
        keys in prop::collection::vec(any::<u128>(), 0..20),
        place in ".*", class: u32, confidence in 0.0f32..=1.0, distribution: Vec<u16>, selected: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.parquet");
        let rows: Vec<LabelRow> = keys.into_iter().map(|key| LabelRow {
            key: Key(key),
            place: place.clone(),
            class,
            confidence,
            distribution: distribution.iter().map(|p| f32::from(*p) / 65535.0).collect(),
            selected,
            ..row(3)
        }).collect();
        write_labels(&path, told(&rows)).unwrap();
        prop_assert_eq!(read_labels(&path).unwrap(), rows);
    }
}
