//! One machine: namespaces, and a first process that they end with.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::root;

/// Namespaces that a machine has for itself. A server has its own processes, too.
const OWN: [&str; 3] = ["--net", "--mount", "--uts"];
const OWN_PROCESSES: [&str; 3] = ["--pid", "--fork", "--mount-proc"];

/// A machine that runs.
pub(crate) struct Node {
    process: Child,
    folder: PathBuf,
    own_processes: bool,
}

impl Node {
    /// Whether such machines can be made here, else why not.
    pub(crate) fn permitted() -> Result<(), String> {
        let output = Command::new("unshare").args(OWN).args(OWN_PROCESSES).arg("true").output();
        let output = output.map_err(|error| format!("unshare: {error}"))?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    }

    /// Starts one whose files are in this folder; with a server for SSH, or as a place where processes of this test run.
    pub(crate) fn start(folder: &Path, sshd: Option<&Path>) -> Self {
        let log = std::fs::File::create(folder.join("node.log")).unwrap();
        let mut command = Command::new("unshare");
        command.args(OWN).args(sshd.map_or(&[][..], |_| &OWN_PROCESSES));
        command.arg(root().join("tests/hosts/node.sh")).arg(folder).args(sshd);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let process = command.envs(super::ssh::server_environment()).spawn().unwrap();
        Node { process, folder: folder.to_owned(), own_processes: sshd.is_some() }
    }

    /// Waits until it is up.
    pub(crate) fn wait(&mut self) {
        let mut line = String::new();
        BufReader::new(self.process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "{}: {}", self.folder.display(), self.logs());
    }

    fn logs(&self) -> String {
        let logs = ["node.log", "sshd.log"].map(|name| std::fs::read_to_string(self.folder.join(name)));
        logs.into_iter().flatten().collect()
    }

    /// A process outside of it that holds its namespaces.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// A program on this machine, started where this process is.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let namespaces = format!("/proc/{}/ns", self.id());
        let mut enter = format!("exec nsenter --net={namespaces}/net --mount={namespaces}/mnt --uts={namespaces}/uts");
        if self.own_processes {
            // To get among those processes takes a child, which is not to outlive its parent.
            enter += &format!(" --pid={namespaces}/pid_for_children setpriv --pdeathsig KILL");
        }
        // The working directory has to be looked up anew among the mounts of the machine.
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{enter} env -C \"$PWD\" \"$@\""), "sh"]).arg(program);
        command
    }

    /// Runs a command of this machine that must succeed, with these lines as its input.
    pub(crate) fn feed(&self, command: &mut Command, lines: &str) {
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{lines}{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Moves this thread into the network of this machine, with the threads that it starts.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let network = std::fs::File::open(format!("/proc/{}/ns/net", self.id())).unwrap();
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        work()
    }

    /// Ends it with all that runs on it. The first process waits for the end of its input.
    pub(crate) fn end(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}
