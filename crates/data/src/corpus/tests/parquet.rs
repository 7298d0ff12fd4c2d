use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use ::parquet::arrow::ArrowWriter;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, LargeBinaryArray, RecordBatch, StringArray,
    StructArray,
};
use arrow_schema::{DataType, Field};

use super::*;
use crate::conformance::ends_at_an_error;

/// A file of these columns, in row groups of two rows.
fn write(folder: &Path, name: &str, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
    let path = folder.join(name);
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

/// Images as Hugging Face has them; one is missing.
fn structs(images: &[Option<&[u8]>]) -> ArrayRef {
    let bytes: ArrayRef = Arc::new(BinaryArray::from_iter(images.iter().copied()));
    let paths: ArrayRef = Arc::new(StringArray::from_iter(images.iter().map(|_| Some("0.jpg"))));
    let field = |name, kind| Arc::new(Field::new(name, kind, true));
    Arc::new(StructArray::from(vec![(field("bytes", DataType::Binary), bytes), (field("path", DataType::Utf8), paths)]))
}

#[test]
fn images_as_hugging_face_has_them_are_read_with_their_labels() {
    let folder = tempfile::tempdir().unwrap();
    let images = structs(&[Some(b"one"), Some(b"two"), None, Some(b"four"), Some(b"five")]);
    let labels: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), Some(-1), Some(0), None, Some(1 << 40)]));
    let other: ArrayRef = Arc::new(BinaryArray::from_iter_values([b"m"; 5]));
    write(folder.path(), "t-0.parquet", vec![("mask", other), ("image", images), ("label", labels)]);
    write(folder.path(), "t-1.parquet", vec![("image", structs(&[]))]);
    let mut missing = broken("[2]", "no image");
    missing.label = Some(Label::Index(0));
    let expected = [
        held("t-0.parquet[0]", Some(Label::Index(3)), b"one"),
        held("[1]", None, b"two"),
        missing,
        held("[3]", None, b"four"),
        held("[4]", None, b"five"),
    ];
    for keys in [KeyKind::Place, KeyKind::Content] {
        let options = Options { keys, ..options() };
        let reopen = || opened(text(folder.path()), &options);
        conforms(&reopen, &expected);
        assert_eq!(names(reopen().as_ref()), ["t-0", "t-1"]);
    }
}

#[test]
fn plain_bytes_of_any_width_and_named_labels_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let images: ArrayRef = Arc::new(LargeBinaryArray::from_iter_values([b"one", b"two"]));
    let labels: ArrayRef = Arc::new(StringArray::from(vec![Some("cat"), None]));
    let path = write(folder.path(), "a.parquet", vec![("jpg", images), ("class", labels)]);
    let options = Options { label_column: Some("class".to_string()), ..options() };
    let expected = [held("[0]", name("cat"), b"one"), held("[1]", None, b"two")];
    conforms(&|| opened(text(&path), &options), &expected);
}

#[test]
fn labels_as_pandas_writes_them_are_whole_numbers_and_what_is_no_label_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let images: ArrayRef = Arc::new(BinaryArray::from_iter_values([b"0", b"1", b"2", b"3", b"4"]));
    let floats = [Some(3.0), Some(f64::NAN), None, Some(-1.0), Some(0.5)];
    let floats: ArrayRef = Arc::new(Float64Array::from_iter(floats));
    let truth: ArrayRef = Arc::new(BooleanArray::from(vec![true; 5]));
    for (name, labels, first) in [("a.parquet", floats, Some(Label::Index(3))), ("b.parquet", truth, None)] {
        let path = write(folder.path(), name, vec![("image", Arc::clone(&images)), ("label", labels)]);
        let image = |row: u8| held(&format!("[{row}]"), first.clone().filter(|_| row == 0), &[b'0' + row]);
        let expected: Vec<Held> = (0..5).map(image).collect();
        conforms(&|| opened(text(&path), &options()), &expected);
    }
}

#[test]
fn many_row_groups_and_batches_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<String> = (0..75).map(|number| format!("image {number}")).collect();
    let images: ArrayRef = Arc::new(BinaryArray::from_iter_values(&bytes));
    let path = write(folder.path(), "a.parquet", vec![("image", images)]);
    let expected: Vec<Held> =
        bytes.iter().enumerate().map(|(row, bytes)| held(&format!("[{row}]"), None, bytes.as_bytes())).collect();
    conforms(&|| opened(text(&path), &options()), &expected);
}

#[test]
fn columns_that_cannot_be_told_apart_or_are_not_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let binary = || -> ArrayRef { Arc::new(BinaryArray::from_iter_values([b"x"])) };
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let two = write(folder.path(), "two.parquet", vec![("a", binary()), ("b", binary())]);
    let none = write(folder.path(), "none.parquet", vec![("image", numbers)]);
    let cut = folder.path().join("cut.parquet");
    fs::write(&cut, &fs::read(&two).unwrap()[..100]).unwrap();
    let said = |path: &Path, options: &Options| {
        let corpus = opened(text(path), options);
        let shard = shards(corpus.as_ref()).remove(0);
        let read = corpus.read(&shard).map(|items| items.count().to_string());
        read.unwrap_or_else(|error| format!("{error} {}", error.ends_a_job()))
    };
    let column = |image: &str, label: Option<&str>| {
        let label_column = label.map(str::to_string);
        Options { image_column: Some(image.to_string()), label_column, ..options() }
    };
    let ambiguous = said(&two, &options());
    assert!(ambiguous.contains("may have images: a, b") && ambiguous.contains("named `image`, or without the others"));
    assert!(ambiguous.ends_with("true"), "no record of it can be used");
    assert_eq!(said(&two, &column("b", None)), "1");
    assert!(said(&two, &column("c", None)).contains("a column `c` of bytes"));
    assert!(said(&two, &column("b", Some("class"))).contains("no column `class`"));
    assert!(said(&none, &options()).contains("may have images: none"));
    let damaged = said(&cut, &options());
    assert!(damaged.contains("a whole Parquet file") && damaged.ends_with("false"), "{damaged}");
}

#[test]
fn nothing_follows_a_page_that_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let images: ArrayRef = Arc::new(BinaryArray::from_iter_values((0..20).map(|number| format!("image {number}"))));
    let path = write(folder.path(), "a.parquet", vec![("image", images)]);
    let file = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let (start, _) = file.metadata().row_group(3).column(0).byte_range();
    let mut bytes = fs::read(&path).unwrap();
    bytes[start as usize..][..64].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let (records, errors) = ends_at_an_error(&|| opened(text(&path), &options()));
    // Rows are taken out by the batch: those before the page that share one with it are lost.
    assert!(records <= 6, "{records}");
    let [DataError::Malformed { found, .. }] = errors.as_slice() else { panic!("{errors:?}") };
    assert!(!found.is_empty());
}

/// A web server that hands out some bytes, but none of those that begin in a range that is refused.
fn serve(bytes: Vec<u8>, refused: std::ops::Range<usize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}/a.parquet", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().for_each(|stream| answer(&stream.unwrap(), &bytes, &refused)));
    place
}

fn answer(mut stream: &TcpStream, bytes: &[u8], refused: &std::ops::Range<usize>) {
    let lines: Vec<String> =
        BufReader::new(stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let range = lines.iter().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_string));
    let whole = (0, bytes.len() - 1);
    let (from, to) = range
        .as_deref()
        .and_then(|range| range.split_once('-'))
        .map_or(whole, |(from, to)| (from.parse().unwrap(), to.parse::<usize>().map_or(whole.1, |to| to.min(whole.1))));
    let (status, body) = match (lines[0].starts_with("HEAD"), refused.contains(&from)) {
        (true, _) => ("200 OK", &bytes[..0]),
        (false, true) => ("403 Forbidden", &bytes[..0]),
        (false, false) => ("206 Partial Content", &bytes[from..=to]),
    };
    let length = if lines[0].starts_with("HEAD") { bytes.len() } else { body.len() };
    let of = format!("Content-Range: bytes {from}-{to}/{}\r\nETag: \"1\"", bytes.len());
    let dated = "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nConnection: close";
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{of}\r\n{dated}\r\n\r\n").unwrap();
    // A client that has gone is none of ours.
    let _ = stream.write_all(body);
}

#[test]
fn a_fault_of_the_network_is_none_of_the_data() {
    const BLOCK: usize = 4 << 20;
    let folder = tempfile::tempdir().unwrap();
    let noise = |number: u64| (0..BLOCK as u64 / 4).map(move |at| (((at * 31 + number) * 2_654_435_761) >> 13) as u8);
    let images: ArrayRef =
        Arc::new(BinaryArray::from_iter_values((0..9).map(|number| noise(number).collect::<Vec<u8>>())));
    let bytes = fs::read(write(folder.path(), "a.parquet", vec![("image", images)])).unwrap();
    assert!(bytes.len() > 2 * BLOCK);
    let last = bytes.len() - bytes.len() % BLOCK;
    for refused in [BLOCK..2 * BLOCK, last..bytes.len(), 0..bytes.len()] {
        let place = serve(bytes.clone(), refused);
        let (records, errors) = ends_at_an_error(&|| opened(&place, &options()));
        assert!(records < 9, "{records}");
        let [DataError::Store { problem, .. }] = errors.as_slice() else { panic!("{errors:?}") };
        assert!(problem.contains("no permission"), "{problem}");
    }
    let place = serve(bytes.clone(), 0..0);
    assert_eq!(ends_at_an_error(&|| opened(&place, &options())).0, 9);
    // A list of rows of the file, not in their order.
    let list = folder.path().join("l.csv");
    let listed = |place: &str, rows: [usize; 4]| {
        fs::write(&list, format!("place\n{}", rows.map(|row| format!("{place}[{row}]\n")).concat())).unwrap();
        ends_at_an_error(&|| opened(text(&list), &options()))
    };
    let (records, errors) = listed(&place, [1, 4, 0, 99]);
    assert!(records == 4 && errors.is_empty(), "{errors:?}");
    let (records, errors) = listed(&serve(bytes, BLOCK..2 * BLOCK), [0, 8, 0, 0]);
    assert!(records == 0 && matches!(errors.as_slice(), [DataError::Store { .. }]), "{records} {errors:?}");
}

/// A file of which some bytes cannot be read.
struct Bad(Vec<u8>);

impl ::parquet::file::reader::Length for Bad {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

impl ::parquet::file::reader::ChunkReader for Bad {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> ::parquet::errors::Result<Self::T> {
        let start = start as usize;
        let head = std::io::Cursor::new(self.0[start..self.0.len().min(start + 10)].to_vec());
        Ok(Box::new(head.chain(Failing)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ::parquet::errors::Result<bytes::Bytes> {
        Ok(self.0[start as usize..][..length].to_vec().into())
    }
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("the disk is bad"))
    }
}

#[test]
fn a_fault_of_the_disk_is_none_of_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let images: ArrayRef = Arc::new(BinaryArray::from_iter_values([b"one", b"two"]));
    let path = write(folder.path(), "a.parquet", vec![("image", images)]);
    let files = super::super::parquet::Files::open(Vec::new(), options());
    let mut rows = files.rows(&Location::Local(path.clone()), Bad(fs::read(&path).unwrap())).unwrap();
    let error = rows.next().unwrap().unwrap_err();
    assert!(matches!(&error, DataError::Read { cause, .. } if cause.to_string() == "the disk is bad"), "{error:?}");
    assert!(rows.next().is_none());
}
