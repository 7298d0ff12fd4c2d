//! Dead letters: records that could not be used, with the reason.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use crate::parquet_file::{Columns, read_rows, write_rows};
use crate::{DataError, Key};

/// Where a record failed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Its bytes could not be had.
    Read,
    /// Its bytes are no image.
    Decode,
    /// Its image could not be augmented.
    Augment,
}

impl Stage {
    /// The stage in one word, as files and messages have it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Read => "read",
            Stage::Decode => "decode",
            Stage::Augment => "augment",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Stage> {
        [Stage::Read, Stage::Decode, Stage::Augment].into_iter().find(|stage| stage.name() == name)
    }
}

/// A record that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its identity.
    pub key: Key,
    /// Where it lies.
    pub place: String,
    /// Where it failed.
    pub stage: Stage,
    /// Why it failed.
    pub reason: String,
    /// The BLAKE3 hash of its bytes, where there were any.
    pub bytes_hash: Option<[u8; 32]>,
    /// The round in which it failed first.
    pub round: u32,
}

/// Writes dead letters as a Parquet file (zstd): `key`, `place`, `stage`, `reason`, `bytes_hash` (hexadecimal digits
/// or null), `round`. The same letters in the same order make the same bytes.
///
/// # Errors
/// Those of [`crate::write_atomically`].
pub fn write_dead_letters(path: &Path, letters: &[DeadLetter]) -> Result<(), DataError> {
    let schema = Schema::new(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("place", DataType::Utf8, false),
        Field::new("stage", DataType::Utf8, false),
        Field::new("reason", DataType::Utf8, false),
        Field::new("bytes_hash", DataType::Utf8, true),
        Field::new("round", DataType::UInt32, false),
    ]);
    write_rows(path, schema, letters.iter().cloned().map(Ok), columns)
}

fn columns(letters: &[DeadLetter]) -> Vec<ArrayRef> {
    let text = |value: fn(&DeadLetter) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(letters.iter().map(value)))
    };
    let hashes = letters.iter().map(|letter| letter.bytes_hash.map(|hash| blake3::Hash::from_bytes(hash).to_string()));
    vec![
        text(|letter| letter.key.to_string()),
        text(|letter| letter.place.clone()),
        text(|letter| letter.stage.name().to_string()),
        text(|letter| letter.reason.clone()),
        Arc::new(hashes.collect::<StringArray>()),
        Arc::new(UInt32Array::from_iter_values(letters.iter().map(|letter| letter.round))),
    ]
}

/// Reads what [`write_dead_letters`] wrote.
///
/// # Errors
/// [`DataError::Missing`], [`DataError::Read`], or [`DataError::Malformed`] for any other file.
pub fn read_dead_letters(path: &Path) -> Result<Vec<DeadLetter>, DataError> {
    read_rows(path, "file of dead letters", letters)
}

fn letters(columns: &Columns) -> Result<Vec<DeadLetter>, DataError> {
    let (keys, rounds) = (columns.keys()?, columns.u32s("round")?);
    let (places, stages) = (columns.strings("place")?, columns.strings("stage")?);
    let (reasons, hashes) = (columns.strings("reason")?, columns.strings("bytes_hash")?);
    let letter = |(row, key)| {
        let stage = Stage::of_name(stages.value(row));
        let hash = hashes.is_valid(row).then(|| blake3::Hash::from_str(hashes.value(row))).transpose();
        Ok(DeadLetter {
            key,
            place: places.value(row).to_string(),
            stage: stage.ok_or_else(|| columns.wrong(format!("the stage `{}`", stages.value(row))))?,
            reason: reasons.value(row).to_string(),
            bytes_hash: hash.map_err(|error| columns.wrong(error.to_string()))?.map(|hash| *hash.as_bytes()),
            round: rounds.value(row),
        })
    };
    keys.into_iter().enumerate().map(letter).collect()
}
