//! A view: the steps that turn a decoded image into the pixels of a sample.

use crate::op::{self, Filter, check_target, refuse};
use crate::scratch::{self, Scratch};
use crate::{Fill, Image, ImageError, Op, Rng, SampleKey, Step};

/// An ordered list of steps that ends in a fixed shape.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    steps: Vec<Step>,
    height: u32,
    width: u32,
    channels: u8,
}

impl View {
    /// Checks every argument. `shape` is (height, width, channels) of the result.
    ///
    /// # Errors
    /// [`ImageError::Argument`] names the step (from 1) and the argument that is out of range.
    pub fn new(steps: Vec<Step>, shape: (u32, u32, u8)) -> Result<Self, ImageError> {
        let (height, width, channels) = shape;
        check_target("view", "shape", width, height)?;
        if !matches!(channels, 1 | 3) {
            return Err(refuse("view", "channels", channels.to_string(), "1 (gray) or 3 (RGB)"));
        }
        for (number, step) in steps.iter().enumerate() {
            step.check(&format!("step {}", number + 1))?;
        }
        Ok(Self { steps, height, width, channels })
    }

    /// Bytes of one rendered sample.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.height as usize * self.width as usize * usize::from(self.channels)
    }

    /// Renders one sample into `out`, height x width x channels bytes (HWC). After the last step the image is
    /// resized (bilinear) to the view's shape if it does not have it.
    ///
    /// # Errors
    /// [`ImageError::Shape`] if the image's fields do not fit together or `out` has another length than [`View::bytes`].
    pub fn render(&self, image: Image, sample: &SampleKey, out: &mut [u8]) -> Result<(), ImageError> {
        image.check()?;
        if out.len() != self.bytes() {
            return Err(self.wrong_length(out.len()));
        }
        scratch::with(|scratch| {
            let mut ops = std::mem::take(&mut scratch.ops);
            ops.clear();
            self.plan((image.width, image.height), sample, |op, fill| ops.push((op, fill)));
            let done = run_all(&ops, image.to_channels(self.channels), scratch);
            scratch.ops = ops;
            out.copy_from_slice(&done?.pixels);
            Ok(())
        })
    }

    /// Every op that [`View::render`] would apply to an image of this size, in order, with its argument. No op means that
    /// a coin fell on the other side.
    #[must_use]
    pub fn resolve(&self, width: u32, height: u32, sample: &SampleKey) -> Vec<Op> {
        let mut ops = Vec::new();
        self.plan((width, height), sample, |op, _| ops.push(op));
        ops
    }

    /// Makes all random choices: step number `n` draws from the stream of op `n`, so that a step's draws do not depend on
    /// how many the steps before it made.
    fn plan(&self, mut size: (u32, u32), sample: &SampleKey, mut emit: impl FnMut(Op, Fill)) {
        for (number, step) in (0..).zip(&self.steps) {
            let before = size;
            step.resolve(before, sample.view, &mut Rng::new(sample, number), |op| {
                size = op.size_after(size);
                emit(op, step.fill());
            });
        }
        if size != (self.width, self.height) {
            let (height, width) = (self.height, self.width);
            emit(Op::Resize { area: None, height, width, filter: Filter::Bilinear }, [0; 3]);
        }
    }

    fn wrong_length(&self, found: usize) -> ImageError {
        ImageError::Shape {
            width: self.width,
            height: self.height,
            channels: self.channels,
            expected: self.bytes() as u64,
            found: found as u64,
        }
    }
}

fn run_all(ops: &[(Op, Fill)], mut image: Image, scratch: &mut Scratch) -> Result<Image, ImageError> {
    for (op, fill) in ops {
        op::run(op, &mut image, *fill, scratch)?;
    }
    Ok(image)
}

#[cfg(any())]
mod tests;
