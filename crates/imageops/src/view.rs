//! A view: the steps that turn a decoded image into the pixels of a sample.

use crate::op::{Filter, check_target, refuse};
use crate::{Fill, ImageError, Op, Rng, SampleKey, Step};

/// An ordered list of steps.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    steps: Vec<Step>,
    /// (width, height) of every result, if that is fixed.
    size: Option<(u32, u32)>,
    channels: u8,
}

impl View {
    /// A view whose results all have one shape: (height, width, channels).
    ///
    /// # Errors
    /// [`ImageError::Argument`] names the step (from 1) and the argument that is out of range.
    pub fn new(steps: Vec<Step>, (height, width, channels): (u32, u32, u8)) -> Result<Self, ImageError> {
        check_target("view", "shape", width, height)?;
        Ok(Self { size: Some((width, height)), ..Self::of_any_size(steps, channels)? })
    }

    /// A view whose results have the size that the steps give: that of the image, if none of them changes it.
    ///
    /// # Errors
    /// Those of [`View::new`].
    pub fn of_any_size(steps: Vec<Step>, channels: u8) -> Result<Self, ImageError> {
        if !matches!(channels, 1 | 3) {
            return Err(refuse("view", "channels", channels.to_string(), "1 (gray) or 3 (RGB)"));
        }
        for (number, step) in steps.iter().enumerate() {
            step.check(&format!("step {}", number + 1))?;
        }
        Ok(Self { steps, size: None, channels })
    }

    /// Channels of one rendered sample.
    pub(crate) fn channels(&self) -> u8 {
        self.channels
    }

    /// Refuses a buffer that is not made for this view.
    pub(crate) fn check_output(&self, length: usize) -> Result<(), ImageError> {
        let (width, height) = self.size.unwrap_or_default();
        let expected = u64::from(height) * u64::from(width) * u64::from(self.channels);
        if length as u64 == expected {
            return Ok(());
        }
        Err(ImageError::Shape { width, height, channels: self.channels, expected, found: length as u64 })
    }

    /// Makes all random choices for an image of `size` (width, height): step number `n` draws from the stream of op `n`, so
    /// that a step's draws do not depend on how many the steps before it made.
    pub(crate) fn choose(&self, mut size: (u32, u32), sample: &SampleKey, ops: &mut Vec<(Op, Fill)>) {
        ops.clear();
        for (number, step) in (0..).zip(&self.steps) {
            let before = size;
            step.resolve(before, sample.view, &mut Rng::new(sample, number), |op| {
                size = op.size_after(size);
                ops.push((op, step.fill()));
            });
        }
        if let Some((width, height)) = self.size
            && size != (width, height)
        {
            ops.push((Op::Resize { area: None, height, width, filter: Filter::Bilinear }, [0; 3]));
        }
    }

    /// Every op that [`Renderer::render`](crate::Renderer::render) would apply to an image of this size, in order, with its
    /// argument and the value of what comes in from outside. No op means that a coin fell on the other side.
    #[must_use]
    pub fn resolve(&self, width: u32, height: u32, sample: &SampleKey) -> Vec<(Op, Fill)> {
        let mut ops = Vec::new();
        self.choose((width, height), sample, &mut ops);
        ops
    }
}
