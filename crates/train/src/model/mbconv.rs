//! The mobile inverted bottleneck, of which EfficientNet and its Lite form consist.

use tch::{TchError, Tensor};

use super::layers::{ConvNorm, Linear, MeanPool, Squeeze, drop_path, dropout};
use super::{Mode, Model};

/// Blocks of one kind, of which only the first has the stride.
#[derive(Clone, Copy)]
pub(super) struct Stage {
    /// By how much the inside of a block is wider than its input.
    pub(super) expansion: i64,
    /// Side of the depthwise window.
    pub(super) side: i64,
    pub(super) stride: i64,
    /// Channels of the output.
    pub(super) to: i64,
    pub(super) repeats: usize,
}

const fn stage(expansion: i64, side: i64, stride: i64, to: i64, repeats: usize) -> Stage {
    Stage { expansion, side, stride, to, repeats }
}

/// EfficientNet-B0 (Tan and Le, "EfficientNet", 2019, table 1).
pub(super) const STAGES: [Stage; 7] = [
    stage(1, 3, 1, 16, 1),
    stage(6, 3, 2, 24, 2),
    stage(6, 5, 2, 40, 2),
    stage(6, 3, 2, 80, 3),
    stage(6, 5, 1, 112, 3),
    stage(6, 5, 2, 192, 4),
    stage(6, 3, 1, 320, 1),
];
/// Channels before the first stage.
pub(super) const STEM: i64 = 32;

/// Expansion, depthwise convolution, squeeze and excitation, projection; around it all, if the sizes allow, a way that
/// skips it.
pub(super) struct MbConv {
    pub(super) expand: Option<ConvNorm>,
    pub(super) depthwise: ConvNorm,
    pub(super) squeeze: Option<Squeeze>,
    pub(super) project: ConvNorm,
    pub(super) skips: bool,
    pub(super) drop_path: f64,
}

impl MbConv {
    pub(super) fn forward(&self, input: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let wide = self.expand.as_ref().map_or(Ok(input.shallow_clone()), |expand| expand.forward(input, mode))?;
        let map = self.depthwise.forward(&wide, mode)?;
        let map = self.squeeze.as_ref().map_or(Ok(map.shallow_clone()), |squeeze| squeeze.forward(&map))?;
        let map = self.project.forward(&map, mode)?;
        if self.skips { drop_path(&map, self.drop_path, mode)?.f_add_(input) } else { Ok(map) }
    }
}

/// A network of such blocks, between a convolution before and one behind them.
pub(super) struct MbConvNet {
    pub(super) stem: ConvNorm,
    pub(super) blocks: Vec<MbConv>,
    pub(super) last: ConvNorm,
    pub(super) average: MeanPool,
    pub(super) head: Linear,
    pub(super) dropout: f64,
}

impl Model for MbConvNet {
    fn body(&self, images: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let mut map = self.stem.forward(images, mode)?;
        for block in &self.blocks {
            map = block.forward(&map, mode)?;
        }
        self.average.forward(&self.last.forward(&map, mode)?)
    }

    fn embedding(&self, features: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        dropout(features, self.dropout, mode)
    }

    fn last(&self) -> &Linear {
        &self.head
    }
}
