//! The same on an object store: archives are read from S3, answers are written there, and the job is killed again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millstream_data::store::{Location, Store};

use super::{digits, members, tar};
use crate::support::{Place, root, stderr};

/// Images in each archive: few, so that there are many archives and many commits.
const FEW: usize = 20;
/// Archives of the corpus.
const ARCHIVES: usize = super::SHARDS * super::IMAGES / FEW;
const INPUT: &str = "s3://bucket/corpus/digits-{000000..000047}.tar";
/// How often the job is killed, unless `MILLSTREAM_KILLS` says otherwise.
const KILLS: usize = 8;
const SIGKILL: i32 = 9;
/// How often the store is asked for new commits.
const LOOK: Duration = Duration::from_millis(10);

/// An S3 server with a corpus in it. Dropped, it ends; killed with this process it ends too, for its standard input closes.
struct Bucket {
    server: Child,
    port: u16,
    store: Store,
    place: Place,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Bucket {
    fn new() -> Bucket {
        let python = root().join(".tools/moto/bin/python");
        let script = root().join("crates/data/tests/serve_s3.py");
        let mut server = Command::new(&python)
            .args(["-B".as_ref(), script.as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}. Run scripts/bootstrap --tests", python.display()));
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("moto does not start: run scripts/bootstrap --tests"));
        let store = Store::with_settings(settings(port));
        let bucket = Bucket { server, port, store, place: digits() };
        bucket.make();
        bucket.fill();
        bucket
    }

    /// Makes the bucket, by bare HTTP: it is no object.
    fn make(&self) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "PUT /bucket HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Puts the digits there, cut into smaller archives.
    fn fill(&self) {
        let all: Vec<_> = (0..super::SHARDS).flat_map(|shard| members(&self.place, shard)).collect();
        for (number, part) in all.chunks(2 * FEW).enumerate() {
            self.store.put(&at(&format!("s3://bucket/corpus/digits-{number:06}.tar")), tar(part)).unwrap();
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(args);
        command.envs(settings(self.port));
        command
    }

    fn succeed(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Every object of an output with its bytes.
    fn objects(&self, out: &str) -> BTreeMap<String, Vec<u8>> {
        let root = at(out);
        let listed = self.store.list(&root).unwrap().map(|object| object.unwrap().location);
        listed.map(|location| (location.below(&root), self.store.read(&location, 1 << 20).unwrap())).collect()
    }

    fn commits(&self, out: &str) -> usize {
        self.store.list(&at(&format!("{out}/_millstream/commits"))).unwrap().map(Result::unwrap).count()
    }

    fn start(&self, out: &str) -> Job<'_> {
        let mut command = self.command(&relabel(out));
        Job { child: command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(), bucket: self }
    }
}

fn settings(port: u16) -> [(String, String); 4] {
    let endpoint = format!("http://127.0.0.1:{port}");
    let settings = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "y"),
    ];
    settings.map(|(name, value)| (name.to_owned(), value.to_owned()))
}

fn at(url: &str) -> Location {
    Location::parse(url).unwrap()
}

fn relabel(out: &str) -> Vec<&str> {
    vec!["relabel", INPUT, "--model", "run", "--out", out, "--threads", "1", "--batch", "16", "--workers", "2"]
}

/// A job under way. Dropped, it is killed.
struct Job<'a> {
    child: Child,
    bucket: &'a Bucket,
}

impl Drop for Job<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Job<'_> {
    /// Waits for a commit beyond those that there were, or for the end.
    fn advance(&mut self, out: &str, before: usize) {
        while self.bucket.commits(out) == before && self.child.try_wait().unwrap().is_none() {
            std::thread::sleep(LOOK);
        }
    }

    /// Kills it after this time. Whether it was still at work; if not it must have done all of it.
    fn kill_after(mut self, delay: Duration) -> bool {
        std::thread::sleep(delay);
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success() || status.signal() == Some(SIGKILL), "{status}");
        !status.success()
    }
}

/// What a kill left behind.
#[derive(Debug, Default)]
struct Kills {
    before_the_first_commit: usize,
    between_commits: usize,
    after_the_last_commit: usize,
    /// Of all these, those that left answers which no commit names yet.
    between_answers_and_commit: usize,
}

impl Kills {
    fn count(&self) -> usize {
        self.before_the_first_commit + self.between_commits + self.after_the_last_commit
    }

    fn note(&mut self, objects: &BTreeMap<String, Vec<u8>>) {
        let (named, answers) = (committed(objects), answers(objects));
        match named.len() {
            0 => self.before_the_first_commit += 1,
            ARCHIVES => self.after_the_last_commit += 1,
            _ => self.between_commits += 1,
        }
        self.between_answers_and_commit += usize::from(!answers.is_subset(&named));
    }
}

/// The objects that commits name.
fn committed(objects: &BTreeMap<String, Vec<u8>>) -> BTreeSet<String> {
    let commits = objects.iter().filter(|(name, _)| name.starts_with("_millstream/commits/"));
    let commits = commits.filter_map(|(_, bytes)| serde_json::from_slice::<serde_json::Value>(bytes).ok());
    commits.map(|commit| commit["object"].as_str().unwrap().to_owned()).collect()
}

/// The objects that are not among those in `_millstream`.
fn answers(objects: &BTreeMap<String, Vec<u8>>) -> BTreeSet<String> {
    objects.keys().filter(|name| !name.starts_with("_millstream/")).cloned().collect()
}

/// Numbers in [0, 1) out of a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Kills jobs `kills` times. Some at any moment of the first half of the job's duration, from its very start: most of those that have
/// no commit yet, some of the others. The rest some time after they have come further than the one before, so that all get on.
/// Where a job comes to its end, the next output is begun.
fn kill(bucket: &Bucket, kills: usize, duration: Duration, chance: &mut Chance) -> (Kills, usize) {
    let (mut seen, mut output) = (Kills::default(), 0);
    while seen.count() < kills {
        let out = format!("s3://bucket/cut-{output}");
        let mut job = bucket.start(&out);
        let before = bucket.commits(&out);
        let share = if chance.draw() < if before == 0 { 0.75 } else { 0.25 } {
            0.5
        } else {
            job.advance(&out, before);
            1.0 / kills.max(8) as f64
        };
        if job.kill_after(duration.mul_f64(share * chance.draw())) {
            seen.note(&bucket.objects(&out));
        } else {
            output += 1;
        }
    }
    (seen, output)
}

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// `MILLSTREAM_KILLS` says how often, `MILLSTREAM_SEED` when.
#[test]
#[expect(clippy::print_stdout, reason = "whoever sees it fail needs the seed")]
fn a_job_on_an_object_store_that_is_killed_again_and_again_ends_as_if_it_had_not_been() {
    let bucket = Bucket::new();
    let says = bucket.succeed(&["inspect", INPUT]);
    for part in [
        "WebDataset\nshards: 48, ",
        "looked at: 200 records of 10 shards, 0 with errors",
        "images: 100 JPEG, 100 PNG; 28 x 28 pixels",
        "labels: 1 seen on 200 of 200 records: 7 (200)",
    ] {
        assert!(says.contains(part), "{part}: {says}");
    }
    let begun = Instant::now();
    bucket.succeed(&relabel("s3://bucket/whole"));
    let duration = begun.elapsed();
    let seed = number("MILLSTREAM_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("seed {seed}: an undisturbed job takes {duration:?}");

    let kills = number("MILLSTREAM_KILLS").map_or(KILLS, |kills| kills as usize);
    let (seen, outputs) = kill(&bucket, kills, duration, &mut Chance(seed));
    println!("{seen:?}, {outputs} jobs came to their end before");

    let whole = bucket.objects("s3://bucket/whole");
    assert_eq!((answers(&whole).len(), whole.len()), (ARCHIVES, 2 * ARCHIVES + 2));
    for out in (0..=outputs).map(|output| format!("s3://bucket/cut-{output}")) {
        let says = bucket.succeed(&relabel(&out));
        assert!(says.contains("960 answers (0 errors) in 48 files"), "{says}");
        let cut = bucket.objects(&out);
        assert_eq!(committed(&cut), answers(&cut), "an object that no commit names, or a commit of nothing");
        assert!(whole == cut, "some bytes of {out} differ");
        let verdict = bucket.succeed(&["verify", &out, "--input", INPUT]);
        let expected = "whole: 48 shards, 960 answers (0 errors), 960 records of the input compared";
        assert!(verdict.contains(expected), "{verdict}");
    }
}
