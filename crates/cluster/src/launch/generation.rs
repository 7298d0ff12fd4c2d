//! One incarnation of the processes of a launch, from their start to the end of the last one.

mod start;

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use millstream_dataflow::{Stop, StopReason};
use millstream_spec::LOCALHOST;

use super::crew::{Place, crew};
use super::spawn::{Ending, News, Spawner, Started, end_all};
use super::{FAILED, INTERRUPTED, LaunchOptions, Notice};
use crate::handshake::Secret;
use crate::orders::{BEAT, Hello, LAST_STEP, Orders, Request, Task, Told, Word};
use crate::report::Report;
use crate::run::Start;

/// How long to wait for news before looking after other things.
const TURN: Duration = Duration::from_millis(100);
/// How many of the last lines of a process are kept, to say why it ended.
const LAST_WORDS: usize = 5;

/// What a generation is started with.
pub(super) struct Settings<'a> {
    pub(super) options: &'a LaunchOptions,
    pub(super) spawners: &'a [Box<dyn Spawner>],
    pub(super) start: Start,
    /// Machines that came back, and with which no generation began then.
    pub(super) without: &'a [usize],
    /// The secret of the cluster, if there is one.
    pub(super) cluster: Option<Secret>,
    /// How many were before it.
    pub(super) number: u32,
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) round: u32,
    pub(super) step: u32,
}

/// How a generation ended.
pub(super) enum End {
    /// The run is over.
    Over { report: Box<Report>, interrupted: bool },
    /// The user wanted it, and process 0 has not said what was done: there was no run yet, or something else went wrong.
    Interrupted(Option<String>),
    /// A machine that was left out is there again: its number.
    Grown(usize),
    /// A process failed.
    Failed(Trouble),
}

/// What went wrong first.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) problem: String,
    /// The exit code that goes with it.
    pub(super) code: u8,
    /// Whether a machine could not be reached, or has no program to start.
    pub(super) absent: bool,
}

/// Runs a generation. Returns how it ended and where it began, if it did. No process of it is left then that can be reached.
pub(super) fn run(settings: &Settings<'_>, stop: &Stop, watch: &mut dyn FnMut(&Notice<'_>)) -> (End, Option<Position>) {
    let mut generation = Generation::new(settings, stop, watch);
    let end = match generation.live() {
        Ok(end) => end,
        Err(trouble) if generation.stopping => {
            End::Interrupted((trouble.code != INTERRUPTED).then_some(trouble.problem))
        }
        Err(trouble) => End::Failed(trouble),
    };
    generation.wind_down(&end);
    (end, generation.began)
}

/// A process of it.
struct Process {
    place: Place,
    /// Its index in the run, once it has one.
    index: Option<usize>,
    /// Whether it has been given its task.
    requested: bool,
    /// Whether it will have none, because others of its machine are not there.
    left_out: bool,
    started: Option<Started>,
    /// Its process id on its machine, as soon as that is known.
    pid: Option<u32>,
    hello: Option<Hello>,
    heard: Instant,
    ended: bool,
    /// How.
    ending: Option<Ending>,
    /// Whether it ended in a way that leaves open if it is gone from its machine, too.
    doubtful: bool,
    last_words: VecDeque<String>,
}

impl Process {
    /// Whether it has said so, and has not ended since.
    fn is_there(&self) -> bool {
        self.hello.is_some() && !self.ended
    }
}

struct Generation<'a, 'w> {
    settings: &'a Settings<'a>,
    stop: &'a Stop,
    watch: &'w mut dyn FnMut(&Notice<'_>),
    processes: Vec<Process>,
    news: Receiver<(usize, News)>,
    sender: Sender<(usize, News)>,
    /// When news were last looked for.
    turned: Instant,
    /// Whether it is to end because the user wants it.
    stopping: bool,
    /// Whether it is over, one way or another.
    ending: bool,
    began: Option<Position>,
    /// The machines that were left out, and when to look for them again.
    left_out: (Vec<usize>, Instant),
    /// The one of them that is there, and that the run is to go on with.
    growing: Option<usize>,
}

impl<'a, 'w> Generation<'a, 'w> {
    fn new(settings: &'a Settings<'a>, stop: &'a Stop, watch: &'w mut dyn FnMut(&Notice<'_>)) -> Self {
        let (sender, news) = channel();
        Generation {
            settings,
            stop,
            watch,
            processes: Vec::new(),
            news,
            sender,
            turned: Instant::now(),
            stopping: false,
            ending: false,
            began: None,
            left_out: (Vec::new(), Instant::now()),
            growing: None,
        }
    }

    /// From the first process to the last word of process 0.
    fn live(&mut self) -> Result<End, Trouble> {
        self.start();
        self.greet()?;
        if self.stopping {
            return Ok(End::Interrupted(None));
        }
        self.lead();
        loop {
            self.interrupt();
            self.look_for_lost_machines();
            match self.hear()? {
                Some((0, Told::Open { round, step, orders })) => self.open(Position { round, step }, orders),
                Some((0, Told::Over { interrupted: true, .. })) if !self.stopping && self.growing.is_some() => {
                    return Ok(End::Grown(self.growing.unwrap_or_default()));
                }
                Some((0, Told::Over { report, interrupted })) => return Ok(End::Over { report, interrupted }),
                _ => {}
            }
        }
    }

    /// Sees whether a machine that was left out can be reached again. If so the run is stopped as if by the user, and goes on with it.
    fn look_for_lost_machines(&mut self) {
        let pause = Duration::from_secs(u64::from(self.settings.options.hosts.start_timeout));
        let (machines, since) = &mut self.left_out;
        if machines.is_empty() || since.elapsed() < pause || self.began.is_none() || self.growing.is_some() {
            return;
        }
        *since = Instant::now();
        let machines = machines.clone();
        // Those that have not answered since the last time never will.
        for process in self.processes.iter_mut().filter(|process| process.index.is_none() && process.hello.is_none()) {
            process.started = None;
        }
        let first = |place: &Place| place.slot == 0 && machines.contains(&place.host);
        crew(&self.settings.options.hosts, |_| true).into_iter().filter(first).for_each(|place| self.start_one(place));
    }

    /// That a machine which was left out has answered.
    fn returned(&mut self, host: usize) {
        if self.growing.is_none() && self.began.is_some() {
            self.growing = Some(host);
            let host = self.host(host);
            (self.watch)(&Notice::Returned { host });
            self.say(&Word::Interrupt);
        }
    }

    /// Passes on what process 0 wants of the others.
    fn open(&mut self, position: Position, orders: Vec<Orders>) {
        self.began = Some(position);
        let (round, step) = (position.round, position.step);
        (self.watch)(&Notice::Began { start: self.settings.number, round, step });
        for order in orders {
            self.request(order.index as usize, Task::Follow(Box::new(order)));
        }
    }

    fn request(&mut self, index: usize, task: Task) {
        let patience = Some(self.settings.options.hosts.heartbeat_timeout);
        if let Some(process) = self.processes.iter_mut().find(|process| process.index == Some(index)) {
            process.heard = Instant::now();
            process.requested = true;
            // Over a pipe of this machine, and no network.
            let here = self.settings.options.hosts.hosts[process.place.host].host == LOCALHOST;
            let cluster = self.settings.cluster.filter(|_| here);
            if let Some(started) = &mut process.started {
                started.request(&Request { task, patience, cluster });
            }
        }
    }

    /// What a process has said that matters to the run; an error if one has failed.
    fn hear(&mut self) -> Result<Option<(usize, Told)>, Trouble> {
        if self.turned.elapsed() > 2 * BEAT {
            // This process was held up, by a terminal perhaps: what others said meanwhile is still to be read.
            self.processes.iter_mut().for_each(|process| process.heard = Instant::now());
        }
        self.turned = Instant::now();
        let told = self.take_news()?;
        self.lost()?;
        let index = |number: usize| self.processes[number].index;
        Ok(told.and_then(|(number, told)| Some((index(number)?, told))))
    }

    /// Takes what comes next from any process, and notes that it is alive.
    fn take_news(&mut self) -> Result<Option<(usize, Told)>, Trouble> {
        let (number, news) = match self.news.recv_timeout(TURN) {
            Ok(news) => news,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(None),
        };
        self.processes[number].heard = Instant::now();
        match news {
            News::Log(line) => self.log(number, line),
            News::Ended(ending) => self.ended(number, ending)?,
            News::Told(told) => match *told {
                Told::Pid(pid) => self.processes[number].pid = Some(pid),
                Told::Hello(hello) => {
                    self.processes[number].pid = Some(hello.pid);
                    let same = hello.is_same_version();
                    self.processes[number].hello = Some(hello);
                    if same {
                        self.returned(self.processes[number].place.host);
                    }
                }
                Told::Alive(vitals) => {
                    if let Some(process) = self.processes[number].index {
                        (self.watch)(&Notice::Alive { process, vitals: &vitals });
                    }
                }
                Told::Signalled => self.stop.set(StopReason::Interrupted),
                // It was told to stop, and says so.
                Told::Failed { .. } if self.leaving() && self.processes[number].index != Some(0) => {}
                Told::Failed { message, code } => {
                    return Err(Trouble { problem: format!("{}: {message}", self.name(number)), code, absent: false });
                }
                told => return Ok(Some((number, told))),
            },
        }
        Ok(None)
    }

    fn log(&mut self, number: usize, line: String) {
        let process = &mut self.processes[number];
        let host = &self.settings.options.hosts.hosts[process.place.host].host;
        if process.hello.is_some() {
            (self.watch)(&Notice::Log { host, process: process.index, line: &line });
        }
        process.last_words.push_back(line);
        if process.last_words.len() > LAST_WORDS {
            process.last_words.pop_front();
        }
    }

    /// That a process ends is fine when it was asked to, and for one that has never been there greeting finds out.
    fn ended(&mut self, number: usize, ending: Ending) -> Result<(), Trouble> {
        let leaving = self.leaving();
        let process = &mut self.processes[number];
        let (index, text) = (process.index, ending.text.clone());
        // What ssh says of a process that was killed, too.
        process.doubtful = ending.code == Some(255);
        // A process of which process 0 needs nothing more ends before it.
        let expected = leaving || ending.code == Some(0);
        process.ended = true;
        process.ending = Some(ending);
        if index.is_none() || self.ending || (expected && index != Some(0)) {
            return Ok(());
        }
        let hint = if self.processes[number].doubtful { ": it was killed, or ssh lost it" } else { "" };
        Err(Trouble {
            problem: format!("{} ended early ({text}){hint}", self.name(number)),
            code: FAILED,
            absent: false,
        })
    }

    fn say(&mut self, word: &Word) {
        let processes = self.processes.iter_mut().filter(|process| process.requested && !process.ended);
        processes.filter_map(|process| process.started.as_mut()).for_each(|started| started.say(word));
    }

    /// Looks for a process that has not been heard of. Such a one hangs, or its machine or network is gone.
    fn lost(&mut self) -> Result<(), Trouble> {
        let patience = self.patience();
        let silent =
            |process: &Process| process.index.is_some() && !process.ended && process.heard.elapsed() > patience;
        let Some(number) = self.processes.iter().position(silent) else {
            return Ok(());
        };
        if self.leaving() && self.processes[number].index != Some(0) {
            // Process 0 waits for it, and has something to keep.
            self.kill(|process| process.heard.elapsed() > patience);
            return Ok(());
        }
        let (name, seconds) = (self.name(number), patience.as_secs());
        let problem = format!("{name} has not been heard of for {seconds} s: it hangs, or cannot be reached");
        Err(Trouble { problem, code: FAILED, absent: false })
    }

    /// Whether the processes have been told to stop, and to keep what there is.
    fn leaving(&self) -> bool {
        self.stopping || self.growing.is_some()
    }

    /// Passes on that the user wants an end.
    fn interrupt(&mut self) {
        if self.stop.reason().is_some() && !self.stopping {
            self.stopping = true;
            self.say(&Word::Interrupt);
        }
    }

    /// How long a process may be silent.
    fn patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.settings.options.hosts.heartbeat_timeout))
    }

    fn host(&self, number: usize) -> &'a str {
        &self.settings.options.hosts.hosts[number].host
    }

    /// A process, as messages call it.
    fn name(&self, number: usize) -> String {
        let process = &self.processes[number];
        match process.index {
            Some(index) => format!("{}: process {index}", self.host(process.place.host)),
            None => self.host(process.place.host).to_owned(),
        }
    }

    /// Ends what is still there: asks first, and then does not wait for long.
    fn wind_down(&mut self, end: &End) {
        self.ending = true;
        match end {
            End::Failed(trouble) => self.say(&Word::Fail(trouble.problem.clone())),
            End::Over { .. } | End::Interrupted(_) | End::Grown(_) => self.say(&Word::Interrupt),
        }
        // Whoever hangs would not hear it, and the others wait for it.
        let patience = self.patience();
        self.kill(|process| process.heard.elapsed() > patience);
        for process in self.processes.iter_mut().filter(|process| !process.requested) {
            process.started.iter_mut().for_each(Started::hang_up);
        }
        let until = Instant::now() + LAST_STEP;
        while self.processes.iter().any(Process::is_there) && Instant::now() < until {
            // What fails now fails because of the end.
            let _ = self.take_news();
        }
        self.kill(|_| true);
    }

    /// Ends processes for good, on this machine and on theirs.
    fn kill(&mut self, which: impl Fn(&Process) -> bool) {
        let mut ends = Vec::new();
        let processes = self.processes.iter_mut().filter(|process| process.pid.is_some() && which(process));
        for process in processes.filter(|process| !process.ended || process.doubtful) {
            if let Some(started) = &mut process.started {
                started.kill();
            }
            (process.ended, process.doubtful) = (true, false);
            ends.extend(process.pid.and_then(|pid| self.settings.spawners[process.place.host].kill(pid)));
        }
        end_all(ends);
    }
}
