//! Names, shapes and limits of the models.

mod layers;
mod reference;
mod steps;

use std::collections::BTreeMap;

use tch::Kind;

use super::*;
use crate::random::{Purpose, seeded};

fn dimensions(height: u32, width: u32, channels: i64) -> Dimensions {
    Dimensions { height, width, channels, classes: 10, precision: Precision::Float32, folds: false }
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
    let seeded = seeded(1, 0, Purpose::Step(0, 0));
    for mode in [Mode::Train(&seeded, None), Mode::Predict] {
        let logits = net.model.forward(&images, mode).unwrap();
        assert_eq!(logits.size(), [2, 10]);
        assert!(logits.isfinite().all().int64_value(&[]) == 1);
    }
}

const CPU: tch::Device = tch::Device::Cpu;
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
fn only_weights_of_products_decay() {
    let net = build(&SMALL, dimensions(28, 28, 1)).unwrap();
    let roles: Vec<(&str, Role)> = net.params.entries().iter().map(|param| (param.name.as_str(), param.role)).collect();
    let decaying: Vec<&str> = roles.iter().filter(|(_, role)| *role == Role::Weight).map(|(name, _)| *name).collect();
    assert_eq!(
        decaying,
        ["blocks.0.conv.weight", "blocks.1.conv.weight", "blocks.2.conv.weight", "blocks.3.conv.weight", "head.weight"]
    );
    let count = |wanted| roles.iter().filter(|(_, role)| *role == wanted).count();
    assert_eq!((roles.len(), count(Role::Buffer), count(Role::Counter)), (26, 8, 4));
    assert_eq!(net.params.trained().count(), 14);
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
    given(&|tensors| drop(tensors.remove("blocks.0.norm.num_batches_tracked"))).unwrap();
    let kind = given(&|tensors| drop(tensors.insert("head.bias".to_owned(), Tensor::zeros([10], (Kind::Int64, CPU)))));
    assert!(kind.unwrap_err().contains("is of type Int64, the model needs Float"));
    let missing = given(&|tensors| drop(tensors.remove("head.bias"))).unwrap_err();
    assert!(missing.contains("`head.bias` is missing"), "{missing}");
    let extra = given(&|tensors| drop(tensors.insert("tail".to_owned(), Tensor::from(1f32)))).unwrap_err();
    assert!(extra.contains("`tail`"), "{extra}");
    let shape = given(&|tensors| drop(tensors.insert("head.bias".to_owned(), Tensor::from(1f32)))).unwrap_err();
    assert!(shape.contains("has shape []") && shape.contains("needs [10]"), "{shape}");
}

/// The least side that a model takes.
fn least(kind: &ModelKind) -> u32 {
    match kind {
        ModelKind::SmallNet { .. } => 16,
        ModelKind::AlexNet { .. } | ModelKind::AlexNetLrn { .. } => 63,
        ModelKind::Vgg { .. } => 32,
        _ => 1,
    }
}

fn tensor<'a>(net: &'a Net, name: &str) -> &'a Tensor {
    &net.params.entries().iter().find(|param| param.name.ends_with(name)).unwrap().tensor
}

/// Drawn with the generator to itself: other tests rely on its order.
fn images(shape: &[i64]) -> Tensor {
    seeded(2, 0, Purpose::Step(0, 0)).uniform(shape, 1.0).unwrap()
}

/// The embedding is what the last linear layer, the last two tensors, makes the logits of.
#[track_caller]
fn check_embedding(kind: &ModelKind, net: &Net, images: &Tensor) {
    let features = net.model.body(images, Mode::Predict).unwrap();
    let embedding = net.model.embedding(&features, Mode::Predict).unwrap();
    assert_eq!(embedding.size(), [2, net.model.last().width()], "{kind:?}");
    let [.., weight, bias] = net.params.entries() else { unreachable!() };
    let logits = embedding.matmul(&weight.tensor.tr()) + &bias.tensor;
    let expected = net.model.forward(images, Mode::Predict).unwrap();
    assert!(logits.allclose(&expected, 1e-4, 1e-5, false), "{kind:?}: {logits} {expected}");
}

/// At its smallest size a model predicts and trains; one pixel less is refused.
#[track_caller]
fn check_least(kind: &ModelKind) {
    let side = least(kind);
    let at = dimensions(side, side + 1, 3);
    let net = build(kind, at).unwrap();
    let images = images(&[2, 3, i64::from(side), i64::from(side) + 1]);
    let finite = |logits: Tensor| logits.isfinite().all().int64_value(&[]) == 1;
    assert!(finite(net.model.forward(&images, Mode::Predict).unwrap()), "{kind:?}");
    check_embedding(kind, &net, &images);
    let trained = net.model.forward(&images, Mode::Train(&seeded(3, 0, Purpose::Step(0, 0)), None));
    assert!(finite(trained.unwrap()), "{kind:?}");
    for param in net.params.entries() {
        match param.role {
            Role::Counter => assert_eq!(param.tensor.int64_value(&[]), 1, "{kind:?}: {}", param.name),
            Role::Buffer => {
                let first = f64::from(param.name.ends_with("var"));
                assert!((&param.tensor - first).abs().max().double_value(&[]) > 0.0, "{kind:?}: {}", param.name);
            }
            _ => {}
        }
    }
    if side > 1 {
        let refused = build(kind, dimensions(side, side - 1, 3)).err();
        assert!(matches!(refused, Some(TrainError::ImageTooSmall { minimum, .. }) if minimum == side), "{kind:?}");
    }
}

#[test]
fn every_model_works_at_its_smallest_size() {
    // The other six of VGG are longer, not different; and each takes a second to draw.
    let all = ModelKind::all().into_iter();
    let kinds = all.filter(|kind| !matches!(kind, ModelKind::Vgg { depth, .. } if *depth != crate::VggDepth::D11));
    for kind in kinds {
        check_least(&kind);
    }
}

#[test]
fn one_channel_is_enough_for_every_model() {
    for kind in ModelKind::all() {
        let shape = Shape { height: 64, width: 64, channels: 1 };
        let (gray, colour) = (
            ModelSize::of(&kind, &shape, 7).unwrap(),
            ModelSize::of(&kind, &Shape { channels: 3, ..shape }, 7).unwrap(),
        );
        assert!(gray.parameters < colour.parameters && gray.macs < colour.macs, "{kind:?}");
    }
}

#[test]
fn noise_is_that_of_its_seed() {
    let kinds = [
        ModelKind::EfficientNet { size: crate::EfficientNetSize::B0, dropout: 0.0, drop_path: 0.5 },
        ModelKind::ResNet { depth: crate::ResNetDepth::D18, dropout: 0.0, drop_path: 0.5 },
        ModelKind::ResNet { depth: crate::ResNetDepth::D18, dropout: 0.5, drop_path: 0.0 },
        ModelKind::EfficientNetLite0 { dropout: 0.5, drop_path: 0.0 },
    ];
    for kind in kinds {
        let net = build(&kind, dimensions(32, 32, 3)).unwrap();
        let images = images(&[8, 3, 32, 32]);
        let logits =
            |step| net.model.forward(&images, Mode::Train(&seeded(3, 0, Purpose::Step(step, 0)), None)).unwrap();
        assert!(logits(0).equal(&logits(0)), "{kind:?}");
        assert!(!logits(0).equal(&logits(1)), "{kind:?}");
    }
}

#[test]
fn first_values_have_the_spread_of_torchvision() {
    let spread = |net: &Net, name| tensor(net, name).std(false).double_value(&[]);
    let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.05;
    let net = build(&ModelKind::named("resnet18").unwrap(), dimensions(32, 32, 3)).unwrap();
    // Fan out 64 * 7 * 7, then 512 * 3 * 3.
    assert!(near(spread(&net, "conv1.weight"), (2.0f64 / 3136.0).sqrt()));
    assert!(near(spread(&net, "layer4.1.conv2.weight"), (2.0f64 / 4608.0).sqrt()));
    let net = build(&ModelKind::named("efficientnet_b0").unwrap(), dimensions(32, 32, 3)).unwrap();
    // A depthwise one counts all its outputs: 480 * 3 * 3.
    assert!(near(spread(&net, "features.4.1.block.1.0.weight"), (2.0f64 / 4320.0).sqrt()));
    // Uniform up to 1 / sqrt(10 classes).
    assert!(near(spread(&net, "classifier.1.weight"), (1.0f64 / 30.0).sqrt()));
    assert_eq!(tensor(&net, "classifier.1.bias").abs().max().double_value(&[]), 0.0);
    let net = build(&ModelKind::named("alexnet_lrn").unwrap(), dimensions(64, 64, 3)).unwrap();
    assert!(near(spread(&net, "features.0.weight"), 0.01) && near(spread(&net, "classifier.6.weight"), 0.01));
    let biases =
        ["features.0", "features.4", "features.8", "features.10", "features.12", "classifier.4", "classifier.6"];
    let found = biases.map(|name| tensor(&net, &format!("{name}.bias")).mean(None).double_value(&[]));
    assert_eq!(found, [0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0]);
}

/// Numbers from -0.5 to 0.5.
fn noise(shape: &[i64]) -> Tensor {
    seeded(2, 0, Purpose::Weights).uniform(shape, 0.5).unwrap()
}

/// With statistics and norms that are no longer those of the beginning.
#[test]
fn folded_norms_predict_the_same() {
    let kinds = [
        ModelKind::ResNet { depth: crate::ResNetDepth::D18, dropout: 0.0, drop_path: 0.0 },
        ModelKind::Vgg { depth: crate::VggDepth::D11, norm: true, dropout: 0.0 },
        ModelKind::EfficientNet { size: crate::EfficientNetSize::B0, dropout: 0.0, drop_path: 0.0 },
        ModelKind::EfficientNetLite0 { dropout: 0.0, drop_path: 0.0 },
    ];
    let at = dimensions(32, 32, 3);
    let images = noise(&[4, 32, 32, 3]).permute([0, 3, 1, 2]);
    for kind in kinds {
        let net = build(&kind, at).unwrap();
        let _no_grad = tch::no_grad_guard();
        for param in net.params.entries().iter().filter(|param| param.tensor.dim() == 1) {
            let noise = noise(&param.tensor.size());
            let _ = param.tensor.shallow_clone().f_add_(&noise).unwrap();
        }
        let folded = Net::build(&kind, at.folded(), Origin::Given(net.params.copies().unwrap())).unwrap();
        let logits = |net: &Net, mode| net.model.forward(&images, mode).unwrap();
        let (plain, fast) = (logits(&net, Mode::Predict), logits(&folded, Mode::Predict));
        let error = (&plain - &fast).abs().max().double_value(&[]) / plain.abs().max().double_value(&[]);
        assert!(error < 1e-4 && plain != fast, "{kind:?}: {error}");
        assert_eq!(logits(&net, Mode::Ask(None)), logits(&folded, Mode::Ask(None)), "only predictions are folded");
    }
}
