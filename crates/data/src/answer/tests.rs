use std::fs;

use proptest::prelude::*;

use super::*;
use crate::store::{Location, Store};

pub(super) fn set() -> AnswerSet {
    AnswerSet {
        classes: ["cat", "dog, \"wild\"", "Gänse 🦆"].map(str::to_string).to_vec(),
        top_k: 2,
        distribution: true,
        embedding: Some(2),
        fingerprint: true,
        model: "00ff".to_string(),
    }
}

pub(super) fn answer(number: u32) -> Answer {
    let said = Said { probabilities: vec![0.25, 0.625, 0.125], embedding: Some(vec![(number % 100) as f32, -0.5]) };
    let failure = Failure { stage: Stage::Decode, reason: "truncated, at byte 7".to_string() };
    Answer {
        key: Key(u128::from(number)),
        place: format!("s3://b/ü/{number}.tar#a,b.jpg"),
        label: (!number.is_multiple_of(3)).then(|| "cat".to_string()),
        fingerprint: (number % 5 != 4)
            .then(|| Fingerprint { content: Key(u128::from(number) << 100), perceptual: u64::MAX - u64::from(number) }),
        said: if number % 5 == 4 { Err(failure) } else { Ok(said) },
    }
}

fn said(probabilities: &[f32]) -> Said {
    Said { probabilities: probabilities.to_vec(), embedding: None }
}

/// What a file must have of an answer.
fn row(set: &AnswerSet, answer: Answer) -> Row {
    let told = |said: Said| Told {
        summary: said.summary(set.top_k),
        distribution: set.distribution.then(|| said.probabilities.clone()),
        embedding: set.embedding.and(said.embedding),
    };
    let fingerprint = answer.fingerprint.filter(|_| set.fingerprint);
    Row { key: answer.key, place: answer.place, label: answer.label, fingerprint, said: answer.said.map(told) }
}

fn read(bytes: Vec<u8>) -> Result<(AnswerSet, Vec<Row>), DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    fs::write(&path, bytes).unwrap();
    let rows = decode(&Store::with_settings([]), &Location::Local(path))?;
    let set = rows.set().clone();
    Ok((set, rows.collect::<Result<_, _>>()?))
}

fn text(set: &AnswerSet, answers: &[Answer], format: Format) -> String {
    String::from_utf8(encode(set, answers, format).unwrap()).unwrap()
}

#[test]
fn of_equal_probabilities_the_lower_class_comes_first() {
    let summary = said(&[0.1, 0.3, 0.3, 0.0, 0.3]).summary(2);
    assert_eq!(summary.top, [(1, 0.3), (2, 0.3)]);
    assert_eq!((summary.class(), summary.confidence(), summary.margin), (1, 0.3, Some(0.0)));
    let many: Vec<f32> = (0..1000).map(|class| [0.001, 0.002][class % 2]).collect();
    assert_eq!(said(&many).summary(3).top, [(1, 0.002), (3, 0.002), (5, 0.002)]);
}

#[test]
fn margin_and_entropy_are_those_of_the_whole_distribution() {
    let summary = said(&[0.25, 0.75]).summary(1);
    assert_eq!((summary.top.len(), summary.margin), (1, Some(0.5)));
    assert!((summary.entropy.unwrap() - 0.562_335_1).abs() < 1e-6, "{:?}", summary.entropy);
    let certain = said(&[0.0, 1.0]).summary(9);
    assert_eq!((certain.top.len(), certain.margin, certain.entropy.unwrap().to_string().as_str()), (2, Some(1.0), "0"));
    assert_eq!(said(&[1.0]).summary(0).margin, Some(1.0), "the only class is likelier than none");
}

#[test]
fn parquet_comes_back_over_more_rows_than_a_batch() {
    let answers: Vec<Answer> = (0..3000).map(answer).collect();
    let bytes = encode(&set(), &answers, Format::Parquet).unwrap();
    let (read_set, rows) = read(bytes).unwrap();
    assert_eq!(read_set, set());
    assert_eq!(rows, answers.into_iter().map(|answer| row(&set(), answer)).collect::<Vec<_>>());
}

#[test]
fn what_the_set_does_not_keep_is_not_there() {
    let set = AnswerSet { distribution: false, embedding: None, fingerprint: false, top_k: 99, ..set() };
    let (_, rows) = read(encode(&set, &[answer(0)], Format::Parquet).unwrap()).unwrap();
    assert_eq!(rows, [row(&set, answer(0))]);
    for format in [Format::Csv, Format::Jsonl] {
        let text = text(&set, &[answer(0)], format);
        for name in ["distribution", "embedding", "content", "phash"] {
            assert!(!text.contains(name), "{text}");
        }
    }
}

#[test]
fn equal_answers_make_equal_bytes_and_none_make_a_file() {
    let answers: Vec<Answer> = (0..100).map(answer).collect();
    for format in Format::ALL {
        let encoded = encode(&set(), &answers, format).unwrap();
        assert!(encoded == encode(&set(), &answers, format).unwrap(), "{format}");
        assert!(encode(&set(), &[], format).is_ok(), "{format}");
    }
    assert_eq!(read(encode(&set(), &[], Format::Parquet).unwrap()).unwrap(), (set(), Vec::new()));
}

#[test]
fn csv_has_a_column_for_each_rank() {
    let expected = "\
key,place,label,class,class_index,confidence,margin,entropy,class_1,class_2,probability_1,probability_2,distribution,embedding,\
content,phash,model,error_stage,error
00000000000000000000000000000001,\"s3://b/ü/1.tar#a,b.jpg\",cat,\"dog, \"\"wild\"\"\",1,0.625,0.375,0.90025604,\
\"dog, \"\"wild\"\"\",cat,0.625,0.25,0.25 0.625 0.125,1 -0.5,\
00000010000000000000000000000000,fffffffffffffffe,00ff,,
00000000000000000000000000000009,\"s3://b/ü/9.tar#a,b.jpg\",,,,,,,,,,,,,,,00ff,decode,\"truncated, at byte 7\"
";
    assert_eq!(text(&set(), &[answer(1), answer(9)], Format::Csv), expected);
}

#[test]
fn jsonl_is_one_object_a_line() {
    let expected = r#"{"key":"00000000000000000000000000000001","place":"s3://b/ü/1.tar#a,b.jpg","label":"cat","class":"dog, \"wild\"","class_index":1,"confidence":0.625,"margin":0.375,"entropy":0.90025604,"top":[{"class":"dog, \"wild\"","class_index":1,"probability":0.625},{"class":"cat","class_index":0,"probability":0.25}],"distribution":[0.25,0.625,0.125],"embedding":[1.0,-0.5],"content":"00000010000000000000000000000000","phash":"fffffffffffffffe","model":"00ff"}
{"key":"00000000000000000000000000000009","place":"s3://b/ü/9.tar#a,b.jpg","label":null,"model":"00ff","error_stage":"decode","error":"truncated, at byte 7"}
"#;
    assert_eq!(text(&set(), &[answer(1), answer(9)], Format::Jsonl), expected);
}

#[test]
fn answers_of_another_model_are_refused_with_their_place() {
    let with = |said: Said| Answer { said: Ok(said), ..answer(1) };
    let nan = Said { probabilities: vec![f32::NAN, 0.0, 1.0], embedding: Some(vec![0.0; 2]) };
    let long = Said { probabilities: vec![0.0, 0.0, 1.0], embedding: Some(vec![0.0; 3]) };
    for format in Format::ALL {
        for (said, expected) in [
            (said(&[0.5, 0.5]), "found 2 probabilities, expected 3"),
            (said(&[1.0, 0.0, 0.0]), "found an embedding of 0, expected one of 2"),
            (long.clone(), "found an embedding of 3"),
            (nan.clone(), "found the answer NaN"),
        ] {
            let error = encode(&set(), &[answer(0), with(said)], format).unwrap_err().to_string();
            assert!(error.contains("1.tar#a,b.jpg") && error.contains(expected), "{error}");
        }
        let none = AnswerSet { classes: Vec::new(), ..set() };
        assert!(encode(&none, &[], format).is_err());
    }
}

#[test]
fn an_embedding_that_is_too_large_for_16_bits_stays_finite() {
    let said = Said { probabilities: vec![0.0, 0.0, 1.0], embedding: Some(vec![1e9, -1e9]) };
    let bytes = encode(&set(), &[Answer { said: Ok(said), ..answer(0) }], Format::Parquet).unwrap();
    let (_, rows) = read(bytes).unwrap();
    assert_eq!(rows[0].said.as_ref().unwrap().embedding, Some(vec![65504.0, -65504.0]));
}

#[test]
fn files_that_are_none_of_ours_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let store = Store::with_settings([]);
    let location = Location::Local(path.clone());
    assert!(matches!(decode(&store, &location), Err(DataError::Missing { .. })));
    crate::write_labels(&path, []).unwrap();
    let error = decode(&store, &location).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("no `millstream.answers` in its metadata"), "{error}");
    fs::write(&path, b"PAR1 not").unwrap();
    assert!(matches!(decode(&store, &location), Err(DataError::Malformed { .. })));
}

#[test]
fn a_set_from_before_fingerprints_has_none() {
    let mut text = serde_json::to_value(set()).unwrap();
    text.as_object_mut().unwrap().remove("fingerprint");
    assert_eq!(serde_json::from_value::<AnswerSet>(text).unwrap(), AnswerSet { fingerprint: false, ..set() });
}

#[test]
fn a_damaged_file_is_an_error_and_no_panic() {
    let answers: Vec<Answer> = (0..50).map(answer).collect();
    let bytes = encode(&set(), &answers, Format::Parquet).unwrap();
    let step = bytes.len() / 300 + 1;
    for at in (0..bytes.len()).step_by(step) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        drop(read(damaged));
    }
}

#[test]
fn formats_have_names() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse::<Format>(), Ok(format));
    }
    let error = "xlsx".parse::<Format>().unwrap_err().to_string();
    assert!(error.contains("`xlsx`") && error.contains("parquet, csv or jsonl"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_answers_come_back(
        keys in prop::collection::vec(any::<u128>(), 0..20),
        place in ".*", label in prop::option::of(".*"), halves in prop::collection::vec(0u8..=255, 3), failed: bool, reason in ".*",
    ) {
        let probabilities: Vec<f32> = halves.iter().map(|half| f32::from(*half) / 256.0).collect();
        let said = Said { probabilities, embedding: Some(vec![0.5, 2.0]) };
        let said = if failed { Err(Failure { stage: Stage::Read, reason }) } else { Ok(said) };
        let answers: Vec<Answer> = keys.into_iter().map(|key| Answer {
            key: Key(key), place: place.clone(), label: label.clone(), said: said.clone(),
            fingerprint: None,
        }).collect();
        let (_, rows) = read(encode(&set(), &answers, Format::Parquet).unwrap()).unwrap();
        prop_assert_eq!(rows, answers.into_iter().map(|answer| row(&set(), answer)).collect::<Vec<_>>());
    }
}

#[test]
fn a_label_is_a_name_or_else_an_index() {
    let classes = ["cat", "1", "dog"].map(str::to_string);
    for (label, class) in
        [("dog", Some(2)), ("1", Some(1)), ("2", Some(2)), ("2.0", Some(2)), ("3", None), ("-1", None), ("x", None)]
    {
        assert_eq!(class_of(label, &classes), class, "{label}");
    }
}
