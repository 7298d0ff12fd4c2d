//! What is loaded, what stays, and how fast the rest trains.

use std::path::Path;

use tch::{Kind, Tensor};

use super::*;
use crate::model::{Dimensions, Net, Origin, Role};
use crate::random::{Purpose, seeded};
use crate::{ModelKind, Precision, ResNetDepth};

const CPU: tch::Device = tch::Device::Cpu;

fn net(kind: &ModelKind, channels: i64, classes: i64) -> Net {
    let at = Dimensions { height: 64, width: 64, channels, classes, precision: Precision::Float32, folds: false };
    let seeded = seeded(1, 0, Purpose::Weights);
    Net::build(kind, at, Origin::Fresh(CPU, &seeded)).unwrap()
}

fn outline(name: &str) -> Params {
    let at =
        Dimensions { height: 64, width: 64, channels: 3, classes: 10, precision: Precision::Float32, folds: false };
    Net::build(&ModelKind::named(name).unwrap(), at, Origin::Nowhere).unwrap().params
}

fn small(width: u32, channels: i64, classes: i64) -> Net {
    net(&ModelKind::SmallNet { width, dropout: 0.0 }, channels, classes)
}

fn checkpoint() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/checkpoints/wrapped.pth")
}

fn value(net: &Net, name: &str) -> Tensor {
    let param = net.params.entries().iter().find(|param| param.name == name).unwrap();
    param.tensor.detach().copy()
}

#[test]
fn a_checkpoint_of_the_same_model_is_loaded_whole() {
    let net = small(1, 3, 4);
    let loaded = load(&checkpoint(), &net.params).unwrap();
    assert_eq!(loaded.loaded.len(), 22);
    assert!(loaded.missing.is_empty() && loaded.unexpected.is_empty() && loaded.reshaped.is_empty(), "{loaded:?}");
    // Number 25 is `head.weight`, the last in the order of the names.
    assert_eq!(value(&net, "head.weight").double_value(&[0, 1]), f64::from((7 + 25) % 16) / 8.0 - 1.0);
    assert_eq!(value(&net, "blocks.0.norm.num_batches_tracked").int64_value(&[]), 7);
    let text = loaded.to_string();
    assert!(text.ends_with("wrapped.pth: 22 tensors loaded"), "{text}");
}

#[test]
fn other_classes_and_gray_images_are_made_to_fit_and_said_so() {
    let colour = small(1, 3, 4);
    load(&checkpoint(), &colour.params).unwrap();
    let gray = small(1, 1, 6);
    let fresh = value(&gray, "head.weight");
    let loaded = load(&checkpoint(), &gray.params).unwrap();
    let changes: Vec<_> = loaded.reshaped.iter().map(|tensor| (tensor.name.as_str(), tensor.change)).collect();
    assert_eq!(
        changes,
        [("blocks.0.conv.weight", Change::Summed), ("head.weight", Change::Fresh), ("head.bias", Change::Fresh)]
    );
    assert!(value(&gray, "head.weight").equal(&fresh));
    let summed = value(&colour, "blocks.0.conv.weight").sum_dim_intlist([1i64].as_slice(), true, Kind::Float);
    assert!(value(&gray, "blocks.0.conv.weight").allclose(&summed, 1e-6, 1e-6, false));
    let text = loaded.to_string();
    assert!(text.contains("`head.weight` [4, 4] as [6, 4]") && text.contains("[1, 3, 3, 3] to [1, 1, 3, 3]"), "{text}");
}

#[test]
fn what_is_missing_keeps_its_first_values_and_what_is_unexpected_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.safetensors");
    let net = small(1, 3, 4);
    let before = value(&net, "blocks.1.conv.weight");
    Tensor::write_safetensors(
        &[("head.bias", Tensor::ones([4], (Kind::Float, CPU))), ("tail", Tensor::from(1f32))],
        &path,
    )
    .unwrap();
    let loaded = load(&path, &net.params).unwrap();
    assert_eq!((&loaded.loaded[..], &loaded.unexpected[..]), (&["head.bias".to_owned()][..], &["tail".to_owned()][..]));
    assert_eq!(loaded.missing.len(), 21);
    assert!(value(&net, "blocks.1.conv.weight").equal(&before));
    assert_eq!(value(&net, "head.bias").sum(None).double_value(&[]), 4.0);
    let text = loaded.to_string();
    assert!(
        text.contains("missing, so they start fresh: `blocks.0.conv.weight`") && text.contains("and 13 more"),
        "{text}"
    );
    assert!(text.contains("left out: `tail`"), "{text}");
}

#[test]
fn weights_of_another_model_are_refused() {
    let refused = |net: &Net, path: &Path| load(path, &net.params).unwrap_err().to_string();
    let text = refused(&small(2, 3, 4), &checkpoint());
    assert!(text.contains("`blocks.0.conv.weight` has shape [1, 3, 3, 3], the model needs [2, 3, 3, 3]"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let write = |name: &str, tensor: Tensor| Tensor::write_safetensors(&[(name, tensor)], &path).unwrap();
    write("fc.weight", Tensor::from(1f32));
    let text = refused(&small(1, 3, 4), &path);
    assert!(
        text.contains("no tensor of the model: it has `fc.weight`; the model has `blocks.0.conv.weight`"),
        "{text}"
    );
    write("head.bias", Tensor::zeros([4], (Kind::Int64, CPU)));
    assert!(refused(&small(1, 3, 4), &path).contains("`head.bias` is of type Int64, the model needs Float"));
    // Another width before the head is another model, not other classes.
    write("head.weight", Tensor::zeros([4, 5], (Kind::Float, CPU)));
    assert!(refused(&small(1, 3, 4), &path).contains("`head.weight` has shape [4, 5]"));
}

#[test]
fn the_head_is_what_reads_features() {
    for (name, first) in [
        ("smallnet", "head.weight"),
        ("alexnet", "classifier.1.weight"),
        ("alexnet_lrn", "classifier.1.weight"),
        ("vgg11_bn", "classifier.0.weight"),
        ("resnet50", "fc.weight"),
        ("efficientnet_b1", "classifier.1.weight"),
        ("efficientnet_lite0", "_fc.weight"),
    ] {
        let mut params = outline(name);
        Freeze::Body.apply(&mut params).unwrap();
        assert_eq!(params.trained().next().unwrap().name, first);
    }
}

#[test]
fn a_norm_is_frozen_with_its_statistics() {
    let mut params = outline("resnet18");
    Freeze::Tensors(vec!["bn1.weight".to_owned(), "layer1.*.bias".to_owned()]).apply(&mut params).unwrap();
    let frozen: Vec<_> =
        params.entries().iter().filter(|param| param.frozen).map(|param| param.name.as_str()).collect();
    let biases = ["layer1.0.bn1.bias", "layer1.0.bn2.bias", "layer1.1.bn1.bias", "layer1.1.bn2.bias"];
    let norm = ["bn1.weight", "bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked"];
    assert_eq!(frozen, [&norm[..], &biases[..]].concat());
}

#[test]
fn patterns_of_nothing_and_models_without_anything_to_train_are_refused() {
    let refused = |transfer: Transfer| transfer.apply(&mut outline("resnet18")).unwrap_err().to_string();
    let freeze = |patterns: &[&str]| Transfer {
        freeze: Freeze::Tensors(patterns.iter().map(|pattern| (*pattern).to_owned()).collect()),
        ..Transfer::default()
    };
    let text = refused(freeze(&["conv1.*", "features.*"]));
    assert!(text.contains("`features.*` of `transfer.freeze`") && text.contains("there are `conv1.weight`"), "{text}");
    assert!(refused(freeze(&["*.running_mean"])).contains("of no tensor that trains"));
    assert!(refused(freeze(&["*"])).contains("nothing of the model to train"));
    let group = RateGroup { pattern: "fcc.*".to_owned(), rate: 0.5 };
    let rates = Transfer { rates: Rates::Groups(vec![group]), ..Transfer::default() };
    assert!(refused(rates).contains("`fcc.*` of `transfer.rates`"));
}

/// By layers, as timm: for ResNet-18 the stem, eight blocks and the head.
#[test]
fn rates_fall_with_the_layers_below_the_head() {
    let mut params = outline("resnet18");
    Rates::LayerDecay { decay: 0.5, min: 0.01 }.apply(&mut params).unwrap();
    let rate = |name: &str| params.entries().iter().find(|param| param.name == name).unwrap().rate;
    let found = [
        "fc.bias",
        "layer4.1.bn2.bias",
        "layer4.0.downsample.1.weight",
        "layer2.0.conv1.weight",
        "layer1.0.conv1.weight",
        "conv1.weight",
    ];
    assert_eq!(found.map(rate), [1.0, 0.5, 0.25, 0.015_625 * 2.0 * 0.5, 0.01, 0.01]);
    let text = rates::table(&params);
    assert!(text.starts_with("  0.01000    conv1.weight to layer1.1.bn2.bias (15 tensors)\n"), "{text}");
    assert!(text.ends_with("  1.00000    fc.weight to fc.bias (2 tensors)"), "{text}");
}

/// timm, 12 blocks of a ViT with 0.75: the stem has 0.75^13 = 0.0238 here, as here the head is a layer of its own.
#[test]
fn every_model_has_a_layer_for_its_stem_for_each_block_and_for_its_head() {
    for (name, layers) in [
        ("smallnet", 5),
        ("alexnet", 6),
        ("vgg16", 14),
        ("resnet34", 18),
        ("efficientnet_b0", 18),
        ("efficientnet_lite0", 18),
    ] {
        let params = outline(name);
        assert_eq!(params.head() + 1, layers, "{name}");
        assert_eq!(params.entries()[0].layer, 0, "{name}");
        assert!(params.entries().is_sorted_by_key(|param| param.layer), "{name}");
    }
}

#[test]
fn the_first_group_that_matches_decides() {
    let mut params = outline("resnet18");
    let group = |pattern: &str, rate| RateGroup { pattern: pattern.to_owned(), rate };
    Rates::Groups(vec![group("layer1.0.*", 0.5), group("layer*", 0.1)]).apply(&mut params).unwrap();
    let rate = |name: &str| params.entries().iter().find(|param| param.name == name).unwrap().rate;
    assert_eq!(["layer1.0.bn1.bias", "layer1.1.bn1.bias", "conv1.weight"].map(rate), [0.5, 0.1, 1.0]);
}

#[test]
fn rates_out_of_range_are_named() {
    let check = |rates: Rates| rates.check().unwrap_err().to_string();
    assert!(check(Rates::LayerDecay { decay: 0.0, min: 0.0 }).contains("`layer_decay` cannot be 0"));
    assert!(check(Rates::LayerDecay { decay: 0.5, min: f64::NAN }).contains("`layer_decay.min`"));
    let group = RateGroup { pattern: "*".to_owned(), rate: 0.0 };
    assert!(check(Rates::Groups(vec![group])).contains("`groups.rate`"));
}

/// With random drops and with norms in the part that is frozen, it is a fixed function of images, and stays what it is.
#[test]
fn a_frozen_beginning_is_the_same_in_training() {
    let kind = ModelKind::ResNet { depth: ResNetDepth::D18, dropout: 0.0, drop_path: 0.9 };
    let mut frozen = net(&kind, 3, 4);
    let patterns = ["conv1.*", "bn1.*", "layer*"].map(str::to_owned).to_vec();
    Freeze::Tensors(patterns).apply(&mut frozen.params).unwrap();
    let before = frozen.params.copies().unwrap();
    let images = seeded(2, 0, Purpose::Step(0, 0)).uniform(&[2, 3, 64, 64], 1.0).unwrap();
    let predicted = frozen.model.forward(&images, crate::model::Mode::Predict).unwrap();
    let seeded = seeded(3, 0, Purpose::Step(0, 0));
    let trained = frozen.model.forward(&images, crate::model::Mode::Train(&seeded, None)).unwrap();
    assert!(trained.equal(&predicted) && trained.requires_grad());
    assert!(frozen.params.entries().iter().all(|param| param.tensor.equal(&before[&param.name])));
    assert!(frozen.params.entries().iter().any(|param| param.role == Role::Counter && param.frozen));
}
