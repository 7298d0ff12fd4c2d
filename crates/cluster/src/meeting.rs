//! How training nodes find each other: over the sockets of the run, which are authenticated, before the stream gets them.
//!
//! PyTorch's own store takes orders from whoever connects. Here rank 0 keeps a table, and each other rank asks it on the
//! socket that it has to process 0: one byte for what is wanted, then key and value, each after its length.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use millstream_c10d::{C10Error, ProcessGroup, Rendezvous, RendezvousError, Table};

use crate::mesh::{MeshError, Sockets};

/// How long ranks may take to find each other.
const GATHERING: Duration = Duration::from_secs(60);
/// How long one rank may wait for the others in a step: the stream feeds all of them, and may have to wait for a disk or a network.
const STEP: Duration = Duration::from_secs(30 * 60);
/// The longest key and value.
const LONGEST: u32 = 1 << 20;

const DONE: u8 = 0;
const SET: u8 = 1;
const GET: u8 = 2;

/// The group of the first `ranks` processes, as seen by one of them; none for the others, and where there is one rank.
pub(crate) fn meet(sockets: &Sockets, index: usize, ranks: usize) -> Result<Option<ProcessGroup>, MeshError> {
    if ranks == 1 || index >= ranks {
        return Ok(None);
    }
    let group = match sockets.first() {
        Some(Some(chief)) => ask(chief, (index, ranks))?,
        _ => host(&sockets[1..ranks], ranks)?,
    };
    Ok(Some(group))
}

/// Rank 0: serves the others while it meets them.
fn host(others: &[Option<TcpStream>], ranks: usize) -> Result<ProcessGroup, MeshError> {
    let table = Arc::new(Table::new(GATHERING));
    let mut serving = Vec::new();
    let mut address = None;
    for socket in others.iter().flatten() {
        address = Some(socket.local_addr()?.ip());
        serving.push(serve(patient(socket)?, &table)?);
    }
    let group = join(table, address, (0, ranks));
    for thread in serving {
        match thread.join() {
            Ok(served) if group.is_ok() => served?,
            _ => {}
        }
    }
    Ok(group?)
}

/// Any other rank.
fn ask(chief: &TcpStream, at: (usize, usize)) -> Result<ProcessGroup, MeshError> {
    let address = chief.local_addr()?.ip();
    let far = Arc::new(Far(Mutex::new(patient(chief)?)));
    let group = join(Arc::clone(&far) as _, Some(address), at);
    far.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&[DONE])?;
    let released = patient(chief)?;
    released.set_read_timeout(None)?;
    Ok(group?)
}

fn join(meeting: Arc<dyn Rendezvous>, host: Option<IpAddr>, at: (usize, usize)) -> Result<ProcessGroup, C10Error> {
    ProcessGroup::new(meeting, host.unwrap_or(IpAddr::from([127, 0, 0, 1])), at, STEP)
}

/// Another handle of a socket. The time-outs are those of all handles; timely gets it without.
fn patient(socket: &TcpStream) -> std::io::Result<TcpStream> {
    let socket = socket.try_clone()?;
    socket.set_read_timeout(Some(GATHERING))?;
    Ok(socket)
}

/// Answers one rank from the table, until it is done.
fn serve(mut socket: TcpStream, table: &Arc<Table>) -> std::io::Result<JoinHandle<std::io::Result<()>>> {
    let table = Arc::clone(table);
    let work = move || {
        loop {
            let mut wanted = [DONE];
            socket.read_exact(&mut wanted)?;
            match wanted {
                [SET] => {
                    let (key, value) = (receive(&mut socket)?, receive(&mut socket)?);
                    table.set(&key, &value).map_err(std::io::Error::other)?;
                }
                [GET] => {
                    let value = table.get(&receive(&mut socket)?).map_err(std::io::Error::other)?;
                    send(&mut socket, &value)?;
                }
                _ => return socket.set_read_timeout(None),
            }
        }
    };
    std::thread::Builder::new().name("meeting".to_owned()).spawn(work)
}

/// The table of rank 0, from far away.
struct Far(Mutex<TcpStream>);

impl Rendezvous for Far {
    fn set(&self, key: &[u8], value: &[u8]) -> Result<(), RendezvousError> {
        let mut socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        socket.write_all(&[SET])?;
        send(&mut socket, key)?;
        Ok(send(&mut socket, value)?)
    }

    fn get(&self, key: &[u8]) -> Result<Vec<u8>, RendezvousError> {
        let mut socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        socket.write_all(&[GET])?;
        send(&mut socket, key)?;
        Ok(receive(&mut socket)?)
    }
}

fn send(socket: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    socket.write_all(&length.to_le_bytes())?;
    socket.write_all(bytes)
}

fn receive(socket: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(std::io::Error::other(format!("a message of {length} bytes; {LONGEST} are allowed")));
    }
    let mut bytes = vec![0; length as usize];
    socket.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn three_ranks_of_four_processes_meet_over_their_sockets() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let others: Vec<_> = (1..4)
            .map(|index| {
                let chief = TcpStream::connect(address).unwrap();
                let other = Some(listener.accept().unwrap().0);
                let thread = std::thread::spawn(move || {
                    let group = meet(&vec![Some(chief), None, None, None], index, 3).unwrap();
                    group.map(|group| group.barrier().map(|()| group.rank()).unwrap())
                });
                (other, thread)
            })
            .collect();
        let (sockets, threads): (Vec<_>, Vec<_>) = others.into_iter().unzip();
        let sockets: Sockets = std::iter::once(None).chain(sockets).collect();
        let group = meet(&sockets, 0, 3).unwrap().unwrap();
        group.barrier().unwrap();
        assert_eq!((group.rank(), group.ranks()), (0, 3));
        let ranks: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ranks, [Some(1), Some(2), None]);
        assert_eq!(sockets[1].as_ref().unwrap().read_timeout().unwrap(), None);
    }
}
