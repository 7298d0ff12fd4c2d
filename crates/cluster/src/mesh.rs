//! Connects every process of a run with every other, over authenticated sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::handshake::{HandshakeError, Identity, Secret, accept, dial};

/// How long all processes together may take to start and find each other.
const GATHERING: Duration = Duration::from_secs(60);

/// Why the processes did not come together.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// The address to listen on cannot be had.
    #[error("cannot listen on {address}: {reason}. Free the port, or choose another with `--listen`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: std::io::Error,
    },
    /// Some processes never came.
    #[error("only {present} of {expected} processes came within {seconds} s")]
    Missing {
        /// Processes present, this one included.
        present: usize,
        /// Processes expected.
        expected: usize,
        /// The time they had.
        seconds: u64,
    },
    /// The handshake with a process failed.
    #[error("process {index}: {reason}")]
    Handshake {
        /// The process, as far as known.
        index: u32,
        /// What went wrong.
        reason: HandshakeError,
    },
    /// A socket failed.
    #[error("connecting the processes failed: {0}")]
    Io(#[from] std::io::Error),
    /// The training nodes did not find each other.
    #[error(transparent)]
    Group(#[from] millstream_c10d::C10Error),
    /// The run is stopping, so nobody needs to come any more.
    #[error("stopped while the processes were gathering")]
    Stopped,
}

/// Listens on an address of this machine; port 0 takes any free one.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, MeshError> {
    TcpListener::bind(address).map_err(|reason| MeshError::Listen { address, reason })
}

/// The sockets to all other processes, by index, with nothing at one's own.
pub(crate) type Sockets = Vec<Option<TcpStream>>;

/// Process 0: waits for the others, then tells each where its peers listen.
pub(crate) fn gather(
    listener: &TcpListener,
    me: Identity,
    processes: usize,
    secret: &Secret,
    stopped: impl Fn() -> bool,
) -> Result<Sockets, MeshError> {
    let (mut sockets, mut ports) = (empty(processes), vec![me.port; processes]);
    admit(listener, me, secret, stopped, &mut sockets, |peer| ports[peer.index as usize] = peer.port)?;
    for socket in sockets.iter_mut().flatten() {
        for port in &ports {
            socket.write_all(&port.to_le_bytes())?;
        }
    }
    release(&mut sockets)?;
    Ok(sockets)
}

/// Any other process: dials process 0, learns where the others are, dials those before it and awaits those after it.
pub(crate) fn join(
    chief: SocketAddr,
    listener: &TcpListener,
    me: Identity,
    processes: usize,
    secret: &Secret,
) -> Result<Sockets, MeshError> {
    let mut sockets = empty(processes);
    let mut socket = meet(chief, me, 0, secret)?;
    // The chief answers only when all have come.
    socket.set_read_timeout(Some(GATHERING))?;
    let mut ports = vec![[0; 2]; processes];
    for port in &mut ports {
        socket.read_exact(port)?;
    }
    sockets[0] = Some(socket);
    for index in 1..me.index as usize {
        let address = SocketAddr::new(chief.ip(), u16::from_le_bytes(ports[index]));
        sockets[index] = Some(meet(address, me, index as u32, secret)?);
    }
    // Those after this one dial; those before are there already.
    admit(listener, me, secret, || false, &mut sockets, |_| {})?;
    release(&mut sockets)?;
    Ok(sockets)
}

fn empty(processes: usize) -> Sockets {
    (0..processes).map(|_| None).collect()
}

fn meet(address: SocketAddr, me: Identity, index: u32, secret: &Secret) -> Result<TcpStream, MeshError> {
    let mut socket = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
    let refused = |reason| MeshError::Handshake { index, reason };
    let peer = dial(&mut socket, me, secret).map_err(refused)?;
    if peer.index == index { Ok(socket) } else { Err(refused(HandshakeError::Foreign)) }
}

/// Accepts connections until every place after `me` is filled. Strangers are turned away; a silent one holds up the others for a moment.
fn admit(
    listener: &TcpListener,
    me: Identity,
    secret: &Secret,
    stopped: impl Fn() -> bool,
    sockets: &mut Sockets,
    mut arrived: impl FnMut(Identity),
) -> Result<(), MeshError> {
    let deadline = Instant::now() + GATHERING;
    let first = me.index as usize + 1;
    listener.set_nonblocking(true)?;
    while sockets[first..].iter().any(Option::is_none) {
        if stopped() {
            return Err(MeshError::Stopped);
        }
        match listener.accept() {
            Ok((socket, from)) => {
                if let Some((peer, socket)) = welcome(socket, from, me, secret, sockets)? {
                    arrived(peer);
                    sockets[peer.index as usize] = Some(socket);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => return Err(error.into()),
        }
        if Instant::now() > deadline {
            let present = 1 + sockets.iter().flatten().count();
            return Err(MeshError::Missing { present, expected: sockets.len(), seconds: GATHERING.as_secs() });
        }
    }
    Ok(())
}

/// Shakes hands with a newcomer. A process that knows the secret but has another plan is an error of the run;
/// anybody else is only turned away.
fn welcome(
    mut socket: TcpStream,
    from: SocketAddr,
    me: Identity,
    secret: &Secret,
    sockets: &Sockets,
) -> Result<Option<(Identity, TcpStream)>, MeshError> {
    socket.set_nonblocking(false)?;
    match accept(&mut socket, me, secret) {
        Ok(peer) if peer.index > me.index && sockets.get(peer.index as usize).is_some_and(Option::is_none) => {
            Ok(Some((peer, socket)))
        }
        Err(reason @ HandshakeError::Plan { index }) => Err(MeshError::Handshake { index, reason }),
        Ok(_) | Err(_) => {
            tracing::warn!(%from, "turned away a connection that does not belong to this run");
            Ok(None)
        }
    }
}

/// From here on timely reads and writes, and waits as long as it takes.
fn release(sockets: &mut Sockets) -> std::io::Result<()> {
    for socket in sockets.iter_mut().flatten() {
        socket.set_read_timeout(None)?;
        socket.set_write_timeout(None)?;
    }
    Ok(())
}

/// The loopback address with any free port.
pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_processes_and_a_rogue_make_a_mesh_of_four() {
        let chief = listen(loopback()).unwrap();
        let address = chief.local_addr().unwrap();
        let me = |index, port| Identity { index, generation: 1, plan: [3; 32], port };
        let rogue =
            std::thread::spawn(move || TcpStream::connect(address).unwrap().write_all(b"GET / HTTP/1.1\r\n\r\n"));
        let others: Vec<_> = (1..4)
            .map(|index| {
                std::thread::spawn(move || {
                    let listener = listen(loopback()).unwrap();
                    let port = listener.local_addr().unwrap().port();
                    join(address, &listener, me(index, port), 4, &[7; 32]).unwrap()
                })
            })
            .collect();
        let mut mesh = vec![gather(&chief, me(0, address.port()), 4, &[7; 32], || false).unwrap()];
        mesh.extend(others.into_iter().map(|other| other.join().unwrap()));
        rogue.join().unwrap().unwrap();
        let pairs = (0..4_usize).flat_map(|from| (0..4).filter(move |to| *to != from).map(move |to| (from, to)));
        for (from, to) in pairs {
            mesh[from][to].as_mut().unwrap().write_all(&[from as u8]).unwrap();
            let mut got = [0];
            mesh[to][from].as_mut().unwrap().read_exact(&mut got).unwrap();
            assert_eq!(got, [from as u8]);
        }
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = listen(loopback()).unwrap();
        let error = listen(taken.local_addr().unwrap()).unwrap_err().to_string();
        assert!(error.contains(&taken.local_addr().unwrap().to_string()) && error.contains("--listen"), "{error}");
    }
}
