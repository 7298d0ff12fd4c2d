//! Strangers who try to get into a run, by the protocol of `crates/cluster/src/handshake.rs`: what they send is the same for the same
//! seed. Inside `Hosts::inside` they come from a machine.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const MAGIC: &[u8; 8] = b"mstream1";
const HELLO: usize = 86;
const PROOF: usize = 32;

/// How long a connection may stay open after the last byte of a stranger.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many attack at once.
const THREADS: usize = 8;

/// What became of the connections of an attack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Nobody listened, or nothing came of it in time.
    pub(crate) unreachable: usize,
    /// The peer said no more and closed, as it should.
    pub(crate) closed: usize,
    /// The peer said no more, but the connection stayed open longer than `PATIENCE`.
    pub(crate) lingered: usize,
    /// The peer went on talking: it was taken in.
    pub(crate) accepted: usize,
}

impl Tally {
    fn add(&mut self, end: End) {
        match end {
            End::Unreachable => self.unreachable += 1,
            End::Closed => self.closed += 1,
            End::Lingered => self.lingered += 1,
            End::Accepted => self.accepted += 1,
        }
    }
}

enum End {
    Unreachable,
    Closed,
    Lingered,
    Accepted,
}

/// Random bytes, of which a few kilobytes at most.
pub(crate) fn garbage(target: SocketAddr, count: usize, seed: u64) -> Tally {
    attack(target, count, seed, |stream, random| {
        let length = 1 + random.below(4096);
        let _ = stream.write_all(&random.bytes(length));
        watch(stream)
    })
}

/// The beginning of a hello, then either the end of the connection's writing half or silence.
pub(crate) fn truncated(target: SocketAddr, count: usize, seed: u64) -> Tally {
    attack(target, count, seed, |stream, random| {
        let length = random.below(HELLO);
        let _ = stream.write_all(&hello(random)[..length]);
        if random.below(2) == 0 {
            let _ = stream.shutdown(Shutdown::Write);
        }
        watch(stream)
    })
}

/// A whole hello, then a proof that is random, or the acceptor's own in return.
pub(crate) fn wrong_secret(target: SocketAddr, count: usize, seed: u64) -> Tally {
    attack(target, count, seed, |stream, random| {
        let _ = stream.write_all(&hello(random));
        let Some(answer) = answer(stream) else { return watch(stream) };
        let guess = random.bytes(PROOF);
        let _ = stream.write_all(if random.below(2) == 0 { &guess } else { &answer[HELLO..] });
        watch(stream)
    })
}

/// What a genuine dialer has sent (`Recorder::sent`), once more: its hello, then its proof and what followed.
pub(crate) fn replayed(target: SocketAddr, count: usize, recorded: &[u8]) -> Tally {
    let (hello, rest) = recorded.split_at(HELLO);
    attack(target, count, 0, |stream, _| {
        let _ = stream.write_all(hello);
        if answer(stream).is_some() {
            let _ = stream.write_all(rest);
        }
        watch(stream)
    })
}

/// So many connections, shared out among threads. What one sends depends only on the seed and its number.
fn attack(
    target: SocketAddr,
    count: usize,
    seed: u64,
    once: impl Fn(&mut TcpStream, &mut Random) -> End + Sync,
) -> Tally {
    let tally = Mutex::new(Tally::default());
    let some = |first: usize| {
        for number in (first..count).step_by(THREADS) {
            let mut random = Random(seed.wrapping_add((number as u64) << 32));
            let end = connect(target).map_or(End::Unreachable, |mut stream| once(&mut stream, &mut random));
            tally.lock().unwrap().add(end);
        }
    };
    std::thread::scope(|scope| (0..THREADS).for_each(|first| drop(scope.spawn(move || some(first)))));
    tally.into_inner().unwrap()
}

fn connect(target: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&target, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn hello(random: &mut Random) -> Vec<u8> {
    [MAGIC.as_slice(), &random.bytes(HELLO - MAGIC.len())].concat()
}

/// The hello and the proof of the peer.
fn answer(stream: &mut TcpStream) -> Option<[u8; HELLO + PROOF]> {
    let mut bytes = [0; HELLO + PROOF];
    stream.read_exact(&mut bytes).ok().map(|()| bytes)
}

/// What the peer does now that it has heard all.
fn watch(stream: &mut TcpStream) -> End {
    let start = Instant::now();
    match stream.read(&mut [0]) {
        Ok(0) => End::Closed,
        Ok(_) => End::Accepted,
        Err(_) if start.elapsed() >= PATIENCE => End::Lingered,
        Err(_) => End::Closed,
    }
}

/// SplitMix64: numbers that look random.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// Stands between a genuine dialer and its peer, passes on what both say, and keeps what the dialer says.
pub(crate) struct Recorder {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Recorder {
    /// Listens at a port of its own for one connection. Its threads are on the network of the caller.
    pub(crate) fn new(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&sent);
        std::thread::spawn(move || {
            let dialer = listener.accept().unwrap().0;
            let peer = TcpStream::connect(target).unwrap();
            let (back, to) = (peer.try_clone().unwrap(), dialer.try_clone().unwrap());
            std::thread::spawn(move || pass(back, to, |_| ()));
            pass(dialer, peer, |bytes| kept.lock().unwrap().extend_from_slice(bytes));
        });
        Recorder { address, sent }
    }

    /// Where the dialer is to dial.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What the dialer has sent so far.
    pub(crate) fn sent(&self) -> Vec<u8> {
        self.sent.lock().unwrap().clone()
    }
}

/// Passes on all that comes, and then its end.
fn pass(mut from: TcpStream, mut to: TcpStream, mut keep: impl FnMut(&[u8])) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        keep(&bytes[..length]);
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
