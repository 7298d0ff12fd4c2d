//! Buffers that a thread keeps between images, so that the steady state allocates nothing.

use std::cell::RefCell;

use crate::Op;

/// Larger buffers are given back after use: one huge image must not hold its memory for the rest of the run.
const KEEP: usize = 64 << 20;

/// What ops write into before it becomes the image. Contents mean nothing between two calls.
#[derive(Default)]
pub(crate) struct Scratch {
    /// The result of an op that cannot work in place; swapped with the image's pixels.
    pub(crate) pixels: Vec<u8>,
    /// The image between the two passes of a resize.
    pub(crate) half: Vec<u8>,
    /// The resampler and its own buffers.
    pub(crate) resizer: fast_image_resize::Resizer,
    /// The ops of the sample being rendered, each with its fill value.
    pub(crate) ops: Vec<(Op, crate::Fill)>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Runs `body` with this thread's buffers.
pub(crate) fn with<T>(body: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with(|cell| match cell.try_borrow_mut() {
        Ok(mut scratch) => {
            let result = body(&mut scratch);
            scratch.trim();
            result
        }
        // Only a call from inside a call comes here; it is right all the same, merely slower.
        Err(_) => body(&mut Scratch::default()),
    })
}

impl Scratch {
    fn trim(&mut self) {
        for buffer in [&mut self.pixels, &mut self.half] {
            if buffer.capacity() > KEEP {
                *buffer = Vec::new();
            }
        }
        if self.resizer.size_of_internal_buffers() > KEEP {
            self.resizer.reset_internal_buffers();
        }
    }
}
