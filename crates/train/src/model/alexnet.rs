//! torchvision's AlexNet (Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014),
//! with torchvision's tensor names.

use tch::{TchError, Tensor};

use super::layers::{Conv, Linear, Window, dropout, max_pool};
use super::{Builder, Dimensions, Mode, Model, require_side};
use crate::TrainError;

/// Below this side the third pooling has nothing left: 63 -> 15 -> 7 -> 3 -> 1.
const MINIMUM: u32 = 63;
/// Side of the map that the classifier reads.
const MAP: i64 = 6;
/// Width of the two hidden layers.
const HIDDEN: i64 = 4096;

pub(super) struct AlexNet {
    features: [Conv; 5],
    classifier: [Linear; 3],
    dropout: f64,
}

impl AlexNet {
    pub(super) fn new(builder: &mut Builder<'_>, dimensions: Dimensions, dropout: f64) -> Result<AlexNet, TrainError> {
        require_side("alexnet", dimensions, MINIMUM)?;
        let mut conv = |index, from, to, side, stride, padding| {
            Conv::new(builder, &format!("features.{index}"), (from, to), Window { side, stride, padding }, true)
        };
        let features = [
            conv(0, dimensions.channels, 64, 11, 4, 2)?,
            conv(3, 64, 192, 5, 1, 2)?,
            conv(6, 192, 384, 3, 1, 1)?,
            conv(8, 384, 256, 3, 1, 1)?,
            conv(10, 256, 256, 3, 1, 1)?,
        ];
        let classifier = [
            Linear::new(builder, "classifier.1", 256 * MAP * MAP, HIDDEN)?,
            Linear::new(builder, "classifier.4", HIDDEN, HIDDEN)?,
            Linear::new(builder, "classifier.6", HIDDEN, dimensions.classes)?,
        ];
        Ok(AlexNet { features, classifier, dropout })
    }
}

impl Model for AlexNet {
    fn forward(&self, images: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let [first, second, third, fourth, fifth] = &self.features;
        let [hidden_one, hidden_two, head] = &self.classifier;
        let map = max_pool(&first.forward(images)?.f_relu_()?, 3, 2)?;
        let map = max_pool(&second.forward(&map)?.f_relu_()?, 3, 2)?;
        let map = third.forward(&map)?.f_relu_()?;
        let map = fourth.forward(&map)?.f_relu_()?;
        let map = max_pool(&fifth.forward(&map)?.f_relu_()?, 3, 2)?;
        let flat = map.f_adaptive_avg_pool2d([MAP, MAP])?.f_flatten(1, -1)?;
        let hidden = hidden_one.forward(&dropout(&flat, self.dropout, mode)?)?.f_relu_()?;
        let hidden = hidden_two.forward(&dropout(&hidden, self.dropout, mode)?)?.f_relu_()?;
        head.forward(&hidden)
    }
}
