//! One run on many machines: starts its processes, watches them, and starts them again from where the run was when one is lost.
//!
//! The launch itself computes nothing. Process 0, on the first machine that trains, has the run directory and decides, as in any
//! run; what it wants of the others passes through here.

mod absence;
mod check;
mod crew;
mod generation;
mod lend;
mod scheduled;
mod spawn;
mod status;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use millstream_dataflow::Stop;
use millstream_spec::{Definition, Hosts};
use millstream_train::Device;

use crate::error::ClusterError;
use crate::orders::{Hello, Vitals};
use crate::report::Report;
use crate::run::Start;
use generation::{End, Position, Settings, Trouble};
use scheduled::Control;
use spawn::{Spawner, spawner};
use status::Chronicle;

pub use check::{Checkup, Problem, check};
pub use lend::lend;
pub use scheduled::{Scheduled, secret_of};
pub(crate) use status::{FOLDER, STATUS};
pub use status::{LaunchStatus, ProcessStatus, State, launch_status};

/// Exit codes: the request is wrong, the data are too bad, the job failed, it was interrupted.
const WRONG_REQUEST: u8 = 2;
const BAD_DATA: u8 = 3;
const FAILED: u8 = 4;
const INTERRUPTED: u8 = 130;
/// The longest pause before a restart.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How to launch a pipeline.
#[derive(Clone, Debug)]
pub struct LaunchOptions {
    /// The pipeline.
    pub definition: Definition,
    /// The machines.
    pub hosts: Hosts,
    /// The run directory, on the machine of process 0. Here, in the folder of that name, is what the launch tells.
    pub out: PathBuf,
    /// What to do with an earlier run.
    pub start: Start,
    /// Worker threads a process; by default as many as every machine has cores for.
    pub workers: Option<usize>,
    /// The labelled images of the smallest step: more workers would never all have work.
    pub smallest_step: usize,
    /// Where models are trained.
    pub device: Device,
    /// The task that this process is of a scheduler, and the secret of the cluster; the machines are then those of the tasks.
    pub scheduled: Option<(Scheduled, [u8; 32])>,
}

/// What a launch tells while it goes on.
#[derive(Debug)]
pub enum Notice<'a> {
    /// A process wrote a line.
    Log {
        /// Its host.
        host: &'a str,
        /// Its index, once it has one.
        process: Option<usize>,
        /// The line.
        line: &'a str,
    },
    /// A process was given its place.
    Joined {
        /// Its host.
        host: &'a str,
        /// Its index.
        process: usize,
        /// Whether it trains.
        trains: bool,
        /// What it is.
        hello: &'a Hello,
    },
    /// A process is alive.
    Alive {
        /// Its index.
        process: usize,
        /// How it gets on.
        vitals: &'a Vitals,
    },
    /// The processes of a generation are at work, and go on from here.
    Began {
        /// Which start of the processes this is, from 0.
        start: u32,
        /// The round.
        round: u32,
        /// The step of it.
        step: u32,
    },
    /// A machine is left out of this generation.
    LeftOut {
        /// Its host.
        host: &'a str,
        /// Why.
        why: &'a str,
        /// Whether it was to train.
        trains: bool,
    },
    /// A machine that was left out is there again: the run keeps what there is, and goes on with it.
    Returned {
        /// Its host.
        host: &'a str,
    },
    /// Something failed, and the processes are started again.
    Restarts {
        /// What failed.
        why: &'a str,
        /// Seconds until then.
        pause: f64,
        /// Restarts that came no further, this one included.
        count: u32,
        /// How many of them are too many.
        most: u32,
    },
}

/// How a launch came out.
#[derive(Debug)]
pub struct Launched {
    /// What was done; none if it was interrupted before a run began.
    pub report: Option<Report>,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// What went wrong while it was to stop: the last checkpoint may be an older one.
    pub trouble: Option<String>,
    /// How often the processes were started again.
    pub restarts: u32,
}

/// Runs a pipeline on many machines to its end, or until `stop` is given.
///
/// # Errors
/// What the first process that failed has to say: at once if it is the request that is wrong, otherwise when
/// restarts have led no further.
pub fn launch(
    options: &LaunchOptions,
    stop: &Stop,
    watch: &mut dyn FnMut(&Notice<'_>),
) -> Result<Launched, ClusterError> {
    let mut chronicle = Chronicle::open(&options.out)?;
    let mut both = |notice: &Notice<'_>| {
        chronicle.note(notice);
        watch(notice);
    };
    let launched = match &options.scheduled {
        Some((scheduled, secret)) => with_tasks(options, scheduled, *secret, stop, &mut both),
        None => {
            let spawners = spawners(&options.hosts)?;
            launch_until_done(options, &spawners, None, stop, &mut both)
        }
    };
    match &launched {
        Ok(Launched { interrupted: false, .. }) => chronicle.close(State::Done, None),
        Ok(Launched { trouble, .. }) => chronicle.close(State::Interrupted, trouble.clone()),
        Err(error) => chronicle.close(State::Failed, Some(error.to_string())),
    }
    launched
}

/// Launches on the machines of the tasks of a scheduler, as task 0.
fn with_tasks(
    options: &LaunchOptions,
    scheduled: &Scheduled,
    secret: [u8; 32],
    stop: &Stop,
    watch: &mut dyn FnMut(&Notice<'_>),
) -> Result<Launched, ClusterError> {
    let control = Control::open(scheduled, secret, stop)?;
    let options = LaunchOptions { hosts: control.hosts(scheduled, &options.hosts), ..options.clone() };
    let own = Hosts { hosts: options.hosts.hosts[..1].to_vec(), ..options.hosts.clone() };
    let lent = (1..scheduled.tasks).map(|task| control.spawner(task));
    let spawners: Vec<_> = spawners(&own)?.into_iter().chain(lent).collect();
    let launched = launch_until_done(&options, &spawners, Some(secret), stop, watch);
    control.leave(match &launched {
        Ok(Launched { interrupted, .. }) => {
            if *interrupted {
                INTERRUPTED
            } else {
                0
            }
        }
        Err(ClusterError::Launch { code, .. }) => *code,
        Err(_) => FAILED,
    });
    launched
}

fn launch_until_done(
    options: &LaunchOptions,
    spawners: &[Box<dyn Spawner>],
    cluster: Option<[u8; 32]>,
    stop: &Stop,
    watch: &mut dyn FnMut(&Notice<'_>),
) -> Result<Launched, ClusterError> {
    let mut budget = Budget::new(options.hosts.max_restarts);
    let mut start = options.start;
    let (mut without, mut returned) = (Vec::new(), None);
    loop {
        let settings = Settings { options, spawners, start, cluster, without: &without, number: budget.restarts };
        let (end, position) = generation::run(&settings, stop, watch);
        if position.is_none()
            && let Some(host) = returned.take()
        {
            // It answers, but nothing can be done with it.
            without.push(host);
        }
        if let Some(position) = position {
            budget.reached(position);
            start = Start::Resume;
        }
        let (report, interrupted, trouble) = match end {
            End::Over { report, interrupted } => (Some(*report), interrupted, None),
            End::Interrupted(trouble) => (None, true, trouble),
            End::Grown(host) => {
                returned = Some(host);
                budget.restarts += 1;
                continue;
            }
            End::Failed(trouble) => {
                let pause = budget.pause(trouble, watch)?;
                if !interrupted_within(pause, stop) {
                    continue;
                }
                (None, true, None)
            }
        };
        return Ok(Launched { report, interrupted, trouble, restarts: budget.restarts });
    }
}

fn spawners(hosts: &Hosts) -> Result<Vec<Box<dyn Spawner>>, ClusterError> {
    let failed = |error: std::io::Error| ClusterError::Start(error.to_string());
    let (program, here) = (std::env::current_exe().map_err(failed)?, std::env::current_dir().map_err(failed)?);
    Ok(hosts.hosts.iter().map(|host| spawner(hosts, host, &program, &here)).collect())
}

/// Whether the user interrupts a pause.
fn interrupted_within(pause: Duration, stop: &Stop) -> bool {
    let until = Instant::now() + pause;
    while stop.reason().is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    stop.reason().is_some()
}

/// How often the processes may be started again.
struct Budget {
    most: u32,
    /// Restarts that came no further than the one before.
    used: u32,
    /// All restarts.
    restarts: u32,
    /// Where the last generation began.
    reached: Option<Position>,
}

impl Budget {
    fn new(most: u32) -> Self {
        Budget { most, used: 0, restarts: 0, reached: None }
    }

    /// That a generation began here. If that is further than the one before, whatever failed since is forgiven.
    fn reached(&mut self, position: Position) {
        if self.reached.is_some_and(|before| position > before) {
            self.used = 0;
        }
        self.reached = Some(position);
    }

    /// How long to wait before the next start, if there is to be one.
    fn pause(&mut self, trouble: Trouble, watch: &mut dyn FnMut(&Notice<'_>)) -> Result<Duration, ClusterError> {
        // A request that the very first start refuses, or a machine that is not there then, is for the user to mend; bad data stay bad.
        let first = self.reached.is_none() && self.restarts == 0;
        let hopeless = trouble.code == BAD_DATA || first && (trouble.code == WRONG_REQUEST || trouble.absent);
        if hopeless || self.used >= self.most {
            return Err(ClusterError::Launch { problem: trouble.problem, code: trouble.code, restarts: self.restarts });
        }
        let pause = Duration::from_secs(1 << self.used.min(5)).min(LONGEST_PAUSE);
        self.used += 1;
        self.restarts += 1;
        let (why, pause_s) = (trouble.problem.as_str(), pause.as_secs_f64());
        watch(&Notice::Restarts { why, pause: pause_s, count: self.used, most: self.most });
        Ok(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(code: u8) -> Trouble {
        Trouble { problem: "it broke".to_owned(), code, absent: false }
    }

    #[test]
    fn restarts_back_off_until_they_lead_no_further() {
        let mut budget = Budget::new(3);
        budget.reached(Position { round: 0, step: 0 });
        let pause = |budget: &mut Budget| budget.pause(trouble(4), &mut |_| {}).map(|pause| pause.as_secs());
        assert_eq!([pause(&mut budget).unwrap(), pause(&mut budget).unwrap()], [1, 2]);
        budget.reached(Position { round: 0, step: 10 });
        assert_eq!(pause(&mut budget).unwrap(), 1);
        budget.reached(Position { round: 0, step: 10 });
        assert_eq!([pause(&mut budget).unwrap(), pause(&mut budget).unwrap()], [2, 4]);
        let error = pause(&mut budget).unwrap_err().to_string();
        assert!(error.contains("it broke") && error.contains("5 restarts"), "{error}");
    }

    #[test]
    fn what_the_first_start_refuses_and_bad_data_are_final() {
        let mut budget = Budget::new(3);
        assert!(budget.pause(trouble(2), &mut |_| {}).is_err());
        assert!(budget.pause(Trouble { absent: true, ..trouble(4) }, &mut |_| {}).is_err());
        budget.reached(Position { round: 1, step: 0 });
        assert!(
            budget.pause(trouble(2), &mut |_| {}).is_ok(),
            "the run directory may be held by a process that is about to end"
        );
        assert!(budget.pause(trouble(3), &mut |_| {}).is_err());
        assert!(Budget::new(3).pause(trouble(4), &mut |_| {}).is_ok(), "a disk that is full now may not be later");
    }
}
