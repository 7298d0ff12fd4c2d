//! Processes and runs: the run directory and its commits, resume, several processes on one machine, and the
//! joint between the stream and the training nodes.
//!
//! A run starts in [`run`]; the other processes of it in [`member`]. What a run directory holds is written by
//! the recorder, one [`Commit`] a round, and checked by [`verify`] and [`compare`].

mod ask;
mod bench;
mod checkpoint;
mod commit;
mod curate;
mod drain;
mod error;
mod export;
mod group;
mod handshake;
mod journal;
mod launch;
mod meeting;
mod member;
mod mesh;
mod node;
mod plan_hash;
mod recorder;
mod relabel;
mod repeat;
mod report;
mod run;
mod run_dir;
mod team;
mod verify;

pub use ask::{Answers, AskOptions, ask, find_model, unlabelled};
pub use bench::{ExchangeReading, Exchanging, all_reduce, exchange};
pub use commit::{Commit, FileEntry};
pub use curate::{CurateOptions, Curation, DuplicateOptions, LeftOut, Strangers, curate};
pub use drain::{Consumer, ConsumerFactory, drain, drain_with};
pub use error::ClusterError;
pub use export::{ExportOptions, export};
pub use handshake::HandshakeError;
pub use launch::Orders;
pub use member::serve;
pub use mesh::MeshError;
pub use plan_hash::plan_hash;
pub use relabel::{
    AnswersSummary, Estimate, ReadOptions, RelabelOptions, SetAudit, Totals, Views, count, describe_answers,
    is_answers, label_alone, label_for_nothing, probe, relabel, verify_answers,
};
pub use repeat::repeat;
pub use report::{CalibrationReport, Environment, Report, RoundReport};
pub use run::{Outcome, RunOptions, Start, rehearse, run};
pub use run_dir::{Damage, model_file};
pub use team::{Team, measure};
pub use verify::{Audit, Comparison, Difference, compare, verify};
