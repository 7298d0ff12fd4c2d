//! What every corpus must keep, as plain functions for tests: each takes a way to open the corpus (again and again, as a
//! restarted job would) and fails by a panic.

use std::collections::BTreeSet;

use crate::corpus::{Corpus, Item, Label, Shard};
use crate::{DataError, Key, Payload};

/// Opens the corpus under test.
pub type Open<'a> = &'a dyn Fn() -> Box<dyn Corpus>;

/// What a corpus must say of one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// What its place ends with.
    pub place: String,
    /// Its label.
    pub label: Option<Label>,
    /// Its bytes; or, if it is broken, a part of what is said about it.
    pub bytes: Result<Vec<u8>, String>,
}

/// All that every corpus must keep. `held` are its records in any order.
pub fn conforms(open: Open<'_>, held: &[Held]) {
    holds(open, held);
    is_stable(open);
    keys_are_distinct(open);
    names_are_distinct_and_safe(open);
    can_be_entered_at_any_shard(open);
    shards_can_be_sent(open);
    ends_at_an_error(open);
}

/// The shards of a corpus, all of which must be there.
pub fn shards(corpus: &dyn Corpus) -> Vec<Shard> {
    corpus.shards().map(|shard| shard.unwrap_or_else(|error| panic!("a shard is not there: {error}"))).collect()
}

/// The records of a shard, which must be readable to its end.
pub fn items(corpus: &dyn Corpus, shard: &Shard) -> Vec<Item> {
    let items = corpus.read(shard).unwrap_or_else(|error| panic!("{} cannot be opened: {error}", shard.name));
    items.map(|item| item.unwrap_or_else(|error| panic!("{} cannot be read: {error}", shard.name))).collect()
}

/// What can be compared of a record.
type Seen = (Key, String, Option<Label>, Result<Payload, String>);

fn seen(corpus: &dyn Corpus, shard: &Shard) -> Vec<Seen> {
    let see = |item: Item| (item.key, item.place, item.label, item.payload.map_err(|error| error.to_string()));
    items(corpus, shard).into_iter().map(see).collect()
}

/// The corpus has exactly these records, and exactly those are broken that are said to be.
pub fn holds(open: Open<'_>, held: &[Held]) {
    let corpus = open();
    let mut all = Vec::new();
    for shard in shards(corpus.as_ref()) {
        let seen = seen(corpus.as_ref(), &shard);
        assert!(
            shard.records.is_none_or(|records| records == seen.len() as u64),
            "{} miscounts its records",
            shard.name
        );
        all.extend(seen);
    }
    assert_eq!(all.len(), held.len(), "{all:?}");
    for Held { place, label, bytes } in held {
        let found: Vec<&Seen> = all.iter().filter(|(_, at, ..)| at.ends_with(place)).collect();
        let [(_, at, found, payload)] = found.as_slice() else {
            panic!("{} records lie at {place}", found.len());
        };
        assert_eq!(found, label, "the label of {at}");
        match (payload, bytes) {
            (Ok(Payload::Encoded(found) | Payload::Pixels { bytes: found, .. }), Ok(bytes)) => {
                assert!(found == bytes, "{at} has other bytes");
            }
            (Err(said), Err(part)) => assert!(said.contains(part), "of {at} it is said: {said}"),
            (found, _) => panic!("{at} is {found:?}, not {bytes:?}"),
        }
    }
}

/// Two readings see the same shards and the same records in the same order.
pub fn is_stable(open: Open<'_>) {
    let (one, two) = (open(), open());
    let (first, second) = (shards(one.as_ref()), shards(two.as_ref()));
    assert_eq!(first, second);
    for shard in &first {
        assert_eq!(seen(one.as_ref(), shard), seen(two.as_ref(), shard));
    }
}

/// No two records have the same key.
pub fn keys_are_distinct(open: Open<'_>) {
    let corpus = open();
    let mut keys = BTreeSet::new();
    for shard in shards(corpus.as_ref()) {
        for item in items(corpus.as_ref(), &shard) {
            assert!(keys.insert(item.key), "{} has the key of another record", item.place);
        }
    }
}

/// Shards are numbered from 0, and their names can be those of files side by side.
pub fn names_are_distinct_and_safe(open: Open<'_>) {
    let mut names = BTreeSet::new();
    for (number, shard) in (0..).zip(shards(open().as_ref())) {
        assert_eq!(shard.number, number);
        let safe = |letter: char| letter.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&letter);
        assert!(!shard.name.is_empty() && shard.name.chars().all(safe) && shard.name.len() <= 140, "{}", shard.name);
        assert!(!shard.name.starts_with(['.', '-']), "{}", shard.name);
        assert!(names.insert(shard.name.clone()), "two shards are called {}", shard.name);
    }
}

/// A job that starts in the middle sees what it would have seen.
pub fn can_be_entered_at_any_shard(open: Open<'_>) {
    let corpus = open();
    for shard in shards(corpus.as_ref()).iter().rev() {
        let again = open();
        let found = again.shards().nth(shard.number as usize);
        let found = found.unwrap_or_else(|| panic!("{} is gone", shard.name));
        let found = found.unwrap_or_else(|error| panic!("{} is gone: {error}", shard.name));
        assert_eq!(found, *shard);
        assert_eq!(seen(again.as_ref(), &found), seen(corpus.as_ref(), shard));
    }
}

/// A shard that went over a wire is read as well, by a corpus that has listed nothing.
pub fn shards_can_be_sent(open: Open<'_>) {
    for shard in shards(open().as_ref()) {
        let sent: Result<Shard, _> = serde_json::to_vec(&shard).and_then(|wire| serde_json::from_slice(&wire));
        let sent = sent.unwrap_or_else(|error| panic!("{} cannot be sent: {error}", shard.name));
        assert_eq!(sent, shard);
        assert_eq!(seen(open().as_ref(), &sent), seen(open().as_ref(), &shard));
    }
}

/// Nothing follows an error, however often it is asked for. How many records there are before the errors, and these.
pub fn ends_at_an_error(open: Open<'_>) -> (usize, Vec<DataError>) {
    let (corpus, mut records, mut errors) = (open(), 0, Vec::new());
    for shard in shards(corpus.as_ref()) {
        let mut items = match corpus.read(&shard) {
            Ok(items) => items,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let ending = items.by_ref().find_map(|item| {
            records += usize::from(item.is_ok());
            item.err()
        });
        assert!(ending.is_none() || (0..3).all(|_| items.next().is_none()), "{} goes on after an error", shard.name);
        errors.extend(ending);
    }
    (records, errors)
}

/// Reading takes at most so many bytes more memory than the process has before. Linux only: elsewhere it only reads.
pub fn reads_in_little_memory(open: Open<'_>, bytes: u64) {
    let corpus = open();
    let before = resident();
    for shard in shards(corpus.as_ref()) {
        let items = corpus.read(&shard).unwrap_or_else(|error| panic!("{} cannot be opened: {error}", shard.name));
        for item in items {
            let grown = resident().saturating_sub(before);
            let place = item.map_or_else(|error| error.to_string(), |item| item.place);
            assert!(grown <= bytes, "memory has grown by {grown} bytes at {place}");
        }
    }
}

/// Bytes of memory of this process.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(4096)
}
