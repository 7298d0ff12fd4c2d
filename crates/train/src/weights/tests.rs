//! Model files: equal bytes, and clear words about files that are none.

use super::*;
use crate::model::{Dimensions, Net, Origin};
use crate::random::{Purpose, seeded};

const KIND: ModelKind = ModelKind::SmallNet { width: 4, dropout: 0.25 };
const SHAPE: Shape = Shape { height: 28, width: 28, channels: 1 };
const CPU: tch::Device = tch::Device::Cpu;

fn net() -> Net {
    let at = Dimensions::new(&SHAPE, 2);
    let seeded = seeded(1, 0, Purpose::Weights);
    Net::build(&KIND, at, Origin::Fresh(CPU, &seeded)).unwrap()
}

fn a_card() -> Card {
    let classes = vec!["cat".to_owned(), "a \"dog\"".to_owned()];
    let (mean, std, device) = (vec![0.1307], vec![0.3081], Device::Cpu);
    let precision = Precision::BFloat16;
    Card::new(
        KIND,
        SessionConfig {
            seed: 0,
            classes,
            shape: SHAPE,
            mean,
            std,
            device,
            precision,
            deterministic: false,
            threads: 1,
        },
    )
}

#[test]
fn what_was_saved_is_what_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let net = net();
    let hash = save(&path, &net.params, &a_card()).unwrap();
    assert_eq!(hash, millstream_data::hash_file(&path).unwrap());
    let (card, tensors) = load(&path, CPU).unwrap();
    assert_eq!(card, a_card());
    assert_eq!(tensors.len(), net.params.entries().len());
    for param in net.params.entries() {
        assert!(tensors[&param.name].equal(&param.tensor), "{}", param.name);
    }
}

#[test]
fn equal_weights_give_equal_bytes() {
    let net = net();
    let bytes = packed(&net.params, &a_card()).unwrap();
    assert!((0..5).all(|_| packed(&net.params, &a_card()).unwrap() == bytes));
}

#[track_caller]
fn check_refused(bytes: &[u8], words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, bytes).unwrap();
    let error = load(&path, CPU).expect_err("refused");
    assert!(matches!(error, TrainError::Weights { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("model.safetensors is not a usable model file") && text.contains(words), "{text}");
}

#[test]
fn damaged_and_foreign_files_are_refused() {
    let bytes = packed(&net().params, &a_card()).unwrap();
    check_refused(b"", "damaged");
    check_refused(b"PK\x03\x04 a zip archive, as torch.save writes", "not a safetensors file");
    check_refused(&bytes[..bytes.len() / 2], "damaged");
    check_refused(&[bytes.as_slice(), b"more"].concat(), "damaged");
    let mut broken = bytes.clone();
    broken[20] ^= 0xff;
    check_refused(&broken, "damaged");
}

fn file_with(entry: Option<&str>, dtype: Dtype) -> Vec<u8> {
    let metadata = entry.map(|text| HashMap::from([(ENTRY.to_owned(), text.to_owned())]));
    let data = [0; 8];
    let view = TensorView::new(dtype, vec![8 * 8 / dtype.bitsize()], &data).unwrap();
    safetensors::serialize([("a", view)], metadata).unwrap()
}

#[test]
fn files_of_other_programs_and_versions_are_refused() {
    let card = serde_json::to_string(&a_card()).unwrap();
    check_refused(&file_with(None, Dtype::F32), "written by another program");
    check_refused(&file_with(Some("{}"), Dtype::F32), "cannot be understood (missing field `format`");
    let newer = card.replace("\"format\":1", "\"format\":2");
    check_refused(&file_with(Some(&newer), Dtype::F32), "has format 2, this program reads format 1");
    check_refused(&file_with(Some(&card), Dtype::F64), "is of type F64");
}

#[test]
fn files_that_cannot_be_read_or_written_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/model.safetensors");
    let read = load(&path, CPU).err().unwrap();
    assert!(read.to_string().contains("cannot read the model file") && read.to_string().contains("no/model"), "{read}");
    let write = save(&path, &net().params, &a_card()).unwrap_err();
    assert!(write.to_string().contains("cannot write the model file"), "{write}");
    assert!(std::error::Error::source(&write).is_some());
}
