//! How the label book grows: builds a book of many labels, then changes a share of them, and says what both cost.
//!
//! `cargo bench -p millstream-labels -- labels=1000000 workers=2 processes=1 share=0.01 classes=10 soft=0 rule=balance`
//!
//! `soft` is the number of probabilities in each label (0: hard labels). `rule` is `threshold` or `balance`. With
//! several processes the program starts itself again for each, and they talk over loopback.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use differential_dataflow::input::Input;
use millstream_data::Key;
use millstream_labels::{Balance, Pseudo, Rule, book};
use timely::CommunicationConfig;
use timely::WorkerConfig;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::Probe;
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::worker::Worker;

/// Labels sent between two turns of the worker.
const BITE: u64 = 4096;

/// What is asked for.
#[derive(Clone, Debug)]
struct Task {
    labels: u64,
    workers: usize,
    processes: usize,
    share: f64,
    classes: u32,
    soft: usize,
    balance: bool,
    /// Which process this is, and where all of them listen. Empty for a single one.
    process: usize,
    addresses: Vec<String>,
}

impl Task {
    fn from_args() -> Task {
        let mut task = Task {
            labels: 1_000_000,
            workers: 1,
            processes: 1,
            share: 0.01,
            classes: 10,
            soft: 0,
            balance: true,
            process: 0,
            addresses: Vec::new(),
        };
        // `cargo bench` adds an argument of its own.
        for argument in std::env::args().skip(1).filter(|argument| argument != "--bench") {
            let (name, value) = argument.split_once('=').expect("arguments are name=value");
            match name {
                "labels" => task.labels = value.parse().expect("a number of labels"),
                "workers" => task.workers = value.parse().expect("a number of threads per process"),
                "processes" => task.processes = value.parse().expect("a number of processes"),
                "share" => task.share = value.parse().expect("a share of labels, 0 to 1"),
                "classes" => task.classes = value.parse().expect("a number of classes"),
                "soft" => task.soft = value.parse().expect("a number of probabilities"),
                "rule" => task.balance = value == "balance",
                "process" => task.process = value.parse().expect("the index of a process"),
                "addresses" => task.addresses = value.split(',').map(str::to_owned).collect(),
                other => panic!("there is no argument {other}"),
            }
        }
        task
    }

    fn config(&self) -> timely::Config {
        let communication = match (self.addresses.is_empty(), self.workers) {
            (true, 1) => CommunicationConfig::Thread,
            (true, workers) => CommunicationConfig::Process(workers),
            (false, threads) => CommunicationConfig::Cluster {
                threads,
                process: self.process,
                addresses: self.addresses.clone(),
                report: false,
                zerocopy: false,
            },
        };
        timely::Config { communication, worker: WorkerConfig::default() }
    }

    fn rule(&self) -> Rule {
        let per_class = (self.labels / u64::from(self.classes) / 4).max(1);
        let balance = self.balance.then_some(Balance { per_class, upsample: true });
        Rule { threshold: 0.5, balance, seed: 1, classes: self.classes }
    }

    /// What the teacher of a round says of a record: confidences lean towards 1.
    fn label(&self, number: u64, round: u32) -> (Key, Option<Pseudo>) {
        let key = Key(u128::from(mix(number)) << 64 | u128::from(mix(!number)));
        let bits = mix(number ^ u64::from(round) << 48);
        let class = (bits % u64::from(self.classes)) as u32;
        let unit = (bits >> 40) as f32 / (1 << 24) as f32;
        let confidence = 1.0 - 0.7 * unit * unit;
        let rest = (1.0 - confidence) / self.soft.saturating_sub(1).max(1) as f32;
        let mut distribution = vec![rest; self.soft];
        if let Some(own) = distribution.get_mut(class as usize) {
            *own = confidence;
        }
        (key, Some(Pseudo::new(class, confidence, round, &[round as u8; 32], &distribution)))
    }
}

/// SplitMix64's finaliser (Steele et al. 2014).
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// What one worker measured.
#[derive(Clone, Copy, Debug)]
struct Measured {
    build: f64,
    round: f64,
    /// Resident memory of the process after the build and after the round, in KiB.
    built: u64,
    after: u64,
}

/// A line of `/proc/self/status`, in KiB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn drive(worker: &mut Worker, task: &Task) -> Measured {
    let probe = ProbeHandle::new();
    let mut upserts: InputHandle<u64, CapacityContainerBuilder<Vec<_>>> = InputHandle::new();
    worker.dataflow(|scope| {
        let none = || Vec::<(Key, u32)>::new();
        let (human, truth) = (scope.new_collection_from(none()).1, scope.new_collection_from(none()).1);
        let book = book(human, truth, upserts.to_stream(scope), &task.rule());
        book.selected.probe_with(&probe);
        book.stats.probe_with(&probe);
    });
    let (index, peers) = (worker.index() as u64, worker.peers() as u64);
    let mut tell = |worker: &mut Worker, round: u64, step: u64| {
        let start = Instant::now();
        for (sent, number) in (index..task.labels.div_ceil(step)).step_by(peers as usize).enumerate() {
            let (key, label) = task.label(number * step, round as u32);
            upserts.send((key, label, round));
            if (sent as u64).is_multiple_of(BITE) {
                worker.step();
            }
        }
        upserts.advance_to(round + 1);
        worker.step_while(|| probe.less_than(&(round + 1)));
        start.elapsed().as_secs_f64()
    };
    let build = tell(worker, 0, 1);
    let built = memory("VmRSS");
    let round = tell(worker, 1, (1.0 / task.share).round() as u64);
    Measured { build, round, built, after: memory("VmRSS") }
}

fn measure(task: &Task) -> Measured {
    let (sender, results) = channel();
    let inner: Sender<Measured> = sender;
    let task_of_workers = task.clone();
    let guards = timely::execute(task.config(), move |worker| {
        let measured = drive(worker, &task_of_workers);
        if worker.index() % task_of_workers.workers == 0 {
            inner.send(measured).expect("the main thread waits");
        }
    });
    guards.expect("timely starts").join().into_iter().for_each(|result| result.expect("a worker ends well"));
    results.recv().expect("the first worker has measured")
}

/// Starts all processes but the first; each writes its memory when it is done.
fn start_others(task: &mut Task) -> Vec<Child> {
    if task.processes == 1 {
        return Vec::new();
    }
    let listeners: Vec<_> = (0..task.processes).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    task.addresses = listeners.iter().map(|l| l.local_addr().expect("a bound port").to_string()).collect();
    drop(listeners);
    let program = std::env::current_exe().expect("the path of this program");
    let own: Vec<String> = std::env::args().skip(1).collect();
    let start = |process: usize| {
        let mut command = Command::new(&program);
        command.args(&own).arg(format!("process={process}")).arg(format!("addresses={}", task.addresses.join(",")));
        command.stdout(Stdio::piped()).spawn().expect("another process starts")
    };
    (1..task.processes).map(start).collect()
}

/// How a process says what memory it took; timely writes to standard output too.
const MEMORY: &str = "memory";

/// Peak, built and after, in KiB, of a process that has ended.
fn memory_of(child: Child) -> [u64; 3] {
    let mut text = String::new();
    child.stdout.expect("a pipe").read_to_string(&mut text).expect("what the process says");
    let line = text.lines().find_map(|line| line.strip_prefix(MEMORY)).expect("a line about memory");
    let mut numbers = line.split_whitespace().map(|word| word.parse().expect("KiB"));
    std::array::from_fn(|_| numbers.next().expect("three numbers"))
}

fn main() {
    let mut task = Task::from_args();
    let empty = memory("VmRSS");
    let children = if task.process == 0 { start_others(&mut task) } else { Vec::new() };
    let measured = measure(&task);
    let mut sum = [memory("VmHWM"), measured.built, measured.after];
    let mut out = std::io::stdout().lock();
    if task.process > 0 {
        writeln!(out, "\n{MEMORY} {} {} {}", sum[0], sum[1], sum[2]).expect("standard output");
        return;
    }
    for child in children {
        sum.iter_mut().zip(memory_of(child)).for_each(|(sum, more)| *sum += more);
    }
    let [peak, built, after] =
        sum.map(|kib| (kib.saturating_sub(empty * task.processes as u64) * 1024) as f64 / task.labels as f64);
    let Task { labels, workers, processes, share, soft, balance, .. } = task;
    writeln!(
        out,
        "| {labels} | {processes} x {workers} | {} | {soft} | {:.2} s | {:.0} /s | {share} | {:.3} s | {:.2} % | \
         {peak:.0} B | {built:.0} B | {after:.0} B |",
        if balance { "balance" } else { "threshold" },
        measured.build,
        labels as f64 / measured.build,
        measured.round,
        100.0 * measured.round / measured.build,
    )
    .expect("standard output");
}
