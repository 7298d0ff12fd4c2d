//! Batches on their way to a GPU while it still works on the one before.

use millstream_c10d::SideStream;
use millstream_data::{Batch, Key};
use tch::{Kind, TchError, Tensor};

use crate::TrainError;
use crate::error::While;
use crate::input::pixels;

/// The way to one GPU, for one batch at a time.
pub(crate) struct Uploads {
    device: tch::Device,
    /// Copies on the stream that computes would wait for what is computed there.
    stream: SideStream,
    coming: Option<Coming>,
}

/// A batch that is on its way.
struct Coming {
    samples: Vec<Sample>,
    bytes: Tensor,
}

/// What the pixels of a sample are a function of, within a round.
type Sample = (Key, u32, u32, u8);

impl Uploads {
    /// None for a device that shares its memory with us.
    pub(crate) fn to(device: tch::Device) -> Result<Option<Uploads>, TrainError> {
        let tch::Device::Cuda(index) = device else { return Ok(None) };
        let number =
            i8::try_from(index).map_err(|_| TrainError::NoCuda { reason: format!("there is no GPU {index}") })?;
        let stream = SideStream::new(number)?;
        Ok(Some(Uploads { device, stream, coming: None }))
    }

    /// Starts to copy the pixels of a batch, through memory that the GPU reads by itself.
    pub(crate) fn send(&mut self, batch: &Batch) -> Result<(), TrainError> {
        let copy = || -> Result<Tensor, TchError> {
            pixels(batch)?.f_pin_memory(self.device)?.f_to_device_(self.device, Kind::Uint8, true, false)
        };
        let bytes = self.stream.run(copy)?.during("moving a batch to the device")?;
        self.coming = Some(Coming { samples: samples(batch).collect(), bytes });
        Ok(())
    }

    /// The pixels of a batch, if they are those that were sent last: what is computed from now on waits for them. They must be kept
    /// until that is done.
    pub(crate) fn receive(&mut self, batch: &Batch) -> Result<Option<Tensor>, TrainError> {
        let Some(Coming { bytes, .. }) =
            self.coming.take().filter(|coming| samples(batch).eq(coming.samples.iter().copied()))
        else {
            return Ok(None);
        };
        self.stream.join()?;
        Ok(Some(bytes))
    }
}

fn samples(batch: &Batch) -> impl Iterator<Item = Sample> {
    batch.rows.iter().map(|row| (row.key, row.epoch, row.copy, row.view))
}
