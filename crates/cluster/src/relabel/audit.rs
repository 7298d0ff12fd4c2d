//! Is an output set whole?

use std::collections::BTreeSet;

use millstream_data::answer::{Format, decode};
use millstream_data::corpus::{self, Corpus, Sample, Shard};
use millstream_data::store::{Store, into_data_error};
use serde::Serialize;

use super::output::{Place, SetFile, ShardCommit, Totals};
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
    let mut audit = SetAudit { complete: place.load(&place.complete()?)?, ..SetAudit::default() };
    for name in place.shards()? {
        check_object(&place, &set, &name?, &mut audit)?;
    }
    match audit.complete {
        None => audit.damage("_millstream/complete.json", "is not there: the job has not come to its end"),
        Some(complete) if complete != audit.found => {
            audit.damage("_millstream/complete.json", format!("says {complete:?}, the commits say {:?}", audit.found));
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

/// Holds each shard of the input against its answers.
fn compare(place: &Place, set: &SetFile, inputs: &[String], audit: &mut SetAudit) -> Result<(), ClusterError> {
    if set.settings.format != Format::Parquet {
        audit.damage("--input", "only answers in Parquet can be held against the input");
        return Ok(());
    }
    let (kind, records) = (set.settings.kind, set.settings.records);
    let options = corpus::Options { kind, records, store: place.store.clone(), ..corpus::Options::default() };
    let corpus = corpus::open(inputs, &options)?;
    for shard in corpus.shards() {
        match shard {
            Ok(shard) => compare_shard(place, set.settings.sample, corpus.as_ref(), &shard, audit)?,
            Err(error) => audit.damage("--input", error.to_string()),
        }
    }
    Ok(())
}

/// Each record of a shard, or of the sample of it, must have its answer, and nothing else may have one. Keys of one shard are
/// held.
fn compare_shard(
    place: &Place,
    sample: Option<Sample>,
    corpus: &dyn Corpus,
    shard: &Shard,
    audit: &mut SetAudit,
) -> Result<(), ClusterError> {
    let Some(commit) = place.load::<ShardCommit>(&place.commit(&shard.name)?)? else {
        audit.damage(&shard.name, format!("{} has no answers", shard.place));
        return Ok(());
    };
    let mut answered = BTreeSet::new();
    let mut rows = 0;
    for row in decode(&place.store, &place.root.join(&commit.object)?)? {
        answered.insert(row?.key);
        rows += 1;
    }
    if rows != answered.len() as u64 || rows != commit.rows {
        let problem = format!("has {rows} rows of {} keys, its commit says {}", answered.len(), commit.rows);
        audit.damage(&commit.object, problem);
    }
    // What of a shard cannot be read has one row of its own.
    let mut rest = 0;
    for item in corpus.read(shard)? {
        let Ok(item) = item else {
            rest = 1;
            break;
        };
        if sample.is_some_and(|sample| !sample.has(item.key)) {
            continue;
        }
        audit.compared += 1;
        if !answered.remove(&item.key) {
            audit.damage(&commit.object, format!("has no answer to {} ({})", item.place, item.key));
        }
    }
    if answered.len() > rest {
        let part = if sample.is_some() { "the sample of " } else { "" };
        audit.damage(&commit.object, format!("has {} answers to what is not in {part}{}", answered.len(), shard.place));
    }
    Ok(())
}
