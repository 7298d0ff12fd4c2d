//! The dataflow against the sequential model, and the work it does.

mod agreement;
mod harness;
mod restart;
mod work;
