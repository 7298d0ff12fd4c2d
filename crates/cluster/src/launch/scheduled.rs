//! Launches that a scheduler starts: the same command runs on every machine, and the tasks find each other.
//!
//! Task 0 launches; the others lend it their machines (`lend`). Each connects to the control port of task 0, proves that it knows the
//! secret, and then starts and ends processes as it is told, passing on what goes in and out of them. The secret itself does
//! not travel, nor does that of the run: both sides make it out of the secret and of what process 0 has drawn.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millstream_dataflow::{Stop, StopReason};
use millstream_spec::{Host, Hosts, Role};
use serde::{Deserialize, Serialize};

use super::crew::Place;
use super::spawn::{Ending, News, Spawner, Started, lines, said};
use crate::door::Door;
use crate::error::ClusterError;
use crate::handshake::{Identity, Secret};
use crate::mesh::{MeshError, listen};
use crate::orders::BEAT;

/// The port that task 0 listens on, if MILLSTREAM_PORT does not say another.
const PORT: u16 = 29400;
/// How long tasks may take to come: a scheduler starts them one after the other, and containers have to be fetched.
pub(super) const GATHERING: Duration = Duration::from_secs(600);
/// How long a task waits for a sign of life of task 0.
pub(super) const SILENCE: Duration = Duration::from_secs(20);

/// A task of a scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduled {
    /// This task, from 0.
    pub task: u32,
    /// All tasks.
    pub tasks: u32,
    /// Where task 0 can be reached.
    pub chief: String,
    /// The control port.
    pub port: u16,
}

impl Scheduled {
    /// What the environment of this process says: `SLURM_PROCID` and `SLURM_NTASKS` of `srun`, or `JOB_COMPLETION_INDEX` of an
    /// Indexed Job of Kubernetes with `MILLSTREAM_TASKS`. `MILLSTREAM_CHIEF` says where task 0 is, and `MILLSTREAM_PORT` its port.
    ///
    /// # Errors
    /// What is missing or no number.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, ClusterError> {
        let (task, tasks) = if variable("SLURM_PROCID").is_some() {
            ("SLURM_PROCID", "SLURM_NTASKS")
        } else if variable("JOB_COMPLETION_INDEX").is_some() {
            ("JOB_COMPLETION_INDEX", "MILLSTREAM_TASKS")
        } else {
            return Ok(None);
        };
        let number = |name: &str| {
            let text = variable(name).ok_or_else(|| wrong(format!("{name} is not set")))?;
            text.parse::<u32>().map_err(|_| wrong(format!("{name} is `{text}`, and no number")))
        };
        let scheduled = Scheduled {
            task: number(task)?,
            tasks: number(tasks)?,
            chief: chief(&variable)?,
            port: match variable("MILLSTREAM_PORT") {
                Some(_) => u16::try_from(number("MILLSTREAM_PORT")?)
                    .map_err(|_| wrong("MILLSTREAM_PORT is no port".to_owned()))?,
                None => PORT,
            },
        };
        if scheduled.task >= scheduled.tasks {
            return Err(wrong(format!(
                "task {} of {} tasks: they are counted from 0",
                scheduled.task, scheduled.tasks
            )));
        }
        Ok(Some(scheduled))
    }

    /// What a task says of itself. Both sides must agree on the rest before they understand each other.
    pub(super) fn identity(&self, task: u32) -> Identity {
        let said = format!("millstream {} control, {} tasks", env!("CARGO_PKG_VERSION"), self.tasks);
        Identity { index: task, generation: 0, plan: *blake3::hash(said.as_bytes()).as_bytes(), port: 0 }
    }
}

fn wrong(problem: String) -> ClusterError {
    let remedy = "`millstream launch --emit slurm|kubernetes` writes a job that sets everything";
    ClusterError::Launch { problem: format!("{problem}: {remedy}"), code: 2, restarts: 0 }
}

/// Where task 0 is: what the job says, or the first node of Slurm's list.
fn chief(variable: &impl Fn(&str) -> Option<String>) -> Result<String, ClusterError> {
    let nodes = || variable("SLURM_STEP_NODELIST").or_else(|| variable("SLURM_JOB_NODELIST"));
    let chief = variable("MILLSTREAM_CHIEF").or_else(|| nodes().map(|list| first_node(&list)));
    chief
        .filter(|chief| !chief.is_empty())
        .ok_or_else(|| wrong("MILLSTREAM_CHIEF does not say where task 0 is".to_owned()))
}

/// The first node of a list such as `gpu[003-005,9],cpu1`.
fn first_node(list: &str) -> String {
    let first = list.split([',', ']']).next().unwrap_or(list);
    match first.split_once('[') {
        Some((name, range)) => format!("{name}{}", range.split('-').next().unwrap_or(range)),
        None => first.to_owned(),
    }
}

/// The secret of a cluster, made of whatever its file or variable holds.
///
/// # Errors
/// That it is too short to be one.
pub fn secret_of(text: &[u8]) -> Result<[u8; 32], ClusterError> {
    let text = text.trim_ascii();
    if text.len() < 16 {
        let problem =
            "the secret has fewer than 16 characters: `head -c 32 /dev/urandom | base64` makes a good one".to_owned();
        return Err(ClusterError::Launch { problem, code: 2, restarts: 0 });
    }
    Ok(blake3::derive_key("millstream 2026 cluster secret", text))
}

/// What task 0 tells another one. Lines that follow a start are for the process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Down {
    Start {
        slot: u16,
        gpu: Option<u16>,
    },
    Line {
        slot: u16,
        line: String,
    },
    End {
        slot: u16,
    },
    Beat,
    /// All is over: the exit code for the task.
    Leave(u8),
}

/// What another task tells task 0.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Up {
    Here {
        name: String,
        gpus: u16,
    },
    Line {
        slot: u16,
        line: String,
    },
    Log {
        slot: u16,
        line: String,
    },
    Ended {
        slot: u16,
        ending: Ending,
    },
    /// That somebody sent it a signal to end.
    Signalled,
}

pub(super) fn write(socket: &Mutex<TcpStream>, value: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    socket.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
}

type Listener = (usize, Sender<(usize, News)>);

/// A task that lends its machine, as task 0 sees it.
struct Lender {
    socket: Mutex<TcpStream>,
    name: String,
    gpus: u16,
    from: IpAddr,
    /// Who hears of its processes, by slot.
    listeners: Mutex<BTreeMap<u16, Listener>>,
}

impl Lender {
    /// Hands on what one process of it says.
    fn hear(&self, slot: u16, news: News) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = matches!(news, News::Ended(_));
        if let Some((name, listener)) = listeners.get(&slot) {
            let _ = listener.send((*name, news));
        }
        if ended {
            listeners.remove(&slot);
        }
    }

    /// That it is gone, and all its processes with it.
    fn gone(&self) {
        let slots: Vec<u16> = self.listeners.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        for slot in slots {
            self.hear(slot, News::Ended(Ending { code: None, text: "its task is gone".to_owned() }));
        }
    }
}

/// The tasks that have come to task 0.
#[derive(Clone, Default)]
struct Lenders(Arc<Mutex<BTreeMap<u32, Arc<Lender>>>>);

impl Lenders {
    fn get(&self, task: u32) -> Option<Arc<Lender>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&task).cloned()
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn each(&self, mut act: impl FnMut(&Lender)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().for_each(|lender| act(lender));
    }

    /// Greets a task that has proved that it belongs here, and listens to it. One that came back takes its own place.
    fn welcome(self, task: u32, socket: TcpStream, stop: &Stop) -> std::io::Result<()> {
        socket.set_read_timeout(None)?;
        socket.set_write_timeout(Some(SILENCE))?;
        let (reader, from) = (socket.try_clone()?, socket.peer_addr()?.ip());
        let mut lender: Option<Arc<Lender>> = None;
        let mut socket = Some(socket);
        lines(reader, |line| match (serde_json::from_str(&line), &lender) {
            (Ok(Up::Here { name, gpus }), None) => {
                if let Some(socket) = socket.take() {
                    let new = Lender { socket: Mutex::new(socket), name, gpus, from, listeners: Mutex::default() };
                    let new = Arc::clone(lender.insert(Arc::new(new)));
                    self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(task, new);
                }
            }
            (Ok(Up::Line { slot, line }), Some(lender)) => lender.hear(slot, said(line)),
            (Ok(Up::Log { slot, line }), Some(lender)) => lender.hear(slot, News::Log(line)),
            (Ok(Up::Ended { slot, ending }), Some(lender)) => lender.hear(slot, News::Ended(ending)),
            (Ok(Up::Signalled), _) => stop.set(StopReason::Interrupted),
            _ => tracing::warn!(task, "said something that means nothing"),
        });
        if let Some(lender) = lender {
            lender.gone();
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if all.get(&task).is_some_and(|now| Arc::ptr_eq(now, &lender)) {
                all.remove(&task);
            }
        }
        Ok(())
    }
}

/// Task 0's hold on the others.
pub(super) struct Control {
    lenders: Lenders,
}

impl Control {
    /// Opens the control port and waits for all tasks.
    pub(super) fn open(scheduled: &Scheduled, secret: Secret, stop: &Stop) -> Result<Self, ClusterError> {
        let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), scheduled.port);
        let listener: TcpListener = listen(any)?;
        let lenders = Lenders::default();
        let door = Door::open(listener, scheduled.identity(0), secret).map_err(MeshError::Io)?;
        let (tasks, coming, stopping) = (scheduled.tasks, lenders.clone(), stop.clone());
        start("control", move || let_in(&door, tasks, &coming, &stopping))?;
        let beating = lenders.clone();
        start("signs of life", move || {
            loop {
                beating.each(|lender| drop(write(&lender.socket, &Down::Beat)));
                std::thread::sleep(BEAT);
            }
        })?;
        let control = Control { lenders };
        control.gather(scheduled, stop)?;
        Ok(control)
    }

    fn gather(&self, scheduled: &Scheduled, stop: &Stop) -> Result<(), ClusterError> {
        let until = Instant::now() + GATHERING;
        let wanted = scheduled.tasks as usize - 1;
        while self.lenders.count() < wanted && stop.reason().is_none() {
            if Instant::now() > until {
                let seconds = GATHERING.as_secs();
                let (present, expected) = (self.lenders.count() + 1, wanted + 1);
                return Err(MeshError::Missing { present, expected, seconds }.into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The machines of the tasks, as a hosts file would have them.
    pub(super) fn hosts(&self, scheduled: &Scheduled, timeouts: &Hosts) -> Hosts {
        let gpus = millstream_train::probe().cuda.map_or(0, |cuda| cuda.len()) as u16;
        // As the others see it; its own name may mean the loopback here.
        let seen = self
            .lenders
            .get(1)
            .and_then(|lender| lender.socket.lock().unwrap_or_else(PoisonError::into_inner).local_addr().ok());
        let own = host(
            millstream_spec::LOCALHOST.to_owned(),
            seen.map_or(Ipv4Addr::LOCALHOST.into(), |seen| seen.ip()),
            gpus,
        );
        let lent = (1..scheduled.tasks).map(|task| match self.lenders.get(task) {
            Some(lender) => host(format!("{} (task {task})", lender.name), lender.from, lender.gpus),
            None => host(format!("task {task}"), Ipv4Addr::LOCALHOST.into(), 0),
        });
        Hosts { hosts: [own].into_iter().chain(lent).collect(), ..timeouts.clone() }
    }

    /// The spawner of a task other than 0.
    pub(super) fn spawner(&self, task: u32) -> Box<dyn Spawner> {
        Box::new(Lent { task, lenders: self.lenders.clone() })
    }

    /// Lets the other tasks go, with this exit code.
    pub(super) fn leave(&self, code: u8) {
        self.lenders.each(|lender| drop(write(&lender.socket, &Down::Leave(code))));
    }
}

pub(super) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), ClusterError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(|error| ClusterError::Start(error.to_string()))
}

fn host(host: String, address: IpAddr, gpus: u16) -> Host {
    let address = Some(address.to_string());
    Host { host, address, slots: None, role: Role::Both, gpus, program: None, dir: None }
}

/// Lets tasks in, for as long as the launch lives.
fn let_in(door: &Door, tasks: u32, lenders: &Lenders, stop: &Stop) {
    for arrival in &door.arrivals {
        match arrival {
            Ok((peer, socket)) if peer.index > 0 && peer.index < tasks => {
                let (lenders, stop) = (lenders.clone(), stop.clone());
                let _ = start("task", move || drop(lenders.welcome(peer.index, socket, &stop)));
            }
            Ok(_) => tracing::warn!("turned away a task that is not counted"),
            Err(_) => tracing::warn!("turned away a task of another version, or of a job with another number of tasks"),
        }
    }
}

/// The machine of another task.
struct Lent {
    task: u32,
    lenders: Lenders,
}

impl Spawner for Lent {
    fn start(&self, place: &Place, name: usize, news: &Sender<(usize, News)>) -> std::io::Result<Started> {
        let Some(lender) = self.lenders.get(self.task) else {
            return Err(std::io::Error::other("its task has not come back"));
        };
        let slot = place.slot;
        lender.listeners.lock().unwrap_or_else(PoisonError::into_inner).insert(slot, (name, news.clone()));
        write(&lender.socket, &Down::Start { slot, gpu: place.gpu })?;
        Started::elsewhere(Wire { lender, slot, line: Vec::new() })
    }

    fn kill(&self, _pid: u32) -> Option<Command> {
        // Its task has done so when its input ended.
        None
    }
}

/// The input of a process of another task: lines travel to its task, and the end of the input ends it.
struct Wire {
    lender: Arc<Lender>,
    slot: u16,
    line: Vec<u8>,
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.line.extend_from_slice(bytes);
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let rest = self.line.split_off(end + 1);
            let line = String::from_utf8_lossy(&std::mem::replace(&mut self.line, rest)).trim_end().to_owned();
            write(&self.lender.socket, &Down::Line { slot: self.slot, line })?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Fails only when the task is gone.
        let _ = write(&self.lender.socket, &Down::End { slot: self.slot });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheduled(variables: &[(&str, &str)]) -> Result<Option<Scheduled>, String> {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Scheduled::from_environment(variable).map_err(|error| error.to_string())
    }

    #[test]
    fn schedulers_say_which_task_this_is() {
        assert_eq!(scheduled(&[("HOME", "/root")]), Ok(None));
        let slurm = [("SLURM_PROCID", "1"), ("SLURM_NTASKS", "4"), ("SLURM_JOB_NODELIST", "gpu[003-005,9],cpu1")];
        let expected = Scheduled { task: 1, tasks: 4, chief: "gpu003".to_owned(), port: PORT };
        assert_eq!(scheduled(&slurm), Ok(Some(expected)));
        let kubernetes = [
            ("JOB_COMPLETION_INDEX", "0"),
            ("MILLSTREAM_TASKS", "2"),
            ("MILLSTREAM_CHIEF", "name-0.name"),
            ("MILLSTREAM_PORT", "7000"),
        ];
        let expected = Scheduled { task: 0, tasks: 2, chief: "name-0.name".to_owned(), port: 7000 };
        assert_eq!(scheduled(&kubernetes), Ok(Some(expected)));
        for (variables, says) in [
            (&slurm[..2], "MILLSTREAM_CHIEF does not say where task 0 is"),
            (&slurm[..1], "SLURM_NTASKS is not set"),
            (&[("SLURM_PROCID", "x")][..], "SLURM_PROCID is `x`"),
            (&[("SLURM_PROCID", "4"), ("SLURM_NTASKS", "4"), ("MILLSTREAM_CHIEF", "a")], "counted from 0"),
        ] {
            let error = scheduled(variables).unwrap_err();
            assert!(error.contains(says) && error.contains("--emit"), "{error}");
        }
    }

    #[test]
    fn the_first_node_of_a_list() {
        for (list, first) in
            [("a", "a"), ("a,b", "a"), ("n[1-3]", "n1"), ("n[7,9-11]", "n7"), ("gpu[003-005],x", "gpu003")]
        {
            assert_eq!(first_node(list), first, "{list}");
        }
    }

    #[test]
    fn a_secret_is_long_enough_and_its_last_line_break_does_not_count() {
        assert!(secret_of(b"short").is_err());
        assert_eq!(secret_of(b"0123456789abcdef").unwrap(), secret_of(b"0123456789abcdef\n").unwrap());
    }
}
