//! Machines for tests: each a set of Linux namespaces with its own network, mounts, processes, name and SSH server, all on one
//! switch. Real parts throughout (OpenSSH, the kernel's network), so a test sees what a cluster would show.
//!
//! Nothing of it has a name in the system. The kernel takes all of it away with the first process of each machine (`node.sh`), and
//! that ends with the test process, even where SIGKILL ends that: nothing is ever left over, and tests side by side do not meet.

mod faults;
mod launch;
mod node;
mod own;
mod rogue;
mod ssh;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::root;
use node::Node;

/// The machine of whoever launches: it has a client, no server.
pub(crate) const LAUNCHER: usize = 0;

/// Machines on a switch: the launcher's and the hosts 1, 2 and so on.
pub(crate) struct Hosts {
    // In the order in which they have to go.
    nodes: Vec<Node>,
    switch: Node,
    folder: tempfile::TempDir,
}

impl Hosts {
    /// As many hosts, and a launcher. None, with the reason on standard error, where no namespaces may be made; in CI that is a failure.
    pub(crate) fn new(count: usize) -> Option<Self> {
        match Node::permitted() {
            Ok(()) => Some(Self::start(count)),
            Err(reason) => {
                assert!(std::env::var_os("CI").is_none(), "CI must be able to make namespaces: {reason}");
                // Not as `eprintln` does, of which the runner of tests shows nothing.
                let mut stderr = std::io::stderr();
                writeln!(stderr, "skipped, no namespaces can be made here: {reason}").unwrap();
                None
            }
        }
    }

    fn start(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sshd = ssh::server();
        ssh::write_files(folder.path(), count);
        let start = |name: String, sshd| Node::start(&folder.path().join(name), sshd);
        let switch = start("switch".to_owned(), None);
        let nodes = (0..=count).map(|node| start(name(node), (node != LAUNCHER).then_some(sshd.as_path()))).collect();
        let mut hosts = Hosts { nodes, switch, folder };
        hosts.switch.wait();
        hosts.nodes.iter_mut().for_each(Node::wait);
        hosts.connect();
        hosts
    }

    /// Cables from each machine to the switch.
    fn connect(&self) {
        ip(&self.switch, "link add switch type bridge\nlink set switch up\n");
        let neighbours: String = (0..self.nodes.len()).map(neighbour).collect();
        for (number, node) in self.nodes.iter().enumerate() {
            let (process, address, hardware) = (node.id(), address(number), hardware(number));
            let end = format!("name eth0 address {hardware} netns {process}");
            let cable = format!("link add port{number} type veth peer {end}\nlink set port{number} master switch up\n");
            ip(&self.switch, &cable);
            // Addresses of its own are looked up after what a firewall says.
            let rules = "rule add pref 100 lookup local\nrule delete pref 0\n";
            let own = format!("address add {address}/24 dev eth0\nlink set eth0 up\n");
            ip(node, &format!("{rules}{own}{neighbours}"));
        }
    }

    /// A folder of this test, which all machines see.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file for `ssh -F`. What it says holds without, too, where the system has an `ssh_config` in `/etc/ssh`.
    pub(crate) fn ssh_config(&self) -> PathBuf {
        ssh::config(self.folder())
    }

    /// A command on a machine. The launcher's is the child itself; that of a host is a child of it and dies with it (`Hosts::signal`
    /// reaches it). It keeps the working directory and the environment of this process.
    pub(crate) fn command(&self, node: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.nodes[node].command(program)
    }

    /// A script of the shell on a machine, to its end.
    pub(crate) fn shell(&self, node: usize, script: &str) -> Output {
        self.command(node, "sh").args(["-c", script]).output().unwrap()
    }

    /// A script of the shell on a host, called for on another machine, as people do: with `ssh`.
    pub(crate) fn ssh(&self, from: usize, to: usize, script: &str) -> Output {
        let mut command = self.command(from, "ssh");
        command.arg("-F").arg(self.ssh_config()).args([&name(to), script]).output().unwrap()
    }

    /// Does something on the network of a machine, out of this process.
    pub(crate) fn inside<T: Send>(&self, node: usize, work: impl FnOnce() -> T + Send) -> T {
        // What is done to the thread ends with the thread.
        std::thread::scope(|scope| scope.spawn(|| self.nodes[node].enter(work)).join().unwrap())
    }
}

/// What a machine is called in `/etc/hosts` and in the configuration of `ssh`.
pub(crate) fn name(node: usize) -> String {
    if node == LAUNCHER { "launcher".to_owned() } else { format!("host{node}") }
}

/// Where it is. Each test has its own switch, so that all may use the same addresses.
pub(crate) fn address(node: usize) -> String {
    format!("10.77.0.{}", if node == LAUNCHER { 254 } else { node })
}

fn hardware(node: usize) -> String {
    format!("02:00:00:00:00:{node:02x}")
}

/// Lets a machine know where a machine is, for good: it would otherwise ask, and say 'no route to host' where nobody answers. Between
/// networks, where nobody can ask, there is only silence when a machine is gone, and that is harder to bear.
fn neighbour(node: usize) -> String {
    format!("neighbour add {} lladdr {} dev eth0 nud permanent\n", address(node), hardware(node))
}

/// Lines for `ip` on a machine.
fn ip(node: &Node, lines: &str) {
    node.feed(node.command("ip").args(["-batch", "-"]), lines);
}
