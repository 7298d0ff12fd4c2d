//! How training goes, as files for people: `metrics.jsonl`, TensorBoard's event files, plots, confusion matrices.
//!
//! A run hands every step and the figures of every round to its [`Journal`]. None of these files counts for the result, so
//! none of them can end a run: a file that cannot be written is given up with a warning.

mod confusion;
mod curves;
mod file;
mod interval;
mod journal;
mod line;
mod log;
mod plots;
mod tensorboard;

pub use confusion::{MOST_CLASSES, read_confusion, write_confusion};
pub use curves::Curves;
pub use journal::Journal;
pub use line::{Bin, Calibrated, Figures, Step};
pub use plots::{HeatCell, HeatMap};
