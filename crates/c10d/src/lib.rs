//! What tch lacks of libtorch, behind two pages of C++: process groups, its CUDA part loaded at run time, streams of a GPU,
//! deterministic kernels.
//!
//! This is the only crate that knows C++.

mod cuda;
mod group;
mod shim;
mod stream;
mod table;

pub use cuda::load as load_cuda;
pub use group::{Pending, ProcessGroup, Rendezvous, RendezvousError};
pub use shim::{C10Error, deterministic};
pub use stream::SideStream;
pub use table::Table;
