//! The identity of a set of answers: all that decides what is in it, but for the records.

use millstream_data::answer::{AnswerSet, Format};
use millstream_data::corpus::Kind;
use millstream_train::resolved;
use serde::{Deserialize, Serialize};

use super::RelabelOptions;
use super::ensemble::Models;
use crate::error::ClusterError;

/// The version of the computation. Raise it when the same models and images give other answers than before.
const COMPUTATION: u32 = 1;

/// What decides about answers. Equal settings over equal records give equal bytes, on one kind of processor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    computation: u32,
    pub(super) inputs: Vec<String>,
    pub(super) kind: Option<Kind>,
    pub(super) records: usize,
    pub(super) limit: Option<u64>,
    /// The hash of each model file.
    pub(super) models: Vec<String>,
    pub(super) model: String,
    pub(super) classes: Vec<String>,
    pub(super) mirror: bool,
    pub(super) top_k: usize,
    pub(super) distribution: bool,
    pub(super) format: Format,
    pub(super) batch: u32,
    pub(super) device: String,
    pub(super) threads: u32,
}

impl Settings {
    /// What is asked for. Where nobody says how many threads, it is as many as the answers that are `there` were made with.
    pub(super) fn new(
        options: &RelabelOptions,
        models: &Models,
        there: Option<&Settings>,
    ) -> Result<Settings, ClusterError> {
        let threads = options.threads.or(there.map(|there| there.threads)).unwrap_or(options.cores);
        Ok(Settings {
            computation: COMPUTATION,
            inputs: options.inputs.clone(),
            kind: options.kind,
            records: options.records,
            limit: options.limit,
            models: models.hashes().to_vec(),
            model: models.hash(),
            classes: models.classes().to_vec(),
            mirror: options.mirror,
            top_k: options.top_k,
            distribution: options.distribution,
            format: options.format,
            batch: options.batch,
            device: resolved(options.device)?.to_owned(),
            threads,
        })
    }

    /// The hash of it all.
    pub(super) fn id(&self) -> String {
        // It holds strings, whole numbers and truth values, which JSON can carry: this cannot fail.
        let text = serde_json::to_vec(self).unwrap_or_default();
        let mut hasher = blake3::Hasher::new_derive_key("millstream: set of answers, version 1");
        hasher.update(&text).finalize().to_hex().to_string()
    }

    /// What the files of the set have in common.
    pub(super) fn answers(&self) -> AnswerSet {
        AnswerSet {
            classes: self.classes.clone(),
            top_k: self.top_k,
            distribution: self.distribution,
            embedding: None,
            model: self.model.clone(),
        }
    }

    /// In what these differ from those that are `there`, in words; nothing if in nothing.
    pub(super) fn differences(&self, there: &Settings) -> Option<String> {
        let [ours, theirs] = [self, there].map(|settings| serde_json::to_value(settings).unwrap_or_default());
        let all = ours.as_object().into_iter().flatten();
        let other: Vec<String> = all
            .filter_map(|(name, ours)| {
                let theirs = theirs.get(name).unwrap_or(&serde_json::Value::Null);
                (ours != theirs).then(|| format!("{name} is {} there and {} here", short(theirs), short(ours)))
            })
            .collect();
        (!other.is_empty()).then(|| other.join("; "))
    }
}

/// A value, cut if it is long.
fn short(value: &serde_json::Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
