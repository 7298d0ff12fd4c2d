//! What can go wrong around the stream.

use std::path::{Path, PathBuf};

use millstream_data::DataError;
use millstream_dataflow::curate::LabelsError;
use millstream_dataflow::{JobError, StopReason};
use millstream_spec::Diagnostics;
use millstream_train::TrainError;

use crate::mesh::MeshError;
use crate::search::SearchError;

/// Why a run, or a look at one, failed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Data cannot be read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The pipeline has mistakes.
    #[error(transparent)]
    Definition(#[from] Diagnostics),
    /// The pipeline cannot be run as it is.
    #[error(transparent)]
    Job(#[from] JobError),
    /// A model cannot be read, or the device cannot be had.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The processes did not find each other.
    #[error(transparent)]
    Mesh(#[from] MeshError),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The weights that a round should start from cannot be read.
    #[error(
        "round {round} cannot start from its weights: {source}. Set `rounds[{round}].weights` to a safetensors or .pth file (`scripts/weights` fetches some), or leave it out"
    )]
    Weights {
        /// The round.
        round: usize,
        /// Which file, and what is wrong with it.
        source: DataError,
    },
    /// The teacher of a round cannot be read.
    #[error(
        "round {round} cannot ask its teacher: {source}. Set `distill.teacher` to the `model.safetensors` of a round of a run, or to `previous`"
    )]
    Teacher {
        /// The round.
        round: usize,
        /// Which file, and what is wrong with it.
        source: DataError,
    },
    /// The run directory is in use.
    #[error("{path} is in use by another run. Wait for it to end, or choose another with `--out`", path = path.display())]
    Busy {
        /// The run directory.
        path: PathBuf,
    },
    /// The run directory is something else.
    #[error("{path} is not empty and no run directory: choose a new or empty one with `--out`", path = path.display())]
    NotARun {
        /// What should be the run directory.
        path: PathBuf,
    },
    /// The run directory already holds a run.
    #[error("{path} already holds a run ({rounds} rounds done). Use `--resume` to go on with it, `--overwrite` to start anew, or `--out DIR` for another place", path = path.display())]
    Occupied {
        /// The run directory.
        path: PathBuf,
        /// Rounds that were committed there.
        rounds: u32,
    },
    /// The run directory holds a run of something else.
    #[error("{path} holds a run of another pipeline or other data (plan {theirs}, this is {ours}): it cannot go on with this one. Use `--out DIR`, or `--overwrite` to start anew", path = path.display())]
    OtherPlan {
        /// The run directory.
        path: PathBuf,
        /// The plan hash of the run there.
        theirs: String,
        /// The plan hash of this run.
        ours: String,
    },
    /// A search cannot be done as asked.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// There is no run.
    #[error("{path} holds no committed run. A run directory is what `millstream run` writes, by default runs/NAME", path = path.display())]
    NoRun {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is no such round.
    #[error("{path} holds no committed round {round}: it has {done} of them, counted from 0", path = path.display())]
    NoRound {
        /// The run directory.
        path: PathBuf,
        /// What was asked for.
        round: u32,
        /// Rounds that were committed.
        done: u32,
    },
    /// A model of something else.
    #[error("{path} was trained for {trained}, and the pipeline's images or class names are others", path = path.display())]
    OtherModel {
        /// The model file.
        path: PathBuf,
        /// What it was trained for.
        trained: String,
    },
    /// The output of a bulk job holds answers of another one.
    #[error("{place} holds answers of another job: {differences}. Choose another place with `--out`")]
    OtherAnswers {
        /// The output.
        place: String,
        /// What is there and what is asked for.
        differences: String,
    },
    /// Two shards of a corpus have one name.
    #[error(
        "{first} and {second} would both be answered in {name}: give each part of the input once, and files of one name as one folder"
    )]
    SameShard {
        /// The first.
        first: String,
        /// The second.
        second: String,
        /// Their name.
        name: String,
    },
    /// The answers would lie where the input does.
    #[error("the output would lie in {out}, which is in the input {input}: choose a place outside of it with `--out`")]
    OutInInput {
        /// Where the answers were to go.
        out: String,
        /// The part of the input.
        input: String,
    },
    /// A file is where answers should go.
    #[error(
        "{file} is there already, and is not what this job would write: choose an empty place with `--out`, or remove it"
    )]
    InTheWay {
        /// The file.
        file: String,
    },
    /// A shard has changed since it was labelled.
    #[error(
        "{shard} has changed since {place}/{name} was made of it. Choose another place with `--out`, or remove `{name}.*` and `_millstream/commits/{name}.json` there to label it anew"
    )]
    ShardChanged {
        /// The shard.
        shard: String,
        /// The output.
        place: String,
        /// What the shard is called there.
        name: String,
    },
    /// Parts of a corpus are not there.
    #[error(
        "{count} parts of the input cannot be found, the first: {first}. What could be found is labelled; put the rest where it should be and start again"
    )]
    Lost {
        /// How many.
        count: u64,
        /// What the first error says.
        first: String,
    },
    /// There is nothing to label.
    #[error(
        "there is not a single record in the input: look at what it names, at `--kind`, and at `--sample` or `--limit` if only some are wanted"
    )]
    NoRecords,
    /// Models that cannot be asked together.
    #[error("{second} and {first} cannot be asked together: {problem}")]
    Ensemble {
        /// One model.
        first: String,
        /// Another one.
        second: String,
        /// In what they differ.
        problem: String,
    },
    /// Embeddings of several models.
    #[error(
        "`--embedding` takes one model, and there are {models}: the features of one mean nothing to another, so they have no mean. Label with each model into a place of its own, or leave `--embedding` out"
    )]
    Embeddings {
        /// How many models there are.
        models: usize,
    },
    /// There are no answers of a bulk job.
    #[error(
        "{place} holds no answers: `millstream relabel` writes them, and `_millstream/set.json` says what they are"
    )]
    NoAnswers {
        /// Where they were looked for.
        place: String,
    },
    /// Answers of a bulk job that cannot be used.
    #[error("the answers in {place} cannot be used: {problem}")]
    Answers {
        /// Where they lie.
        place: String,
        /// Why not, and what to do.
        problem: String,
    },
    /// What cannot be exported as asked for.
    #[error("{place} cannot be exported like that: {problem}")]
    Export {
        /// The answers or the run.
        place: String,
        /// Why not, and what to do.
        problem: &'static str,
    },
    /// A choice of labels that makes no sense.
    #[error(transparent)]
    Policy(#[from] LabelsError),
    /// What people say of records does not fit the answers.
    #[error("{path}: {problem}", path = path.display())]
    Corrections {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The files of a run are damaged.
    #[error("{path}: {problem}. `millstream verify` lists all damage", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A process of the run failed or could not be started.
    #[error("process {index} {problem}")]
    Process {
        /// Which one.
        index: usize,
        /// What happened.
        problem: String,
    },
    /// A launch failed for good.
    #[error("{problem}{}", after(*.restarts))]
    Launch {
        /// What the first process that failed says.
        problem: String,
        /// The exit code that goes with it.
        code: u8,
        /// How often the processes were started again.
        restarts: u32,
    },
    /// A measurement that this program should make in another process failed.
    #[error("`millstream {command}` {problem}")]
    Measurement {
        /// Its arguments.
        command: String,
        /// What happened.
        problem: String,
    },
    /// timely could not start.
    #[error("the worker threads did not start: {0}")]
    Start(String),
    /// The stream ended early.
    #[error(transparent)]
    Stopped(#[from] StopReason),
}

impl ClusterError {
    /// A run directory of another plan than ours, both given by their hash in hex.
    pub(crate) fn other_plan(path: &Path, theirs: &str, ours: &str) -> Self {
        let short = |hash: &str| hash.chars().take(12).collect();
        ClusterError::OtherPlan { path: path.to_owned(), theirs: short(theirs), ours: short(ours) }
    }

    /// A file that cannot be written. A full disk says so.
    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        ClusterError::Write { path: path.to_owned(), source }
    }

    /// A file that cannot be read.
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        ClusterError::Read { path: path.to_owned(), source }
    }
}

fn after(restarts: u32) -> String {
    match restarts {
        0 => String::new(),
        1 => " (after 1 restart)".to_owned(),
        restarts => format!(" (after {restarts} restarts)"),
    }
}
