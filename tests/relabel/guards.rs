//! What a bulk job refuses, so that nothing is overwritten, lost or taken for whole.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{CORPUS, IMAGES, SHARDS, args, digits, train};
use crate::support::{Place, stdout};

#[test]
fn what_is_there_already_is_never_overwritten() {
    let place = digits();
    let call = |input: &'static str, out: &'static str| ["relabel", input, "--model", "run", "--out", out];
    for out in ["corpus", "corpus/answers", "./png/../corpus"] {
        place.fail(&call("corpus", out), 2, &["in the input corpus", "--out"]);
    }
    assert_eq!(std::fs::read_dir(place.path("corpus")).unwrap().count(), SHARDS);

    std::fs::create_dir(place.path("taken")).unwrap();
    place.write("taken/digits-000000.parquet", "precious");
    for _ in 0..2 {
        place.fail(&args("taken", &[]), 2, &["taken/digits-000000.parquet is there already"]);
        assert_eq!(std::fs::read_to_string(place.path("taken/digits-000000.parquet")).unwrap(), "precious");
    }

    let twice = ["corpus/digits-000000.tar", "corpus/digits-{000000,000001}.tar", "--model", "run", "--out", "twice"];
    place.fail(&[&["relabel"][..], &twice].concat(), 2, &["would both be answered in", "once"]);
}

#[test]
fn answers_are_held_against_the_whole_input() {
    let place = digits();
    place.succeed(&args("out", &[]));
    let verify = |input: &'static str| ["verify", "out", "--input", input];
    let damage = |input: &'static str, says: &[&str]| {
        let output = place.run(&verify(input));
        let text = stdout(&output);
        assert!(output.status.code() == Some(4) && says.iter().all(|part| text.contains(part)), "{says:?}: {text}");
    };
    place.succeed(&verify(CORPUS));
    // Answers to what is not in the input; and an archive that has changed since.
    damage("corpus/digits-{000000..000022}.tar", &["digits-000023.parquet", "not in the input"]);
    std::fs::copy(place.path("corpus/digits-000001.tar"), place.path("corpus/digits-000000.tar")).unwrap();
    damage(CORPUS, &["digits-000000.parquet", "has changed since it was labelled"]);
    // Damage is told of, not stumbled over.
    let path = place.path("out/digits-000005.parquet");
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::write(&path, vec![0; length as usize]).unwrap();
    damage(CORPUS, &["digits-000005.parquet", "cannot be read", "digits-000000.parquet"]);

    place.succeed(&args("few", &["--limit", "70"]));
    place.succeed(&["verify", "few", "--input", CORPUS]);
}

#[test]
fn a_set_that_is_added_to_is_not_complete() {
    let place = digits();
    place.succeed(&args("out", &[]));
    for file in ["out/_millstream/commits/digits-000003.json", "out/digits-000003.parquet"] {
        std::fs::remove_file(place.path(file)).unwrap();
    }
    let curate = ["curate", "out", "--threshold", "0.01", "--out", "chosen.csv"];
    place.fail(&curate, 2, &[&format!("{} answers in {SHARDS} files", SHARDS * IMAGES), "start it again"]);
    // It is added to, and does not come to its end.
    std::fs::rename(place.path("corpus/digits-000023.tar"), place.path("away.tar")).unwrap();
    place.fail(&args("out", &[]), 3, &["digits-000023.tar"]);
    assert!(!place.path("out/_millstream/complete.json").exists());
    std::fs::rename(place.path("away.tar"), place.path("corpus/digits-000023.tar")).unwrap();
    place.succeed(&args("out", &[]));
    place.succeed(&curate);
    place.succeed(&["verify", "out", "--input", CORPUS]);
}

/// Serves the files of a folder, so many times; then nobody is allowed to have any.
fn serve(place: &Place, allowed: &Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (folder, allowed) = (place.path("png"), Arc::clone(allowed));
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let (folder, allowed) = (folder.clone(), Arc::clone(&allowed));
            std::thread::spawn(move || answer(socket.unwrap(), &folder, &allowed));
        }
    });
    format!("http://{address}")
}

fn answer(socket: TcpStream, folder: &std::path::Path, allowed: &AtomicUsize) {
    let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
    while let Some(Ok(request)) = lines.next() {
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let name = request.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
        let left = allowed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        let (status, body) = match left {
            Ok(_) => ("200 OK", std::fs::read(folder.join(name)).unwrap()),
            Err(_) => ("403 Forbidden", Vec::new()),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut socket = &socket;
        if socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body)).is_err() {
            return;
        }
    }
}

/// That a server refuses is no property of an image: the job ends, and when the server is well again nothing is missing.
#[test]
fn a_network_that_fails_leaves_no_bad_records_behind() {
    let place = digits();
    let allowed = Arc::new(AtomicUsize::new(10));
    let server = serve(&place, &allowed);
    let lines: String = (0..30).map(|number| format!("{server}/{number:06}.png\n")).collect();
    place.write("list.csv", &format!("path\n{lines}"));
    let call = ["relabel", "list.csv", "--model", "run", "--out", "out", "--records", "8"];
    let says = place.fail(&call, 4, &["no permission", "Start again"]);
    assert!(!says.contains("30 answers"), "{says}");
    allowed.store(1000, Ordering::SeqCst);
    assert!(place.succeed(&call).contains("30 answers (0 errors) in 4 files"));
    place.succeed(&["verify", "out", "--input", "list.csv"]);
}

#[test]
fn the_labels_of_an_idx_file_are_told() {
    let place = Place::new();
    place.succeed(&train("run", "1"));
    let file = |name: &str| crate::support::root().join("data/mnist").join(name).display().to_string();
    let (images, labels) = (file("test-images-idx3-ubyte.gz"), file("test-labels-idx1-ubyte.gz"));
    let call = ["relabel", &images, "--model", "run", "--out", "out", "--labels", &labels, "--limit", "100"];
    place.succeed(&[&call[..], &["--format", "csv"]].concat());
    let text = std::fs::read_to_string(place.path("out").join(
        std::fs::read_dir(place.path("out")).unwrap().flatten().find(|f| f.path().is_file()).unwrap().file_name(),
    ))
    .unwrap();
    let (head, row) = (text.lines().next().unwrap(), text.lines().nth(1).unwrap());
    let column = head.split(',').position(|name| name == "label").unwrap();
    let first = crate::support::unpacked_mnist("test-labels-idx1-ubyte.gz")[8];
    assert_eq!(row.split(',').nth(column).unwrap(), first.to_string());
}
