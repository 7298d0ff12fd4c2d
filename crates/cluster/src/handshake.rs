//! How two processes of a run come to trust a connection, before a byte of the stream is parsed.
//!
//! Stages, over a fresh TCP connection with time-outs on every read and write:
//! 1. The dialer sends a fixed-size *hello*: magic, its index, generation, plan hash, the port where it
//!    listens itself, and a nonce.
//! 2. The acceptor answers with its own hello and a proof: a keyed hash (blake3, the run's secret as key) over
//!    the role "acceptor" and both hellos.
//! 3. The dialer checks the proof and sends its own, with the role "dialer".
//! 4. The acceptor checks that. Both then compare generation and plan hash.
//!
//! The secret itself never travels. A stranger learns nothing but that somebody listens. The stream that
//! follows is plain TCP: between machines, put it inside a tunnel.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The version of this protocol and of what follows it.
const MAGIC: [u8; 8] = *b"mstream1";

/// How long the dialed side may take for all it says: it may be busy with others.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a dialer may take for all it says. It has nothing else to do.
const SHORT_PATIENCE: Duration = Duration::from_secs(3);

/// The secret of one run, shared by its processes and nobody else.
pub(crate) type Secret = [u8; 32];

const HELLO: usize = 8 + 4 + 8 + 32 + 2 + 32;

/// What a process says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Process index, 0 for the one that launched the others.
    pub(crate) index: u32,
    /// Incarnation of the process group. An old one cannot join a new one.
    pub(crate) generation: u64,
    /// The hash of plan and data. Equal on all processes, or their results would differ.
    pub(crate) plan: [u8; 32],
    /// The port where the process accepts its peers.
    pub(crate) port: u16,
}

/// Why a connection is refused.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The connection broke or was too slow.
    #[error("the connection broke during the handshake: {0}")]
    Io(#[from] std::io::Error),
    /// The other side speaks something else.
    #[error("the other side is not a Millstream process of this version")]
    Foreign,
    /// The other side does not know the secret.
    #[error("the other side does not know this run's secret")]
    Proof,
    /// The other side belongs to an earlier or later incarnation of the run.
    #[error("process {index} belongs to generation {theirs}, this is generation {ours}")]
    Generation {
        /// The other process.
        index: u32,
        /// Its generation.
        theirs: u64,
        /// Ours.
        ours: u64,
    },
    /// The other side reads another pipeline or other data.
    #[error("process {index} has another plan hash: its pipeline or its data differ from ours")]
    Plan {
        /// The other process.
        index: u32,
    },
}

/// Shakes hands as the side that dialed. Returns who answered.
pub(crate) fn dial(stream: &mut TcpStream, me: Identity, secret: &Secret) -> Result<Identity, HandshakeError> {
    let until = be_patient(stream, PATIENCE)?;
    let mine = hello(me);
    stream.write_all(&mine)?;
    let (theirs, proof): ([u8; HELLO], [u8; 32]) = (receive(stream, until)?, receive(stream, until)?);
    let peer = parse(&theirs)?;
    check(&proof, secret, "acceptor", &mine, &theirs)?;
    stream.write_all(prove(secret, "dialer", &mine, &theirs).as_bytes())?;
    agree(me, peer)
}

/// Shakes hands as the side that was dialed. Returns who dialed.
pub(crate) fn accept(stream: &mut TcpStream, me: Identity, secret: &Secret) -> Result<Identity, HandshakeError> {
    let until = be_patient(stream, SHORT_PATIENCE)?;
    let theirs: [u8; HELLO] = receive(stream, until)?;
    let peer = parse(&theirs)?;
    let mine = hello(me);
    stream.write_all(&mine)?;
    stream.write_all(prove(secret, "acceptor", &theirs, &mine).as_bytes())?;
    check(&receive(stream, until)?, secret, "dialer", &theirs, &mine)?;
    agree(me, peer)
}

/// Sets the time-outs of a stream. Returns when everything must have been said.
fn be_patient(stream: &TcpStream, patience: Duration) -> std::io::Result<Instant> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    Ok(Instant::now() + patience)
}

/// Receives a message of fixed size, by that time: whoever sends a byte now and then does not get more of it.
fn receive<const N: usize>(stream: &mut TcpStream, until: Instant) -> std::io::Result<[u8; N]> {
    let (mut bytes, mut filled) = ([0; N], 0);
    while filled < N {
        let left = until.saturating_duration_since(Instant::now());
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(&mut bytes[filled..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            _ if left.is_zero() => return Err(ErrorKind::TimedOut.into()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

fn hello(me: Identity) -> [u8; HELLO] {
    let mut bytes = [0; HELLO];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&me.index.to_le_bytes());
    bytes[12..20].copy_from_slice(&me.generation.to_le_bytes());
    bytes[20..52].copy_from_slice(&me.plan);
    bytes[52..54].copy_from_slice(&me.port.to_le_bytes());
    bytes[54..].copy_from_slice(&fresh_bytes());
    bytes
}

fn parse(bytes: &[u8; HELLO]) -> Result<Identity, HandshakeError> {
    if bytes[..8] != MAGIC {
        return Err(HandshakeError::Foreign);
    }
    let (mut index, mut generation, mut plan, mut port) = ([0; 4], [0; 8], [0; 32], [0; 2]);
    index.copy_from_slice(&bytes[8..12]);
    generation.copy_from_slice(&bytes[12..20]);
    plan.copy_from_slice(&bytes[20..52]);
    port.copy_from_slice(&bytes[52..54]);
    Ok(Identity {
        index: u32::from_le_bytes(index),
        generation: u64::from_le_bytes(generation),
        plan,
        port: u16::from_le_bytes(port),
    })
}

fn prove(secret: &Secret, role: &str, dialer: &[u8], acceptor: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(secret);
    hasher.update(role.as_bytes()).update(dialer).update(acceptor);
    hasher.finalize()
}

fn check(proof: &[u8; 32], secret: &Secret, role: &str, dialer: &[u8], acceptor: &[u8]) -> Result<(), HandshakeError> {
    // The comparison of blake3 hashes takes constant time.
    match blake3::Hash::from_bytes(*proof) == prove(secret, role, dialer, acceptor) {
        true => Ok(()),
        false => Err(HandshakeError::Proof),
    }
}

fn agree(me: Identity, peer: Identity) -> Result<Identity, HandshakeError> {
    let index = peer.index;
    if peer.generation != me.generation {
        return Err(HandshakeError::Generation { index, theirs: peer.generation, ours: me.generation });
    }
    if peer.plan != me.plan {
        return Err(HandshakeError::Plan { index });
    }
    Ok(peer)
}

/// The secret of a run: what was drawn for it, or where that travels in the open, what the secret of the cluster makes of it.
pub(crate) fn run_secret(drawn: Secret, cluster: Option<Secret>) -> Secret {
    cluster.map_or(drawn, |cluster| *blake3::keyed_hash(&cluster, &drawn).as_bytes())
}

/// 32 bytes that nobody can guess, from the operating system.
pub(crate) fn fresh_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut filled = 0;
    while filled < bytes.len() {
        // Cannot fail for so few bytes once the system is up; a signal only makes it try again.
        if let Ok(n) = rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            filled += n;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn identity(index: u32, generation: u64, plan: u8) -> Identity {
        Identity { index, generation, plan: [plan; 32], port: 7000 + index as u16 }
    }

    type Outcome = Result<Identity, HandshakeError>;

    fn shake(dialer: (Identity, Secret), acceptor: (Identity, Secret)) -> (Outcome, Outcome) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let other = std::thread::spawn(move || dial(&mut TcpStream::connect(address).unwrap(), dialer.0, &dialer.1));
        let accepted = accept(&mut listener.accept().unwrap().0, acceptor.0, &acceptor.1);
        (other.join().unwrap(), accepted)
    }

    #[test]
    fn equals_meet() {
        let (a, b) = (identity(1, 5, 9), identity(0, 5, 9));
        let (dialed, accepted) = shake((a, [1; 32]), (b, [1; 32]));
        assert_eq!((dialed.unwrap(), accepted.unwrap()), (b, a));
    }

    #[test]
    fn a_wrong_secret_an_old_generation_and_another_plan_are_refused() {
        let me = identity(0, 5, 9);
        let (dialed, accepted) = shake((identity(1, 5, 9), [2; 32]), (me, [1; 32]));
        assert!(matches!(dialed, Err(HandshakeError::Proof)) && accepted.is_err());
        let (_, accepted) = shake((identity(1, 4, 9), [1; 32]), (me, [1; 32]));
        assert!(matches!(accepted, Err(HandshakeError::Generation { index: 1, theirs: 4, ours: 5 })));
        let (_, accepted) = shake((identity(1, 5, 8), [1; 32]), (me, [1; 32]));
        assert!(matches!(accepted, Err(HandshakeError::Plan { index: 1 })));
    }

    /// One byte at a time would keep a connection open for minutes if each had a time-out of its own.
    #[test]
    fn whoever_drips_is_cut_off() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut rogue = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut socket, _) = listener.accept().unwrap();
        let drip = std::thread::spawn(move || {
            let bytes = hello(identity(1, 1, 1));
            let sent = bytes.iter().take_while(|byte| {
                std::thread::sleep(Duration::from_millis(100));
                rogue.write_all(&[**byte]).is_ok()
            });
            sent.count()
        });
        assert!(matches!(accept(&mut socket, identity(0, 1, 1), &[1; 32]), Err(HandshakeError::Io(_))));
        drop(socket);
        assert!(drip.join().unwrap() < HELLO);
    }

    #[test]
    fn garbage_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut rogue = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        rogue.write_all(&[b'x'; 4096]).unwrap();
        let accepted = accept(&mut listener.accept().unwrap().0, identity(0, 1, 1), &[1; 32]);
        assert!(matches!(accepted, Err(HandshakeError::Foreign)));
    }
}
