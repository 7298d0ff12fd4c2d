//! Checkpoints that PyTorch 2.11 wrote (`golden/checkpoints.py`), whole and damaged.

use std::path::PathBuf;

use super::*;
use crate::weights::{Dtype, TensorView};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/checkpoints").join(name)
}

fn tensors(path: &Path) -> Result<BTreeMap<String, Tensor>, TrainError> {
    let entries = open(path)?;
    entries.into_iter().map(|(name, entry)| Ok((name, entry.tensor(path)?))).collect()
}

/// The values that `golden/checkpoints.py` gave to tensor `number`.
fn expected(number: i64, shape: &[i64]) -> Tensor {
    let count: i64 = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|index| ((7 * index + number) % 16) as f32 / 8.0 - 1.0).collect();
    Tensor::from_slice(&values).reshape(shape)
}

#[test]
fn checkpoints_of_every_form_hold_the_values_that_were_saved() {
    for name in ["plain.pth", "legacy.pth", "wrapped.pth", "call.pth"] {
        let tensors = tensors(&golden(name)).unwrap();
        assert_eq!(tensors.len(), 26, "{name}: {:?}", tensors.keys());
        for (number, (key, tensor)) in (0..).zip(&tensors) {
            if key.ends_with("num_batches_tracked") {
                assert_eq!((tensor.kind(), tensor.int64_value(&[])), (Kind::Int64, 7), "{name}: {key}");
            } else {
                assert_eq!(tensor.kind(), Kind::Float, "{name}: {key}");
                assert!(tensor.equal(&expected(number, &tensor.size())), "{name}: {key}: {tensor:?}");
            }
        }
        assert_eq!(tensors["head.weight"].size(), [4, 4], "{name}");
    }
    assert!(!Path::new("a-checkpoint-was-run").exists());
}

#[test]
fn floats_of_16_bits_in_safetensors_become_f32() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let halves: [u8; 4] = [0x00, 0x3c, 0x00, 0xc1];
    let views = [Dtype::F16, Dtype::BF16].map(|dtype| TensorView::new(dtype, vec![2], &halves).unwrap());
    let bytes = safetensors::serialize(["module.half", "module.brain"].into_iter().zip(views), None).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let tensors = tensors(&path).unwrap();
    assert!(tensors["half"].equal(&Tensor::from_slice(&[1f32, -2.5])));
    assert!(tensors["brain"].equal(&Tensor::from_slice(&[0.0078125f32, -8.0])));
}

#[test]
fn other_files_and_other_kinds_of_numbers_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pth");
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        open(&path).unwrap_err().to_string()
    };
    for bytes in [&b""[..], b"an image", b"PK\x05\x06", &[0x80, 2, b'}', b'q']] {
        let text = refused(bytes);
        assert!(text.contains("model.pth") && text.contains("torch.save(model.state_dict()"), "{text}");
    }
    let missing = open(&folder.path().join("none.pth")).unwrap_err().to_string();
    assert!(missing.contains("cannot read the model file") && missing.contains("none.pth"), "{missing}");
    let wide = TensorView::new(Dtype::F64, vec![1], &[0; 8]).unwrap();
    let text = refused(&safetensors::serialize([("wide", wide)], None).unwrap());
    assert!(text.contains("`wide` is of type F64, only F32, F16, BF16 and I64"), "{text}");
}

/// Numbers without a pattern, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Flips, cuts, repeats, and bytes that mean much: lengths of -1 and opcodes.
fn damage(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.below(3) {
        let place = dice.below(bytes.len().max(1));
        match dice.below(5) {
            0 => bytes[place] ^= 1 << dice.below(8),
            1 => bytes[place] = b"\xff\x00\x80()RQbusqrhjXKMJ.c\x85\x86\x87\x8a"[dice.below(24)],
            2 => bytes.truncate(place.max(1)),
            3 => drop(bytes.drain(place..(place + 1 + dice.below(8)).min(bytes.len()))),
            _ => {
                let end = (place + 1 + dice.below(32)).min(bytes.len());
                let part = bytes[place..end].to_vec();
                bytes.splice(place..place, part);
            }
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    bytes
}

/// Whatever the bytes, the answer is tensors or an error. The legacy form has no sums that would end it early, and the pickle
/// in an archive is damaged where its sum is not looked at: a sum of 0 means none.
#[test]
fn damaged_checkpoints_do_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.pth");
    let (mut dice, mut read) = (Dice(1), 0);
    for (name, times) in [("legacy.pth", 1500), ("plain.pth", 500), ("wrapped.pth", 500)] {
        let whole = std::fs::read(golden(name)).unwrap();
        // The first kilobytes have what is not numbers.
        let (start, rest) = whole.split_at(whole.len() * 2 / 5);
        for _ in 0..times {
            let damaged = [&damage(start, &mut dice), rest].concat();
            std::fs::write(&path, unsummed(damaged)).unwrap();
            read += usize::from(tensors(&path).is_ok());
        }
    }
    assert!((20..2000).contains(&read), "{read} of 2500 were readable all the same");
}

/// Takes the checksums out of the directory of an archive.
fn unsummed(mut bytes: Vec<u8>) -> Vec<u8> {
    for place in 0..bytes.len().saturating_sub(20) {
        match &bytes[place..place + 4] {
            b"PK\x01\x02" => bytes[place + 16..place + 20].fill(0),
            b"PK\x03\x04" => bytes[place + 14..place + 18].fill(0),
            _ => {}
        }
    }
    bytes
}
