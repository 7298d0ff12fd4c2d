//! What it costs that there are several processes: sums over training nodes, and batches on their way from one process to another.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millstream_dataflow::{Stop, StopReason, Traffic};
use timely::worker::Worker;

use crate::error::ClusterError;
use crate::group::{Group, on_workers};
use crate::meeting::meet;
use crate::mesh::MeshError;
use crate::team::Team;

/// Messages of a turn that are not counted: by then all buffers are there.
const WARMUP: u32 = 8;

/// How long each of some sums over two training nodes takes, by the bytes of their 32-bit floats. Both processes of the team must
/// ask for the same.
///
/// # Errors
/// The processes did not come together, or one of them is gone.
pub fn all_reduce(team: &mut Team, sizes: &[usize], repetitions: usize) -> Result<Vec<Vec<Duration>>, ClusterError> {
    let sockets = team.connect()?;
    let Some(group) = meet(&sockets, team.index(), team.processes())? else { return Ok(Vec::new()) };
    let time = |bytes: &usize| group.time_all_reduce(bytes / size_of::<f32>(), repetitions);
    let times = sizes.iter().map(time).collect::<Result<_, _>>().map_err(MeshError::Group)?;
    // Whoever is done first would be missed at the end of the last sum.
    group.barrier().map_err(MeshError::Group)?;
    Ok(times)
}

/// What is sent from one process to another, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Exchanging {
    /// The messages of a turn; some more come before them and are not counted.
    pub traffic: Traffic,
    /// Turns of the stream, and as many of plain TCP between them.
    pub turns: usize,
}

/// How fast two processes exchange batches.
#[derive(Clone, Debug, Default)]
pub struct ExchangeReading {
    /// Bytes of a message.
    pub message: usize,
    /// Bytes a second of the stream, by turn.
    pub stream: Vec<f64>,
    /// The same of messages of that size over a socket, written and read whole by a thread that does nothing else.
    pub socket: Vec<f64>,
}

/// Sends parts of batches from the second process of a team to the first as the stream does, and in turn as many bytes over a socket
/// of its own. The second process learns nothing of it.
///
/// # Errors
/// The processes did not come together, or one of them is gone.
pub fn exchange(team: &mut Team, asked: Exchanging) -> Result<ExchangeReading, ClusterError> {
    let group = Group::of(1, team.index(), team.connect()?);
    let plain = team.connect()?.into_iter().flatten().next();
    let plain = plain.ok_or(ClusterError::Process { index: 1, problem: "is missing".to_owned() })?;
    let (results, read) = channel();
    let ends = Arc::new(Mutex::new(Ends { plain, sends: team.index() > 0, results }));
    let stop = Stop::new();
    let broken = stop.clone();
    let work = move |worker: &mut Worker| {
        let mut ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
        let done = (0..asked.turns).try_for_each(|_| ends.turn(worker, &asked.traffic));
        if let Err(error) = done {
            broken.set(StopReason::Failed(format!("the socket to the other process broke: {error}")));
        }
    };
    on_workers(group, &stop, work)?;
    match stop.reason() {
        Some(reason) => Err(reason.clone().into()),
        None => Ok(reading(asked.traffic.message_bytes(), &read)),
    }
}

/// The seconds that a turn of each kind took, and the bytes that were counted in it.
struct Turn {
    stream: f64,
    socket: f64,
    messages: u32,
}

fn reading(message: usize, turns: &Receiver<Turn>) -> ExchangeReading {
    let mut reading = ExchangeReading { message, ..ExchangeReading::default() };
    for Turn { stream, socket, messages } in turns.try_iter() {
        let bytes = message as f64 * f64::from(messages);
        reading.stream.push(bytes / stream);
        reading.socket.push(bytes / socket);
    }
    reading
}

/// One end of the two ways between the processes, but for the stream's, which its worker has.
struct Ends {
    plain: TcpStream,
    sends: bool,
    results: Sender<Turn>,
}

impl Ends {
    /// Once over the stream and once over the socket.
    fn turn(&mut self, worker: &mut Worker, traffic: &Traffic) -> std::io::Result<()> {
        let (messages, size) = (traffic.parts, traffic.message_bytes());
        let all = Traffic { parts: messages.saturating_add(WARMUP), ..*traffic };
        let clock = Arc::new(Mutex::new(Clock::default()));
        let ticking = Arc::clone(&clock);
        all.run(worker, move |_| ticking.lock().unwrap_or_else(PoisonError::into_inner).tick());
        let mut plain = Clock::default();
        let mut buffer = vec![7; size];
        for _ in 0..all.parts {
            if self.sends {
                self.plain.write_all(&buffer)?;
            } else {
                self.plain.read_exact(&mut buffer)?;
                plain.tick();
            }
        }
        let stream = clock.lock().unwrap_or_else(PoisonError::into_inner).seconds();
        if let (Some(stream), Some(socket)) = (stream, plain.seconds()) {
            // Fails only when nobody waits any more.
            let _ = self.results.send(Turn { stream, socket, messages });
        }
        Ok(())
    }
}

/// Takes the time from the last message that is not counted to the last one that is.
#[derive(Default)]
struct Clock {
    seen: u32,
    begun: Option<Instant>,
    ended: Option<Instant>,
}

impl Clock {
    fn tick(&mut self) {
        self.seen += 1;
        match self.seen {
            WARMUP => self.begun = Some(Instant::now()),
            seen if seen > WARMUP => self.ended = Some(Instant::now()),
            _ => {}
        }
    }

    fn seconds(&self) -> Option<f64> {
        Some((self.ended? - self.begun?).as_secs_f64())
    }
}
