//! The model of a round.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An architecture. `millstream models` lists what each weighs and where it comes from.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Model {
    /// A small convolutional net with batch normalisation, for images of 28 to 64 pixels; at least 16.
    Smallnet(Smallnet),
    /// torchvision's AlexNet, made for 224 pixels; at least 63.
    Alexnet(Plain),
    /// The AlexNet of 2012 with local response normalisation, made for 224 pixels; at least 63.
    AlexnetLrn(Plain),
    /// VGG with 11 layers, made for 224 pixels; at least 32.
    Vgg11(Plain),
    /// VGG with 11 layers and batch normalisation, made for 224 pixels; at least 32.
    Vgg11Bn(Plain),
    /// VGG with 13 layers, made for 224 pixels; at least 32.
    Vgg13(Plain),
    /// VGG with 13 layers and batch normalisation, made for 224 pixels; at least 32.
    Vgg13Bn(Plain),
    /// VGG with 16 layers, made for 224 pixels; at least 32.
    Vgg16(Plain),
    /// VGG with 16 layers and batch normalisation, made for 224 pixels; at least 32.
    Vgg16Bn(Plain),
    /// VGG with 19 layers, made for 224 pixels; at least 32.
    Vgg19(Plain),
    /// VGG with 19 layers and batch normalisation, made for 224 pixels; at least 32.
    Vgg19Bn(Plain),
    /// ResNet with 18 layers, made for 224 pixels.
    Resnet18(Deep),
    /// ResNet with 34 layers, made for 224 pixels.
    Resnet34(Deep),
    /// ResNet with 50 layers, made for 224 pixels.
    Resnet50(Deep),
    /// EfficientNet-B0, made for 224 pixels.
    EfficientnetB0(Deep),
    /// EfficientNet-B1, made for 240 pixels.
    EfficientnetB1(Deep),
    /// EfficientNet-B2, made for 288 pixels.
    EfficientnetB2(Deep),
    /// EfficientNet-B3, made for 300 pixels.
    EfficientnetB3(Deep),
    /// EfficientNet-B4, made for 380 pixels.
    EfficientnetB4(Deep),
    /// EfficientNet-B5, made for 456 pixels.
    EfficientnetB5(Deep),
    /// EfficientNet-B6, made for 528 pixels.
    EfficientnetB6(Deep),
    /// EfficientNet-B7, made for 600 pixels.
    EfficientnetB7(Deep),
    /// EfficientNet-Lite0, without squeeze and excitation and with ReLU6, made for 224 pixels.
    EfficientnetLite0(Deep),
}

/// A small convolutional net with batch normalisation.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Smallnet {
    /// Channels of its first block; the second has twice as many, the last two four times.
    #[serde(default = "Smallnet::width")]
    #[schemars(range(min = 1, max = 4096))]
    pub(crate) width: u32,
    /// Probability of dropping a feature before the classifier.
    #[serde(default)]
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub(crate) dropout: f64,
}

impl Smallnet {
    fn width() -> u32 {
        16
    }
}

/// A net with hidden layers before its classifier.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plain {
    /// Probability of dropping a feature in each of its two hidden layers.
    #[serde(default = "Plain::dropout")]
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub(crate) dropout: f64,
}

impl Plain {
    fn dropout() -> f64 {
        0.5
    }
}

/// A net of residual blocks.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deep {
    /// Probability of dropping a feature before the classifier. By default that of the model's paper or torchvision: 0 for
    /// ResNet, 0.2 for EfficientNet-Lite0, 0.2 (B0, B1) to 0.5 (B6, B7) for EfficientNet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub(crate) dropout: Option<f64>,
    /// Stochastic depth: probability of skipping a block, which rises from 0 at the first towards this at the last. By
    /// default 0 for ResNet, 0.2 for EfficientNet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub(crate) drop_path: Option<f64>,
}
