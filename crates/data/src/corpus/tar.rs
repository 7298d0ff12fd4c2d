//! Tar archives, member after member, from any stream.
//!
//! The headers are those of the `tar` crate. Its reader is not used: it takes names of any length into memory, says
//! nothing of an archive that ends too early, and cannot be sent to another thread.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::mem;
use std::path::Path;

use tar::{EntryType, Header, PaxExtensions};

/// Everything in an archive comes in pieces of this size.
const BLOCK: u64 = 512;
/// The longest name, and the most that may be said of a member besides.
const LONGEST_NAME: u64 = 64 << 10;
/// What may follow the end of an archive, for the checksum of a gzip stream to be reached.
const LONGEST_TAIL: u64 = 64 << 20;

/// One member of an archive.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Its path; bytes that are no text are escaped.
    pub(crate) name: String,
    /// Whether it is a file, a folder, a link.
    pub(crate) kind: EntryType,
    /// Bytes of its content.
    pub(crate) bytes: u64,
    /// Where in the archive its content begins.
    pub(crate) start: u64,
}

/// Bytes that can be passed over.
pub(crate) trait Stream: Read + Send {
    /// Passes over so many bytes. How many there were.
    fn pass(&mut self, bytes: u64) -> io::Result<u64>;
}

impl Stream for Box<dyn Read + Send> {
    fn pass(&mut self, bytes: u64) -> io::Result<u64> {
        io::copy(&mut self.take(bytes), &mut io::sink())
    }
}

/// A file of this machine, in which nothing that is passed over is read.
pub(crate) struct Plain {
    file: BufReader<File>,
    /// Bytes to its end.
    left: u64,
}

impl Plain {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(Plain { left: file.metadata()?.len(), file: BufReader::new(file) })
    }
}

impl Read for Plain {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

impl Stream for Plain {
    fn pass(&mut self, bytes: u64) -> io::Result<u64> {
        let bytes = bytes.min(self.left);
        self.file.seek_relative(i64::try_from(bytes).map_err(io::Error::other)?)?;
        self.left -= bytes;
        Ok(bytes)
    }
}

/// An archive that is read.
pub(crate) struct Tar<S> {
    stream: S,
    position: u64,
    /// What of the current member has not been read, with what fills its last block.
    left: u64,
    ended: bool,
}

impl<S: Stream> Tar<S> {
    pub(crate) fn new(stream: S) -> Self {
        Tar { stream, position: 0, left: 0, ended: false }
    }

    /// Bytes read so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next member, after what is left of the one before. None at the end.
    ///
    /// # Errors
    /// What the stream says; [`io::ErrorKind::InvalidData`] for bytes that are no archive, and
    /// [`io::ErrorKind::UnexpectedEof`] where it ends without saying so.
    pub(crate) fn next(&mut self) -> io::Result<Option<Member>> {
        let (mut name, mut size) = (None, None);
        while !self.ended {
            self.pass()?;
            let Some(header) = self.header()? else {
                self.ended = true;
                io::copy(&mut (&mut self.stream).take(LONGEST_TAIL), &mut io::sink())?;
                break;
            };
            let bytes = match mem::take(&mut size) {
                Some(bytes) => bytes,
                None => header.entry_size().map_err(|cause| wrong(cause.to_string()))?,
            };
            self.left = padded(bytes)?;
            match header.entry_type() {
                EntryType::GNULongName => name = Some(self.data(bytes, LONGEST_NAME)?),
                EntryType::XHeader => {
                    let said = self.data(bytes, LONGEST_NAME)?;
                    (name, size) = extensions(&said, name)?;
                }
                EntryType::XGlobalHeader | EntryType::GNULongLink => {}
                kind => {
                    let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
                    return Ok(Some(Member { name: text(&name), kind, bytes, start: self.position }));
                }
            }
        }
        Ok(None)
    }

    /// The content of the member that [`Tar::next`] has just told of.
    ///
    /// # Errors
    /// As [`Tar::next`].
    pub(crate) fn content(&mut self, member: &Member) -> io::Result<Vec<u8>> {
        self.data(member.bytes, u64::MAX)
    }

    fn data(&mut self, bytes: u64, limit: u64) -> io::Result<Vec<u8>> {
        if bytes > limit {
            return Err(wrong(format!("a name of {bytes} bytes")));
        }
        let mut data = Vec::new();
        // Memory grows with what is there, not with what a header promises.
        let read = (&mut self.stream).take(bytes).read_to_end(&mut data)? as u64;
        self.position += read;
        self.left = self.left.saturating_sub(read);
        if read < bytes { Err(ends_early()) } else { Ok(data) }
    }

    fn pass(&mut self) -> io::Result<()> {
        let passed = self.stream.pass(self.left)?;
        self.position += passed;
        if passed < mem::take(&mut self.left) { Err(ends_early()) } else { Ok(()) }
    }

    /// None for the block of zeros that ends an archive.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        self.stream.read_exact(header.as_mut_bytes()).map_err(|cause| match cause.kind() {
            io::ErrorKind::UnexpectedEof => ends_early(),
            _ => cause,
        })?;
        let bytes = header.as_bytes();
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let (before, sum, after) = (bytes.iter().take(148), 8 * u32::from(b' '), bytes.iter().skip(156));
        let sum = before.chain(after).fold(sum, |sum, byte| sum + u32::from(*byte));
        match header.cksum() {
            Ok(cksum) if cksum == sum => {
                self.position += BLOCK;
                Ok(Some(header))
            }
            _ => Err(wrong("bytes that are no header of a member".to_string())),
        }
    }
}

fn padded(bytes: u64) -> io::Result<u64> {
    bytes.checked_next_multiple_of(BLOCK).ok_or_else(|| wrong(format!("a member of {bytes} bytes")))
}

/// The name and the size that an extended header gives the next member.
fn extensions(said: &[u8], mut name: Option<Vec<u8>>) -> io::Result<(Option<Vec<u8>>, Option<u64>)> {
    let mut size = None;
    for extension in PaxExtensions::new(said) {
        let extension = extension.map_err(|_| wrong("an extended header that is damaged".to_string()))?;
        match extension.key_bytes() {
            b"path" => name = Some(extension.value_bytes().to_vec()),
            b"size" => {
                let number = extension.value().ok().and_then(|digits| digits.parse().ok());
                size = Some(number.ok_or_else(|| wrong("a size that is no number".to_string()))?);
            }
            _ => {}
        }
    }
    Ok((name, size))
}

fn text(name: &[u8]) -> String {
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    match str::from_utf8(name) {
        Ok(text) => text.to_string(),
        Err(_) => name.escape_ascii().to_string(),
    }
}

fn wrong(found: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, found)
}

fn ends_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the end before the mark that ends an archive (it is truncated)")
}
