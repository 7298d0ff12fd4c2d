//! What a process and whoever started it say to each other: one JSON object a line, over its standard input and output.
//!
//! Pipes need no port, and over ssh they are authenticated and encrypted. The first line asks for something, those that follow
//! keep the process alive or stop it; what it answers are signs of life and what came of it.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millstream_dataflow::{Gauges, Ranks, Stop, StopReason, Work};
use millstream_spec::Definition;
use millstream_train::Device;
use serde::{Deserialize, Serialize};

use crate::inspection::{Found, Inspection};
use crate::report::Report;
use crate::run::Start;

/// How long a process may take for the step that it is at when it is to stop.
pub(crate) const LAST_STEP: Duration = Duration::from_secs(10);
/// The same where it is to keep what there is.
pub(crate) const LAST_CHECKPOINT: Duration = Duration::from_secs(60);
/// How often signs of life are given.
pub(crate) const BEAT: Duration = Duration::from_secs(1);

/// The first line that a process gets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// What it is to do.
    pub task: Task,
    /// Seconds without a further line after which it ends itself; none if only the end of its input counts.
    pub patience: Option<u32>,
    /// The secret of the cluster, where the run's own travels over a network that others listen to.
    pub cluster: Option<[u8; 32]>,
}

/// What a process is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Task {
    /// Run a pipeline as process 0, with others that somebody else starts.
    Lead(Box<Lead>),
    /// Work for process 0.
    Follow(Box<Orders>),
    /// Look at this machine, and start nothing.
    Inspect(Box<Inspection>),
}

/// How many processes and workers a run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// All processes.
    pub processes: usize,
    /// Worker threads of each.
    pub workers: usize,
    /// How many of them train, the first ones.
    pub ranks: usize,
    /// How many of these leave it to others to prepare samples, the first ones.
    pub resting: usize,
}

impl Shape {
    /// The training nodes, as the stream sees them.
    pub(crate) fn ranks(self) -> Ranks {
        Ranks { count: self.ranks as u32, workers: self.workers, resting: self.resting as u32 }
    }
}

/// What process 0 of a launch is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lead {
    /// The pipeline.
    pub definition: Definition,
    /// The run directory; `runs/NAME` by default.
    pub out: Option<PathBuf>,
    /// What to do with an earlier run.
    pub start: Start,
    /// Processes and workers.
    pub shape: Shape,
    /// Where models are trained.
    pub device: Device,
    /// Where each process can be reached: a name or an address, and a port or 0.
    pub addresses: Vec<(String, u16)>,
}

/// What any other process is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Orders {
    /// The pipeline.
    pub definition: Definition,
    /// This process, from 1.
    pub index: u32,
    /// Processes and workers.
    pub shape: Shape,
    /// Where models are trained.
    pub device: Device,
    /// The incarnation of the process group.
    pub generation: u64,
    /// Where each process can be reached: a name or an address, and a port. But for process 0, whose port is known, 0 is any.
    pub addresses: Vec<(String, u16)>,
    /// The run's secret, or what makes it out of the secret of the cluster.
    pub secret: [u8; 32],
    /// The round to start with.
    pub first_round: u32,
    /// The step of it to start with.
    pub first_step: u32,
}

/// What a process is told while it works.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// That whoever started it is there.
    Beat,
    /// To stop because the user wants it, and keep what there is.
    Interrupt,
    /// To stop because of something else.
    Fail(String),
}

/// What a process says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Told {
    /// Its process id, which the shell of another machine says before it becomes the program.
    Pid(u32),
    /// That it is there, before it reads its request.
    Hello(Hello),
    /// From process 0: the run directory is open, the run goes on from here, and these are the orders for the others.
    Open {
        /// The round to start with.
        round: u32,
        /// The step to start with.
        step: u32,
        /// One for each other process.
        orders: Vec<Orders>,
    },
    /// That it is alive.
    Alive(Vitals),
    /// That somebody sent it a signal to end.
    Signalled,
    /// From process 0: the run is over.
    Over {
        /// What was done.
        report: Box<Report>,
        /// Whether it was interrupted.
        interrupted: bool,
    },
    /// From a machine that is inspected: its ports, or why it cannot have them.
    Listens(Vec<Result<u16, String>>),
    /// What it found out about itself.
    Found(Found),
    /// Which others it cannot reach: their number, address, port, and why.
    Unreached(Vec<(u32, String, u16, String)>),
    /// That it failed.
    Failed {
        /// Why, and what to do.
        message: String,
        /// The exit code that goes with it.
        code: u8,
    },
}

/// What a process is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its version of Millstream.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Cores that it may use.
    pub cores: usize,
    /// What its clock says, in milliseconds since 1970.
    pub clock: u64,
}

impl Hello {
    /// This process.
    pub fn new() -> Self {
        Hello {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            clock: clock(),
        }
    }
}

impl Hello {
    /// Whether it has our version: another computes other things, and may not even understand us.
    pub(crate) fn is_same_version(&self) -> bool {
        self.version == env!("CARGO_PKG_VERSION")
    }
}

impl Default for Hello {
    fn default() -> Self {
        Hello::new()
    }
}

/// What the clock of this machine says, in milliseconds since 1970.
pub(crate) fn clock() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The name of this machine, empty where the system does not say.
pub(crate) fn machine_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Signs of life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vitals {
    /// Memory in use, in bytes.
    pub memory: u64,
    /// What its part of the stream has done.
    #[serde(flatten)]
    pub work: Work,
}

/// Tells whoever started this process, over standard output. Where nobody listens nothing is lost.
#[derive(Clone, Debug, Default)]
pub struct Teller {
    one_at_a_time: Arc<Mutex<()>>,
    /// What the signs of life tell of.
    pub(crate) gauges: Gauges,
}

impl Teller {
    /// Writes one line.
    pub fn tell(&self, told: &Told) {
        let _lock = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = std::io::stdout().lock();
        if let Ok(line) = serde_json::to_string(told) {
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    }

    /// Gives signs of life for as long as the process lives.
    pub fn beat(&self) {
        let teller = self.clone();
        let beat = move || {
            loop {
                teller.tell(&Told::Alive(Vitals { memory: memory(), work: teller.gauges.read() }));
                std::thread::sleep(BEAT);
            }
        };
        if let Err(error) = spawn("signs of life", beat) {
            tracing::warn!(%error, "cannot give signs of life");
        }
    }
}

/// Resident memory of this process, in bytes; 0 where the system does not say.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok()).map_or(0, |kib: u64| kib << 10)
}

/// Listens to whoever started this process, and stops its work when told so, when the input ends, or when nothing has
/// been heard for `patience` seconds. Ends the process if its work has not stopped a while after that: what it waits for may be gone.
pub fn obey(stop: &Stop, patience: Option<u32>) {
    let heard = Arc::new(Mutex::new(Instant::now()));
    let mut threads = vec![spawn("orders", listen(stop.clone(), Arc::clone(&heard))), spawn("end", end(stop.clone()))];
    threads.extend(patience.map(|seconds| spawn("patience", wait(stop.clone(), heard, seconds))));
    for error in threads.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "cannot listen to whoever started this process");
    }
}

type Heard = Arc<Mutex<Instant>>;

fn listen(stop: Stop, heard: Heard) -> impl FnOnce() + Send {
    move || {
        for line in std::io::stdin().lock().lines() {
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            match line.ok().and_then(|line| serde_json::from_str(&line).ok()) {
                Some(Word::Beat) => {}
                Some(Word::Interrupt) => stop.set(StopReason::Interrupted),
                Some(Word::Fail(why)) => stop.set(StopReason::Failed(why)),
                None => break,
            }
        }
        stop.set(StopReason::Failed("whoever started this process has ended".to_owned()));
    }
}

fn wait(stop: Stop, heard: Heard, seconds: u32) -> impl FnOnce() + Send {
    move || {
        let patience = Duration::from_secs(u64::from(seconds));
        while heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < patience {
            std::thread::sleep(BEAT / 4);
        }
        stop.set(StopReason::Failed(format!("nothing was heard from the launch for {seconds} s")));
    }
}

fn end(stop: Stop) -> impl FnOnce() + Send {
    move || {
        let reason = loop {
            match stop.reason() {
                Some(reason) => break reason,
                None => std::thread::sleep(BEAT / 4),
            }
        };
        std::thread::sleep(if *reason == StopReason::Interrupted { LAST_CHECKPOINT } else { LAST_STEP });
        // Some thread waits for a process that is gone, and would do so for ever.
        millstream_train::leave(4);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}
