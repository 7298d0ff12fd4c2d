//! Runs a pipeline: plan, run directory, processes, stream, commits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use millstream_c10d::ProcessGroup;
use millstream_data::{DeadLetter, Key, LabelRow, Manifest, read_dead_letters, read_labels};
use millstream_dataflow::{Event, EventSink, Gauges, Job, Stop, StopOnPanic, StopReason, Surroundings, Unlabelled};
use millstream_metrics::Journal;
use millstream_spec::{Definition, Plan};
use millstream_train::{Device, Session, SessionConfig};
use serde::{Deserialize, Serialize};

use crate::assembly::{Assembly, Beginning, Others, assemble};
use crate::checkpoint::{Checkpoints, Kept, clear_others, exist};
use crate::commit::Commit;
use crate::error::ClusterError;
use crate::group::run_workers;
use crate::node::{NodeSettings, round_config, round_configs, session_config};
use crate::orders::Shape;
use crate::plan_hash::plan_hash;
use crate::recorder::Recorder;
use crate::report::{Environment, Report};
use crate::run_dir::{RunDir, audit, round_folder};
use crate::stages::Pace;

/// What to do with what lies in the run directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// The directory must hold no run.
    Fresh,
    /// Go on after the last committed round, or start anew if there is none.
    Resume,
    /// Remove what is there.
    Overwrite,
}

/// How to run a pipeline. None of it changes the result, but for the device.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// What other processes make the plan of.
    pub definition: Definition,
    /// The run directory; `runs/NAME` by default.
    pub out: Option<PathBuf>,
    /// What to do with an earlier run.
    pub start: Start,
    /// Processes, workers and training nodes. Float sums depend on how many of the last there are.
    pub shape: Shape,
    /// Who starts the other processes.
    pub others: Others,
    /// Where models are trained.
    pub device: Device,
}

/// How a run came out.
#[derive(Debug)]
pub struct Outcome {
    /// The run directory.
    pub run: PathBuf,
    /// What was done, also when the run ended early.
    pub report: Report,
    /// Why it ended early, if it did.
    pub stopped: Option<StopReason>,
    /// Dead letters of a round that did not end, if there are any.
    pub unfinished_dead_letters: Option<PathBuf>,
}

/// Runs a pipeline to its end, or until `stop` is given. `watch` hears of every event.
pub fn run(
    plan: &Plan,
    options: &RunOptions,
    stop: &Stop,
    watch: impl FnMut(&Event, &Report) + Send + 'static,
) -> Result<Outcome, ClusterError> {
    let manifest = Arc::new(millstream_dataflow::open(plan)?);
    let hash = plan_hash(plan, &manifest)?;
    let job = render(plan, &manifest, options)?;
    let prepared = prepare(plan, options, job, hash)?;
    if prepared.recorder.report.complete {
        return Ok(prepared.complete());
    }
    drive(plan, options, prepared, hash, stop, watch)
}

/// The job of a plan, once it is known that it can be done.
///
/// # Errors
/// What stands in its way: of the stream, of the device, of the models.
pub(crate) fn render(plan: &Plan, manifest: &Arc<Manifest>, options: &RunOptions) -> Result<Job, ClusterError> {
    let mut job = millstream_dataflow::render(plan, Arc::clone(manifest))?;
    job.ranks = options.shape.ranks();
    job.check(options.shape.workers * options.shape.processes)?;
    if rehearse(plan, manifest, options.device)? {
        job.mix_on_device();
    }
    Ok(job)
}

/// A run whose directory is open, set to where it goes on.
pub(crate) struct Prepared {
    job: Job,
    kept: Option<Kept>,
    pub(crate) recorder: Recorder,
}

impl Prepared {
    /// The outcome of a run that was done before.
    fn complete(self) -> Outcome {
        let Recorder { dir, report, .. } = self.recorder;
        Outcome { run: dir.path().to_owned(), report, stopped: None, unfinished_dead_letters: None }
    }
}

/// Opens the run directory, and sets a job to where the run goes on. `hash` is that of the plan.
pub(crate) fn prepare(
    plan: &Plan,
    options: &RunOptions,
    mut job: Job,
    hash: [u8; 32],
) -> Result<Prepared, ClusterError> {
    let path = options.out.clone().unwrap_or_else(|| Path::new("runs").join(&plan.name));
    let dir = Arc::new(RunDir::open(&path)?);
    if matches!(options.others, Others::Children { .. }) {
        dir.forget_launch()?;
    }
    let hex = blake3::Hash::from_bytes(hash).to_hex().to_string();
    let commit = resume_point(&dir, options.start, &hex)?;
    restore(&mut job, &dir, commit.as_ref())?;
    let kept = take_up(&mut job, &dir, options.start, &hex)?;
    if options.start == Start::Resume && commit.is_none() && kept.is_none() {
        tracing::warn!("{} holds neither a round nor a checkpoint to go on from: the run starts anew", path.display());
    }
    let recorder = recorder(plan, &job, options, &dir, hex, (commit, kept.as_ref()));
    write_plan(plan, &dir, &recorder.report.plan_hash)?;
    recorder.report.write(dir.path())?;
    Ok(Prepared { job, kept, recorder })
}

/// Builds every round's model once, so that a device that is not there, a model that cannot take the images or weights that are of
/// another model are known now and not after hours. Says whether there is a GPU.
///
/// # Errors
/// What [`run`] would end with before its first step.
pub fn rehearse(plan: &Plan, manifest: &Manifest, device: Device) -> Result<bool, ClusterError> {
    let config = session_config(plan, manifest.classes().to_vec(), device);
    // More threads would stay with this one, and OpenMP, seeing more of them than cores, would no longer let those of the training
    // node spin between two operations, but put them to sleep.
    let mut session = Session::new(SessionConfig { threads: 1, ..config })?;
    for (number, round) in plan.rounds.iter().enumerate() {
        session.begin(number as u32, &round_config(round, None, 0)?)?;
        // Most often a head for other classes; but a model of another depth would look like this too.
        if let Some(loaded) = session.loaded().filter(|loaded| !loaded.is_whole()) {
            tracing::warn!("round {number}: {loaded}");
        }
    }
    Ok(session.on_gpu())
}

/// The commit to go on from, after looking at what the directory holds and what the user wants of it.
fn resume_point(dir: &RunDir, start: Start, plan: &str) -> Result<Option<Commit>, ClusterError> {
    if start == Start::Overwrite {
        dir.clear()?;
        return Ok(None);
    }
    // What a round without a commit left behind is written over.
    let Some(commit) = Commit::newest(dir.path())? else {
        return Ok(None);
    };
    let path = dir.path().to_owned();
    if start == Start::Fresh {
        return Err(ClusterError::Occupied { path, rounds: commit.next_round });
    }
    if commit.plan != plan {
        return Err(ClusterError::other_plan(&path, &commit.plan, plan));
    }
    if let (_, damage) = audit(dir.path(), &commit)
        && let Some(damage) = damage.into_iter().next()
    {
        return Err(ClusterError::Damaged { path: path.join(damage.file), problem: damage.problem });
    }
    Ok(Some(commit))
}

/// The checkpoint to go on from in the round that comes next, if it is to go on and there is one.
fn take_up(job: &mut Job, dir: &RunDir, start: Start, plan: &str) -> Result<Option<Kept>, ClusterError> {
    if start != Start::Resume {
        return match exist(dir.path(), job.first_round)? {
            true => Err(ClusterError::Occupied { path: dir.path().to_owned(), rounds: job.first_round }),
            false => Ok(None),
        };
    }
    clear_others(dir.path(), job.first_round)?;
    let mut kept = Kept::newest(dir.path(), plan, job.first_round)?;
    if let Some(kept) = &mut kept {
        // Each worker tells of a record once, so several may have told of the same.
        let mut known: BTreeSet<Key> = job.known_bad.iter().copied().collect();
        kept.progress.dead.retain(|letter| known.insert(letter.key));
        kept.apply(job);
        tracing::info!(round = kept.round, step = job.first_step, "goes on from a checkpoint");
    }
    Ok(kept)
}

/// Sets a job to go on after a commit.
fn restore(job: &mut Job, dir: &RunDir, commit: Option<&Commit>) -> Result<(), ClusterError> {
    if let Some(commit) = commit {
        restore_from(job, dir.path(), commit.next_round, commit.files.keys().map(String::as_str))?;
    }
    Ok(())
}

/// Sets a job to start with `next_round`, with the labels and the dead letters of the rounds before it.
pub(crate) fn restore_from<'a>(
    job: &mut Job,
    run: &Path,
    next_round: u32,
    files: impl Iterator<Item = &'a str>,
) -> Result<(), ClusterError> {
    job.first_round = next_round;
    for name in files.filter(|name| name.ends_with("dead_letters.parquet")) {
        let letters: Vec<DeadLetter> = read_dead_letters(&run.join(name))?;
        job.known_bad.extend(letters.iter().map(|letter| letter.key));
    }
    if let Some(last) = next_round.checked_sub(1) {
        let path = run.join(round_folder(last)).join("labels.parquet");
        if path.exists() {
            let rows: Vec<LabelRow> = read_labels(&path)?;
            job.restored = rows.iter().map(|row| (row.key, millstream_dataflow::pseudo_of(row))).collect();
        }
    }
    Ok(())
}

fn recorder(
    plan: &Plan,
    job: &Job,
    options: &RunOptions,
    dir: &Arc<RunDir>,
    hash: String,
    (commit, kept): (Option<Commit>, Option<&Kept>),
) -> Recorder {
    let (rounds, files, sequence, committed) = match commit {
        Some(commit) => (commit.rounds, commit.files, commit.sequence + 1, commit.generation + 1),
        None => (Vec::new(), BTreeMap::new(), 0, 0),
    };
    let generation = committed.max(kept.map_or(0, |kept| kept.generation + 1));
    let count = |records: &[u32]| records.len() as u64;
    let steps = plan.rounds.iter().map(|round| round.training.steps).collect();
    let mark = plan.checkpoint.map(|checkpoint| checkpoint.every);
    let journal = Journal::open(dir.path(), (steps, mark), (job.first_round, job.first_step), generation);
    let report = Report {
        name: plan.name.clone(),
        seed: plan.seed,
        plan_hash: hash,
        complete: rounds.len() == plan.rounds.len(),
        environment: environment(plan, options),
        splits: splits(job),
        dead_letters: rounds.iter().map(|round| round.dead_letters).sum(),
        rounds,
    };
    Recorder {
        dir: Arc::clone(dir),
        report,
        models: plan.rounds.iter().map(|round| round.model.to_string()).collect(),
        labelled: count(&job.labelled),
        untold: untold(job),
        classes: job.classes.clone(),
        journal,
        csv: plan.output.labels == millstream_spec::LabelFormat::Csv,
        generation,
        sequence,
        files,
        dead: kept.map_or_else(Vec::new, |kept| kept.progress.dead.clone()),
        round_begun: Instant::now(),
        pace: Pace::new(gauges(options), options.shape.workers),
    }
}

/// What the process does: told to whoever launched it, too.
fn gauges(options: &RunOptions) -> Gauges {
    match &options.others {
        Others::Launched { teller, .. } => teller.gauges.clone(),
        Others::Children { .. } => Gauges::default(),
    }
}

/// For each round the unlabelled records that it takes whatever labels were selected.
fn untold(job: &Job) -> Vec<Option<u64>> {
    let all = job.untold().len() as u64;
    job.rounds.iter().map(|round| (round.unlabelled == Unlabelled::All).then_some(all)).collect()
}

/// Records in each split with a meaning; only some plans validate.
fn splits(job: &Job) -> BTreeMap<String, u64> {
    let all = [("labelled", &job.labelled), ("unlabelled", &job.unlabelled), ("test", &job.test)];
    let validation = ("validation", &job.validation);
    let validation = Some(validation).filter(|(_, records)| !records.is_empty());
    all.into_iter().chain(validation).map(|(name, records)| (name.to_owned(), records.len() as u64)).collect()
}

fn environment(plan: &Plan, options: &RunOptions) -> Environment {
    let torch = millstream_train::probe();
    let device = match (options.device, &torch.cuda) {
        (Device::Auto | Device::Cuda, Ok(devices)) => devices.first().cloned().unwrap_or_default(),
        _ => "cpu".to_owned(),
    };
    Environment {
        millstream: env!("CARGO_PKG_VERSION").to_owned(),
        libtorch: torch.libtorch,
        device,
        threads: plan.threads,
        workers: options.shape.workers,
        processes: options.shape.processes,
        ranks: options.shape.ranks,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// Keeps the resolved plan beside the results.
fn write_plan(plan: &Plan, dir: &RunDir, hash: &str) -> Result<(), ClusterError> {
    let plan: serde_json::Value = serde_json::from_str(&plan.canonical()).unwrap_or_default();
    let text = serde_json::to_vec_pretty(&serde_json::json!({ "plan_hash": hash, "plan": plan })).unwrap_or_default();
    let path = dir.path().join("plan.json");
    Ok(millstream_data::write_atomically(&path, |file| std::io::Write::write_all(file, &text))?)
}

/// Starts processes and workers, and writes commits until the stream has drained.
fn drive(
    plan: &Plan,
    options: &RunOptions,
    prepared: Prepared,
    hash: [u8; 32],
    stop: &Stop,
    watch: impl FnMut(&Event, &Report) + Send + 'static,
) -> Result<Outcome, ClusterError> {
    let Prepared { job, kept, recorder } = &prepared;
    let checkpoint = kept.as_ref().map(|kept| kept.path.clone());
    let (generation, run) = (recorder.generation, recorder.dir.path().to_owned());
    let beginning = Beginning { job, plan: hash, generation, run, checkpoint };
    let Assembly { group, peers, children } = assemble(options, &beginning, stop)?;
    let Staged { job, around, recording } = stage(plan, options.device, prepared, peers, stop, watch)?;
    let ran = run_workers(group, job, around);
    if let Some(children) = &children
        && stop.reason().is_none()
        && ran.is_ok()
    {
        children.expect_end();
    }
    drop(children);
    let recorded = recording.join();
    ran?;
    recorded
}

/// A run that is ready to stream.
pub(crate) struct Staged {
    pub(crate) job: Arc<Job>,
    /// Once all of these are gone the recording ends.
    pub(crate) around: Surroundings,
    pub(crate) recording: Recording,
}

/// Makes the training node and the recorder of a run.
pub(crate) fn stage(
    plan: &Plan,
    device: Device,
    prepared: Prepared,
    peers: Option<ProcessGroup>,
    stop: &Stop,
    watch: impl FnMut(&Event, &Report) + Send + 'static,
) -> Result<Staged, ClusterError> {
    let Prepared { job, kept, recorder } = prepared;
    for round in job.first_round..plan.rounds.len() as u32 {
        recorder.dir.create_round(round)?;
    }
    let run = recorder.dir.path().to_owned();
    let (send, receive) = channel();
    let pace = recorder.pace.clone();
    let events: EventSink = Arc::new(move |event| {
        pace.note(&event);
        // Fails only when the recorder has given up, and then the run is stopping.
        let _ = send.send(event);
    });
    let rounds = round_configs(plan, &job, &run)?;
    let checkpoints = plan.checkpoint.map(|settings| {
        let (hash, generation) = (recorder.report.plan_hash.clone(), recorder.generation);
        Checkpoints::new(settings, &run, hash, generation)
    });
    let node = NodeSettings { session: session_config(plan, job.classes.clone(), device), rounds, run };
    let trainer = node.trainer(checkpoints, kept, peers);
    let around = Surroundings::new(trainer, events, stop.clone()).observed(recorder.pace.gauges());
    let recording = record(recorder, receive, stop.clone(), watch)?;
    Ok(Staged { job: Arc::new(job), around, recording })
}

/// The thread that writes what the stream reports.
pub(crate) struct Recording {
    thread: JoinHandle<(Recorder, Option<ClusterError>)>,
    stop: Stop,
}

impl Recording {
    /// Whether there is nothing to wait for any more.
    pub(crate) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end of the run.
    pub(crate) fn join(self) -> Result<Outcome, ClusterError> {
        let joined = self.thread.join();
        let (mut recorder, failure) = joined.map_err(|_| ClusterError::Start("the recorder panicked".to_owned()))?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let unfinished_dead_letters = recorder.abandon()?;
        let Recorder { dir, report, .. } = recorder;
        let stopped = self.stop.reason().cloned();
        Ok(Outcome { run: dir.path().to_owned(), report, stopped, unfinished_dead_letters })
    }
}

/// Records on a thread of its own: disks must not hold up the stream.
fn record(
    mut recorder: Recorder,
    events: Receiver<Event>,
    stop: Stop,
    mut watch: impl FnMut(&Event, &Report) + Send + 'static,
) -> Result<Recording, ClusterError> {
    let signal = stop.clone();
    let work = move || {
        let _guard = StopOnPanic(signal.clone());
        for event in events {
            let told = event.clone();
            if let Err(error) = recorder.note(event) {
                signal.set(StopReason::Failed(error.to_string()));
                return (recorder, Some(error));
            }
            watch(&told, &recorder.report);
        }
        (recorder, None)
    };
    let thread = std::thread::Builder::new().name("recorder".to_owned()).spawn(work);
    Ok(Recording { thread: thread.map_err(|error| ClusterError::Start(error.to_string()))?, stop })
}
