//! torchvision's VGG, with its tensor names (Simonyan and Zisserman, "Very deep convolutional networks for large-scale
//! image recognition", 2015; with batch normalisation as torchvision adds it).

use tch::{TchError, Tensor};

use super::layers::{
    Activation, Conv, ConvNorm, Filter, Linear, MaxPool, MeanPool, Start, Statistics, Window, dropout,
};
use super::{Builder, Mode, Model, require_side};
use crate::{ModelKind, TrainError, VggDepth};

/// Five poolings halve this to 1.
const MINIMUM: u32 = 32;
/// Side of the map that the classifier reads.
const MAP: i64 = 7;
/// Width of the two hidden layers.
const HIDDEN: i64 = 4096;
/// Channels of the five stages (table 1). A pooling ends each.
const CHANNELS: [i64; 5] = [64, 128, 256, 512, 512];

/// Convolutions in each stage (table 1, columns A, B, D and E).
fn repeats(depth: VggDepth) -> [usize; 5] {
    match depth {
        VggDepth::D11 => [1, 1, 2, 2, 2],
        VggDepth::D13 => [2, 2, 2, 2, 2],
        VggDepth::D16 => [2, 2, 3, 3, 3],
        VggDepth::D19 => [2, 2, 4, 4, 4],
    }
}

pub(super) struct Vgg {
    features: Vec<Step>,
    average: MeanPool,
    classifier: [Linear; 3],
    dropout: f64,
}

enum Step {
    Plain(Conv),
    Normed(ConvNorm),
    Pool(MaxPool),
}

impl Vgg {
    pub(super) fn new(
        builder: &mut Builder<'_>,
        classes: i64,
        (depth, norm, dropout): (VggDepth, bool, f64),
    ) -> Result<Vgg, TrainError> {
        require_side(ModelKind::Vgg { depth, norm, dropout }.name(), builder.map, MINIMUM)?;
        let mut index = 0;
        let mut features = Vec::new();
        for (to, repeats) in CHANNELS.into_iter().zip(repeats(depth)) {
            for _ in 0..repeats {
                features.push(Step::new(builder, index, to, norm)?);
                index += if norm { 3 } else { 2 };
            }
            features.push(Step::Pool(MaxPool::new(builder, 2, 2, 0)));
            index += 1;
        }
        let average = MeanPool::new(builder, MAP);
        let mut linear = |name, to| Linear::new(builder, name, to, Start::Narrow(0.0));
        let classifier =
            [linear("classifier.0", HIDDEN)?, linear("classifier.3", HIDDEN)?, linear("classifier.6", classes)?];
        Ok(Vgg { features, average, classifier, dropout })
    }
}

impl Step {
    fn new(builder: &mut Builder<'_>, index: usize, to: i64, norm: bool) -> Result<Step, TrainError> {
        builder.next_layer();
        let filter = Filter { bias: true, ..Filter::new(to, Window::centred(3, 1)) };
        let name = format!("features.{index}");
        if !norm {
            return Ok(Step::Plain(Conv::new(builder, &name, filter)?));
        }
        let names = [name.as_str(), &format!("features.{}", index + 1)];
        Ok(Step::Normed(ConvNorm::new(builder, names, filter, Statistics::TORCH, Activation::Relu)?))
    }

    fn forward(&self, map: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        match self {
            Step::Plain(conv) => conv.forward(map)?.f_relu_(),
            Step::Normed(conv) => conv.forward(map, mode),
            Step::Pool(pool) => pool.forward(map),
        }
    }
}

impl Model for Vgg {
    fn body(&self, images: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let mut map = images.shallow_clone();
        for step in &self.features {
            map = step.forward(&map, mode)?;
        }
        self.average.forward(&map)
    }

    fn embedding(&self, features: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let [first, second, _] = &self.classifier;
        let hidden = first.forward(features)?.f_relu_()?;
        let hidden = second.forward(&dropout(&hidden, self.dropout, mode)?)?.f_relu_()?;
        dropout(&hidden, self.dropout, mode)
    }

    fn last(&self) -> &Linear {
        let [.., last] = &self.classifier;
        last
    }
}
