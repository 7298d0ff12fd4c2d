//! What processes without the run directory need of it: labels, models and the checkpoint to go on from.
//!
//! Process 0 sends these files over the sockets of the run, before the stream gets them, so that no disk has to be shared. Each
//! other process keeps them in a folder of its own that looks like the run directory, and is gone when it ends.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::checkpoint;
use crate::commit::Commit;
use crate::error::ClusterError;
use crate::mesh::{MeshError, Sockets};
use crate::run_dir::{model_file, round_folder};

/// How long a side may be silent while files are sent.
const SILENCE: Duration = Duration::from_secs(120);
/// The most files, and the longest name of one.
const MOST: u32 = 1 << 16;
const LONGEST_NAME: u16 = 1024;

/// The files of a run directory that a run needs to go on with a round, from a checkpoint if that is its middle.
pub(crate) fn needed(run: &Path, round: u32, from: Option<&Path>) -> Result<Vec<PathBuf>, ClusterError> {
    let committed = Commit::newest(run)?.map(|commit| commit.files).unwrap_or_default();
    let last = round.checked_sub(1);
    let labels = last.map(|last| format!("{}/labels.parquet", round_folder(last)));
    let wanted = |name: &&String| name.ends_with("dead_letters.parquet") || Some(*name) == labels.as_ref();
    let mut files: Vec<PathBuf> = committed.keys().filter(wanted).map(PathBuf::from).collect();
    let model = last.map(|last| model_file(Path::new(""), last)).filter(|model| run.join(model).exists());
    files.extend(model);
    files.extend(from.and_then(|from| from.strip_prefix(run).ok()).map(Path::to_owned));
    Ok(files)
}

/// Process 0: sends files to all others side by side. Training nodes that have theirs wait for those that have not, and not for long.
pub(crate) fn send(sockets: &Sockets, run: &Path, files: &[PathBuf]) -> Result<(), MeshError> {
    std::thread::scope(|threads| {
        let send = |socket| std::thread::Builder::new().spawn_scoped(threads, move || send_to(socket, run, files));
        let senders: Vec<_> = sockets.iter().flatten().map(send).collect::<io::Result<_>>()?;
        let panicked = |_| Err(io::Error::other("the thread that sent files panicked"));
        senders.into_iter().try_for_each(|sender| sender.join().unwrap_or_else(panicked))
    })?;
    Ok(())
}

fn send_to(socket: &TcpStream, run: &Path, files: &[PathBuf]) -> io::Result<()> {
    let mut socket = patient(socket)?;
    socket.write_all(&(files.len() as u32).to_le_bytes())?;
    files.iter().try_for_each(|name| send_file(&mut socket, run, name))?;
    release(&socket)
}

fn send_file(socket: &mut TcpStream, run: &Path, name: &Path) -> io::Result<()> {
    let mut file = File::open(run.join(name))?;
    let (text, length) = (name.to_string_lossy(), file.metadata()?.len());
    socket.write_all(&(text.len() as u16).to_le_bytes())?;
    socket.write_all(text.as_bytes())?;
    socket.write_all(&length.to_le_bytes())?;
    match io::copy(&mut Read::by_ref(&mut file).take(length), socket)? {
        sent if sent == length => Ok(()),
        _ => Err(io::Error::other(format!("{} became shorter while it was sent", name.display()))),
    }
}

/// Any other process: receives the files of process 0 into a folder. Returns their names.
pub(crate) fn receive(sockets: &Sockets, into: &Path) -> Result<Vec<PathBuf>, MeshError> {
    let Some(Some(chief)) = sockets.first() else {
        return Ok(Vec::new());
    };
    let mut socket = patient(chief)?;
    let count = u32::from_le_bytes(bytes(&mut socket)?);
    if count > MOST {
        return Err(io::Error::other(format!("{count} files; {MOST} are allowed")).into());
    }
    let names = (0..count).map(|_| receive_file(&mut socket, into)).collect::<io::Result<_>>()?;
    release(&socket)?;
    Ok(names)
}

fn receive_file(socket: &mut TcpStream, into: &Path) -> io::Result<PathBuf> {
    let length = u16::from_le_bytes(bytes(socket)?).min(LONGEST_NAME);
    let mut name = vec![0; usize::from(length)];
    socket.read_exact(&mut name)?;
    let name = PathBuf::from(String::from_utf8(name).map_err(io::Error::other)?);
    if !name.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(io::Error::other(format!("{} is no file of a run directory", name.display())));
    }
    let length = u64::from_le_bytes(bytes(socket)?);
    let path = into.join(&name);
    fs::create_dir_all(path.parent().unwrap_or(into))?;
    match io::copy(&mut socket.take(length), &mut File::create(&path)?)? {
        received if received == length => Ok(name),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn bytes<const N: usize>(socket: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    socket.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Another handle of a socket. The time-outs are those of all handles.
fn patient(socket: &TcpStream) -> io::Result<TcpStream> {
    socket.set_read_timeout(Some(SILENCE))?;
    socket.set_write_timeout(Some(SILENCE))?;
    socket.try_clone()
}

fn release(socket: &TcpStream) -> io::Result<()> {
    socket.set_read_timeout(None)?;
    socket.set_write_timeout(None)
}

/// The checkpoint among some files of a run directory.
pub(crate) fn checkpoint_among(files: &[PathBuf]) -> Option<&PathBuf> {
    files.iter().find(|name| name.starts_with(checkpoint::FOLDER))
}

/// A folder for as long as this process works: a stand-in for the run directory.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: tempfile::TempDir,
    /// Held, so that others know that the folder is in use.
    _lock: File,
}

/// How such folders begin.
const PREFIX: &str = "millstream-process-";
/// How old one must be to be taken for left behind.
const JUST_MADE: Duration = Duration::from_secs(60);
/// The file in them that is locked.
const LOCK: &str = ".lock";

impl Scratch {
    /// A new folder for temporary files. Removes those of processes that were killed.
    pub(crate) fn new() -> Result<Self, ClusterError> {
        let place = std::env::temp_dir();
        sweep(&place, JUST_MADE);
        let failed = |source| ClusterError::write(&place, source);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir().map_err(failed)?;
        let lock = File::create(folder.path().join(LOCK)).map_err(failed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| failed(error.into()))?;
        Ok(Scratch { folder, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes folders that nobody holds the lock of. One that has just been made may still be about to be locked.
fn sweep(place: &Path, age: Duration) {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let made = entry.metadata().and_then(|data| data.modified()).ok().and_then(|made| made.elapsed().ok());
        let free = made.is_some_and(|made| made >= age)
            && File::open(entry.path().join(LOCK))
                .is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok());
        if free {
            // Somebody else's, or gone already.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn files_arrive_as_they_were() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(from.path().join("rounds/000")).unwrap();
        fs::write(from.path().join("rounds/000/labels.parquet"), [7; 100_000]).unwrap();
        fs::write(from.path().join("empty"), "").unwrap();
        let files = [PathBuf::from("rounds/000/labels.parquet"), PathBuf::from("empty")];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let chief = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (other, _) = listener.accept().unwrap();
        let sender = std::thread::spawn({
            let (from, files) = (from.path().to_owned(), files.clone());
            move || send(&vec![None, Some(chief)], &from, &files).unwrap()
        });
        assert_eq!(receive(&vec![Some(other), None], to.path()).unwrap(), files);
        sender.join().unwrap();
        assert_eq!(fs::read(to.path().join("rounds/000/labels.parquet")).unwrap(), [7; 100_000]);
        assert!(fs::read(to.path().join("empty")).unwrap().is_empty());
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let to = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for name in ["../x", "/x", "a/../../x"] {
            let mut chief = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (other, _) = listener.accept().unwrap();
            chief.write_all(&1_u32.to_le_bytes()).unwrap();
            chief.write_all(&(name.len() as u16).to_le_bytes()).unwrap();
            chief.write_all(name.as_bytes()).unwrap();
            chief.write_all(&0_u64.to_le_bytes()).unwrap();
            let error = receive(&vec![Some(other), None], to.path()).unwrap_err().to_string();
            assert!(error.contains("no file of a run directory"), "{name}: {error}");
        }
    }

    #[test]
    fn folders_of_killed_processes_are_swept_and_those_in_use_stay() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            fs::create_dir(place.path().join(name)).unwrap();
            File::create(place.path().join(name).join(LOCK)).unwrap()
        };
        drop(make("millstream-process-dead"));
        let used = make("millstream-process-used");
        flock(&used, FlockOperation::NonBlockingLockExclusive).unwrap();
        drop(make("somebody-else"));
        sweep(place.path(), Duration::from_secs(60));
        assert!(place.path().join("millstream-process-dead").exists(), "it has only just been made");
        sweep(place.path(), Duration::ZERO);
        let left = |name: &str| place.path().join(name).exists();
        assert!(!left("millstream-process-dead") && left("millstream-process-used") && left("somebody-else"));
    }
}
