//! torchvision's ResNet, with its tensor names (He et al., "Deep residual learning for image recognition", 2016; in the
//! bottleneck the 3 x 3 convolution has the stride, which NVIDIA calls version 1.5).

use tch::{TchError, Tensor};

use super::layers::{
    Activation, ConvNorm, Filter, Linear, MaxPool, MeanPool, Start, Statistics, Window, drop_path, dropout, rising,
};
use super::{Builder, Mode, Model};
use crate::{ResNetDepth, TrainError};

/// Width of the four stages (table 1). All but the first begin with a stride of 2.
const WIDTHS: [i64; 4] = [64, 128, 256, 512];

/// Blocks in each stage (table 1), and by how much a block's output is wider than its inside.
fn plan(depth: ResNetDepth) -> ([usize; 4], i64) {
    match depth {
        ResNetDepth::D18 => ([2, 2, 2, 2], 1),
        ResNetDepth::D34 => ([3, 4, 6, 3], 1),
        ResNetDepth::D50 => ([3, 4, 6, 3], 4),
    }
}

pub(super) struct ResNet {
    stem: ConvNorm,
    pool: MaxPool,
    blocks: Vec<Block>,
    average: MeanPool,
    head: Linear,
    dropout: f64,
}

/// Two or three convolutions, and the way around them.
struct Block {
    convs: Vec<ConvNorm>,
    downsample: Option<ConvNorm>,
    drop_path: f64,
}

impl ResNet {
    pub(super) fn new(
        builder: &mut Builder<'_>,
        classes: i64,
        depth: ResNetDepth,
        (dropout, drop_path): (f64, f64),
    ) -> Result<ResNet, TrainError> {
        let (repeats, expansion) = plan(depth);
        let stem = Filter::new(64, Window::centred(7, 2));
        let stem = ConvNorm::new(builder, ["conv1", "bn1"], stem, Statistics::TORCH, Activation::Relu)?;
        let pool = MaxPool::new(builder, 3, 2, 1);
        let total = repeats.iter().sum();
        let mut blocks = Vec::with_capacity(total);
        for (stage, (width, repeats)) in WIDTHS.into_iter().zip(repeats).enumerate() {
            for number in 0..repeats {
                let stride = if stage > 0 && number == 0 { 2 } else { 1 };
                let name = format!("layer{}.{number}", stage + 1);
                let rate = rising(drop_path, blocks.len(), total);
                blocks.push(Block::new(builder, &name, (width, expansion), stride, rate)?);
            }
        }
        let average = MeanPool::new(builder, 1);
        let head = Linear::new(builder, "fc", classes, Start::FanIn)?;
        Ok(ResNet { stem, pool, blocks, average, head, dropout })
    }
}

impl Block {
    fn new(
        builder: &mut Builder<'_>,
        name: &str,
        (width, expansion): (i64, i64),
        stride: i64,
        drop_path: f64,
    ) -> Result<Block, TrainError> {
        builder.next_layer();
        let input = builder.map;
        let to = width * expansion;
        let windows = match expansion {
            1 => vec![(width, 3, stride), (to, 3, 1)],
            _ => vec![(width, 1, 1), (width, 3, stride), (to, 1, 1)],
        };
        let last = windows.len();
        let mut convs = Vec::with_capacity(last);
        for ((to, side, stride), number) in windows.into_iter().zip(1..) {
            // The last is added to the way around before its ReLU.
            let activation = if number == last { Activation::None } else { Activation::Relu };
            let names = [format!("{name}.conv{number}"), format!("{name}.bn{number}")];
            convs.push(conv(builder, &names, (to, side, stride), activation)?);
        }
        if stride == 1 && input.channels == to {
            return Ok(Block { convs, downsample: None, drop_path });
        }
        let output = std::mem::replace(&mut builder.map, input);
        let names = [format!("{name}.downsample.0"), format!("{name}.downsample.1")];
        let downsample = Some(conv(builder, &names, (to, 1, stride), Activation::None)?);
        builder.map = output;
        Ok(Block { convs, downsample, drop_path })
    }

    fn forward(&self, input: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let mut map = input.shallow_clone();
        for conv in &self.convs {
            map = conv.forward(&map, mode)?;
        }
        let around = self.downsample.as_ref().map_or(Ok(input.shallow_clone()), |conv| conv.forward(input, mode))?;
        drop_path(&map, self.drop_path, mode)?.f_add_(&around)?.f_relu_()
    }
}

fn conv(
    builder: &mut Builder<'_>,
    names: &[String; 2],
    (to, side, stride): (i64, i64, i64),
    activation: Activation,
) -> Result<ConvNorm, TrainError> {
    let filter = Filter::new(to, Window::centred(side, stride));
    ConvNorm::new(builder, [&names[0], &names[1]], filter, Statistics::TORCH, activation)
}

impl Model for ResNet {
    fn body(&self, images: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let mut map = self.pool.forward(&self.stem.forward(images, mode)?)?;
        for block in &self.blocks {
            map = block.forward(&map, mode)?;
        }
        self.average.forward(&map)
    }

    fn embedding(&self, features: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        dropout(features, self.dropout, mode)
    }

    fn last(&self) -> &Linear {
        &self.head
    }
}
