//! A second stream of a GPU, for copies that go on while the first computes.

use crate::shim::{C10Error, stream_exchange, stream_join, stream_new};

/// A stream beside the one that a thread's work goes to by itself.
#[derive(Debug)]
pub struct SideStream {
    device: i8,
    id: i64,
}

impl SideStream {
    /// A stream of the GPU of that number. libtorch's CUDA part must be loaded.
    ///
    /// # Errors
    /// What libtorch says: there is no such GPU, or no CUDA.
    pub fn new(device: i8) -> Result<SideStream, C10Error> {
        Ok(SideStream { device, id: stream_new(device)? })
    }

    /// What this thread gives the GPU to do within `work` goes to this stream.
    ///
    /// Memory that `work` takes on the GPU belongs to this stream: keep it until all that used it elsewhere is done.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> Result<T, C10Error> {
        let before = stream_exchange(self.device, self.id)?;
        let done = work();
        stream_exchange(self.device, before)?;
        Ok(done)
    }

    /// What this thread gives the GPU to do from now on waits for what went to this stream so far.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn join(&self) -> Result<(), C10Error> {
        stream_join(self.device, self.id)
    }
}
