//! Each fault is seen where it should be, and is gone when it is mended.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;

use super::wait_until;
use crate::hosts::{Hosts, LAUNCHER, address};
use crate::support::{stderr, stdout};

const PATIENCE: Duration = Duration::from_millis(900);

fn place(node: usize, port: u16) -> SocketAddr {
    format!("{}:{port}", address(node)).parse().unwrap()
}

/// A connection to a host from the launcher, and the time that it took.
fn connect(hosts: &Hosts, to: SocketAddr) -> Option<(TcpStream, Duration)> {
    let start = Instant::now();
    let stream = hosts.inside(LAUNCHER, || TcpStream::connect_timeout(&to, PATIENCE));
    stream.ok().map(|stream| (stream, start.elapsed()))
}

/// The least time of several, which a busy machine does not lengthen.
fn least(hosts: &Hosts, to: SocketAddr) -> Duration {
    (0..5).map(|_| connect(hosts, to).unwrap().1).min().unwrap()
}

#[test]
fn a_slow_cable_delays_and_holds_back_one_host() {
    const DELAY: Duration = Duration::from_millis(60);
    let Some(hosts) = Hosts::new(2) else { return };
    let listener = hosts.inside(1, || TcpListener::bind("0.0.0.0:7000")).unwrap();
    hosts.slow(1, DELAY, 1_000_000);
    let (mut dialed, time) = connect(&hosts, place(1, 7000)).unwrap();
    assert!(time >= 2 * DELAY, "{time:?}, there and back");
    assert!(least(&hosts, place(2, 22)) < DELAY);

    let mut accepted = listener.accept().unwrap().0;
    let start = Instant::now();
    let writer = std::thread::spawn(move || dialed.write_all(&[1; 500_000]).unwrap());
    let mut bytes = Vec::new();
    accepted.read_to_end(&mut bytes).unwrap();
    writer.join().unwrap();
    assert_eq!(bytes, [1; 500_000]);
    assert!(start.elapsed() >= Duration::from_millis(500), "{:?} for half a second's bytes", start.elapsed());

    hosts.cut(1);
    assert!(connect(&hosts, place(1, 7000)).is_none());
    hosts.mend(1);
    assert!(least(&hosts, place(1, 7000)) >= 2 * DELAY, "still slow");
    hosts.quick(1);
    assert!(least(&hosts, place(1, 7000)) < DELAY);
}

#[test]
fn a_blocked_port_hears_nothing_and_the_others_do() {
    let Some(hosts) = Hosts::new(1) else { return };
    let listener = hosts.inside(1, || TcpListener::bind("0.0.0.0:7000")).unwrap();
    let (mut dialed, _) = connect(&hosts, place(1, 7000)).unwrap();
    let mut accepted = listener.accept().unwrap().0;
    hosts.block(1, 6000..=8000);
    assert!(connect(&hosts, place(1, 7000)).is_none());
    assert!(connect(&hosts, place(1, 22)).is_some());
    let own = hosts.inside(1, || TcpStream::connect_timeout(&place(1, 7000), PATIENCE));
    assert!(own.is_ok(), "nothing is between a host and itself");
    dialed.write_all(b"x").unwrap();
    accepted.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(accepted.read_exact(&mut [0]).is_err());
    hosts.unblock(1, 6000..=8000);
    assert!(connect(&hosts, place(1, 7000)).is_some());
    accepted.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    accepted.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_small_disk_is_full_for_its_host_alone() {
    let Some(hosts) = Hosts::new(2) else { return };
    let small = hosts.folder().join("small");
    hosts.disk(1, &small, 1 << 20);
    hosts.fill(1, &small);
    let write = format!("echo words >{}/file", small.display());
    let output = hosts.ssh(LAUNCHER, 1, &write);
    assert!(!output.status.success() && stderr(&output).contains("No space left on device"), "{}", stderr(&output));
    assert!(hosts.ssh(LAUNCHER, 2, &write).status.success() && small.join("file").exists());
    hosts.free(1, &small);
    assert!(hosts.ssh(LAUNCHER, 1, &write).status.success());
    assert_eq!(std::fs::read_to_string(hosts.view(1, &small).join("file")).unwrap(), "words\n");
}

#[test]
fn a_clock_is_wrong_for_one_program() {
    let Some(hosts) = Hosts::new(1) else { return };
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
    for seconds in [10, -3600] {
        let date = hosts.skewed(Path::new("/bin/date"), seconds);
        let says = stdout(&hosts.ssh(LAUNCHER, 1, &format!("{} +%s", date.display())));
        let off = says.trim().parse::<i64>().unwrap() - now();
        assert!((off - seconds).abs() <= 1, "off by {off} s");
    }
}

/// A program of a host that the launcher started with `ssh`.
fn start(hosts: &Hosts, script: &str) -> Child {
    let mut ssh = hosts.command(LAUNCHER, "ssh");
    ssh.arg("-F").arg(hosts.ssh_config()).args(["host1", script]).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn processes_of_a_host_are_found_stopped_and_killed() {
    let Some(hosts) = Hosts::new(2) else { return };
    let mut ssh = start(&hosts, "exec sleep 1000");
    let found = || hosts.processes(1).into_iter().find(|process| process.command == "sleep 1000 ");
    wait_until("it runs", || found().is_some());
    assert_eq!(hosts.signal(2, "sleep", Signal::KILL), 0);
    assert_eq!(hosts.signal(1, "sleep 1000", Signal::STOP), 1);
    let state = format!("/proc/{}/stat", found().unwrap().id);
    wait_until("it stops", || std::fs::read_to_string(&state).unwrap().contains("(sleep) T"));
    assert!(ssh.try_wait().unwrap().is_none());
    assert_eq!(hosts.signal(1, "sleep 1000", Signal::KILL), 1);
    assert_eq!(ssh.wait().unwrap().code(), Some(255));
    assert!(found().is_none());

    // A session that dies takes nobody with it: whoever it has started has to notice.
    let mut ssh = start(&hosts, "exec sleep 1000");
    wait_until("it runs", || found().is_some());
    assert!(hosts.signal(1, "sshd: ", Signal::KILL) > 0);
    assert_eq!(ssh.wait().unwrap().code(), Some(255));
    assert!(found().is_some());
}
