//! A task of a scheduler that lends its machine to task 0.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use millstream_dataflow::Stop;

use super::crew::Place;
use super::scheduled::{Down, GATHERING, SILENCE, Scheduled, Up, start, write};
use super::spawn::{Ending, News, Started, lines, local};
use crate::error::ClusterError;
use crate::handshake::{HandshakeError, Secret, dial};
use crate::mesh::{MeshError, connect};
use crate::orders::machine_name;

/// How often a task tries to reach task 0.
const RETRY: Duration = Duration::from_secs(1);

/// Lends this machine to task 0 until that lets it go. Returns the exit code that it is let go with.
///
/// # Errors
/// Task 0 cannot be reached, does not know the secret, or is gone.
pub fn lend(scheduled: &Scheduled, secret: [u8; 32], program: &Path, stop: &Stop) -> Result<u8, ClusterError> {
    let socket = reach(scheduled, &secret, stop)?;
    let reader = socket.try_clone().map_err(MeshError::Io)?;
    reader.set_read_timeout(Some(SILENCE)).map_err(MeshError::Io)?;
    let socket = Arc::new(Mutex::new(socket));
    let gpus = millstream_train::probe().cuda.map_or(0, |cuda| cuda.len()) as u16;
    let name = machine_name();
    write(&socket, &Up::Here { name, gpus }).map_err(MeshError::Io)?;
    let (send, news) = channel();
    let up = Arc::clone(&socket);
    start("news", move || pass_up(&news, &up))?;
    let mut lending = Lending { secret, program: program.to_owned(), processes: BTreeMap::new(), send, left: None };
    let (up, signal) = (socket, stop.clone());
    start("signals", move || {
        while signal.reason().is_none() {
            std::thread::sleep(RETRY / 4);
        }
        // Task 0 lets this one go when all is kept.
        let _ = write(&up, &Up::Signalled);
    })?;
    lines(reader, |line| {
        if let Ok(down) = serde_json::from_str(&line) {
            lending.obey(down);
        }
    });
    let lost = || ClusterError::Launch { problem: "task 0 is gone".to_owned(), code: 4, restarts: 0 };
    lending.left.ok_or_else(lost)
}

/// Passes on what processes say.
fn pass_up(news: &Receiver<(usize, News)>, socket: &Mutex<TcpStream>) {
    for (slot, news) in news {
        let slot = slot as u16;
        let up = match news {
            News::Told(told) => Up::Line { slot, line: serde_json::to_string(&told).unwrap_or_default() },
            News::Log(line) => Up::Log { slot, line },
            News::Ended(ending) => Up::Ended { slot, ending },
        };
        if write(socket, &up).is_err() {
            return;
        }
    }
}

/// Connects to task 0 as soon as it is there.
fn reach(scheduled: &Scheduled, secret: &Secret, stop: &Stop) -> Result<TcpStream, ClusterError> {
    let until = Instant::now() + GATHERING;
    loop {
        let reason = match connect(&scheduled.chief, scheduled.port, RETRY * 5) {
            Ok(mut socket) => match dial(&mut socket, scheduled.identity(scheduled.task), secret) {
                Ok(_) => return Ok(socket),
                // It may be busy, or not quite there yet.
                Err(HandshakeError::Io(reason)) => reason,
                Err(reason) => return Err(MeshError::Handshake { index: 0, reason }.into()),
            },
            Err(reason) => reason,
        };
        if Instant::now() > until || stop.reason().is_some() {
            let address = format!("{}:{}", scheduled.chief, scheduled.port);
            return Err(MeshError::Unreachable { index: 0, address, reason }.into());
        }
        std::thread::sleep(RETRY);
    }
}

/// The processes of a task that lends its machine.
struct Lending {
    secret: Secret,
    program: PathBuf,
    processes: BTreeMap<u16, Started>,
    send: Sender<(usize, News)>,
    left: Option<u8>,
}

impl Lending {
    fn obey(&mut self, down: Down) {
        match down {
            Down::Start { slot, gpu } => self.start(slot, gpu),
            Down::Line { slot, line } => {
                if let Some(started) = self.processes.get_mut(&slot) {
                    started.pass(line, self.secret);
                }
            }
            Down::End { slot } => drop(self.processes.remove(&slot)),
            Down::Beat => {}
            Down::Leave(code) => self.left = Some(code),
        }
    }

    fn start(&mut self, slot: u16, gpu: Option<u16>) {
        let local = local(&self.program, Path::new("."));
        let place = Place { host: 0, slot, trains: true, gpu, prepares: true };
        match local.start(&place, usize::from(slot), &self.send) {
            Ok(started) => drop(self.processes.insert(slot, started)),
            Err(error) => {
                let ending = Ending { code: None, text: format!("it could not be started: {error}") };
                let _ = self.send.send((usize::from(slot), News::Ended(ending)));
            }
        }
    }
}
