//! WebDataset: tar archives, plain or gzipped, in which the files of one sample lie side by side and are named alike up to
//! the first dot. The image is the file with the ending of an image (`jpg`, not `seg.png`); `cls` is the index of a
//! class, or its name; `json` may have a field `label`, `class_name`, `class` or `cls`. Other files are passed over.

use std::io::{self, BufReader, Read};

use ::tar::EntryType;
use flate2::bufread::MultiGzDecoder;

use super::inputs::Inputs;
use super::tar::{Member, Stream, Tar};
use super::{Content, Corpus, Item, Items, Label, Shard, Shards, key_of};
use crate::source::is_image;
use crate::store::{Location, Store, into_data_error};
use crate::{DataError, KeyKind, Payload};

/// What shards are called.
pub(crate) const ENDINGS: [&str; 3] = [".tar", ".tar.gz", ".tgz"];
/// The largest image that is taken out of an archive.
const LARGEST: u64 = 256 << 20;
/// The largest file that says what an image is.
const LARGEST_LABEL: u64 = 1 << 20;
/// What any gzip file begins with.
pub(crate) const GZIP: [u8; 2] = [0x1f, 0x8b];

#[derive(Debug)]
pub(super) struct WebDataset {
    inputs: Inputs,
    keys: KeyKind,
}

impl WebDataset {
    pub(super) fn open(store: Store, places: Vec<String>, keys: KeyKind) -> Self {
        WebDataset { inputs: Inputs { store, places, endings: &ENDINGS }, keys }
    }
}

impl Corpus for WebDataset {
    fn shards(&self) -> Shards<'_> {
        self.inputs.shards()
    }

    fn read(&self, shard: &Shard) -> Result<Items, DataError> {
        let Content::File(location) = &shard.content else {
            return Err(super::foreign(shard));
        };
        let stream = self.inputs.store.reader(location)?;
        let stream = inflated(stream).map_err(|cause| broken(location, 0, cause))?;
        Ok(Box::new(Records {
            samples: Samples::new(stream, Images::Read),
            location: location.clone(),
            keys: self.keys,
            next: Some(0),
        }))
    }
}

fn inflated(mut stream: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut head = Vec::new();
    (&mut stream).take(2).read_to_end(&mut head)?;
    let gzipped = head == GZIP;
    let whole = io::Cursor::new(head).chain(stream);
    Ok(if gzipped { Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 18, whole))) } else { Box::new(whole) })
}

/// What a stream that fails says of the archive.
pub(crate) fn broken(location: &Location, position: u64, cause: io::Error) -> DataError {
    match cause.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            DataError::Malformed {
                place: format!("{location}, byte {position}"),
                found: cause.to_string(),
                expected: "a whole tar archive, plain or gzipped".to_string(),
                help: "fetch or write it again; the sample at that place and those behind it are lost",
            }
        }
        _ => into_data_error(location, cause),
    }
}

/// The records of an archive.
struct Records {
    samples: Samples<Box<dyn Read + Send>>,
    location: Location,
    keys: KeyKind,
    /// The position of the next sample; none after the last.
    next: Option<u64>,
}

impl Iterator for Records {
    type Item = Result<Item, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let position = self.next.take()?;
        match self.samples.next() {
            Ok(None) => None,
            Ok(Some(sample)) => {
                self.next = Some(position + 1);
                Some(Ok(self.item(sample, position)))
            }
            Err(cause) => Some(Err(broken(&self.location, self.samples.position(), cause))),
        }
    }
}

impl Records {
    fn item(&self, sample: Sample, position: u64) -> Item {
        let archive = self.location.to_string();
        let place = sample.place(&archive);
        let (payload, label) = sample.finish(&place);
        Item { key: key_of(self.keys, &payload, &archive, position), place, label, payload }
    }
}

/// Samples of an archive, each read whole.
pub(crate) struct Samples<S> {
    tar: Tar<S>,
    images: Images,
    /// The first member of the next sample, its content not yet read.
    waiting: Option<Member>,
}

/// What is done with the contents of images.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Images {
    /// They are read.
    Read,
    /// They are passed over: samples have empty ones.
    Pass,
}

impl<S: Stream> Samples<S> {
    pub(crate) fn new(stream: S, images: Images) -> Self {
        Samples { tar: Tar::new(stream), images, waiting: None }
    }

    /// Bytes of the archive that have been gone through.
    pub(crate) fn position(&self) -> u64 {
        self.tar.position()
    }

    /// An error in the middle of a sample takes the sample with it: whether it was whole nobody can say.
    pub(crate) fn next(&mut self) -> io::Result<Option<Sample>> {
        let mut sample: Option<Sample> = None;
        loop {
            let member = match self.waiting.take() {
                Some(member) => Some(member),
                None => self.tar.next()?,
            };
            let Some(member) = member else {
                return Ok(sample);
            };
            let Some((name, ending)) = parts(&member) else { continue };
            let sample = match &mut sample {
                Some(begun) if begun.name != name => {
                    self.waiting = Some(member);
                    return Ok(sample);
                }
                Some(begun) => begun,
                None => sample.insert(Sample { name: name.to_string(), image: None, label: None }),
            };
            let ending = ending.to_ascii_lowercase();
            sample.add(member, &ending, &mut self.tar, self.images)?;
        }
    }
}

/// The name of the sample that a member belongs to, and its ending. None where it belongs to no sample: folders, hidden
/// files, files without an ending, and what WebDataset itself keeps between double underscores.
fn parts(member: &Member) -> Option<(&str, &str)> {
    let file = member.name.rsplit('/').next().unwrap_or_default();
    let (stem, ending) = file.split_once('.')?;
    let hers = member.name.starts_with("__") && member.name.ends_with("__");
    let counts = !matches!(member.kind, EntryType::Directory) && !stem.is_empty() && !hers;
    counts.then(|| (member.name.get(..member.name.len() - ending.len() - 1).unwrap_or_default(), ending))
}

/// The members of one sample, as far as they are of use.
pub(crate) struct Sample {
    name: String,
    image: Option<(Member, Result<Vec<u8>, Fault>)>,
    label: Option<Label>,
}

/// What is wrong with a member: what was found, and what should be there.
struct Fault(String, &'static str);

impl Sample {
    fn add<S: Stream>(&mut self, member: Member, ending: &str, tar: &mut Tar<S>, images: Images) -> io::Result<()> {
        if matches!(ending, "cls" | "json") {
            // A label that cannot be read is none: the image is as good without.
            let said = content(&member, LARGEST_LABEL, tar, Images::Read)?.unwrap_or_default();
            let label = if ending == "cls" { Label::of_file(&said) } else { field(&said) };
            self.label = label.or(self.label.take());
        } else if !ending.contains('.') && is_image(member.name.as_ref()) {
            let image = match &self.image {
                None => content(&member, LARGEST, tar, images)?,
                Some(_) => Err(Fault("a second image of the same sample".to_string(), "one image in each sample")),
            };
            self.image = Some((member, image));
        }
        Ok(())
    }

    /// Where it lies in an archive.
    pub(crate) fn place(&self, archive: &str) -> String {
        let name = self.image.as_ref().map_or(&self.name, |(member, _)| &member.name);
        format!("{archive}#{name}")
    }

    /// Where in the archive its image begins, and how large it is.
    pub(crate) fn span(&self) -> (u64, u64) {
        self.image.as_ref().map_or((0, 0), |(member, _)| (member.start, member.bytes))
    }

    /// The image, or why there is none, and the label.
    pub(crate) fn finish(self, place: &str) -> (Result<Payload, DataError>, Option<Label>) {
        let fault = |Fault(found, expected)| DataError::Malformed {
            place: place.to_string(),
            found,
            expected: expected.to_string(),
            help: "write the archive again without it",
        };
        let none = || Err(Fault("a sample without an image".to_string(), "a file that is named like an image"));
        let image = self.image.map_or_else(none, |(_, image)| image);
        (image.map(Payload::Encoded).map_err(fault), self.label)
    }
}

/// The content of a member that is a file and not too large.
fn content<S: Stream>(
    member: &Member,
    limit: u64,
    tar: &mut Tar<S>,
    how: Images,
) -> io::Result<Result<Vec<u8>, Fault>> {
    if !matches!(member.kind, EntryType::Regular | EntryType::Continuous) {
        return Ok(Err(Fault(format!("a link or special file (`{}`)", member.name), "a file with its content")));
    }
    if member.bytes > limit {
        return Ok(Err(Fault(format!("{} bytes in `{}`", member.bytes, member.name), "at most 256 MiB")));
    }
    match how {
        Images::Read => tar.content(member).map(Ok),
        Images::Pass => Ok(Ok(Vec::new())),
    }
}

fn field(said: &[u8]) -> Option<Label> {
    Label::of_json(&serde_json::from_slice(said).ok()?)
}
