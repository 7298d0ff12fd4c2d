//! Processes and runs: the run directory and its commits, resume, several processes on one machine and on many, and the
//! joint between the stream and the training nodes.
//!
//! A run starts in [`run`]; the other processes of it in [`member`]; who starts and watches all of them on many machines is [`launch`]. What a run directory holds is written by
//! the recorder, one [`Commit`] a round, and checked by [`verify`] and [`compare`].

mod ask;
mod assembly;
mod bench;
mod checkpoint;
mod children;
mod commit;
mod curate;
mod door;
mod drain;
mod error;
mod examine;
mod export;
mod group;
mod handshake;
mod inspection;
mod journal;
mod launch;
mod meeting;
mod member;
mod mesh;
mod node;
mod observe;
mod orders;
mod plan_hash;
mod recorder;
mod relabel;
mod repeat;
mod report;
mod run;
mod run_dir;
mod search;
mod stages;
mod supplies;
mod team;
mod verify;

pub use ask::{Answers, AskOptions, ask, find_model, unlabelled};
pub use assembly::Others;
pub use bench::{ExchangeReading, Exchanging, all_reduce, exchange};
pub use commit::{Commit, FileEntry};
pub use curate::{CurateOptions, Curation, DuplicateOptions, LeftOut, Strangers, curate};
pub use drain::{Consumer, ConsumerFactory, drain, drain_with};
pub use error::ClusterError;
pub use examine::{
    Balance, BrokenRecord, BrokenReport, Candidate, ClassReport, DataReport, DuplicatesReport, ExamineOptions,
    Examined, Extreme, Extremes, GroupReport, Judge, LabelsReport, Leaked, MeanImage, Normalize, Phase, RecordReport,
    SizeCount, SplitInput, SplitReport, Spread, examine, keep_apart,
};
pub use export::{ExportOptions, export};
pub use handshake::HandshakeError;
pub use inspection::{Found, Inspection, inspect};
pub use launch::{
    Checkup, LaunchOptions, LaunchStatus, Launched, Notice, Problem, ProcessStatus, Scheduled, State, check, launch,
    launch_status, lend, secret_of,
};
pub use member::serve;
pub use mesh::MeshError;
pub use observe::{Taker, observe};
pub use orders::{Hello, Lead, Orders, Request, Shape, Task, Teller, Told, Vitals, obey};
pub use plan_hash::plan_hash;
pub use relabel::{
    AnswersSummary, Estimate, ReadOptions, RelabelOptions, SetAudit, Totals, Views, count, describe_answers,
    is_answers, label_alone, label_for_nothing, probe, relabel, verify_answers,
};
pub use repeat::repeat;
pub use report::{CalibrationReport, Environment, Report, RoundReport, read_report};
pub use run::{Outcome, RunOptions, Start, rehearse, run};
pub use run_dir::{Damage, model_file};
pub use search::{
    Behind, OnFold, Search, SearchAxis, SearchError, SearchOptions, Searched, Share, TrialDone, Tried, holds_search,
    search,
};
pub use stages::{PrepareStage, ReadStage, Stages, TrainStage};
pub use team::{Team, measure};
pub use verify::{Audit, Comparison, Difference, compare, verify};
