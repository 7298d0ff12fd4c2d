//! What a launch knows of its processes, in a file beside the results: for whoever looks at it from elsewhere.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Notice;
use crate::error::ClusterError;
use crate::orders::{Vitals, clock, machine_name};
use crate::run_dir::{hold, refuse_foreign};

/// The folder of a launch inside the run directory.
pub(crate) const FOLDER: &str = "launch";
/// What a launch says of itself there.
pub(crate) const STATUS: &str = "status.json";
/// How often the file is written.
const EVERY: Duration = Duration::from_secs(1);
/// Over how long rates are taken.
const WINDOW: Duration = Duration::from_secs(5);

/// What a launch is at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its processes are being started.
    #[default]
    Starting,
    /// They work.
    Running,
    /// One failed; they are started again after a pause.
    Restarting,
    /// The run is complete.
    Done,
    /// The user interrupted it.
    Interrupted,
    /// It has given up.
    Failed,
}

/// A launch, as its file tells of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaunchStatus {
    /// What it is at.
    pub state: State,
    /// The process id of the launch itself.
    pub pid: u32,
    /// The name of its machine.
    pub machine: String,
    /// When this was written, in seconds since 1970.
    pub written: u64,
    /// How often the processes were started again.
    pub restarts: u32,
    /// What failed last.
    pub trouble: Option<String>,
    /// Machines that are left out, and why.
    pub left_out: Vec<(String, String)>,
    /// The processes, by index.
    pub processes: Vec<ProcessStatus>,
}

/// A process of a launch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Its host.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// Whether it trains.
    pub trains: bool,
    /// How it gets on.
    pub vitals: Vitals,
    /// Records that it prepares a second.
    pub prepared_rate: f64,
    /// The share of the time in which its workers prepare them; with several workers more than 1 is possible.
    pub preparing: f64,
    /// Steps that it trains a second.
    pub step_rate: f64,
    /// The share of the time in which its training node waits for batches.
    pub data_wait: f64,
    /// The share of the time in which its training node waits for others. All wait for the one that waits least.
    pub peer_wait: f64,
}

/// Keeps the file, and the lines of all processes.
pub(super) struct Chronicle {
    path: PathBuf,
    log: File,
    status: LaunchStatus,
    written: Instant,
    /// For each process what it told at the start of the current window.
    before: Vec<(Instant, Vitals)>,
}

impl Chronicle {
    /// Opens the folder of a launch in what is, or would be here, the run directory. No two launches have it at once.
    pub(super) fn open(run: &Path) -> Result<Self, ClusterError> {
        refuse_foreign(run)?;
        let folder = run.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|source| ClusterError::write(&folder, source))?;
        let path = folder.join("log.txt");
        let log = OpenOptions::new().append(true).create(true).open(&path);
        let log = log.map_err(|source| ClusterError::write(&path, source))?;
        hold(&log, &path, run, false)?;
        let status = LaunchStatus { pid: std::process::id(), machine: machine_name(), ..LaunchStatus::default() };
        let mut chronicle =
            Chronicle { path: folder.join(STATUS), log, status, written: Instant::now(), before: Vec::new() };
        chronicle.write();
        Ok(chronicle)
    }

    /// Takes note of what happens.
    pub(super) fn note(&mut self, notice: &Notice<'_>) {
        let status = &mut self.status;
        match notice {
            Notice::Log { host, process, line } => {
                let process = process.map_or_else(String::new, |process| format!(":{process}"));
                self.line(&format!("{host}{process} {line}"));
            }
            Notice::Joined { host, process, trains, hello } => {
                if *process == 0 {
                    status.processes.clear();
                    self.before.clear();
                }
                status.processes.push(ProcessStatus {
                    host: (*host).to_owned(),
                    pid: hello.pid,
                    trains: *trains,
                    vitals: Vitals::default(),
                    prepared_rate: 0.0,
                    preparing: 0.0,
                    step_rate: 0.0,
                    data_wait: 0.0,
                    peer_wait: 0.0,
                });
                self.before.push((Instant::now(), Vitals::default()));
            }
            Notice::Alive { process, vitals } => self.alive(*process, vitals),
            Notice::Began { round, step, .. } => {
                status.state = State::Running;
                self.line(&format!("goes on from round {round}, step {step}"));
            }
            Notice::LeftOut { host, why, .. } => {
                status.left_out.push(((*host).to_owned(), (*why).to_owned()));
                self.line(&format!("goes on without {why}"));
            }
            Notice::Returned { host } => {
                status.left_out.clear();
                status.restarts += 1;
                self.line(&format!("{host} is there again"));
            }
            Notice::Restarts { why, pause, .. } => {
                status.state = State::Restarting;
                status.restarts += 1;
                status.trouble = Some((*why).to_owned());
                status.left_out.clear();
                self.line(&format!("starts again in {pause} s: {why}"));
                self.write();
            }
        }
        if self.written.elapsed() >= EVERY {
            self.write();
        }
    }

    /// How it ended.
    pub(super) fn close(&mut self, state: State, trouble: Option<String>) {
        self.status.state = state;
        self.status.trouble = trouble.or(self.status.trouble.take());
        self.write();
    }

    fn alive(&mut self, process: usize, now: &Vitals) {
        let (Some(status), Some((since, before))) =
            (self.status.processes.get_mut(process), self.before.get_mut(process))
        else {
            return;
        };
        status.vitals = *now;
        let seconds = since.elapsed().as_secs_f64();
        if since.elapsed() < WINDOW && before.work.prepared > 0 {
            return;
        }
        status.prepared_rate = (now.work.prepared - before.work.prepared) as f64 / seconds;
        status.preparing = (now.work.preparing - before.work.preparing) / seconds;
        status.step_rate = (now.work.steps - before.work.steps) as f64 / seconds;
        status.data_wait = (now.work.waited - before.work.waited) / seconds;
        status.peer_wait = (now.work.peers - before.work.peers) / seconds;
        (*since, *before) = (Instant::now(), *now);
    }

    fn line(&mut self, text: &str) {
        // It only tells of the run: that it cannot be written must not end it.
        let _ = writeln!(self.log, "{} {text}", seconds());
    }

    fn write(&mut self) {
        self.written = Instant::now();
        self.status.written = seconds();
        if let Ok(text) = serde_json::to_vec_pretty(&self.status) {
            // Not synced: that may take seconds, and processes are waiting to be watched.
            let new = self.path.with_extension("new");
            let _ = fs::write(&new, text).and_then(|()| fs::rename(&new, &self.path));
        }
    }
}

/// Seconds since 1970.
fn seconds() -> u64 {
    clock() / 1000
}

/// What the launch of a run tells of itself, if there was one, and whether it is still there.
///
/// # Errors
/// [`ClusterError::Read`] if its file cannot be read or understood.
pub fn launch_status(run: &Path) -> Result<Option<(LaunchStatus, bool)>, ClusterError> {
    let path = run.join(FOLDER).join(STATUS);
    if !path.exists() {
        return Ok(None);
    }
    let unreadable = |source| ClusterError::read(&path, source);
    let text = fs::read(&path).map_err(unreadable)?;
    let status: LaunchStatus = serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))?;
    let going_on = matches!(status.state, State::Starting | State::Running | State::Restarting);
    let there = match status.machine == machine_name() {
        true => fs::read_to_string(format!("/proc/{}/cmdline", status.pid)).is_ok_and(|words| words.contains("launch")),
        // Nothing is written while machines are awaited.
        false => seconds().saturating_sub(status.written) < 600,
    };
    let alive = going_on && there;
    Ok(Some((status, alive)))
}
