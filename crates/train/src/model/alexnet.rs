//! AlexNet with torchvision's tensor names, in two forms: torchvision's (Krizhevsky, "One weird trick for parallelizing
//! convolutional neural networks", 2014), and that of Krizhevsky et al., "ImageNet classification with deep convolutional
//! neural networks" (2012), which cuts some convolutions into two groups and has local response normalisation.

use tch::{TchError, Tensor};

use super::layers::{Conv, Filter, Linear, MaxPool, MeanPool, Start, Window, dropout, local_response_norm};
use super::{Builder, Mode, Model, require_side};
use crate::TrainError;

/// Below this side the third pooling has nothing left: 63 -> 15 -> 7 -> 3 -> 1.
const MINIMUM: u32 = 63;
/// Side of the map that the classifier reads.
const MAP: i64 = 6;
/// Width of the two hidden layers.
const HIDDEN: i64 = 4096;
/// Which convolutions a pooling follows.
const POOLS: [bool; 5] = [true, true, false, false, true];
/// The windows of both.
const WINDOWS: [Window; 5] = [
    Window::padded(11, 4, 2),
    Window::centred(5, 1),
    Window::centred(3, 1),
    Window::centred(3, 1),
    Window::centred(3, 1),
];
/// Channels, groups and bias of the convolutions of 2012, and the biases of its linear layers.
const ORIGINAL: [(i64, i64, f64); 5] = [(96, 1, 0.0), (256, 2, 1.0), (384, 1, 0.0), (384, 2, 1.0), (256, 2, 1.0)];
const ORIGINAL_BIASES: [f64; 3] = [1.0, 1.0, 0.0];

pub(super) struct AlexNet {
    features: Vec<Stage>,
    average: MeanPool,
    classifier: [Linear; 3],
    dropout: f64,
}

/// A convolution, ReLU, and what follows.
struct Stage {
    conv: Conv,
    normalises: bool,
    pool: Option<MaxPool>,
}

impl AlexNet {
    /// torchvision's.
    pub(super) fn new(builder: &mut Builder<'_>, classes: i64, dropout: f64) -> Result<AlexNet, TrainError> {
        let filters = [64, 192, 384, 256, 256].map(|to| (to, 1, Start::FanIn));
        AlexNet::build(builder, filters, [Start::FanIn; 3], false, (classes, dropout))
    }

    /// The one of 2012.
    pub(super) fn original(builder: &mut Builder<'_>, classes: i64, dropout: f64) -> Result<AlexNet, TrainError> {
        let filters = ORIGINAL.map(|(to, groups, bias)| (to, groups, Start::Narrow(bias)));
        AlexNet::build(builder, filters, ORIGINAL_BIASES.map(Start::Narrow), true, (classes, dropout))
    }

    fn build(
        builder: &mut Builder<'_>,
        filters: [(i64, i64, Start); 5],
        starts: [Start; 3],
        normalises: bool,
        (classes, dropout): (i64, f64),
    ) -> Result<AlexNet, TrainError> {
        require_side(if normalises { "alexnet_lrn" } else { "alexnet" }, builder.map, MINIMUM)?;
        let mut index = 0;
        let mut features = Vec::with_capacity(filters.len());
        for (number, (to, groups, start)) in filters.into_iter().enumerate() {
            builder.next_layer();
            let filter = Filter { to, window: WINDOWS[number], groups, bias: true, start };
            let conv = Conv::new(builder, &format!("features.{index}"), filter)?;
            let pool = POOLS[number].then(|| MaxPool::new(builder, 3, 2, 0));
            let normalises = normalises && number < 2;
            index += 2 + usize::from(normalises) + usize::from(pool.is_some());
            features.push(Stage { conv, normalises, pool });
        }
        let average = MeanPool::new(builder, MAP);
        let mut linear = |name, to, start| Linear::new(builder, name, to, start);
        let classifier = [
            linear("classifier.1", HIDDEN, starts[0])?,
            linear("classifier.4", HIDDEN, starts[1])?,
            linear("classifier.6", classes, starts[2])?,
        ];
        Ok(AlexNet { features, average, classifier, dropout })
    }
}

impl Stage {
    fn forward(&self, map: &Tensor) -> Result<Tensor, TchError> {
        let map = self.conv.forward(map)?.f_relu_()?;
        let map = if self.normalises { local_response_norm(&map)? } else { map };
        self.pool.as_ref().map_or(Ok(map.shallow_clone()), |pool| pool.forward(&map))
    }
}

impl Model for AlexNet {
    fn body(&self, images: &Tensor, _mode: Mode<'_>) -> Result<Tensor, TchError> {
        let mut map = images.shallow_clone();
        for stage in &self.features {
            map = stage.forward(&map)?;
        }
        self.average.forward(&map)
    }

    fn embedding(&self, features: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let [first, second, _] = &self.classifier;
        let hidden = first.forward(&dropout(features, self.dropout, mode)?)?.f_relu_()?;
        second.forward(&dropout(&hidden, self.dropout, mode)?)?.f_relu_()
    }

    fn last(&self) -> &Linear {
        let [.., last] = &self.classifier;
        last
    }
}
