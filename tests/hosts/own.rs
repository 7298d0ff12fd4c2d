//! The machines themselves: what other tests take for granted.

mod faults;
mod strangers;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Hosts, LAUNCHER, name};
use crate::support::{stderr, stdout};

/// What `ssh` says of a machine that it cannot reach.
fn unreachable(hosts: &Hosts, from: usize, to: usize) -> bool {
    let mut ssh = hosts.command(from, "ssh");
    ssh.arg("-F").arg(hosts.ssh_config()).args(["-o", "ConnectTimeout=1", &name(to), "true"]);
    let output = ssh.output().unwrap();
    output.status.code() == Some(255) && stderr(&output).contains("connect to host")
}

#[test]
fn each_host_is_reached_from_the_launcher_and_from_each_other() {
    let Some(hosts) = Hosts::new(3) else { return };
    for (from, to) in [(LAUNCHER, 1), (LAUNCHER, 2), (LAUNCHER, 3), (1, 2), (2, 3), (3, 1)] {
        let output = hosts.ssh(from, to, "hostname; pwd");
        let home = hosts.folder().join(name(to)).join("home");
        let expected = format!("{}\n{}\n", name(to), home.display());
        assert_eq!(stdout(&output), expected, "{}", stderr(&output));
    }
    // Without -F too, and with another key of the host not at all.
    let plain = |host: &str| hosts.command(LAUNCHER, "ssh").args([host, "echo", "$0"]).output().unwrap();
    assert_eq!(stdout(&plain("host2")), "bash\n");
    let key = std::fs::read_to_string(hosts.folder().join("host1/key.pub")).unwrap();
    std::fs::write(hosts.folder().join("known_hosts"), format!("host2 {key}")).unwrap();
    assert!(stderr(&plain("host2")).contains("Host key verification failed"));
}

#[test]
fn a_cut_host_is_alone_until_mended_and_a_crashed_one_for_good() {
    let Some(mut hosts) = Hosts::new(2) else { return };
    let start = Instant::now();
    hosts.cut(1);
    for (from, to) in [(LAUNCHER, 1), (1, 2)] {
        assert!(unreachable(&hosts, from, to));
    }
    assert!(start.elapsed().as_secs() < 10, "the time-out of a second holds");
    assert_eq!(stdout(&hosts.ssh(LAUNCHER, 2, "hostname")), "host2\n");
    hosts.mend(1);
    assert_eq!(stdout(&hosts.ssh(LAUNCHER, 1, "hostname")), "host1\n");
    hosts.crash(2);
    assert!(unreachable(&hosts, LAUNCHER, 2) && !hosts.shell(2, "true").status.success());
}

/// Processes whose command line has this word.
fn running(word: &str) -> usize {
    let lines = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| std::fs::read(entry.path().join("cmdline")));
    lines.flatten().filter(|line| String::from_utf8_lossy(line).contains(word)).count()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed().as_secs() < 10, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A process of the launcher, and a daemon of the host, whose parent is gone.
fn leave_running(hosts: &Hosts) -> Child {
    let word = hosts.folder().display();
    hosts.shell(1, &format!("(setsid tail -f {word}/key.pub >/dev/null 2>&1 &)"));
    let mut tail = hosts.command(LAUNCHER, "tail");
    let tail = tail.arg("-f").arg(hosts.folder().join("key.pub")).stdout(Stdio::null()).spawn().unwrap();
    let name = format!("/proc/{}/comm", tail.id());
    wait_until("the launcher's process runs", || std::fs::read_to_string(&name).unwrap() == "tail\n");
    assert!(running(&word.to_string()) > 4, "first processes, sshd and those two");
    tail
}

#[test]
fn nothing_is_left_even_after_a_panic() {
    let Some(hosts) = Hosts::new(1) else { return };
    let folder = hosts.folder().to_owned();
    let tail = leave_running(&hosts);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _hosts = hosts;
        std::panic::resume_unwind(Box::new("a test that fails"));
    }));
    assert!(panic.is_err() && !folder.exists());
    assert_eq!(running(&folder.display().to_string()), 0);
    assert_eq!(tail.wait_with_output().unwrap().status.code(), None, "killed");
    assert!(!std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&folder.display().to_string()));
}

/// The test itself, called by the one below as another process: it says where its machines are, and waits to be killed.
#[test]
#[ignore = "is a part of the next test"]
fn waits_for_sigkill() {
    let Some(hosts) = Hosts::new(1) else { return };
    let mut endless = leave_running(&hosts);
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{}", hosts.folder().display()).unwrap();
    endless.wait().unwrap();
}

#[test]
fn nothing_is_left_even_after_sigkill() {
    // Only to be skipped like the others.
    let Some(_hosts) = Hosts::new(0) else { return };
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "hosts::own::waits_for_sigkill", "--ignored", "--nocapture"]);
    let mut test = test.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut folder = String::new();
    BufReader::new(test.stderr.as_mut().unwrap()).read_line(&mut folder).unwrap();
    assert!(running(folder.trim()) > 4, "{folder}");
    test.kill().unwrap();
    test.wait().unwrap();
    wait_until("all ends", || running(folder.trim()) == 0);
    std::fs::remove_dir_all(folder.trim()).unwrap();
}
