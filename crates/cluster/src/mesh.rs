//! Connects every process of a run with every other, over authenticated sockets.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use millstream_spec::LOCALHOST;

use crate::door::Door;
use crate::handshake::{HandshakeError, Identity, Secret, dial};

/// How long all processes together may take to start, look at the data and find each other. Whoever started them notices sooner if one
/// has failed.
const GATHERING: Duration = Duration::from_secs(600);
/// How often to look at whether the run is stopping while others are awaited.
const TURN: Duration = Duration::from_millis(20);
/// How long a connection may take to be opened.
const CONNECTING: Duration = Duration::from_secs(10);

/// Why the processes did not come together.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// The address to listen on cannot be had.
    #[error(
        "cannot listen on {address}: {reason}. Free the port, or choose another: `--listen` of `run`, `port` in a hosts file"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The name of a machine means nothing to it.
    #[error("the name `{host}` has no address here: {reason}. Mend the name or set `address` in the hosts file")]
    Unknown {
        /// The name.
        host: String,
        /// What the system says.
        reason: std::io::Error,
    },
    /// A process cannot be reached.
    #[error(
        "cannot connect to process {index} at {address}: {reason}. Look at its firewall and at `address` and `port` in the hosts file"
    )]
    Unreachable {
        /// The process.
        index: u32,
        /// Where it should be.
        address: String,
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

/// Any other process: dials process 0, learns which ports the others have, dials those before it and awaits those after it.
/// `addresses` are those of all processes; of the ports only that of process 0 counts.
pub(crate) fn join(
    addresses: &[(String, u16)],
    listener: &TcpListener,
    me: Identity,
    secret: &Secret,
    stopped: impl Fn() -> bool,
) -> Result<Sockets, MeshError> {
    let mut sockets = empty(addresses.len());
    let dial = |index: usize, port: u16| meet((&addresses[index].0, port), me, index as u32, secret);
    let mut socket = dial(0, addresses[0].1)?;
    // The chief answers only when all have come.
    socket.set_read_timeout(Some(GATHERING))?;
    let mut ports = vec![[0; 2]; addresses.len()];
    for port in &mut ports {
        socket.read_exact(port)?;
    }
    sockets[0] = Some(socket);
    for index in 1..me.index as usize {
        sockets[index] = Some(dial(index, u16::from_le_bytes(ports[index]))?);
    }
    // Those after this one dial; those before are there already.
    admit(listener, me, secret, stopped, &mut sockets, |_| {})?;
    release(&mut sockets)?;
    Ok(sockets)
}

fn empty(processes: usize) -> Sockets {
    (0..processes).map(|_| None).collect()
}

fn meet((host, port): (&str, u16), me: Identity, index: u32, secret: &Secret) -> Result<TcpStream, MeshError> {
    let unreachable = |reason| MeshError::Unreachable { index, address: format!("{host}:{port}"), reason };
    let mut socket = connect(host, port, CONNECTING).map_err(unreachable)?;
    let refused = |reason| MeshError::Handshake { index, reason };
    let peer = dial(&mut socket, me, secret).map_err(refused)?;
    if peer.index == index { Ok(socket) } else { Err(refused(HandshakeError::Foreign)) }
}

/// Opens a connection to the first address of a host that answers.
pub(crate) fn connect(host: &str, port: u16, patience: Duration) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The address of this machine that others know as `host`. Where its own name means the loopback here, as Debian has it, that is any.
pub(crate) fn own_address(host: &str, port: u16) -> Result<SocketAddr, MeshError> {
    let unknown = |reason| MeshError::Unknown { host: host.to_owned(), reason };
    let mut addresses = (host, port).to_socket_addrs().map_err(unknown)?;
    let address = addresses.next().ok_or_else(|| unknown(std::io::Error::other("the name has no address")))?;
    let named = host.parse::<IpAddr>().is_err() && host != LOCALHOST;
    Ok(if named && address.ip().is_loopback() { SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port) } else { address })
}

/// Lets others in until every place after `me` is filled. A process that knows the secret but has another plan is an error of the
/// run; anybody else is only turned away.
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
    let door = Door::open(listener.try_clone()?, me, *secret)?;
    while sockets[first..].iter().any(Option::is_none) {
        if stopped() {
            return Err(MeshError::Stopped);
        }
        match door.arrivals.recv_timeout(TURN) {
            Ok(Ok((peer, socket))) if wanted(peer, me, sockets) => {
                arrived(peer);
                sockets[peer.index as usize] = Some(socket);
            }
            Ok(Err(reason @ HandshakeError::Plan { index })) => return Err(MeshError::Handshake { index, reason }),
            Ok(_) => tracing::warn!("turned away a process that is there already, or of another generation"),
            Err(_) => {}
        }
        if Instant::now() > deadline {
            let present = 1 + sockets.iter().flatten().count();
            return Err(MeshError::Missing { present, expected: sockets.len(), seconds: GATHERING.as_secs() });
        }
    }
    Ok(())
}

/// Whether a process comes after this one, and is not here yet.
fn wanted(peer: Identity, me: Identity, sockets: &Sockets) -> bool {
    peer.index > me.index && sockets.get(peer.index as usize).is_some_and(Option::is_none)
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
                    let addresses = vec![("127.0.0.1".to_owned(), address.port()); 4];
                    join(&addresses, &listener, me(index, port), &[7; 32], || false).unwrap()
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
