//! Models against torchvision and the other references of `golden/models.py`.

use std::path::{Path, PathBuf};

use super::*;
use crate::weights::{self, Card};
use crate::{Device, SessionConfig};

const GOLDEN: &str = include_str!("../../../golden/models.txt");
/// Against the largest logit.
const ALLOWED: f64 = 1e-4;

/// The lines of one kind, as words.
fn lines(kind: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let words = GOLDEN.lines().map(|line| line.split(' ').collect::<Vec<&str>>());
    words.filter(move |words| words[0] == kind)
}

fn fnv64(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn fnv32(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The hash of all names and shapes, in the order of the names.
fn tensors_hash(net: &Params) -> String {
    let line = |param: &Param| {
        let shape: Vec<String> = param.tensor.size().iter().map(i64::to_string).collect();
        format!("{} {}\n", param.name, shape.join("x"))
    };
    let mut lines: Vec<String> = net.entries().iter().map(line).collect();
    lines.sort();
    format!("{:016x}", fnv64(&lines.concat()))
}

#[test]
fn every_model_has_the_tensors_and_the_cost_of_its_reference() {
    let mut count = 0;
    for words in lines("model") {
        let [_, name, parameters, macs, side, hash] = words[..] else { panic!("{words:?}") };
        let kind = ModelKind::named(name).unwrap();
        assert_eq!(kind.usual_side().to_string(), side, "{name}");
        let size = kind.usual_size().unwrap();
        assert_eq!(
            (size.parameters.to_string().as_str(), size.macs.to_string().as_str()),
            (parameters, macs),
            "{name}"
        );
        let at = Dimensions { classes: 1000, ..dimensions(64, 64, 3) };
        let net = Net::build(&kind, at, Origin::Nowhere).unwrap();
        assert_eq!(tensors_hash(&net.params), hash, "{name}");
        count += 1;
    }
    assert_eq!(count, ModelKind::all().len() - 1, "all but smallnet");
}

/// Numbers in [-1, 1) that depend on the name and the index alone, scaled and shifted.
pub(super) fn formula(name: &str, shape: &[i64], scale: f64, shift: f64) -> Tensor {
    let seed = fnv32(name);
    let value = |index: u32| {
        let mut hash = index.wrapping_mul(2_654_435_761).wrapping_add(seed);
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
        hash ^= hash >> 16;
        (shift + scale * (f64::from(hash >> 8) / f64::from(1 << 23) - 1.0)) as f32
    };
    let count: i64 = shape.iter().product();
    let values: Vec<f32> = (0..u32::try_from(count).unwrap()).map(value).collect();
    Tensor::from_slice(&values).reshape(shape)
}

pub(super) fn by_formula(param: &Param, variance: f64) -> Tensor {
    let (name, shape) = (param.name.as_str(), param.tensor.size());
    let (scale, shift) = match shape.len() {
        _ if param.role == Role::Counter => return Tensor::from(0i64),
        2.. => ((6.0 / (shape.iter().product::<i64>() / shape[0]) as f64).sqrt(), 0.0),
        _ if name.ends_with("running_var") => (0.5 * variance, variance),
        _ if name.ends_with("weight") => (0.25, 1.0),
        _ => (0.125, 0.0),
    };
    formula(name, &shape, scale, shift)
}

/// As a session lays images out: with other orders libtorch takes other kernels.
pub(super) fn as_in_training(images: &Tensor) -> Tensor {
    images.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

fn difference(found: &Tensor, expected: &Tensor) -> f64 {
    ((found - expected).abs().max() / expected.abs().max()).double_value(&[])
}

#[test]
fn weights_of_a_formula_give_the_logits_of_the_reference() {
    let mut count = 0;
    for words in lines("logits") {
        let kind = ModelKind::named(words[1]).unwrap();
        let [height, width] = [2, 3].map(|index: usize| words[index].parse::<u32>().unwrap());
        let variance = words[4].parse().unwrap();
        let at = dimensions(height, width, 3);
        let outline = Net::build(&kind, at, Origin::Nowhere).unwrap().params;
        let tensors = outline.entries().iter().map(|param| (param.name.clone(), by_formula(param, variance))).collect();
        let net = Net::build(&kind, at, Origin::Given(tensors)).unwrap();
        let images = as_in_training(&formula("images", &[2, 3, i64::from(height), i64::from(width)], 1.0, 0.0));
        let found = tch::no_grad(|| net.model.forward(&images, Mode::Predict)).unwrap();
        let expected: Vec<f32> = words[5..].iter().map(|word| word.parse().unwrap()).collect();
        let far = difference(&found, &Tensor::from_slice(&expected).reshape([2, 10]));
        assert!(far <= ALLOWED, "{}: {far}", words[1]);
        count += 1;
    }
    assert_eq!(count, 9);
}

fn at_usual_side(kind: &ModelKind) -> (Dimensions, Shape) {
    let side = kind.usual_side();
    let shape = Shape { height: side, width: side, channels: 3 };
    (Dimensions::new(&shape, 1000), shape)
}

fn session(classes: Vec<String>, shape: Shape) -> SessionConfig {
    let (mean, std) = (vec![0.0; 3], vec![1.0; 3]);
    let (device, precision) = (Device::Cpu, Precision::Float32);
    SessionConfig { seed: 0, classes, shape, mean, std, device, precision, deterministic: false, threads: 1 }
}

/// Our weights as a model file, and the logits of the images by them and by the reference's weights.
fn answer(folder: &Path, kind: &ModelKind) {
    let (at, shape) = at_usual_side(kind);
    let (_, mut cases) = weights::read(&folder.join("cases.safetensors"), CPU).unwrap();
    let images = as_in_training(&cases.remove("images").unwrap());
    let logits = |net: &Net| tch::no_grad(|| net.model.forward(&images, Mode::Predict)).unwrap();
    let (_, given) = weights::read(&folder.join("reference.safetensors"), CPU).unwrap();
    let reference = logits(&Net::build(kind, at, Origin::Given(given)).unwrap());
    let net = build(kind, at).unwrap();
    let classes = (0..1000).map(|class| class.to_string()).collect();
    let card = Card::new(kind.clone(), session(classes, shape));
    weights::save(&folder.join("ours.safetensors"), &net.params, &card).unwrap();
    let answers = [("reference", reference), ("ours", logits(&net))];
    Tensor::write_safetensors(&answers, folder.join("ours-logits.safetensors")).unwrap();
}

/// Reads what `golden/models.py make` wrote of one model, and writes what `golden/models.py check` compares.
#[test]
#[ignore = "scripts/parity-models runs it"]
fn the_cases_of_a_folder_are_answered() {
    let folder = PathBuf::from(std::env::var_os("MILLSTREAM_PARITY_FOLDER").unwrap());
    let name = std::env::var("MILLSTREAM_PARITY_MODEL").unwrap();
    answer(&folder, &ModelKind::named(&name).unwrap());
}
