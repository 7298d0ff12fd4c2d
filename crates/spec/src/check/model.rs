//! The model of a round: which it is, its settings, and the images it needs.

use crate::plan::ModelPlan;
use crate::raw::{Deep, Model, Plain};

/// The model with its defaults filled in, and the smallest side of an image that it takes, in pixels.
pub(super) fn model(raw: &Model) -> (ModelPlan, u32) {
    match raw {
        Model::Smallnet(raw) => {
            let plan = ModelPlan { name: "smallnet", width: Some(raw.width), dropout: raw.dropout, drop_path: None };
            (plan, 16)
        }
        Model::Alexnet(raw) => (plain("alexnet", raw), 63),
        Model::AlexnetLrn(raw) => (plain("alexnet_lrn", raw), 63),
        Model::Vgg11(raw) => (plain("vgg11", raw), 32),
        Model::Vgg11Bn(raw) => (plain("vgg11_bn", raw), 32),
        Model::Vgg13(raw) => (plain("vgg13", raw), 32),
        Model::Vgg13Bn(raw) => (plain("vgg13_bn", raw), 32),
        Model::Vgg16(raw) => (plain("vgg16", raw), 32),
        Model::Vgg16Bn(raw) => (plain("vgg16_bn", raw), 32),
        Model::Vgg19(raw) => (plain("vgg19", raw), 32),
        Model::Vgg19Bn(raw) => (plain("vgg19_bn", raw), 32),
        Model::Resnet18(raw) => (deep("resnet18", raw, 0.0, 0.0), 1),
        Model::Resnet34(raw) => (deep("resnet34", raw, 0.0, 0.0), 1),
        Model::Resnet50(raw) => (deep("resnet50", raw, 0.0, 0.0), 1),
        Model::EfficientnetB0(raw) => (deep("efficientnet_b0", raw, 0.2, 0.2), 1),
        Model::EfficientnetB1(raw) => (deep("efficientnet_b1", raw, 0.2, 0.2), 1),
        Model::EfficientnetB2(raw) => (deep("efficientnet_b2", raw, 0.3, 0.2), 1),
        Model::EfficientnetB3(raw) => (deep("efficientnet_b3", raw, 0.3, 0.2), 1),
        Model::EfficientnetB4(raw) => (deep("efficientnet_b4", raw, 0.4, 0.2), 1),
        Model::EfficientnetB5(raw) => (deep("efficientnet_b5", raw, 0.4, 0.2), 1),
        Model::EfficientnetB6(raw) => (deep("efficientnet_b6", raw, 0.5, 0.2), 1),
        Model::EfficientnetB7(raw) => (deep("efficientnet_b7", raw, 0.5, 0.2), 1),
        Model::EfficientnetLite0(raw) => (deep("efficientnet_lite0", raw, 0.2, 0.2), 1),
    }
}

fn plain(name: &'static str, raw: &Plain) -> ModelPlan {
    ModelPlan { name, width: None, dropout: raw.dropout, drop_path: None }
}

fn deep(name: &'static str, raw: &Deep, dropout: f64, drop_path: f64) -> ModelPlan {
    let drop_path = Some(raw.drop_path.unwrap_or(drop_path));
    ModelPlan { name, width: None, dropout: raw.dropout.unwrap_or(dropout), drop_path }
}
