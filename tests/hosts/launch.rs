//! Launches over several machines: real SSH, and what can happen to machines and networks.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Hosts, LAUNCHER, address, name, rogue};
use crate::support::{Place, millstream, stderr, stdout};

/// Two hosts that train and one that prepares samples.
const HOSTS: &str = "hosts: [{ host: host1 }, { host: host2 }, { host: host3, role: data }]\n";
const QUICK: &str = "heartbeat_timeout: 3\nstart_timeout: 10\n";
const STEPS: [&str; 6] =
    ["--set", "training.steps=150", "--set", "rounds.0.training.steps=150", "--set", "checkpoint={every: 10, keep: 2}"];

/// A command on a machine, with `pipeline.yaml` and the rest of a place around it.
fn on(hosts: &Hosts, node: usize, place: &Place, args: &[&str]) -> Command {
    let mut command = hosts.command(node, millstream().get_program());
    command.args(args).current_dir(place.path("")).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn launch(out: &str) -> Vec<&str> {
    [&["launch", "pipeline.yaml", "--hosts", "hosts.yaml", "--workers", "1", "--out", out][..], &STEPS].concat()
}

fn finish(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

fn succeeded(output: &Output) -> String {
    let says = stderr(output);
    assert_eq!(output.status.code(), Some(0), "{}{says}", stdout(output));
    assert!(!says.contains("panicked"), "{says}");
    says
}

fn failed(output: &Output, code: i32, says: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in says {
        assert!(text.contains(part), "not said: {part:?} in {text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

/// Figures for whoever runs a test alone, with `--no-capture`.
fn tell(text: &str) {
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{text}").unwrap();
}

/// That no process of a run is left on any machine.
fn nothing_left(hosts: &Hosts, nodes: usize) {
    for node in 1..=nodes {
        let left: Vec<_> =
            hosts.processes(node).into_iter().filter(|process| process.command.contains("millstream")).collect();
        assert!(left.is_empty(), "{}: {left:?}", name(node));
    }
}

/// The same run as two processes that train on one machine.
fn whole(place: &Place) {
    let args = ["run", "pipeline.yaml", "--processes", "2", "--ranks", "2", "--workers", "1", "--out", "whole"];
    place.succeed(&[&args[..], &STEPS].concat());
}

#[test]
fn three_machines_end_like_one_and_nothing_is_left_on_them() {
    let Some(hosts) = Hosts::new(3) else { return };
    let place = Place::new();
    place.write("hosts.yaml", HOSTS);
    whole(&place);
    let says = succeeded(&on(&hosts, LAUNCHER, &place, &launch("far")).output().unwrap());
    assert!(says.contains("[host1:0] round 0"), "{says}");
    assert!(place.succeed(&["verify", "whole", "far"]).starts_with("identical"));
    nothing_left(&hosts, 3);
    let log = std::fs::read_to_string(place.path("far/launch/log.txt")).unwrap();
    assert!(log.contains("host1:0 round 2"), "{log}");

    // A bad line makes it slower, and nothing else.
    hosts.slow(2, Duration::from_millis(1), 20 << 20);
    succeeded(&on(&hosts, LAUNCHER, &place, &launch("slow")).output().unwrap());
    assert!(place.succeed(&["verify", "whole", "slow"]).starts_with("identical"));
}

#[test]
#[ignore = "minutes: the whole quickstart, twice"]
fn the_quickstart_on_three_machines_ends_like_on_one() {
    let Some(hosts) = Hosts::new(3) else { return };
    let place = Place::new();
    let root = crate::support::root();
    std::os::unix::fs::symlink(root.join("data"), place.path("data")).unwrap();
    std::fs::copy(root.join("pipelines/quickstart.yaml"), place.path("quickstart.yaml")).unwrap();
    place.write("hosts.yaml", HOSTS);
    place.succeed(&["run", "quickstart.yaml", "--processes", "2", "--ranks", "2", "--out", "one"]);
    let begun = Instant::now();
    let args = ["launch", "quickstart.yaml", "--hosts", "hosts.yaml", "--out", "three"];
    let output = on(&hosts, LAUNCHER, &place, &args).output().unwrap();
    succeeded(&output);
    let verdict = place.succeed(&["verify", "one", "three"]);
    tell(&format!("{}{verdict} in {:.0?}", stdout(&output), begun.elapsed()));
    assert!(verdict.starts_with("identical"), "{verdict}");
    nothing_left(&hosts, 3);
}

/// With `min_hosts` a run does not wait for a machine that is gone, and takes it back when it comes again.
#[test]
fn a_lost_machine_is_left_out_and_taken_back() {
    let Some(hosts) = Hosts::new(3) else { return };
    let place = Place::new();
    place.write("hosts.yaml", &format!("{HOSTS}heartbeat_timeout: 3\nstart_timeout: 3\nmin_hosts: 2\n"));
    let steps = ["--set", "training.steps=400"];
    let whole = ["run", "pipeline.yaml", "--processes", "2", "--ranks", "2", "--workers", "1", "--out", "whole"];
    place.succeed(&[&whole[..], &STEPS, &steps].concat());
    hosts.cut(3);
    let child = on(&hosts, LAUNCHER, &place, &[&launch("run")[..], &steps].concat()).spawn().unwrap();
    let log = || std::fs::read_to_string(place.path("run/launch/log.txt")).unwrap_or_default();
    let until = Instant::now() + Duration::from_secs(60);
    while !log().contains("goes on without host3") {
        assert!(Instant::now() < until, "{}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
    hosts.mend(3);
    let says = succeeded(&finish(child));
    assert!(says.contains("goes on without host3") && says.contains("host3 is there again"), "{says}");
    let verdict = place.succeed(&["verify", "whole", "run"]);
    assert!(verdict.starts_with("identical"), "{verdict}");
    nothing_left(&hosts, 3);
}

/// What happens to a run, and how many times over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Kill,
    Hang,
    Partition,
    FullDisk,
}

const FAULTS: [Fault; 4] = [Fault::Kill, Fault::Hang, Fault::Partition, Fault::FullDisk];

/// The next number of a simple generator (Knuth's MMIX constants), below `limit`.
fn below(state: &mut u64, limit: u64) -> u64 {
    *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*state >> 33) % limit
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Sends a signal to the process of a run on a host, as soon as there is one. It may be over before that.
fn signal(hosts: &Hosts, victim: usize, signal: Signal) {
    let until = Instant::now() + Duration::from_secs(5);
    while hosts.signal(victim, "millstream worker", signal) == 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lets a fault happen to a host, and the network and the disk get well again.
fn strike(hosts: &Hosts, fault: Fault, victim: usize, disk: &std::path::Path, lasts: Duration) {
    match fault {
        Fault::Kill => signal(hosts, victim, Signal::KILL),
        Fault::Hang => signal(hosts, victim, Signal::STOP),
        Fault::Partition => {
            hosts.cut(victim);
            std::thread::sleep(lasts);
            hosts.mend(victim);
        }
        Fault::FullDisk => {
            hosts.fill(1, disk);
            std::thread::sleep(lasts);
            hosts.free(1, disk);
        }
    }
}

/// One fault a run, at a random moment at a random process: MILLSTREAM_CHAOS says how many runs, MILLSTREAM_SEED which. Every run must
/// end as if nothing had happened.
#[test]
fn whatever_happens_to_a_machine_the_run_ends_the_same() {
    let Some(hosts) = Hosts::new(3) else { return };
    let place = Place::new();
    place.write("hosts.yaml", &format!("{HOSTS}{QUICK}"));
    whole(&place);
    let disk = place.path("disk");
    std::fs::create_dir(&disk).unwrap();
    hosts.disk(1, &disk, 64 << 20);
    let begun = Instant::now();
    succeeded(&on(&hosts, LAUNCHER, &place, &launch("disk/undisturbed")).output().unwrap());
    let undisturbed = begun.elapsed();
    let mut random = setting("MILLSTREAM_SEED", 1);
    let (mut lost, mut restarted) = (Vec::new(), 0);
    for number in 0..setting("MILLSTREAM_CHAOS", 4) {
        let fault = FAULTS[number as usize % FAULTS.len()];
        let victim = 1 + below(&mut random, 3) as usize;
        let moment = undisturbed.mul_f64(below(&mut random, 1000) as f64 / 1000.0);
        let lasts = Duration::from_millis(2000 + below(&mut random, 6000));
        let out = format!("disk/{number}");
        let begun = Instant::now();
        let child = on(&hosts, LAUNCHER, &place, &launch(&out)).spawn().unwrap();
        std::thread::sleep(moment);
        strike(&hosts, fault, victim, &disk, lasts);
        let output = finish(child);
        let what = format!("{number}: {fault:?} of {} after {moment:.1?}", name(victim));
        assert_eq!(output.status.code(), Some(0), "{what}: {}", stderr(&output));
        let run = hosts.view(1, &disk.join(number.to_string()));
        let verdict = place.succeed(&["verify", "whole", run.to_str().unwrap()]);
        assert!(verdict.starts_with("identical"), "{what}: {verdict}");
        nothing_left(&hosts, 3);
        std::fs::remove_dir_all(&run).unwrap();
        let times = stderr(&output).matches("starts again in").count();
        restarted += usize::from(times > 0);
        lost.push(begun.elapsed().saturating_sub(undisturbed));
        let took = begun.elapsed();
        tell(&format!("{what}: {times} restarts, {took:.1?}, undisturbed {undisturbed:.1?}"));
    }
    lost.sort();
    let (runs, median) = (lost.len(), lost[lost.len() / 2]);
    tell(&format!("{runs} of {runs} ended the same, {restarted} after restarts; median time lost {median:.1?}"));
}

fn check(hosts: &Hosts, place: &Place, more: &[&str]) -> Output {
    let begun = Instant::now();
    let args = [&["launch", "pipeline.yaml", "--hosts", "hosts.yaml", "--check", "--out", "run"][..], more].concat();
    let output = on(hosts, LAUNCHER, place, &args).output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(15 * setting("MILLSTREAM_PATIENCE", 4)), "{:?}", begun.elapsed());
    output
}

/// A wrapper of the program, for one host.
fn wrapper(place: &Place, name: &str, script: &str) -> PathBuf {
    place.write(name, &format!("#!/bin/sh\n{script}\n"));
    let path = place.path(name);
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_check_names_every_host_that_is_not_ready_and_what_to_do() {
    let Some(hosts) = Hosts::new(3) else { return };
    let place = Place::new();
    let with = |third: &str| {
        place.write(
            "hosts.yaml",
            &format!("hosts: [{{ host: host1 }}, {{ host: host2 }}, {{ host: host3{third} }}]\nport: 29400\n"),
        )
    };
    with("");
    assert!(succeeded(&check(&hosts, &place, &[])).contains("all 3 machines are ready"));
    assert!(!place.path("run").exists());
    let program = millstream().get_program().to_string_lossy().into_owned();
    let late = wrapper(&place, "late", &format!("sleep 2.5; exec {program} \"$@\""));
    with(&format!(", program: {}", late.display()));
    assert!(
        succeeded(&check(&hosts, &place, &[])).contains("all 3 machines are ready"),
        "one is slow, and no other is to blame"
    );
    with("");
    let here = ["launch", "pipeline.yaml", "--hosts", "hosts.yaml", "--check", "--out", "."];
    failed(
        &on(&hosts, LAUNCHER, &place, &here).output().unwrap(),
        2,
        &["host1: ", "is not empty and no run directory"],
    );

    place.write("hosts.yaml", "hosts: [{ host: host1 }, { host: hots3 }]");
    failed(&check(&hosts, &place, &[]), 2, &["hots3: ssh cannot log in there", "Could not resolve hostname"]);
    with("");
    hosts.block(3, 29400..=29400);
    failed(&check(&hosts, &place, &[]), 2, &["host3: host3:29400 cannot be reached from host1, host2", "firewall"]);
    hosts.unblock(3, 29400..=29400);
    let late = hosts.skewed(program.as_ref(), 10);
    with(&format!(", program: {}", late.display()));
    failed(&check(&hosts, &place, &[]), 2, &["host3: its clock is", "s ahead", "NTP"]);
    let hello = r#"{"Hello":{"version":"0.0.1","pid":1,"cores":1,"clock":1}}"#;
    with(&format!(", program: {}", wrapper(&place, "old", &format!("echo '{hello}'; cat > /dev/null")).display()));
    failed(&check(&hosts, &place, &[]), 2, &["host3: its millstream is version 0.0.1"]);

    // Each host has its own MILLSTREAM_DATA: on the last one there is nothing, or one pixel is another.
    let mnist = crate::support::root().join("data/mnist");
    let one_pixel = "mkdir other && cd other && zcat $0/train-images-idx3-ubyte.gz > all && printf '\\377' \
        | dd of=all bs=1 seek=500 conv=notrunc && gzip -1 < all > train-images-idx3-ubyte.gz";
    let made = Command::new("sh").args(["-c", one_pixel]).arg(&mnist).current_dir(place.path("")).output().unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    let with_data = |name: &str, data: &std::path::Path| {
        let script = format!("MILLSTREAM_DATA={} exec {program} \"$@\"", data.display());
        wrapper(&place, name, &script).display().to_string()
    };
    let images = "data.sources.train.idx.images=${MILLSTREAM_DATA}/train-images-idx3-ubyte.gz";
    for (data, says) in [
        (PathBuf::from("/nowhere"), "host3: /nowhere/train-images-idx3-ubyte.gz"),
        (place.path("other"), "host3: its data are not those of host1"),
    ] {
        let (here, theirs) = (with_data("here", &mnist), with_data("theirs", &data));
        let usual = format!("{{ host: host1, program: {here} }}, {{ host: host2, program: {here} }}");
        place.write("hosts.yaml", &format!("hosts: [{usual}, {{ host: host3, program: {theirs} }}]"));
        let args = ["launch", "pipeline.yaml", "--hosts", "hosts.yaml", "--check", "--set", images];
        let mut command = on(&hosts, LAUNCHER, &place, &args);
        failed(&command.env("MILLSTREAM_DATA", &mnist).output().unwrap(), 2, &[says]);
    }
    nothing_left(&hosts, 3);
}

#[test]
fn a_host_that_is_down_or_whose_port_is_taken_is_named_and_nothing_is_left() {
    let Some(hosts) = Hosts::new(2) else { return };
    let place = Place::new();
    place.write("hosts.yaml", "hosts: [{ host: host1 }, { host: host2 }]\nport: 29400\nstart_timeout: 3\n");
    let taken = hosts.inside(1, || std::net::TcpListener::bind(("10.77.0.1", 29400)).unwrap());
    failed(
        &on(&hosts, LAUNCHER, &place, &launch("run")).output().unwrap(),
        2,
        &["host1: process 0", "cannot listen on 10.77.0.1:29400", "`port`"],
    );
    drop(taken);
    hosts.cut(2);
    failed(&on(&hosts, LAUNCHER, &place, &launch("run")).output().unwrap(), 4, &["host2", "ssh host2 true"]);
    hosts.mend(2);
    nothing_left(&hosts, 2);
}

/// A task of a scheduler, which starts the same command on every host.
fn task(hosts: &Hosts, place: &Place, node: usize, secret: &str) -> Command {
    let args = ["launch", "pipeline.yaml", "--out", "tasks", "--workers", "1"];
    let mut command = on(hosts, node, place, &[&args[..], &STEPS].concat());
    command.env("SLURM_PROCID", (node - 1).to_string()).env("SLURM_NTASKS", "2");
    command.env("SLURM_JOB_NODELIST", "host[1-3]").env("MILLSTREAM_SECRET", secret);
    command
}

const SECRET: &str = "a secret of this test alone";
/// The control port.
const PORT: u16 = 29400;

/// Waits until somebody listens on a port of host 1.
fn wait_for_port(hosts: &Hosts, port: SocketAddr) {
    let until = Instant::now() + Duration::from_secs(60);
    while hosts.inside(LAUNCHER, || std::net::TcpStream::connect(port)).is_err() {
        assert!(Instant::now() < until, "nobody listens on {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Bytes in memory of the launch on a host.
fn memory(hosts: &Hosts, node: usize) -> u64 {
    let launches = hosts.processes(node).into_iter().filter(|process| process.command.contains("millstream launch"));
    let pages = launches.filter_map(|process| {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", process.id)).ok()?;
        text.split(' ').nth(1)?.parse::<u64>().ok()
    });
    pages.max().unwrap_or(0) * 4096
}

/// The tasks find each other; strangers at the control port, MILLSTREAM_ROGUES of them, change nothing.
#[test]
fn tasks_of_a_scheduler_are_one_run_and_strangers_are_turned_away() {
    let Some(hosts) = Hosts::new(3) else { return };
    let place = Place::new();
    let count = setting("MILLSTREAM_ROGUES", 100) as usize;
    // The run is to outlast them.
    let steps = format!("training.steps={}", 150 + count / 2);
    place.succeed(
        &[
            &["run", "pipeline.yaml", "--processes", "2", "--ranks", "2", "--workers", "1", "--out", "whole"][..],
            &STEPS,
            &["--set", &steps],
        ]
        .concat(),
    );
    let control = SocketAddr::new(address(1).parse::<IpAddr>().unwrap(), PORT);
    let chief = task(&hosts, &place, 1, SECRET).args(["--set", &steps]).spawn().unwrap();
    wait_for_port(&hosts, control);
    let mut refused = task(&hosts, &place, 3, "another secret than that of the others");
    let refused = refused.args(["--set", &steps]).env("SLURM_PROCID", "1").output().unwrap();
    failed(&refused, 4, &["the other side does not know this run's secret"]);

    let recorder = hosts.inside(2, || rogue::Recorder::new(control));
    let mut other = task(&hosts, &place, 2, SECRET);
    let other = other
        .args(["--set", &steps])
        .env("MILLSTREAM_CHIEF", "127.0.0.1")
        .env("MILLSTREAM_PORT", recorder.port().to_string());
    let other = other.spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while memory(&hosts, 1) == 0 || recorder.sent().len() < 200 {
        assert!(Instant::now() < until, "the tasks did not meet");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (before, sent) = (memory(&hosts, 1), recorder.sent());
    let share = |percent: usize| count * percent / 100;
    let tallies = hosts.inside(LAUNCHER, || {
        [
            rogue::garbage(control, share(40), 1),
            rogue::wrong_secret(control, share(30), 2),
            rogue::replayed(control, share(25), &sent),
            rogue::truncated(control, share(5), 3),
        ]
    });
    let after = memory(&hosts, 1);
    tell(&format!("strangers: {tallies:?}, memory before {} KiB, after {} KiB", before >> 10, after >> 10));
    assert!(
        tallies.iter().all(|tally| (tally.accepted, tally.lingered, tally.unreachable) == (0, 0, 0)),
        "{tallies:?}"
    );
    assert!(after > 0 && after < before + (16 << 20), "{before} {after}");
    succeeded(&finish(chief));
    succeeded(&finish(other));
    assert!(place.succeed(&["verify", "whole", "tasks"]).starts_with("identical"));
    nothing_left(&hosts, 3);
}
