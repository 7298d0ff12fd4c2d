//! What tch lacks of libtorch, behind a page of C++: its CUDA part is loaded at run time, streams of a GPU, deterministic kernels.
//!
//! This is the only crate that knows C++. It knows no tensors.

mod cuda;
mod shim;
mod stream;

pub use cuda::load as load_cuda;
pub use shim::{C10Error, deterministic};
pub use stream::SideStream;
