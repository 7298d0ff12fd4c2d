//! A view: the steps that turn a decoded image into the pixels of a sample.

use crate::{Image, ImageError, Op, SampleKey, Step};

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
    /// [`ImageError::Argument`] names the step and the argument that is out of range.
    pub fn new(steps: Vec<Step>, shape: (u32, u32, u8)) -> Result<Self, ImageError> {
        todo!()
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
    pub fn render(
        &self,
        image: Image,
        sample: &SampleKey,
        out: &mut [u8],
    ) -> Result<(), ImageError> {
        todo!()
    }

    /// Every op that [`View::render`] would apply to an image of this size, in order, with its argument.
    #[must_use]
    pub fn resolve(&self, width: u32, height: u32, sample: &SampleKey) -> Vec<Op> {
        todo!()
    }
}
