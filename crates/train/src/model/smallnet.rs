//! A small net for images of about 28 to 64 pixels: four blocks of convolution, batch norm and ReLU with `w`, `2w`,
//! `4w` and `4w` channels, a pooling in the first three, global average pooling, dropout and a linear head.
//!
//! Pooling comes before the norm. A norm with a positive weight rises with its input, so the order changes little,
//! but three quarters of the norm's and the ReLU's work fall away.

use tch::{TchError, Tensor};

use super::layers::{Conv, Filter, Linear, MaxPool, MeanPool, Norm, Start, Statistics, Window, dropout};
use super::{Builder, Mode, Model, require_side};
use crate::TrainError;

/// The smallest image whose last map still has more than one place, which a batch norm of a single image needs.
const MINIMUM: u32 = 16;
/// Channels of each block, in widths, and whether it pools.
const BLOCKS: [(i64, bool); 4] = [(1, true), (2, true), (4, true), (4, false)];

struct Block {
    conv: Conv,
    norm: Norm,
    pool: Option<MaxPool>,
}

pub(super) struct SmallNet {
    blocks: Vec<Block>,
    average: MeanPool,
    head: Linear,
    dropout: f64,
}

impl SmallNet {
    pub(super) fn new(
        builder: &mut Builder<'_>,
        classes: i64,
        width: u32,
        dropout: f64,
    ) -> Result<SmallNet, TrainError> {
        require_side("smallnet", builder.map, MINIMUM)?;
        let mut blocks = Vec::with_capacity(BLOCKS.len());
        for (index, (factor, pools)) in BLOCKS.into_iter().enumerate() {
            blocks.push(Block::new(builder, index, factor * i64::from(width), pools)?);
        }
        let average = MeanPool::new(builder, 1);
        let head = Linear::new(builder, "head", classes, Start::FanIn)?;
        Ok(SmallNet { blocks, average, head, dropout })
    }
}

impl Block {
    fn new(builder: &mut Builder<'_>, index: usize, to: i64, pools: bool) -> Result<Block, TrainError> {
        builder.next_layer();
        let filter = Filter { start: Start::FanIn, ..Filter::new(to, Window::centred(3, 1)) };
        let conv = Conv::new(builder, &format!("blocks.{index}.conv"), filter)?;
        let pool = pools.then(|| MaxPool::new(builder, 2, 2, 0));
        let norm = Norm::new(builder, &format!("blocks.{index}.norm"), Statistics::TORCH)?;
        Ok(Block { conv, norm, pool })
    }

    fn forward(&self, map: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let map = self.conv.forward(map)?;
        let map = self.pool.as_ref().map_or(Ok(map.shallow_clone()), |pool| pool.forward(&map))?;
        self.norm.forward(&map, mode)?.f_relu_()
    }
}

impl Model for SmallNet {
    fn body(&self, images: &Tensor, mode: Mode<'_>) -> Result<Tensor, TchError> {
        let mut map = images.shallow_clone();
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
