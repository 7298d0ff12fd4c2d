//! Looks at all machines before a launch, and names what is wrong with each.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::absence::absence;
use super::crew::{Place, crew};
use super::spawn::{News, Started, end_all};
use super::{LaunchOptions, spawners};
use crate::error::ClusterError;
use crate::handshake::fresh_bytes;
use crate::inspection::{Found, Inspection, Others};
use crate::orders::{Hello, Request, Task, Told, clock};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(13);
/// How long what was started may take to end.
const PARTING: Duration = Duration::from_secs(1);
/// How far clocks may be apart, in milliseconds.
const CLOCKS: u64 = 2000;

/// What a check found.
#[derive(Clone, Debug)]
pub struct Checkup {
    /// The machines that answered: name, what they are, what they found.
    pub hosts: Vec<(String, Hello, Option<Found>)>,
    /// What is wrong: the machine, the problem, what to do.
    pub problems: Vec<Problem>,
}

/// Something that would keep a launch from starting.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The machine.
    pub host: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// What is known of a machine.
struct Machine {
    name: String,
    address: String,
    started: Option<Started>,
    spawned: u64,
    hello: Option<(Hello, u64)>,
    ports: Option<Vec<Result<u16, String>>>,
    found: Option<Found>,
    unreached: Option<Vec<(u32, String, u16, String)>>,
    ended: bool,
    /// Its exit code.
    code: Option<i32>,
    last_line: String,
}

/// Looks at all machines of a launch: whether they answer, which version and which data they have, what their clocks say, and whether
/// each reaches each other one on the ports that it will use. Starts nothing.
///
/// # Errors
/// [`ClusterError::Start`] if this machine cannot start processes.
pub fn check(options: &LaunchOptions) -> Result<Checkup, ClusterError> {
    let (send, news) = channel();
    let spawners = spawners(&options.hosts)?;
    let mut machines: Vec<Machine> = Vec::new();
    for (number, host) in options.hosts.hosts.iter().enumerate() {
        let spawned = clock();
        let place = Place { host: number, slot: 0, trains: false, gpu: None, prepares: false };
        let started = spawners[number].start(&place, number, &send);
        machines.push(Machine {
            name: host.host.clone(),
            address: options.hosts.reach(number).to_owned(),
            ended: started.is_err(),
            code: None,
            last_line: started.as_ref().err().map(ToString::to_string).unwrap_or_default(),
            started: started.ok(),
            spawned,
            hello: None,
            ports: None,
            found: None,
            unreached: None,
        });
    }
    let until = Instant::now() + PATIENCE;
    ask(options, &mut machines, &news, until);
    let problems = problems(options, &machines);
    part(&mut machines, &news);
    let left = machines.iter().enumerate().filter(|(_, machine)| !machine.ended);
    end_all(left.filter_map(|(number, machine)| spawners[number].kill(machine.hello.as_ref()?.0.pid)).collect());
    let hosts =
        machines.into_iter().filter_map(|machine| Some((machine.name, machine.hello?.0, machine.found))).collect();
    Ok(Checkup { hosts, problems })
}

/// Leads all machines through the check, each as far as it comes.
fn ask(options: &LaunchOptions, machines: &mut [Machine], news: &Receiver<(usize, News)>, until: Instant) {
    let (secret, mut introduced) = (fresh_bytes(), false);
    let through = |machine: &Machine| {
        machine.ended || machine.is_other() || (machine.found.is_some() && machine.unreached.is_some())
    };
    while !machines.iter().all(through) && Instant::now() < until {
        // Those that do not answer must not keep the others from dialing each other.
        let answered = |machine: &Machine| machine.ended || machine.is_other() || machine.ports.is_some();
        let answered = machines.iter().all(answered);
        if !introduced && (answered || Instant::now() > until - PATIENCE / 2) {
            introduced = true;
            introduce(machines);
        }
        let Ok((number, news)) = news.recv_timeout(Duration::from_millis(50)) else { continue };
        let machine = &mut machines[number];
        match news {
            News::Log(line) => machine.last_line = line,
            News::Ended(ending) => {
                machine.ended = true;
                machine.code = ending.code;
            }
            News::Told(told) => match *told {
                Told::Hello(hello) => {
                    machine.hello = Some((hello, clock()));
                    if !machine.is_other() {
                        let task = Task::Inspect(Box::new(inspection(options, number, secret)));
                        machine.request(&Request { task, patience: None, cluster: None });
                    }
                }
                Told::Listens(ports) => machine.ports = Some(ports),
                Told::Found(found) => machine.found = Some(found),
                Told::Unreached(which) => machine.unreached = Some(which),
                _ => {}
            },
        }
    }
}

/// Lets the processes end that were started, so that none is left when the check is over.
fn part(machines: &mut [Machine], news: &Receiver<(usize, News)>) {
    machines.iter_mut().filter_map(|machine| machine.started.as_mut()).for_each(Started::hang_up);
    let until = Instant::now() + PARTING;
    while machines.iter().any(|machine| machine.hello.is_some() && !machine.ended) && Instant::now() < until {
        if let Ok((number, News::Ended(_))) = news.recv_timeout(Duration::from_millis(50)) {
            machines[number].ended = true;
        }
    }
}

impl Machine {
    /// Whether it has another version of Millstream.
    fn is_other(&self) -> bool {
        self.hello.as_ref().is_some_and(|(hello, _)| !hello.is_same_version())
    }

    fn request(&mut self, request: &Request) {
        if let Some(started) = &mut self.started {
            started.request(request);
        }
    }
}

/// Tells each machine where the others listen.
fn introduce(machines: &mut [Machine]) {
    let everybody: Others = machines
        .iter()
        .enumerate()
        .map(|(number, machine)| {
            let ports = machine.ports.iter().flatten().flatten().copied();
            (number as u32, machine.address.clone(), ports.collect())
        })
        .collect();
    for (number, machine) in machines.iter_mut().enumerate() {
        let others: Others = everybody.iter().filter(|(other, ..)| *other != number as u32).cloned().collect();
        if let Some(started) = &mut machine.started {
            started.introduce(&others);
        }
    }
}

fn inspection(options: &LaunchOptions, number: usize, secret: [u8; 32]) -> Inspection {
    let host = &options.hosts.hosts[number];
    let chief = crew(&options.hosts, |_| true).first().map_or(0, |place| place.host);
    let ports = (0..host.processes() as u16).map(|slot| options.hosts.port.map_or(0, |port| port + slot));
    Inspection {
        definition: options.definition.clone(),
        index: number as u32,
        address: options.hosts.reach(number).to_owned(),
        ports: ports.collect(),
        secret,
        out: (number == chief).then(|| options.out.clone()),
        start: options.start,
    }
}

/// What is wrong, machine by machine.
fn problems(options: &LaunchOptions, machines: &[Machine]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, machine) in machines.iter().enumerate() {
        let host = machine.name.clone();
        let own = own_problems(options, number, machine);
        problems.extend(own.into_iter().map(|(problem, remedy)| Problem { host: host.clone(), problem, remedy }));
    }
    problems.extend(other_plans(machines));
    problems.extend(closed(machines));
    problems
}

/// What is wrong with one machine by itself: problems and remedies.
fn own_problems(options: &LaunchOptions, number: usize, machine: &Machine) -> Vec<(String, String)> {
    let host = &options.hosts.hosts[number];
    let Some((hello, heard)) = machine.hello.clone() else {
        return vec![absence(&machine.name, machine.ended, machine.code, &machine.last_line)];
    };
    let mut problems = Vec::new();
    if machine.is_other() {
        let ours = env!("CARGO_PKG_VERSION");
        let problem = format!("its millstream is version {}, this one {ours}", hello.version);
        return vec![(problem, "install the same there, or set `program` in the hosts file".to_owned())];
    }
    let apart = machine.spawned.saturating_sub(hello.clock).max(hello.clock.saturating_sub(heard));
    if apart > CLOCKS {
        let direction = if hello.clock < machine.spawned { "behind" } else { "ahead" };
        let problem = format!("its clock is {:.1} s {direction}", apart as f64 / 1000.0);
        problems.push((problem, "set it, for example with NTP".to_owned()));
    }
    for error in machine.ports.iter().flatten().filter_map(|port| port.as_ref().err()) {
        problems
            .push((error.clone(), "free the port, or set another `port` or `address` in the hosts file".to_owned()));
    }
    if machine.ports.is_some() && machine.unreached.is_none() && !machine.ended {
        let problem = "it has not said in time which others it reaches".to_owned();
        problems
            .push((problem, "something else may listen on a port of another machine: set another `port`".to_owned()));
    }
    match &machine.found {
        Some(found) => problems.extend(found_problems(found, host.gpus)),
        None if machine.ended => {
            problems.push((format!("its process ended: {}", machine.last_line), "look at its log".to_owned()));
        }
        None => problems.push((
            "it has not looked at its data in time".to_owned(),
            "the data may be many or far away: a check does not wait for that, a launch does".to_owned(),
        )),
    }
    problems
}

fn found_problems(found: &Found, gpus: u16) -> Vec<(String, String)> {
    let plan = found.plan.as_ref().err().map(|error| {
        let remedy = "put the data where the pipeline says, or set `dir` in the hosts file";
        (error.clone(), remedy.to_owned())
    });
    let out = found.out.as_ref().map(|out| (out.clone(), "choose another place with `--out`".to_owned()));
    let missing = (found.gpus < usize::from(gpus)).then(|| {
        let problem = format!("libtorch sees {} GPUs, the hosts file says {gpus}", found.gpus);
        (problem, "lower `gpus`, or look at `millstream doctor` there".to_owned())
    });
    plan.into_iter().chain(out).chain(missing).collect()
}

/// Machines whose data or plan differ from those of most.
fn other_plans(machines: &[Machine]) -> Vec<Problem> {
    let plan = |machine: &Machine| machine.found.as_ref().and_then(|found| found.plan.clone().ok());
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    machines.iter().filter_map(plan).for_each(|plan| *counts.entry(plan).or_default() += 1);
    let Some(most) = counts.values().max() else { return Vec::new() };
    // Where there are as many of each nobody knows who is right: the first one is.
    let usual = machines.iter().filter_map(plan).find(|plan| counts[plan] == *most).unwrap_or_default();
    let like = machines.iter().find(|machine| plan(machine).as_ref() == Some(&usual)).map_or("", |m| m.name.as_str());
    let others =
        machines.iter().filter_map(|machine| Some((machine, plan(machine)?))).filter(|(_, plan)| *plan != usual);
    others
        .map(|(machine, plan)| Problem {
            host: machine.name.clone(),
            problem: format!("its data are not those of {like}: plan hash {}, there {}", short(&plan), short(&usual)),
            remedy: "give both the same files; `millstream plan` there counts them".to_owned(),
        })
        .collect()
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// Ports that cannot be reached, by the machine that they are on, each once.
fn closed(machines: &[Machine]) -> Vec<Problem> {
    let mut closed: BTreeMap<(u32, u16), (String, Vec<&str>, &str)> = BTreeMap::new();
    for machine in machines {
        for (index, address, port, why) in machine.unreached.iter().flatten() {
            let entry = closed.entry((*index, *port)).or_insert_with(|| (address.clone(), Vec::new(), why));
            entry.1.push(&machine.name);
        }
    }
    closed
        .into_iter()
        .map(|((index, port), (address, from, why))| Problem {
            host: machines.get(index as usize).map_or_else(String::new, |machine| machine.name.clone()),
            problem: format!("{address}:{port} cannot be reached from {}: {why}", from.join(", ")),
            remedy: "open the port in its firewall, or set `address` and `port` in the hosts file".to_owned(),
        })
        .collect()
}
