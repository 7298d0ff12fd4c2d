//! IDX: the format of MNIST, a block of bytes after a short header, often gzipped.
//!
//! The header is two zero bytes, the type of the values (8: unsigned bytes), the number of dimensions, and each
//! dimension as 32 bits, most significant byte first; then the values, the last dimension innermost
//! (<http://yann.lecun.com/exdb/mnist/>).

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::OnceLock;

use flate2::bufread::MultiGzDecoder;

use super::{KeyKind, Source, fingerprint, place_of};
use crate::manifest::no_such_record;
use crate::{DataError, Key, Payload, Record};

/// Labels are digits, also where (as in Fashion-MNIST) the digits stand for something else.
const CLASSES: u8 = 10;
/// The type code of unsigned bytes.
const BYTES: u8 = 8;
/// What any gzip file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Images that lie in memory, one after the other.
#[derive(Debug)]
pub(super) struct Idx {
    place: String,
    shape: ImageShape,
    pixels: Vec<u8>,
    records: Vec<Record>,
    classes: Vec<String>,
    fingerprint: OnceLock<[u8; 32]>,
}

#[derive(Copy, Clone, Debug)]
struct ImageShape {
    height: u32,
    width: u32,
    channels: u8,
    /// Bytes of one image, at least 1.
    bytes: usize,
}

impl Idx {
    pub(super) fn open(images: &Path, labels: Option<&Path>, kind: KeyKind) -> Result<Self, DataError> {
        let (count, shape, pixels) = read_images(images)?;
        let place = place_of(images);
        let labels = labels.map(|path| read_labels(path, images, count)).transpose()?;
        let key = |(position, image): (u64, &[u8])| match kind {
            KeyKind::Content => Key::of_content(image),
            KeyKind::Place => Key::of_place(&place, position),
        };
        let keys = (0u64..).zip(pixels.chunks_exact(shape.bytes)).map(key);
        let label = |index: usize| labels.as_ref().and_then(|labels| labels.get(index)).map(|label| u32::from(*label));
        let records: Vec<Record> = keys.enumerate().map(|(index, key)| Record { key, label: label(index) }).collect();
        let classes = match labels {
            Some(_) => (0..CLASSES).map(|digit| digit.to_string()).collect(),
            None => Vec::new(),
        };
        Ok(Idx { place, shape, pixels, records, classes, fingerprint: OnceLock::new() })
    }
}

impl Source for Idx {
    fn records(&self) -> &[Record] {
        &self.records
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn place(&self, index: usize) -> String {
        format!("{}[{index}]", self.place)
    }

    fn read(&self, index: usize, mut bytes: Vec<u8>) -> Result<Payload, DataError> {
        let ImageShape { height, width, channels, .. } = self.shape;
        let image = self.pixels.chunks_exact(self.shape.bytes).nth(index);
        let image = image.ok_or_else(|| no_such_record(self.place(index), self.records.len()))?;
        bytes.clear();
        bytes.extend_from_slice(image);
        Ok(Payload::Pixels { width, height, channels, bytes })
    }

    fn at_hand(&self, index: usize, buffer: Vec<u8>) -> Result<Payload, Vec<u8>> {
        match index < self.records.len() {
            true => self.read(index, buffer).map_err(|_| Vec::new()),
            false => Err(buffer),
        }
    }

    fn fingerprint(&self) -> [u8; 32] {
        *self.fingerprint.get_or_init(|| {
            let layout = [self.shape.height, self.shape.width, u32::from(self.shape.channels)];
            let layout = layout.iter().flat_map(|n| n.to_le_bytes());
            let content = blake3::hash(&self.pixels);
            let parts = [content.as_bytes().to_vec(), layout.collect()];
            fingerprint(&self.classes, &self.records, parts.iter().map(Vec::as_slice))
        })
    }
}

/// The number of images, their shape, and all their pixels.
fn read_images(path: &Path) -> Result<(u32, ImageShape, Vec<u8>), DataError> {
    let mut file = IdxFile::open(path, "IDX file of images")?;
    let (count, height, width, channels) = match file.dimensions.as_slice() {
        [n, h, w] => (*n, *h, *w, 1),
        [n, h, w, 3] => (*n, *h, *w, 3),
        _ => {
            return Err(file.wrong_dimensions("3 (images, rows, columns) or 4 (the last of which is 3, RGB)"));
        }
    };
    if count == 0 {
        let help = "give a file with images";
        return Err(DataError::Empty { path: path.to_path_buf(), what: "image", help });
    }
    let bytes = u64::from(height) * u64::from(width);
    let bytes = usize::try_from(bytes.saturating_mul(u64::from(channels))).unwrap_or(usize::MAX);
    if bytes == 0 {
        return Err(file.wrong_dimensions("images of at least one pixel"));
    }
    let pixels = file.values()?;
    Ok((count, ImageShape { height, width, channels, bytes }, pixels))
}

/// The labels of as many images.
fn read_labels(path: &Path, images: &Path, count: u32) -> Result<Vec<u8>, DataError> {
    let mut file = IdxFile::open(path, "IDX file of labels")?;
    let [labels] = file.dimensions.as_slice() else {
        return Err(file.wrong_dimensions("1 (labels)"));
    };
    if *labels != count {
        return Err(DataError::Malformed {
            place: place_of(path),
            found: format!("{labels} labels"),
            expected: format!("{count}, one for each image of {}", images.display()),
            help: "give the two files that belong together",
        });
    }
    let labels = file.values()?;
    match labels.iter().position(|label| *label >= CLASSES) {
        None => Ok(labels),
        Some(index) => Err(DataError::Malformed {
            place: format!("{}[{index}]", place_of(path)),
            found: format!("label {}", labels.get(index).copied().unwrap_or(0)),
            expected: format!("a label from 0 to {}", CLASSES - 1),
            help: "for other classes give the images as a folder or a CSV list",
        }),
    }
}

/// An IDX file whose header has been read.
struct IdxFile<'a> {
    path: &'a Path,
    dimensions: Vec<u32>,
    rest: Box<dyn Read>,
}

impl<'a> IdxFile<'a> {
    fn open(path: &'a Path, what: &'static str) -> Result<Self, DataError> {
        let fail = |cause| failed(path, what, cause);
        let mut rest = File::open(path).and_then(inflated).map_err(fail)?;
        let magic = match up_to(&mut rest, 4).map_err(fail)?.as_slice() {
            [0, 0, BYTES, dimensions @ 1..=4] => usize::from(*dimensions),
            found => return Err(wrong_magic(path, found)),
        };
        let header = up_to(&mut rest, 4 * magic as u64).map_err(fail)?;
        let (dimensions, []) = header.as_chunks::<4>() else {
            return Err(short(path, &header, magic));
        };
        if dimensions.len() < magic {
            return Err(short(path, &header, magic));
        }
        let dimensions = dimensions.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
        Ok(IdxFile { path, dimensions, rest })
    }

    /// All values: exactly as many as the header says.
    fn values(&mut self) -> Result<Vec<u8>, DataError> {
        let expected = self.dimensions.iter().fold(1u64, |all, n| all.saturating_mul(u64::from(*n)));
        let values = up_to(&mut self.rest, expected.saturating_add(1));
        let values = values.map_err(|cause| failed(self.path, "IDX file", cause))?;
        if values.len() as u64 == expected {
            return Ok(values);
        }
        let (found, help) = match (values.len() as u64).checked_sub(expected) {
            Some(_) => ("more".to_string(), "the file is damaged or was written wrongly: fetch it again"),
            None => (format!("{} (it is truncated)", values.len()), "fetch the file again"),
        };
        Err(self.malformed(found, format!("{expected} bytes after the header"), help))
    }

    fn wrong_dimensions(&self, expected: &str) -> DataError {
        let sizes: Vec<String> = self.dimensions.iter().map(u32::to_string).collect();
        let found = format!("{} dimensions ({})", sizes.len(), sizes.join(" x "));
        self.malformed(found, expected.to_string(), "see that `images` and `labels` are not swapped")
    }

    fn malformed(&self, found: String, expected: String, help: &'static str) -> DataError {
        DataError::Malformed { place: place_of(self.path), found, expected, help }
    }
}

/// The content of a file, inflated if it is gzipped.
fn inflated(mut file: File) -> io::Result<Box<dyn Read>> {
    let head = up_to(&mut file, 2)?;
    let gzipped = head == GZIP;
    let whole = BufReader::with_capacity(1 << 18, io::Cursor::new(head).chain(file));
    Ok(if gzipped { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

/// The next `count` bytes, or fewer at the end. Memory grows with what is there, not with what a header promises.
fn up_to(reader: &mut impl Read, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn failed(path: &Path, what: &'static str, cause: io::Error) -> DataError {
    match cause.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            DataError::Malformed {
                place: place_of(path),
                found: format!("a broken or truncated gzip stream ({cause})"),
                expected: "a whole one".to_string(),
                help: "fetch the file again",
            }
        }
        _ => DataError::read(path, what, cause),
    }
}

fn wrong_magic(path: &Path, found: &[u8]) -> DataError {
    let bytes: Vec<String> = found.iter().map(|byte| format!("{byte:02x}")).collect();
    let bytes = if bytes.is_empty() { "nothing".to_string() } else { bytes.join(" ") };
    DataError::Malformed {
        place: place_of(path),
        found: format!("{bytes} at the start"),
        expected: "00 00 08 and the number of dimensions, from 01 to 04: an IDX file of bytes".to_string(),
        help: "give an IDX file, plain or gzipped, or use another kind of source",
    }
}

fn short(path: &Path, header: &[u8], dimensions: usize) -> DataError {
    DataError::Malformed {
        place: place_of(path),
        found: format!("{} bytes of sizes (it is truncated)", header.len()),
        expected: format!("{} for {dimensions} dimensions", 4 * dimensions),
        help: "fetch the file again",
    }
}
