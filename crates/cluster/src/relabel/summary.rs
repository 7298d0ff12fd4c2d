//! What an output set says of itself, without a look at the answers.

use std::time::{Duration, Instant};

use millstream_data::answer::Format;
use millstream_data::corpus::Sample;
use millstream_data::store::Store;
use serde::Serialize;

use super::output::{Place, SetFile, ShardCommit, Totals};
use crate::error::ClusterError;

/// What a set of answers is.
#[derive(Clone, Debug, Serialize)]
pub struct AnswersSummary {
    /// The input of the job.
    pub inputs: Vec<String>,
    /// How many records of it were to be labelled, if not all.
    pub limit: Option<u64>,
    /// The hashes of the models, in hexadecimal digits.
    pub models: Vec<String>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// Whether each image was also asked about in a mirror.
    pub mirror: bool,
    /// Whether each image was also asked about in crops.
    pub crops: bool,
    /// Which records were labelled, if not all.
    pub sample: Option<Sample>,
    /// How many of the likeliest classes each answer has.
    pub top_k: usize,
    /// Whether answers have the probabilities of all classes.
    pub distribution: bool,
    /// How many numbers the embeddings have, if there are any.
    pub embedding: Option<usize>,
    /// Whether answers have fingerprints.
    pub fingerprint: bool,
    /// The format of the files.
    pub format: Format,
    /// Images in a batch.
    pub batch: u32,
    /// Where the models ran.
    pub device: String,
    /// Threads of libtorch.
    pub threads: u32,
    /// Whether the job came to its end.
    pub complete: bool,
    /// What is done.
    pub done: Totals,
    /// Whether that is all of it: else there was no time to read all commits.
    pub all_counted: bool,
    /// Commits that are damaged, or of another set. They do not count.
    pub damaged: u64,
}

/// Tells what answers lie there. If the job came to its end it left totals; if not, commits are read for `patience`.
///
/// # Errors
/// [`ClusterError::NoAnswers`], or what cannot be read.
pub fn describe_answers(place: &str, patience: Duration) -> Result<AnswersSummary, ClusterError> {
    let place = Place::parse(Store::from_env(), place)?;
    let set = place.answers()?;
    match place.load(&place.complete()?)? {
        Some(done) => Ok(summary(set, true, Found { done, all: true, damaged: 0 })),
        None => {
            let found = commits(&place, &set.id, patience)?;
            Ok(summary(set, false, found))
        }
    }
}

/// What there is.
struct Found {
    done: Totals,
    all: bool,
    damaged: u64,
}

fn commits(place: &Place, set: &str, patience: Duration) -> Result<Found, ClusterError> {
    let begun = Instant::now();
    let mut found = Found { done: Totals::default(), all: true, damaged: 0 };
    for name in place.shards()? {
        let commit: Option<ShardCommit> = place.load(&place.commit(&name?)?)?;
        match commit.filter(|commit| commit.set == set) {
            Some(commit) => found.done.add(commit.result()),
            None => found.damaged += 1,
        }
        if begun.elapsed() >= patience {
            found.all = false;
            break;
        }
    }
    Ok(found)
}

fn summary(set: SetFile, complete: bool, found: Found) -> AnswersSummary {
    let settings = set.settings;
    AnswersSummary {
        inputs: settings.inputs,
        limit: settings.limit,
        models: settings.models,
        classes: settings.classes,
        mirror: settings.mirror,
        crops: settings.crops,
        sample: settings.sample,
        top_k: settings.top_k,
        distribution: settings.distribution,
        embedding: settings.embedding,
        fingerprint: settings.fingerprint,
        format: settings.format,
        batch: settings.batch,
        device: settings.device,
        threads: settings.threads,
        complete,
        done: found.done,
        all_counted: found.all,
        damaged: found.damaged,
    }
}
