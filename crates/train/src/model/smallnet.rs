//! A small net for images of about 28 to 64 pixels: four blocks of convolution, batch norm and ReLU with `w`, `2w`,
//! `4w` and `4w` channels, a pooling in the first three, global average pooling, dropout and a linear head.
//!
//! Pooling comes before the norm. A norm with a positive weight rises with its input, so the order changes little,
//! but three quarters of the norm's and the ReLU's work fall away.

use tch::{TchError, Tensor};

use super::layers::{Conv, Linear, Norm, Window, dropout, max_pool};
use super::{Builder, Dimensions, Mode, Model, require_side};
use crate::TrainError;

/// The smallest image whose last map still has more than one place, which a batch norm of a single image needs.
const MINIMUM: u32 = 16;
/// Channels of each block, in widths, and whether it pools.
const BLOCKS: [(i64, bool); 4] = [(1, true), (2, true), (4, true), (4, false)];

struct Block {
    conv: Conv,
    norm: Norm,
    pools: bool,
}

pub(super) struct SmallNet {
    blocks: Vec<Block>,
    head: Linear,
    dropout: f64,
}

impl SmallNet {
    pub(super) fn new(
        builder: &mut Builder<'_>,
        dimensions: Dimensions,
        width: u32,
        dropout: f64,
    ) -> Result<SmallNet, TrainError> {
        require_side("smallnet", dimensions, MINIMUM)?;
        let mut channels = dimensions.channels;
        let mut blocks = Vec::with_capacity(BLOCKS.len());
        for (index, (factor, pools)) in BLOCKS.into_iter().enumerate() {
            let to = factor * i64::from(width);
            blocks.push(Block::new(builder, index, (channels, to), pools)?);
            channels = to;
        }
        let head = Linear::new(builder, "head", channels, dimensions.classes)?;
        Ok(SmallNet { blocks, head, dropout })
    }
}

impl Block {
    fn new(builder: &mut Builder<'_>, index: usize, channels: (i64, i64), pools: bool) -> Result<Block, TrainError> {
        let window = Window { side: 3, stride: 1, padding: 1 };
        let conv = Conv::new(builder, &format!("blocks.{index}.conv"), channels, window, false)?;
        let norm = Norm::new(builder, &format!("blocks.{index}.norm"), channels.1)?;
        Ok(Block { conv, norm, pools })
    }

    fn forward(&self, map: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let map = self.conv.forward(map)?;
        let map = if self.pools { max_pool(&map, 2, 2)? } else { map };
        self.norm.forward(&map, mode)?.f_relu_()
    }
}

impl Model for SmallNet {
    fn forward(&self, images: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let mut map = images.shallow_clone();
        for block in &self.blocks {
            map = block.forward(&map, mode)?;
        }
        let features = map.f_mean_dim([2i64, 3].as_slice(), false, None)?;
        self.head.forward(&dropout(&features, self.dropout, mode)?)
    }
}
