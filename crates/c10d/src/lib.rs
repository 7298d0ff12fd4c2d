//! What tch lacks of libtorch, behind three pages of C++: process groups and batch norms over their ranks, its CUDA
//! part loaded at run time, streams of a GPU, deterministic kernels.
//!
//! This is the only crate that knows C++.

mod batch_norm;
mod cuda;
mod group;
mod shim;
mod stream;
mod table;

pub use batch_norm::BatchNorm;
pub use cuda::load as load_cuda;
pub use group::{Pending, ProcessGroup, Rendezvous, RendezvousError};
pub use shim::{C10Error, deterministic};
pub use stream::SideStream;
pub use table::Table;
