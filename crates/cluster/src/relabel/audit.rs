//! Is an output set whole?

use std::collections::BTreeSet;

use millstream_data::Key;
use millstream_data::answer::{Format, decode};
use millstream_data::corpus::{self, Corpus, Shard};
use millstream_data::store::{Store, into_data_error};
use serde::Serialize;

use super::output::{Place, SetFile, ShardCommit, Totals, hex, object_name};
use crate::error::ClusterError;
use crate::run_dir::Damage;

/// Damages that are named; more are counted.
const NAMED: usize = 100;

/// The outcome of looking at an output set.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SetAudit {
    /// What the commits come to.
    pub found: Totals,
    /// What the job said it came to in the end; none if it has not come to its end.
    pub complete: Option<Totals>,
    /// Records of the input that were compared, each with its answer.
    pub compared: u64,
    /// How much is damaged.
    pub damaged: u64,
    /// The first of it.
    pub damage: Vec<Damage>,
}

impl SetAudit {
    fn damage(&mut self, file: impl Into<String>, problem: impl Into<String>) {
        self.damaged += 1;
        if self.damage.len() < NAMED {
            self.damage.push(Damage { file: file.into(), problem: problem.into() });
        }
    }
}

/// Whether answers of a bulk job lie there.
pub fn is_answers(place: &str) -> Result<bool, ClusterError> {
    let place = Place::parse(Store::from_env(), place)?;
    Ok(place.store.find(&place.set()?)?.is_some())
}

/// Re-hashes every object that a commit names and adds up what they hold. Given the input, it is read again too: each of its
/// records that the job was to label must have exactly one answer, in its place. One shard is held at a time.
///
/// # Errors
/// [`ClusterError::NoAnswers`], or what cannot be read.
pub fn verify_answers(place: &str, inputs: &[String]) -> Result<SetAudit, ClusterError> {
    let place = Place::parse(Store::from_env(), place)?;
    let set = place.answers()?;
    if !inputs.is_empty() && set.settings.format != Format::Parquet {
        let problem = "only answers in Parquet can be held against the input: leave `--input` out".to_owned();
        return Err(ClusterError::Answers { place: place.root.to_string(), problem });
    }
    let mut audit = SetAudit { complete: place.load(&place.complete()?)?, ..SetAudit::default() };
    for name in place.shards()? {
        check_object(&place, &set, &name?, &mut audit)?;
    }
    match audit.complete {
        None => audit.damage("_millstream/complete.json", "is not there: the job has not come to its end"),
        Some(complete) if complete != audit.found => {
            let told = |totals: &Totals| {
                let Totals { shards, rows, errors, bytes } = totals;
                format!("{rows} answers ({errors} errors) in {shards} files of {bytes} bytes")
            };
            audit.damage(
                "_millstream/complete.json",
                format!("says {}, the commits say {}", told(&complete), told(&audit.found)),
            );
        }
        Some(_) => {}
    }
    if !inputs.is_empty() {
        compare(&place, &set, inputs, &mut audit)?;
    }
    Ok(audit)
}

/// Does an object have the bytes that its commit says?
fn check_object(place: &Place, set: &SetFile, name: &str, audit: &mut SetAudit) -> Result<(), ClusterError> {
    let commit: Option<ShardCommit> = place.load(&place.commit(name)?)?;
    let Some(commit) = commit.filter(|commit| commit.set == set.id) else {
        audit.damage(format!("_millstream/commits/{name}.json"), "is damaged, or of another set");
        return Ok(());
    };
    audit.found.add(commit.result());
    let location = place.root.join(&commit.object)?;
    if place.store.find(&location)?.is_none() {
        audit.damage(commit.object, "is not there");
        return Ok(());
    }
    let mut hasher = blake3::Hasher::new();
    let read = place.store.reader(&location)?;
    hasher.update_reader(read).map_err(|cause| into_data_error(&location, cause))?;
    if hasher.finalize().to_hex().as_str() != commit.blake3 {
        audit.damage(commit.object, "does not have the bytes that were committed");
    }
    Ok(())
}

/// Holds each shard of the input against its answers, and the answers against the shards. Hashes of the names of shards are held.
fn compare(place: &Place, set: &SetFile, inputs: &[String], audit: &mut SetAudit) -> Result<(), ClusterError> {
    let settings = &set.settings;
    let corpus = corpus::open(inputs, &settings.reading.options(&place.store))?;
    let mut left = settings.limit.unwrap_or(u64::MAX);
    let mut names = BTreeSet::new();
    for shard in corpus.shards() {
        if left == 0 {
            break;
        }
        match shard {
            Ok(shard) => {
                names.insert(*blake3::hash(shard.name.as_bytes()).as_bytes());
                compare_shard(place, set, corpus.as_ref(), &shard, &mut left, audit)?;
            }
            Err(error) => audit.damage("--input", error.to_string()),
        }
    }
    for name in place.shards()? {
        let name = name?;
        if !names.contains(blake3::hash(name.as_bytes()).as_bytes()) {
            audit.damage(object_name(&name, settings.format), "has answers to a shard that is not in the input");
        }
    }
    Ok(())
}

/// The keys that an object answers, and how many rows it has.
fn answered(place: &Place, commit: &ShardCommit) -> Result<(BTreeSet<Key>, u64), ClusterError> {
    let mut keys = BTreeSet::new();
    let mut rows = 0;
    for row in decode(&place.store, &place.root.join(&commit.object)?)? {
        keys.insert(row?.key);
        rows += 1;
    }
    Ok((keys, rows))
}

/// Each record of a shard, or of the sample of it, must have its answer, and nothing else may have one. Keys of one shard are
/// held.
fn compare_shard(
    place: &Place,
    set: &SetFile,
    corpus: &dyn Corpus,
    shard: &Shard,
    left: &mut u64,
    audit: &mut SetAudit,
) -> Result<(), ClusterError> {
    let Some(commit) = place.load::<ShardCommit>(&place.commit(&shard.name)?)? else {
        audit.damage(&shard.name, format!("{} has no answers", shard.place));
        return Ok(());
    };
    if commit.fingerprint != hex(shard.fingerprint) {
        audit.damage(&commit.object, format!("{} has changed since it was labelled", shard.place));
        return Ok(());
    }
    let (mut answered, rows) = match answered(place, &commit) {
        Ok(answered) => answered,
        Err(error) => {
            audit.damage(&commit.object, format!("cannot be read: {error}"));
            return Ok(());
        }
    };
    if rows != commit.rows {
        audit.damage(&commit.object, format!("has {rows} rows, its commit says {}", commit.rows));
    }
    let (mut there, mut records) = (BTreeSet::new(), 0);
    for item in corpus.read(shard)? {
        if *left == 0 {
            break;
        }
        let Ok(item) = item else {
            // What of a shard cannot be read has one row of its own.
            *left -= 1;
            records += 1;
            answered.remove(&Key::of_place(&shard.place, u64::MAX));
            break;
        };
        if set.settings.sample.is_some_and(|sample| !sample.has(item.key)) {
            continue;
        }
        *left -= 1;
        records += 1;
        audit.compared += 1;
        // A list may name a record twice.
        if !answered.remove(&item.key) && !there.contains(&item.key) {
            audit.damage(&commit.object, format!("has no answer to {} ({})", item.place, item.key));
        }
        there.insert(item.key);
    }
    if rows != records {
        audit.damage(&commit.object, format!("has {rows} answers to the {records} records of {}", shard.place));
    }
    if !answered.is_empty() {
        let part = if set.settings.sample.is_some() { "the sample of " } else { "" };
        audit.damage(&commit.object, format!("has {} answers to what is not in {part}{}", answered.len(), shard.place));
    }
    Ok(())
}
