//! Lets in those who know the secret, however many others knock.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::handshake::{HandshakeError, Identity, Secret, accept};

/// Handshakes at a time. Whoever comes after that waits until one of these has failed or succeeded, at most for as long as one may take.
const AT_A_TIME: usize = 256;
/// How often a listener that has nobody to accept is looked at.
const PAUSE: Duration = Duration::from_millis(5);
/// How often strangers are told of.
const TELL: Duration = Duration::from_secs(1);

/// What becomes of those who come.
pub(crate) type Arrival = Result<(Identity, TcpStream), HandshakeError>;

/// A listener, and the handshakes that go on behind it. It is closed when this is dropped.
pub(crate) struct Door {
    /// Who was let in; and who knows the secret, but is of another run.
    pub(crate) arrivals: Receiver<Arrival>,
    closed: Arc<AtomicBool>,
    porter: Option<JoinHandle<()>>,
}

impl Door {
    /// Shakes hands with everybody who comes from now on.
    pub(crate) fn open(listener: TcpListener, me: Identity, secret: Secret) -> std::io::Result<Self> {
        listener.set_nonblocking(true)?;
        let (send, arrivals) = channel();
        let closed = Arc::new(AtomicBool::new(false));
        let porter = Porter { me, secret, send, busy: Arc::default(), strangers: Strangers::new() };
        let until = Arc::clone(&closed);
        let porter =
            std::thread::Builder::new().name("door".to_owned()).spawn(move || porter.serve(&listener, &until))?;
        Ok(Door { arrivals, closed, porter: Some(porter) })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Some(porter) = self.porter.take() {
            let _ = porter.join();
        }
    }
}

struct Porter {
    me: Identity,
    secret: Secret,
    send: Sender<Arrival>,
    busy: Arc<AtomicUsize>,
    strangers: Strangers,
}

impl Porter {
    fn serve(mut self, listener: &TcpListener, closed: &AtomicBool) {
        while !closed.load(Ordering::SeqCst) {
            let full = self.busy.load(Ordering::SeqCst) >= AT_A_TIME;
            match if full { Err(ErrorKind::WouldBlock.into()) } else { listener.accept() } {
                Ok((socket, from)) => self.greet(socket, from),
                // A connection that was given up before it was taken, or no more files: others may fare better.
                Err(_) => std::thread::sleep(PAUSE),
            }
            self.strangers.tell();
        }
    }

    /// Shakes hands on a thread of its own: whoever is slow holds up nobody.
    fn greet(&mut self, mut socket: TcpStream, from: SocketAddr) {
        let (me, secret, send, busy) = (self.me, self.secret, self.send.clone(), Arc::clone(&self.busy));
        let strangers = self.strangers.clone();
        busy.fetch_add(1, Ordering::SeqCst);
        let work = move || {
            let shaken = socket
                .set_nonblocking(false)
                .map_err(HandshakeError::from)
                .and_then(|()| accept(&mut socket, me, &secret));
            match shaken {
                Ok(peer) => drop(send.send(Ok((peer, socket)))),
                Err(error @ (HandshakeError::Plan { .. } | HandshakeError::Generation { .. })) => {
                    drop(send.send(Err(error)))
                }
                Err(error) => strangers.note(from, &error),
            }
            busy.fetch_sub(1, Ordering::SeqCst);
        };
        if std::thread::Builder::new().name("handshake".to_owned()).spawn(work).is_err() {
            self.busy.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Counts those who do not belong here, and tells of them now and then: they must not fill a disk with lines.
#[derive(Clone)]
struct Strangers {
    count: Arc<AtomicUsize>,
    told: Instant,
}

impl Strangers {
    fn new() -> Self {
        Strangers { count: Arc::default(), told: Instant::now() }
    }

    fn note(&self, from: SocketAddr, error: &HandshakeError) {
        tracing::debug!(%from, %error, "turned away");
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    fn tell(&mut self) {
        if self.told.elapsed() >= TELL {
            self.told = Instant::now();
            let count = self.count.swap(0, Ordering::SeqCst);
            if count > 0 {
                tracing::warn!(count, "turned away connections that do not belong to this run");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::handshake::dial;

    fn me(index: u32, plan: u8) -> Identity {
        Identity { index, generation: 1, plan: [plan; 32], port: 0 }
    }

    #[test]
    fn whoever_belongs_here_need_not_wait_for_those_who_say_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let door = Door::open(listener, me(0, 3), [7; 32]).unwrap();
        let silent: Vec<_> = (0..50).map(|_| TcpStream::connect(address).unwrap()).collect();
        TcpStream::connect(address).unwrap().write_all(&[b'x'; 500]).unwrap();
        dial(&mut TcpStream::connect(address).unwrap(), me(1, 3), &[8; 32]).unwrap_err();
        let begun = Instant::now();
        let mut socket = TcpStream::connect(address).unwrap();
        assert_eq!(dial(&mut socket, me(2, 3), &[7; 32]).unwrap().index, 0);
        let (peer, _) = door.arrivals.recv_timeout(Duration::from_secs(10)).unwrap().unwrap();
        assert_eq!(peer.index, 2);
        // One after the other they would take two seconds each.
        assert!(begun.elapsed() < Duration::from_secs(60));
        assert!(door.arrivals.try_recv().is_err(), "nobody else was let in");
        let _ = dial(&mut TcpStream::connect(address).unwrap(), me(3, 4), &[7; 32]);
        let refused = door.arrivals.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(matches!(refused, Err(HandshakeError::Plan { index: 3 })));
        drop((silent, door));
        assert!(TcpStream::connect(address).is_err(), "a closed door does not listen");
    }
}
