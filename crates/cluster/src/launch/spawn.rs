//! How processes are started on a machine, and ended there.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millstream_spec::{Host, Hosts, LOCALHOST};

use serde::{Deserialize, Serialize};

use super::crew::Place;
use crate::handshake::Secret;
use crate::inspection::Others;
use crate::orders::{BEAT, Request, Told, Word};

/// The longest line of a process that is read: its report has a few hundred bytes a round and a few for each class.
const LONGEST_LINE: u64 = 64 << 20;
/// How often to look whether a process has ended.
const PAUSE: Duration = Duration::from_millis(10);
/// Seconds that ssh may take to connect when a lost process is to be ended.
const SHORT: u32 = 5;

/// What is heard of a process.
#[derive(Debug)]
pub(crate) enum News {
    /// It said something.
    Told(Box<Told>),
    /// It wrote a line to standard error.
    Log(String),
    /// It ended.
    Ended(Ending),
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ending {
    /// Its exit code, if it had one.
    pub(crate) code: Option<i32>,
    /// The same in words.
    pub(crate) text: String,
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        Ending { code: status.code(), text: status.to_string() }
    }
}

/// How processes on a machine are started and ended.
pub(crate) trait Spawner: Send + Sync {
    /// Starts one there; the GPU of its place is the one that it may use. What is heard of it goes to `news`, together with `name`.
    fn start(&self, place: &Place, name: usize, news: &Sender<(usize, News)>) -> std::io::Result<Started>;
    /// The command that ends one there for good, whatever state it is in; none if ending the command that started it does.
    fn kill(&self, pid: u32) -> Option<Command>;
}

/// The spawner of a host of a hosts file.
pub(crate) fn spawner(hosts: &Hosts, host: &Host, program: &Path, here: &Path) -> Box<dyn Spawner> {
    let program = host.program.as_ref().or(hosts.program.as_ref()).map_or(program, PathBuf::as_path).to_owned();
    let dir = host.dir.as_ref().or(hosts.dir.as_ref()).map_or(here, PathBuf::as_path).to_owned();
    if host.host == LOCALHOST {
        return local(&program, &dir);
    }
    let (ssh, host) = (hosts.ssh.clone(), host.host.clone());
    // A little less than the launch waits, so that what ssh has to say comes first.
    let patience = (hosts.start_timeout * 2 / 3).max(1);
    Box::new(Ssh { host, ssh, program, dir, patience })
}

/// The spawner of this machine.
pub(crate) fn local(program: &Path, dir: &Path) -> Box<dyn Spawner> {
    Box::new(Local { program: program.to_owned(), dir: dir.to_owned() })
}

/// This machine.
struct Local {
    program: PathBuf,
    dir: PathBuf,
}

impl Spawner for Local {
    fn start(&self, place: &Place, name: usize, news: &Sender<(usize, News)>) -> std::io::Result<Started> {
        let mut command = Command::new(&self.program);
        command.arg("worker").current_dir(&self.dir);
        if let Some(gpus) = visible(place, std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref()) {
            command.env("CUDA_VISIBLE_DEVICES", gpus);
        }
        Started::new(command, name, news)
    }

    fn kill(&self, _pid: u32) -> Option<Command> {
        None
    }
}

/// The GPUs that a process may see, out of those that this one may; as it comes where it does not train.
fn visible(place: &Place, ours: Option<&str>) -> Option<String> {
    match place.gpu {
        Some(gpu) => {
            let ours = ours.and_then(|ours| ours.split(',').nth(usize::from(gpu)));
            Some(ours.map_or_else(|| gpu.to_string(), str::to_owned))
        }
        None => place.trains.then(String::new),
    }
}

/// Another machine, over the system's own ssh with its configuration and keys.
struct Ssh {
    host: String,
    ssh: Vec<String>,
    program: PathBuf,
    dir: PathBuf,
    /// Seconds.
    patience: u32,
}

impl Ssh {
    fn command(&self, patience: u32, remote: &str) -> Command {
        let mut command = Command::new("ssh");
        // What the user gives comes first, for ssh takes the first value of an option. Nobody is there to be asked for a password.
        command.args(&self.ssh).args(["-T", "-o", "BatchMode=yes", "-o"]);
        command.arg(format!("ConnectTimeout={patience}")).args(["--", &self.host, remote]);
        command
    }
}

impl Spawner for Ssh {
    fn start(&self, place: &Place, name: usize, news: &Sender<(usize, News)>) -> std::io::Result<Started> {
        let gpu = visible(place, None).map_or_else(String::new, |gpus| format!("CUDA_VISIBLE_DEVICES={gpus} "));
        let (dir, program) = (quoted(&self.dir), quoted(&self.program));
        // The shell becomes the program, so its number is the program's: it is known even of one that never says a word.
        let script = format!("cd {dir} && printf '{{\"Pid\":%d}}\\n' $$ && {gpu}exec {program} worker");
        let command = self.command(self.patience, &format!("exec sh -c {}", word(&script)));
        Started::new(command, name, news)
    }

    fn kill(&self, pid: u32) -> Option<Command> {
        // The number may be somebody else's by now.
        Some(self.command(SHORT, &format!("grep -qa worker /proc/{pid}/cmdline && kill -KILL {pid}")))
    }
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    word(&path.to_string_lossy())
}

/// A text as one word of a shell.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A process that was started.
pub(crate) struct Started {
    /// None if it is not a child of this process.
    child: Option<Arc<Mutex<Child>>>,
    /// Lines for its input, which a thread writes: a process that hangs must not hang whoever talks to it.
    input: Option<Sender<String>>,
}

impl Started {
    /// Starts one. What is heard of it goes to `news`, together with `name`.
    pub(crate) fn new(mut command: Command, name: usize, news: &Sender<(usize, News)>) -> std::io::Result<Self> {
        // In a group of its own: Ctrl-C at the terminal is for the launch, which tells the others.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take().map(talk).transpose()?;
        let outputs = child.stdout.take().zip(child.stderr.take());
        let child = Arc::new(Mutex::new(child));
        if let Some((output, log)) = outputs {
            listen(Arc::clone(&child), output, log, name, news.clone())?;
        }
        Ok(Started { child: Some(child), input })
    }

    /// One that is reached in another way: lines for it are taken by `input`, and that it is gone means its end.
    pub(crate) fn elsewhere(input: impl Write + Send + 'static) -> std::io::Result<Self> {
        Ok(Started { child: None, input: Some(talk(input)?) })
    }

    /// Hands over the first line.
    pub(crate) fn request(&mut self, request: &Request) {
        self.write(request);
    }

    /// Says something. That it is gone is heard of elsewhere.
    pub(crate) fn say(&mut self, word: &Word) {
        self.write(word);
    }

    /// Passes on a line that came from elsewhere. The secret of the cluster, which does not travel, joins the request.
    pub(crate) fn pass(&mut self, line: String, secret: Secret) {
        match serde_json::from_str::<Request>(&line) {
            Ok(request) => self.write(&Request { cluster: Some(secret), ..request }),
            Err(_) => self.send(line),
        }
    }

    /// Tells a machine that is inspected where the others listen.
    pub(crate) fn introduce(&mut self, others: &Others) {
        self.write(others);
    }

    fn write(&mut self, value: &impl serde::Serialize) {
        if let Ok(line) = serde_json::to_string(value) {
            self.send(line);
        }
    }

    fn send(&self, line: String) {
        if let Some(input) = &self.input {
            // Fails only if it is gone, which is heard of elsewhere.
            let _ = input.send(line);
        }
    }

    /// Says no more to it: a process that has no task yet ends with its input.
    pub(crate) fn hang_up(&mut self) {
        self.input = None;
    }

    /// Ends the command that started it, and with its input what listens to that.
    pub(crate) fn kill(&mut self) {
        self.input = None;
        if let Some(child) = &self.child {
            // Fails only if it has ended already.
            let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs commands that end processes, side by side, and does not wait long for a machine that cannot be reached.
pub(crate) fn end_all(commands: Vec<Command>) {
    let quiet = |mut command: Command| {
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
    };
    let mut running: Vec<Child> = commands.into_iter().filter_map(quiet).collect();
    let until = Instant::now() + Duration::from_secs(u64::from(SHORT) + 3);
    while running.iter_mut().any(|child| matches!(child.try_wait(), Ok(None))) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    for mut child in running {
        // Fails only if it has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Writes lines into the input of a process until there are no more, and signs of life in between once it has its request.
fn talk(mut input: impl Write + Send + 'static) -> std::io::Result<Sender<String>> {
    let (send, receive) = channel::<String>();
    let beat = serde_json::to_string(&Word::Beat)?;
    std::thread::Builder::new().name("orders".to_owned()).spawn(move || {
        let mut requested = false;
        loop {
            let line = match receive.recv_timeout(BEAT) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) if requested => beat.clone(),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            requested = true;
            if writeln!(input, "{line}").and_then(|()| input.flush()).is_err() {
                break;
            }
        }
    })?;
    Ok(send)
}

/// Listens to both outputs of a process. The end is told when both are through, so that its last words come before.
fn listen(
    child: Arc<Mutex<Child>>,
    output: impl Read + Send + 'static,
    log: impl Read + Send + 'static,
    name: usize,
    news: Sender<(usize, News)>,
) -> std::io::Result<()> {
    let logged = news.clone();
    let logs = std::thread::Builder::new().name("log".to_owned()).spawn(move || {
        lines(log, |line| drop(logged.send((name, News::Log(line)))));
    })?;
    std::thread::Builder::new().name("news".to_owned()).spawn(move || {
        lines(output, |line| drop(news.send((name, said(line)))));
        let _ = logs.join();
        let _ = news.send((name, News::Ended(end_of(&child))));
    })?;
    Ok(())
}

/// What a line on standard output means. A greeting of a login shell, say, means nothing.
pub(crate) fn said(line: String) -> News {
    match serde_json::from_str(&line) {
        Ok(told) => News::Told(Box::new(told)),
        Err(_) => News::Log(line),
    }
}

/// Waits for the end of a process that has closed its outputs. It can still be killed meanwhile.
fn end_of(child: &Mutex<Child>) -> Ending {
    loop {
        match child.lock().unwrap_or_else(PoisonError::into_inner).try_wait() {
            Ok(Some(status)) => return status.into(),
            Ok(None) => {}
            Err(error) => return Ending { code: None, text: error.to_string() },
        }
        std::thread::sleep(PAUSE);
    }
}

/// Calls `take` with each line. What is longer than any line of ours is cut.
pub(crate) fn lines(from: impl Read, mut take: impl FnMut(String)) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        take(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_sees_its_gpu_and_one_without_none() {
        let place = |gpu, trains| Place { host: 0, slot: 0, trains, gpu, prepares: true };
        assert_eq!(visible(&place(Some(1), true), None).as_deref(), Some("1"));
        assert_eq!(visible(&place(Some(1), true), Some("4,7")).as_deref(), Some("7"));
        assert_eq!(visible(&place(None, true), Some("4,7")).as_deref(), Some(""));
        assert_eq!(visible(&place(None, false), None), None);
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
