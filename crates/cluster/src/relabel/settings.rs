//! The identity of a set of answers: all that decides what is in it, but for the records.

use std::collections::BTreeSet;

use millstream_data::answer::{AnswerSet, Format};
use millstream_data::corpus::Sample;
use millstream_train::resolved;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ensemble::Models;
use super::{ReadOptions, RelabelOptions};
use crate::error::ClusterError;

/// The version of the computation. Raise it when the same models and images give other answers than before.
const COMPUTATION: u32 = 2;

/// What decides about answers. Equal settings over equal records give equal bytes, on one kind of processor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    computation: u32,
    pub(super) inputs: Vec<String>,
    #[serde(flatten)]
    pub(super) reading: ReadOptions,
    // What is not asked for is not written, so that sets from before it could be are still what they were.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) sample: Option<Sample>,
    pub(super) limit: Option<u64>,
    /// The hash of each model file.
    pub(super) models: Vec<String>,
    pub(super) model: String,
    pub(super) classes: Vec<String>,
    pub(super) mirror: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) crops: bool,
    pub(super) top_k: usize,
    pub(super) distribution: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) embedding: Option<usize>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) fingerprint: bool,
    pub(super) format: Format,
    pub(super) batch: u32,
    pub(super) device: String,
    pub(super) threads: u32,
}

impl Settings {
    /// What is asked for. Where nobody says how many threads, it is as many as the answers that are `there` were made with, or one:
    /// then the answers do not depend on how many cores a machine has.
    pub(super) fn new(
        options: &RelabelOptions,
        models: &Models,
        there: Option<&Settings>,
    ) -> Result<Settings, ClusterError> {
        let threads = options.threads.or(there.map(|there| there.threads)).unwrap_or(1);
        Ok(Settings {
            computation: COMPUTATION,
            inputs: options.inputs.clone(),
            reading: options.reading.clone(),
            sample: options.sample,
            limit: options.limit,
            models: models.hashes().to_vec(),
            model: models.hash(),
            classes: models.classes().to_vec(),
            mirror: options.views.mirror,
            crops: options.views.crops,
            top_k: options.top_k,
            distribution: options.distribution,
            embedding: options.embedding.then(|| models.embedding()).transpose()?,
            fingerprint: options.fingerprint,
            format: options.format,
            batch: options.batch,
            device: resolved(options.device)?.to_owned(),
            threads,
        })
    }

    /// How many models work at once on so many cores. A GPU has one.
    pub(super) fn models_at_once(&self, cores: u32) -> usize {
        let models = if self.device == "cpu" { cores / self.threads.max(1) } else { 1 };
        models.max(1) as usize
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
            embedding: self.embedding,
            fingerprint: self.fingerprint,
            model: self.model.clone(),
        }
    }

    /// In what these differ from those that are `there`, in words; nothing if in nothing.
    pub(super) fn differences(&self, there: &Settings) -> Option<String> {
        let [ours, theirs] = [self, there].map(|settings| serde_json::to_value(settings).unwrap_or_default());
        let names: BTreeSet<&String> =
            [&ours, &theirs].into_iter().filter_map(Value::as_object).flat_map(Map::keys).collect();
        let told = |settings: &Value, name| settings.get(name).map_or_else(|| "not set".to_owned(), short);
        let other: Vec<String> = names
            .into_iter()
            .filter(|name| ours.get(name) != theirs.get(name))
            .map(|name| format!("{name} is {} there and {} here", told(&theirs, name), told(&ours, name)))
            .collect();
        (!other.is_empty()).then(|| other.join("; "))
    }
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A value, cut if it is long.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
