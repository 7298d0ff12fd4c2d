//! What a model says of the records of a corpus, and files of it.
//!
//! An [`Answer`] is what a job has of a record: the probability of each class and perhaps an embedding, or why there is
//! none. [`encode`] makes a file of the answers of a shard, [`decode`] reads a Parquet one back row by row.
//! [`export`] hands rows to programs for people to look at them, [`read_corrections`] takes back what they say.

mod correction;
mod csv;
mod export;
mod jsonl;
mod parquet;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use correction::{Correction, Corrections, read_corrections};
pub use export::{Exported, Target, TargetError, export};
pub use parquet::{Row, Rows, Told, decode};

use crate::{DataError, Fingerprint, Key, Stage};

/// What a model said of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The record.
    pub key: Key,
    /// Where it lies.
    pub place: String,
    /// What the corpus says it is, as text, if it says so.
    pub label: Option<String>,
    /// What identifies its image, if that was asked for and the image can be decoded.
    pub fingerprint: Option<Fingerprint>,
    /// What the model said, or why it was not asked.
    pub said: Result<Said, Failure>,
}

/// What a model says of an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The probability of each class, in [0, 1].
    pub probabilities: Vec<f32>,
    /// The features of the image that the model decides by: what its last linear layer takes.
    pub embedding: Option<Vec<f32>>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Where the record failed.
    pub stage: Stage,
    /// Why.
    pub reason: String,
}

/// What the answers of one file have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerSet {
    /// The names of the classes; at least one.
    pub classes: Vec<String>,
    /// How many of the likeliest classes are kept with their probabilities; one at least, all there are at most.
    pub top_k: usize,
    /// Whether the probabilities of all classes are kept.
    pub distribution: bool,
    /// How many numbers an embedding has, where embeddings are kept; at least 1.
    pub embedding: Option<usize>,
    /// Whether the fingerprints of images are kept. Files from before there were any have none.
    #[serde(default)]
    pub fingerprint: bool,
    /// The hash of the model, in hexadecimal digits.
    pub model: String,
}

impl AnswerSet {
    /// The hash of the model; zeros where what stands there is none.
    pub fn model_hash(&self) -> [u8; 32] {
        blake3::Hash::from_hex(&self.model).map(|hash| *hash.as_bytes()).unwrap_or_default()
    }

    /// How many of the likeliest classes each answer has.
    pub(crate) fn kept(&self) -> usize {
        self.top_k.clamp(1, self.classes.len().max(1))
    }

    /// The name of a class, empty where there is none of that index.
    pub(crate) fn name(&self, class: u32) -> &str {
        self.classes.get(class as usize).map_or("", String::as_str)
    }
}

/// What is told of a distribution over classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The likeliest classes with their probabilities, likeliest first; of equal ones the lower class. Never empty, but for
    /// a distribution that is.
    pub top: Vec<(u32, f32)>,
    /// By how much the likeliest class is likelier than the next; its probability where it is the only one. None where only the
    /// likeliest class is known.
    pub margin: Option<f32>,
    /// The entropy, in nats; none where the distribution is not known.
    pub entropy: Option<f32>,
}

impl Summary {
    /// The likeliest class, from 0.
    pub fn class(&self) -> u32 {
        self.top.first().map_or(0, |likeliest| likeliest.0)
    }

    /// The probability of the likeliest class.
    pub fn confidence(&self) -> f32 {
        self.top.first().map_or(0.0, |likeliest| likeliest.1)
    }
}

impl Said {
    /// The `top_k` likeliest classes (one at least) and what else is told. The same bits on every processor.
    pub fn summary(&self, top_k: usize) -> Summary {
        let mut top = likeliest(&self.probabilities, top_k.max(2));
        let probability = |rank: usize| top.get(rank).map_or(0.0, |one| one.1);
        let margin = probability(0) - probability(1);
        top.truncate(top_k.max(1));
        Summary { top, margin: Some(margin), entropy: Some(entropy(&self.probabilities)) }
    }
}

/// The `count` likeliest classes, likeliest first; of equal ones the lower class.
fn likeliest(probabilities: &[f32], count: usize) -> Vec<(u32, f32)> {
    let mut all: Vec<(u32, f32)> = (0..).zip(probabilities.iter().copied()).collect();
    let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    // Of thousands of classes only the few that are kept get sorted.
    if count < all.len() {
        all.select_nth_unstable_by(count, order);
        all.truncate(count);
    }
    all.sort_unstable_by(order);
    all
}

fn entropy(probabilities: &[f32]) -> f32 {
    let terms = probabilities.iter().filter(|p| **p > 0.0).map(|p| f64::from(*p) * libm::log(f64::from(*p)));
    let sum: f64 = terms.sum();
    // Not -sum: a certain answer has entropy 0, not -0.
    (0.0 - sum) as f32
}

/// The class that a corpus means by a label: its name, or else its index, perhaps as a float without a fraction.
pub fn class_of(label: &str, classes: &[String]) -> Option<u32> {
    let named = classes.iter().position(|name| name == label);
    let index = || label.strip_suffix(".0").unwrap_or(label).parse().ok().filter(|class| *class < classes.len());
    u32::try_from(named.or_else(index)?).ok()
}

/// The format of a file of answers.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Parquet (zstd), for programs. [`decode`] reads it.
    Parquet,
    /// CSV with a header, for spreadsheets.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 3] = [Format::Parquet, Format::Csv, Format::Jsonl];

    /// What the names of its files end with, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

/// A text that is no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no format of answers: it is parquet, csv or jsonl")]
pub struct FormatError {
    /// What was found.
    pub text: String,
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let found = Format::ALL.into_iter().find(|format| format.extension() == text);
        found.ok_or_else(|| FormatError { text: text.to_string() })
    }
}

/// Makes a file of answers. The same answers in the same order make the same bytes.
///
/// Each format has of each record: key (32 hexadecimal digits), place, label; the likeliest class by name and index, its
/// confidence, margin and entropy (nats); the `top_k` likeliest classes with their probabilities; if the set says so all
/// probabilities, the embedding and the fingerprint (`content`, the hash of the image's bytes as 32 hexadecimal digits, and
/// `phash`, its perceptual hash); the hash of the model; and stage and reason where there is no answer. What there is not is
/// null, or empty in CSV.
///
/// - Parquet: `top_classes` (indices) and `top_probabilities` are lists, `distribution` and `embedding` lists of fixed size of
///   16-bit floats, where numbers beyond 65504 become that; `phash` is an unsigned number of 64 bits. The set is JSON in the
///   file's metadata under `millstream.answers`.
/// - CSV and JSONL: `phash` is 16 hexadecimal digits, because few programs read whole numbers beyond 2^53 exactly.
/// - CSV: `class_1`, `probability_1` and so on; a distribution or embedding is numbers with spaces between them.
/// - JSONL: `top` is a list of objects; what there is not is left out, but for the label.
///
/// # Errors
/// [`DataError::Malformed`] where the set has no class, an answer not as many probabilities or numbers of an embedding as the set
/// says, or one of them is no number.
pub fn encode(set: &AnswerSet, answers: &[Answer], format: Format) -> Result<Vec<u8>, DataError> {
    if set.classes.is_empty() || set.embedding == Some(0) {
        let found = "no class, or embeddings without a number".to_string();
        return Err(wrong("answers", found, "one at least".to_string()));
    }
    match format {
        Format::Parquet => parquet::encode(set, answers),
        Format::Csv => csv::encode(set, answers),
        Format::Jsonl => jsonl::encode(set, answers),
    }
}

/// An answer that was checked, with what is told of it.
struct Line<'a> {
    answer: &'a Answer,
    said: Result<(&'a Said, Summary), &'a Failure>,
}

impl<'a> Line<'a> {
    fn new(set: &AnswerSet, answer: &'a Answer) -> Result<Self, DataError> {
        let said = match &answer.said {
            Ok(said) => {
                check(set, answer, said)?;
                Ok((said, said.summary(set.kept())))
            }
            Err(failure) => Err(failure),
        };
        Ok(Line { answer, said })
    }

    fn summary(&self) -> Option<&Summary> {
        self.said.as_ref().ok().map(|(_, summary)| summary)
    }

    fn failure(&self) -> Option<&'a Failure> {
        self.said.as_ref().err().copied()
    }

    /// The probabilities of all classes, if they are kept.
    fn distribution(&self, set: &AnswerSet) -> Option<&'a [f32]> {
        self.said.as_ref().ok().filter(|_| set.distribution).map(|(said, _)| said.probabilities.as_slice())
    }

    /// What identifies the image, if that is kept.
    fn fingerprint(&self, set: &AnswerSet) -> Option<Fingerprint> {
        self.answer.fingerprint.filter(|_| set.fingerprint)
    }

    /// The embedding, if it is kept.
    fn embedding(&self, set: &AnswerSet) -> Option<&'a [f32]> {
        set.embedding?;
        self.said.as_ref().ok().and_then(|(said, _)| said.embedding.as_deref())
    }
}

/// A perceptual hash in text.
fn hex(perceptual: u64) -> String {
    format!("{perceptual:016x}")
}

fn check(set: &AnswerSet, answer: &Answer, said: &Said) -> Result<(), DataError> {
    let (place, found) = (&answer.place, said.probabilities.len());
    if found != set.classes.len() {
        return Err(wrong(place, format!("{found} probabilities"), format!("{} of them", set.classes.len())));
    }
    let embedding = said.embedding.as_deref().unwrap_or_default();
    if let Some(length) = set.embedding
        && embedding.len() != length
    {
        return Err(wrong(place, format!("an embedding of {}", embedding.len()), format!("one of {length} numbers")));
    }
    let told = said.probabilities.iter().chain(embedding.iter().filter(|_| set.embedding.is_some()));
    match told.copied().find(|number| !number.is_finite()) {
        Some(number) => Err(wrong(place, format!("the answer {number}"), "a finite number".to_string())),
        None => Ok(()),
    }
}

fn wrong(place: &str, found: String, expected: String) -> DataError {
    let help = "the model is damaged, of another set of classes, or overflows at this precision: check it with `eval`";
    DataError::Malformed { place: place.to_string(), found, expected, help }
}
