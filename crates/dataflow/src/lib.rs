//! The stream: one timely dataflow from records to trained models and back, the same graph on every worker.
//!
//! ```text
//!  sample ─► read ─► prepare ═exchange by rank═► batch ─► mix ─► learn ─► label book ─► select
//!    ▲                  │(dead letters)                     │                      │
//!    │                  └──────────────► conclude ◄─────────┴──────────────────────┤
//!    └──────────────────── feedback: round + 1 ◄───────────────────────────────────┘
//! ```
//!
//! Time is ([round, epoch, step](time::Time)), totally ordered. The frontier says when the labels of a round
//! and the samples of a step are complete. This crate knows timely, and no tensor library: what trains is
//! behind the [`Trainer`](trainer::Trainer) trait.

mod actor;
mod bulk;
mod calibrator;
pub mod curate;
mod evaluation;
mod event;
pub mod examine;
mod feed;
mod flow;
mod gauges;
mod job;
mod learner;
mod offload;
mod operators;
mod pool;
mod ranks;
pub mod relabel;
mod render;
mod run;
mod schedule;
mod stop;
mod tally;
pub mod time;
mod traffic;
mod trainer;
mod watch;

pub use evaluation::{ClassAccuracy, Evaluation, Reliability};
pub use event::{Calibration, Event, EventSink, RoundResult, StepTime, Trained};
// A round's result holds it: whoever reads one needs the type.
pub use millstream_labels::{ClassStats, Precision, RoundStats};

pub use feed::Feed;
pub use gauges::{Gauges, Work};
pub use job::{Job, JobError, MixJob, RoundJob, RoundView, Unlabelled};
pub use millstream_imageops::Shelf;
pub use operators::prepare::picture;
pub use operators::read::READERS;
pub use ranks::Ranks;
pub use render::{open, pseudo_of, render, render_eval, render_predict, shape};
pub use run::{Surroundings, run, run_each};
pub use schedule::Pass;
pub use stop::{Stop, StopOnPanic, StopReason};
pub use tally::{BINS, Bin, Tally};
pub use traffic::Traffic;
pub use trainer::{Ahead, ModelHash, Progress, StepMetrics, Trainer, TrainerError, TrainerFactory};
