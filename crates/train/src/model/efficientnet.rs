//! torchvision's EfficientNet, with its tensor names (Tan and Le, "EfficientNet: rethinking model scaling for
//! convolutional neural networks", 2019).

use super::Builder;
use super::layers::{Activation, ConvNorm, Filter, Linear, MeanPool, Squeeze, Start, Statistics, Window, rising};
use super::mbconv::{MbConv, MbConvNet, STAGES, STEM, Stage};
use crate::{EfficientNetSize, TrainError};

/// Width and depth against B0, and the batch norms, as in torchvision: B5 to B7 keep TensorFlow's.
fn scaling(size: EfficientNetSize) -> (f64, f64, Statistics) {
    match size {
        EfficientNetSize::B0 => (1.0, 1.0, Statistics::TORCH),
        EfficientNetSize::B1 => (1.0, 1.1, Statistics::TORCH),
        EfficientNetSize::B2 => (1.1, 1.2, Statistics::TORCH),
        EfficientNetSize::B3 => (1.2, 1.4, Statistics::TORCH),
        EfficientNetSize::B4 => (1.4, 1.8, Statistics::TORCH),
        EfficientNetSize::B5 => (1.6, 2.2, Statistics::TENSORFLOW),
        EfficientNetSize::B6 => (1.8, 2.6, Statistics::TENSORFLOW),
        EfficientNetSize::B7 => (2.0, 3.1, Statistics::TENSORFLOW),
    }
}

/// The nearest multiple of 8 that is not more than a tenth below.
fn widened(channels: i64, width: f64) -> i64 {
    let exact = channels as f64 * width;
    let near = ((exact + 4.0) as i64 / 8 * 8).max(8);
    if (near as f64) < 0.9 * exact { near + 8 } else { near }
}

/// Builds the network.
pub(super) fn build(
    builder: &mut Builder<'_>,
    classes: i64,
    size: EfficientNetSize,
    (dropout, drop_path): (f64, f64),
) -> Result<MbConvNet, TrainError> {
    let (width, depth, statistics) = scaling(size);
    let stages = STAGES.map(|stage| Stage {
        to: widened(stage.to, width),
        repeats: (stage.repeats as f64 * depth).ceil() as usize,
        ..stage
    });
    let stem = Filter::new(widened(STEM, width), Window::centred(3, 2));
    let stem = conv(builder, "features.0", stem, statistics, Activation::Silu)?;
    let total = stages.iter().map(|stage| stage.repeats).sum();
    let mut blocks = Vec::with_capacity(total);
    for (stage, number) in stages.into_iter().zip(1..) {
        for repeat in 0..stage.repeats {
            let stage = Stage { stride: if repeat == 0 { stage.stride } else { 1 }, ..stage };
            let rate = rising(drop_path, blocks.len(), total);
            blocks.push(block(builder, &format!("features.{number}.{repeat}.block"), stage, statistics, rate)?);
        }
    }
    let last = Filter::new(4 * builder.map.channels, Window::centred(1, 1));
    let last = conv(builder, "features.8", last, statistics, Activation::Silu)?;
    let average = MeanPool::new(builder, 1);
    let head = Linear::new(builder, "classifier.1", classes, Start::UniformOut)?;
    Ok(MbConvNet { stem, blocks, last, average, head, dropout })
}
fn block(
    builder: &mut Builder<'_>,
    name: &str,
    stage: Stage,
    statistics: Statistics,
    drop_path: f64,
) -> Result<MbConv, TrainError> {
    builder.next_layer();
    let from = builder.map.channels;
    let inside = from * stage.expansion;
    let mut parts = (0..).map(|part| format!("{name}.{part}"));
    let mut next = || parts.next().unwrap_or_default();
    let point = |to| Filter::new(to, Window::centred(1, 1));
    let expand = (stage.expansion > 1)
        .then(|| conv(builder, &next(), point(inside), statistics, Activation::Silu))
        .transpose()?;
    let depthwise = Filter { groups: inside, ..Filter::new(inside, Window::centred(stage.side, stage.stride)) };
    Ok(MbConv {
        expand,
        depthwise: conv(builder, &next(), depthwise, statistics, Activation::Silu)?,
        squeeze: Some(Squeeze::new(builder, &next(), (from / 4).max(1))?),
        project: conv(builder, &next(), point(stage.to), statistics, Activation::None)?,
        skips: stage.stride == 1 && from == stage.to,
        drop_path,
    })
}

fn conv(
    builder: &mut Builder<'_>,
    name: &str,
    filter: Filter,
    statistics: Statistics,
    activation: Activation,
) -> Result<ConvNorm, TrainError> {
    let names = [&format!("{name}.0"), &format!("{name}.1")];
    ConvNorm::new(builder, names.map(String::as_str), filter, statistics, activation)
}
