//! Names, shapes and limits of the models.

use std::collections::BTreeMap;

use tch::Kind;

use super::*;
use crate::random::{Purpose, seeded};

fn dimensions(height: u32, width: u32, channels: i64) -> Dimensions {
    Dimensions { height, width, channels, classes: 10 }
}

fn build(kind: &ModelKind, at: Dimensions) -> Result<Net, TrainError> {
    let seeded = seeded(1, 0, Purpose::Weights);
    Net::build(kind, at, Origin::Fresh(tch::Device::Cpu, &seeded))
}

#[track_caller]
fn check_logits(kind: &ModelKind, at: Dimensions) {
    let net = build(kind, at).unwrap();
    let images =
        Tensor::zeros([2, at.channels, i64::from(at.height), i64::from(at.width)], (Kind::Float, tch::Device::Cpu));
    let seeded = seeded(1, 0, Purpose::Step(0));
    for mode in [Mode::Train(&seeded), Mode::Predict] {
        let logits = net.model.forward(&images, mode).unwrap();
        assert_eq!(logits.size(), [2, 10]);
        assert!(logits.isfinite().all().int64_value(&[]) == 1);
    }
}

const SMALL: ModelKind = ModelKind::SmallNet { width: 4, dropout: 0.1 };
const ALEX: ModelKind = ModelKind::AlexNet { dropout: 0.5 };

#[test]
fn models_take_gray_and_colour_in_many_sizes() {
    for (height, width, channels) in [(16, 16, 1), (28, 28, 1), (32, 32, 3), (33, 64, 3)] {
        check_logits(&SMALL, dimensions(height, width, channels));
    }
    for (height, width, channels) in [(63, 63, 1), (64, 80, 3)] {
        check_logits(&ALEX, dimensions(height, width, channels));
    }
}

#[test]
fn images_that_the_poolings_cannot_take_are_refused() {
    let refused = |kind, at| build(kind, at).err().unwrap().to_string();
    assert!(refused(&SMALL, dimensions(28, 15, 1)).starts_with("smallnet cannot take images of 28x15"));
    let text = refused(&ALEX, dimensions(62, 224, 3));
    assert!(text.contains("62x224") && text.contains("at least 63 pixels"), "{text}");
}

#[test]
fn alexnet_has_the_names_and_shapes_of_torchvision() {
    let net = build(&ALEX, dimensions(224, 224, 3)).unwrap();
    let found: Vec<(&str, Vec<i64>)> =
        net.params.entries().iter().map(|param| (param.name.as_str(), param.tensor.size())).collect();
    let weights: [(&str, &[i64]); 8] = [
        ("features.0", &[64, 3, 11, 11]),
        ("features.3", &[192, 64, 5, 5]),
        ("features.6", &[384, 192, 3, 3]),
        ("features.8", &[256, 384, 3, 3]),
        ("features.10", &[256, 256, 3, 3]),
        ("classifier.1", &[4096, 9216]),
        ("classifier.4", &[4096, 4096]),
        ("classifier.6", &[10, 4096]),
    ];
    assert_eq!(found.len(), 16);
    for ((name, shape), pair) in weights.iter().zip(found.chunks(2)) {
        assert_eq!(pair[0], (format!("{name}.weight").as_str(), shape.to_vec()));
        assert_eq!(pair[1], (format!("{name}.bias").as_str(), vec![shape[0]]));
    }
}

#[test]
fn only_weights_of_products_decay() {
    let net = build(&SMALL, dimensions(28, 28, 1)).unwrap();
    let roles: Vec<(&str, Role)> = net.params.entries().iter().map(|param| (param.name.as_str(), param.role)).collect();
    let decaying: Vec<&str> = roles.iter().filter(|(_, role)| *role == Role::Weight).map(|(name, _)| *name).collect();
    assert_eq!(
        decaying,
        ["blocks.0.conv.weight", "blocks.1.conv.weight", "blocks.2.conv.weight", "blocks.3.conv.weight", "head.weight"]
    );
    let buffers = roles.iter().filter(|(_, role)| *role == Role::Buffer).count();
    assert_eq!((roles.len(), buffers, net.params.trained().count()), (22, 8, 14));
}

#[test]
fn given_tensors_must_fit() {
    let at = dimensions(28, 28, 1);
    let given = |change: &dyn Fn(&mut BTreeMap<String, Tensor>)| {
        let mut tensors = build(&SMALL, at).unwrap().params.copies().unwrap();
        change(&mut tensors);
        Net::build(&SMALL, at, Origin::Given(tensors)).map(|_| ()).map_err(|error| error.to_string())
    };
    given(&|_| ()).unwrap();
    let missing = given(&|tensors| drop(tensors.remove("head.bias"))).unwrap_err();
    assert!(missing.contains("`head.bias` is missing"), "{missing}");
    let extra = given(&|tensors| drop(tensors.insert("tail".to_owned(), Tensor::from(1f32)))).unwrap_err();
    assert!(extra.contains("`tail`"), "{extra}");
    let shape = given(&|tensors| drop(tensors.insert("head.bias".to_owned(), Tensor::from(1f32)))).unwrap_err();
    assert!(shape.contains("has shape []") && shape.contains("needs [10]"), "{shape}");
}
