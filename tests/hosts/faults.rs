//! What goes wrong with machines: cables, firewalls, disks, clocks and processes.

use std::fmt::Display;
use std::fs::{metadata, read, read_dir};
use std::ops::RangeInclusive;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::node::Node;
use super::{Hosts, ip, root};

/// A process of a machine, with the number that it has for us.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) id: i32,
    /// Its arguments with spaces between them.
    pub(crate) command: String,
}

impl Hosts {
    /// Takes the cable of a machine out of the switch: nothing reaches it, nobody is told.
    pub(crate) fn cut(&self, node: usize) {
        ip(&self.switch, &format!("link set port{node} nomaster\n"));
    }

    /// Puts it in again.
    pub(crate) fn mend(&self, node: usize) {
        ip(&self.switch, &format!("link set port{node} master switch\n"));
    }

    /// The power of a machine fails: nothing of it says goodbye.
    pub(crate) fn crash(&mut self, node: usize) {
        self.cut(node);
        self.nodes[node].end();
    }

    /// Makes the cable of a machine so long that each way takes this time, and so thin that it carries this many bytes a second.
    pub(crate) fn slow(&self, node: usize, delay: Duration, bytes_per_second: u64) {
        // The end at the switch keeps its name, so that it can be cut as ever.
        let far =
            format!("link set port{node} nomaster down\nlink set port{node} name far{node}\nlink set far{node} up\n");
        let near = format!("link add port{node} type veth peer name near{node}\nlink set near{node} up\n");
        ip(&self.switch, &format!("{far}{near}link set port{node} master switch up\n"));
        let mut relay = self.switch.command("python3");
        relay.arg(root().join("tests/hosts/delay.py")).args([format!("far{node}"), format!("near{node}")]);
        let milliseconds = (delay.as_secs_f64() * 1000.0).to_string();
        self.switch.feed(relay.args([milliseconds, bytes_per_second.to_string()]), "");
    }

    /// Ends `slow`.
    pub(crate) fn quick(&self, node: usize) {
        let relay = format!("delay.py far{node} ");
        assert_eq!(send(&self.switch, &relay, Signal::KILL), 1);
        let back = format!("link delete port{node}\nlink set far{node} down\nlink set far{node} name port{node}\n");
        ip(&self.switch, &format!("{back}link set port{node} master switch up\n"));
    }

    /// A firewall: what comes to these ports of a machine from others is dropped, of connections that were open before too.
    pub(crate) fn block(&self, node: usize, ports: RangeInclusive<u16>) {
        self.firewall("add", node, ports);
    }

    /// Ends `block` of the same ports.
    pub(crate) fn unblock(&self, node: usize, ports: RangeInclusive<u16>) {
        self.firewall("delete", node, ports);
    }

    fn firewall(&self, action: &str, node: usize, ports: RangeInclusive<u16>) {
        let (first, last) = ports.into_inner();
        let what = format!("pref 10 iif eth0 ipproto tcp dport {first}-{last}");
        ip(&self.nodes[node], &format!("rule {action} {what} blackhole\n"));
    }

    /// Gives a machine a small disk of its own in this folder. Others, this process too, see the folder as it was (`Hosts::view`).
    pub(crate) fn disk(&self, node: usize, folder: &Path, bytes: u64) {
        std::fs::create_dir_all(folder).unwrap();
        let mut mount = self.command(node, "mount");
        let size = format!("size={bytes}");
        self.nodes[node].feed(mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder), "");
    }

    /// Fills such a disk up to its last byte.
    pub(crate) fn fill(&self, node: usize, folder: &Path) {
        let output = self.shell(node, &format!("cat /dev/zero >'{}/filler'", folder.display()));
        assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"));
    }

    /// Ends `fill`.
    pub(crate) fn free(&self, node: usize, folder: &Path) {
        std::fs::remove_file(self.view(node, folder).join("filler")).unwrap();
    }

    /// Where this process finds a file as a machine sees it.
    pub(crate) fn view(&self, node: usize, path: &Path) -> PathBuf {
        let machine = PathBuf::from(format!("/proc/{}/root", self.nodes[node].id()));
        machine.join(path.strip_prefix("/").unwrap())
    }

    /// A script that runs a program by a clock that is wrong by so many seconds. Time that only goes on, and the times of files, are right.
    pub(crate) fn skewed(&self, program: &Path, seconds: impl Display) -> PathBuf {
        let script = self.folder().join(format!("{seconds}s-{}", program.file_name().unwrap().display()));
        let clock = format!("LD_PRELOAD='{}' FAKETIME='{seconds:+}s'", faketime().display());
        let others = "FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1";
        std::fs::write(&script, format!("#!/bin/sh\n{clock} {others} exec '{}' \"$@\"\n", program.display())).unwrap();
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        script
    }

    /// All processes of a machine.
    pub(crate) fn processes(&self, node: usize) -> Vec<Process> {
        processes(&self.nodes[node])
    }

    /// Sends a signal to those processes of a machine whose command has these words. Returns how many there are.
    pub(crate) fn signal(&self, node: usize, words: &str, signal: Signal) -> usize {
        send(&self.nodes[node], words, signal)
    }
}

/// Where `scripts/bootstrap --tests` puts it.
fn faketime() -> PathBuf {
    let file = "usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
    let places = [root().join(".tools/faketime").join(file), Path::new("/").join(file)];
    let found = places.into_iter().find(|place| place.exists());
    found.unwrap_or_else(|| panic!("there is no libfaketime: run scripts/bootstrap --tests"))
}

/// Those in its network: also what entered it from here.
fn processes(node: &Node) -> Vec<Process> {
    let network = |id: &str| metadata(format!("/proc/{id}/ns/net")).map(|file| (file.dev(), file.ino())).ok();
    let own = network(&node.id().to_string());
    let names = read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let ids = names.filter(|name| own.is_some() && network(name) == own);
    let found = ids.filter_map(|name| {
        let words = read(format!("/proc/{name}/cmdline")).ok()?;
        let command = String::from_utf8_lossy(&words).replace('\0', " ");
        Some(Process { id: name.parse().ok()?, command })
    });
    found.collect()
}

fn send(node: &Node, words: &str, signal: Signal) -> usize {
    let found = processes(node).into_iter().filter(|process| process.command.contains(words));
    let sent = found.filter(|process| kill_process(Pid::from_raw(process.id).unwrap(), signal).is_ok());
    sent.count()
}
