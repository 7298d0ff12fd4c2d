//! The pixels of a part, whose buffer goes round also where a part goes to another process.

use millstream_data::Block;
use serde::{Deserialize, Serialize};

use crate::pool::Pool;

/// Pixels in a buffer of a pool. What goes to another process is a copy of them: then they end here, and the buffer goes back. Those
/// of a batch go back when it is done with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pixels {
    block: Block,
    /// Where the buffer came from; none of what has come from another process.
    #[serde(skip)]
    pool: Option<Pool>,
}

impl Pixels {
    pub(crate) fn of(pool: &Pool, pixels: Vec<u8>) -> Self {
        Pixels { block: Block(pixels), pool: Some(pool.clone()) }
    }

    /// The pixels as a batch has them.
    pub(crate) fn into_block(mut self) -> Block {
        std::mem::take(&mut self.block)
    }
}

impl Drop for Pixels {
    fn drop(&mut self) {
        let pixels = std::mem::take(&mut self.block.0);
        if let Some(pool) = &self.pool
            && pixels.capacity() > 0
        {
            pool.give(pixels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_goes_back_unless_a_batch_has_it() {
        let pool = Pool::new(2, 100);
        assert_eq!(Pixels::of(&pool, vec![1, 2]).into_block().0, [1, 2]);
        assert_eq!(pool.take().capacity(), 0);
        let sent = bincode::serialize(&Pixels::of(&pool, vec![3, 4])).unwrap();
        assert_eq!(pool.take(), [3, 4]);
        let received: Pixels = bincode::deserialize(&sent).unwrap();
        assert_eq!(received.into_block().0, [3, 4]);
    }
}
