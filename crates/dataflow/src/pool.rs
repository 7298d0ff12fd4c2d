//! Buffers that go round: whoever has used one gives it back for the next to fill.

use crossbeam_channel::{Receiver, Sender, bounded};

/// Spare buffers, shared by threads. It holds a few and forgets the rest.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    give: Sender<Vec<u8>>,
    take: Receiver<Vec<u8>>,
    largest: usize,
}

impl Pool {
    /// A pool of at most `count` buffers of at most `largest` bytes each.
    pub(crate) fn new(count: usize, largest: usize) -> Self {
        let (give, take) = bounded(count);
        Pool { give, take, largest }
    }

    /// A buffer with whatever its last user left in it.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.take.try_recv().unwrap_or_default()
    }

    /// Puts a buffer back, unless there are enough or it is too large to keep.
    pub(crate) fn give(&self, buffer: Vec<u8>) {
        if buffer.capacity() <= self.largest {
            // Full: enough are waiting already.
            let _ = self.give.try_send(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_unless_it_is_too_large_or_one_too_many() {
        let pool = Pool::new(1, 100);
        pool.give(vec![7; 50]);
        pool.give(vec![8; 60]);
        assert_eq!(pool.take(), [7; 50]);
        assert_eq!(pool.take().capacity(), 0);
        pool.give(Vec::with_capacity(101));
        assert_eq!(pool.take().capacity(), 0);
    }
}
