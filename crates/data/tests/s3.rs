//! Objects of a real S3 server (moto), over the loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::thread;

use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
use millstream_data::conformance::{Held, conforms, shards};
use millstream_data::corpus::{self, Label, Options};
use millstream_data::store::{Location, Store, into_data_error};
use parquet::arrow::ArrowWriter;

/// A server that ends with this process: it reads the other end of a pipe that is never written to.
struct Server {
    _child: Child,
    port: u16,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../../.tools/moto/bin/python");
    let mut child = Command::new(&python)
        .args(["-B".as_ref(), here.join("tests/serve_s3.py").as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{}: {error}. Run scripts/bootstrap --tests, which installs it", python.display())
        });
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().parse();
    let port =
        port.unwrap_or_else(|_| panic!("moto does not start: scripts/bootstrap --tests installs what may be missing"));
    Server { _child: child, port }
});

/// Writes what anybody may read, by bare HTTP.
fn put(path: &str, bytes: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", SERVER.port)).unwrap();
    let head = "Host: x\r\nConnection: close\r\nx-amz-acl: public-read\r\nContent-Length:";
    write!(stream, "PUT /{path} HTTP/1.1\r\n{head} {}\r\n\r\n", bytes.len()).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A new bucket, and access to it.
fn bucket(name: &str) -> Store {
    put(name, b"");
    let endpoint = format!("http://127.0.0.1:{}", SERVER.port);
    let settings = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "y"),
    ];
    Store::with_settings(settings.map(|(name, value)| (name.to_string(), value.to_string())))
}

fn at(url: &str) -> Location {
    Location::parse(url).unwrap()
}

fn held(place: &str, bytes: &[u8]) -> Held {
    Held { place: place.to_string(), label: None, bytes: Ok(bytes.to_vec()) }
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn an_object_is_written_read_replaced_and_removed() {
    let store = bucket("objects");
    let place = at("s3://objects/a b/\u{e9}#%.bin");
    store.put(&place, b"0123456789".to_vec()).unwrap();
    assert_eq!(store.read(&place, 10).unwrap(), b"0123456789");
    assert_eq!(store.read_range(&place, 3, 4).unwrap(), b"3456");
    assert_eq!(store.read_range(&place, 8, 100).unwrap(), b"89");
    assert!(store.read(&place, 9).unwrap_err().to_string().contains("10 bytes, at most 9"));
    let before = store.head(&place).unwrap();
    assert_eq!((before.bytes, &before.location), (10, &place));
    store.put(&place, b"another".to_vec()).unwrap();
    assert_ne!(store.head(&place).unwrap().version, before.version);
    assert!(store.delete(&place).unwrap());
    assert!(store.head(&place).unwrap_err().to_string().contains("there is no such object"));
}

#[test]
fn of_two_that_write_if_absent_the_first_does() {
    let store = bucket("commits");
    let place = at("s3://commits/000001.json");
    assert!(store.put_if_absent(&place, b"first".to_vec()).unwrap());
    assert!(!store.put_if_absent(&place, b"second".to_vec()).unwrap());
    assert_eq!(store.read(&place, 100).unwrap(), b"first");
}

#[test]
fn a_large_object_is_written_in_parts_and_streamed_in_order() {
    let store = bucket("large");
    let place = at("s3://large/x.bin");
    let bytes: Vec<u8> = (0..66u32 << 20).map(|at| (at >> 9) as u8 ^ at as u8).collect();
    store.put(&place, bytes.clone()).unwrap();
    assert!(store.head(&place).unwrap().version.contains('-'), "the tag of several parts");
    let mut read = Vec::new();
    store.reader(&place).unwrap().read_to_end(&mut read).unwrap();
    assert!(read == bytes);
}

#[test]
fn an_object_that_changes_while_it_is_read_is_an_error() {
    let store = bucket("changing");
    let place = at("s3://changing/x.bin");
    store.put(&place, vec![1; 24 << 20]).unwrap();
    let mut reader = store.reader(&place).unwrap();
    reader.read_exact(&mut [0; 10]).unwrap();
    store.put(&place, vec![2; 24 << 20]).unwrap();
    let cause = reader.read_to_end(&mut Vec::new()).unwrap_err();
    let message = into_data_error(&place, cause).to_string();
    assert!(message.contains("s3://changing/x.bin: it was changed while it was read"), "{message}");
}

#[test]
fn a_listing_of_several_pages_is_in_order_and_begins_at_once() {
    let store = bucket("pages");
    let names: Vec<String> = (0..1020).map(|number| format!("p/{number:05}.png")).collect();
    thread::scope(|scope| {
        for part in names.chunks(255) {
            let store = &store;
            scope.spawn(move || {
                part.iter().for_each(|name| store.put(&at(&format!("s3://pages/{name}")), vec![1]).unwrap())
            });
        }
    });
    store.put(&at("s3://pages/q/0.png"), vec![1]).unwrap();
    let listed = store.list(&at("s3://pages/p")).unwrap();
    let listed: Vec<String> = listed.map(|object| object.unwrap().location.to_string()).collect();
    assert_eq!(listed, names.iter().map(|name| format!("s3://pages/{name}")).collect::<Vec<_>>());
    let options = Options { records: 1000, store, ..Options::default() };
    let corpus = corpus::open(&["s3://pages/p"], &options).unwrap();
    let counts: Vec<_> = shards(corpus.as_ref()).iter().map(|shard| (shard.records, shard.name.clone())).collect();
    assert_eq!(counts, [(Some(1000), "p-000000".to_string()), (Some(20), "p-000001".to_string())]);
}

#[test]
fn archives_folders_lists_and_parquet_files_are_corpora_there_too() {
    let store = bucket("corpora");
    let put = |name: &str, bytes: Vec<u8>| store.put(&at(&format!("s3://corpora/{name}")), bytes).unwrap();
    let options = Options { store: store.clone(), ..Options::default() };
    let reopen = |place: &'static str| {
        let options = options.clone();
        move || corpus::open(&[place], &options).unwrap()
    };
    let large = vec![7; 5 << 20];
    put("wds/t-0.tar", archive(&[("a/0.jpg", b"one"), ("a/0.cls", b"4"), ("a/1.png", &large)]));
    put("wds/t-1.tar", archive(&[("a/0.jpg", b"three")]));
    let mut expected =
        [held("t-0.tar#a/0.jpg", b"one"), held("t-0.tar#a/1.png", &large), held("t-1.tar#a/0.jpg", b"three")];
    expected[0].label = Some(Label::Index(4));
    conforms(&reopen("s3://corpora/wds"), &expected);
    conforms(&reopen("s3://corpora/wds/t-{0..1}.tar"), &expected);

    put("images/x/a b.png", b"one".to_vec());
    put("images/y.jpg", b"two".to_vec());
    let expected = [held("s3://corpora/images/x/a b.png", b"one"), held("s3://corpora/images/y.jpg", b"two")];
    conforms(&reopen("s3://corpora/images"), &expected);
    put("l.csv", b"path\nimages/y.jpg\ns3://corpora/images/x/a b.png\nimages/gone.png\n".to_vec());
    let gone = Held { place: "gone.png".to_string(), label: None, bytes: Err("there is no such object".to_string()) };
    conforms(&reopen("s3://corpora/l.csv"), &[expected.to_vec(), vec![gone]].concat());

    let images: ArrayRef = Arc::new(BinaryArray::from_iter_values([b"one".as_slice(), &large]));
    let batch = RecordBatch::try_from_iter([("image", images)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    put("a.parquet", writer.into_inner().unwrap());
    conforms(&reopen("s3://corpora/a.parquet"), &[held("[0]", b"one"), held("[1]", &large)]);
}

#[test]
fn objects_can_be_read_by_plain_http() {
    put("web", b"");
    put("web/a.tar", &archive(&[("0.jpg", b"one")]));
    let url = format!("http://127.0.0.1:{}/web/a.tar", SERVER.port);
    let options = Options { store: Store::with_settings([]), ..Options::default() };
    conforms(&|| corpus::open(&[&url], &options).unwrap(), &[held("/web/a.tar#0.jpg", b"one")]);
}

#[test]
fn what_is_not_there_is_named_with_what_to_do() {
    let store = bucket("errors");
    let said = [
        store.read(&at("s3://errors/gone.png"), 1).unwrap_err().to_string(),
        store.read(&at("s3://no-such-bucket/a.png"), 1).unwrap_err().to_string(),
        store.list(&at("s3://no-such-bucket/a")).unwrap().next().unwrap().unwrap_err().to_string(),
        store.put(&at("s3://no-such-bucket/a"), vec![1]).unwrap_err().to_string(),
    ];
    assert!(said[0].starts_with("s3://errors/gone.png: there is no such object"), "{}", said[0]);
    for said in &said[1..] {
        assert!(said.starts_with("s3://no-such-bucket/a"), "{said}");
        assert!(said.contains("there is no such bucket or container") && said.contains("AWS_REGION"), "{said}");
    }
    let options = Options { store, ..Options::default() };
    let misspelt = corpus::open(&["s3://errors/trian"], &options).unwrap_err().to_string();
    assert!(misspelt.contains("s3://errors/trian: found nothing of that name"), "{misspelt}");
    let corpus = corpus::open(&["s3://errors/{0..1}.tar"], &options).unwrap();
    assert_eq!(corpus.shards().filter(Result::is_err).count(), 2);
}
