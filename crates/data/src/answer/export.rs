//! Answers in the forms that other programs read.

mod cleanlab;
mod fiftyone;
mod label_studio;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::str::FromStr;

use serde::Serialize;

use super::{AnswerSet, Row, Told};
use crate::DataError;
use crate::file::Draft;

/// Who reads an export.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Label Studio: `tasks.json`, to import, and `config.xml`, the labelling interface. The answers are predictions; a task
    /// has its record's key, so that what is exported there finds its way back ([`super::read_corrections`]).
    LabelStudio,
    /// FiftyOne: `samples.json`, a folder that `Dataset.from_dir` takes as `FiftyOneDataset` (its older form, which has no
    /// `metadata.json`). Places that are relative are so to the `rel_dir` that is given there.
    FiftyOne,
    /// cleanlab: `labels.npy` (int64) and `pred_probs.npy` (float32, a row a record), and `records.csv`, which says which record
    /// each row is. Only records with a label of the set.
    Cleanlab,
}

impl Target {
    /// Every target.
    pub const ALL: [Target; 3] = [Target::LabelStudio, Target::FiftyOne, Target::Cleanlab];

    fn name(self) -> &'static str {
        match self {
            Target::LabelStudio => "label-studio",
            Target::FiftyOne => "fiftyone",
            Target::Cleanlab => "cleanlab",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is nothing that answers can be exported to: it is label-studio, fiftyone or cleanlab")]
pub struct TargetError {
    /// What was found.
    pub text: String,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let found = Target::ALL.into_iter().find(|target| target.name() == text);
        found.ok_or_else(|| TargetError { text: text.to_string() })
    }
}

/// How many records an export has.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Those that are in it.
    pub written: u64,
    /// Those without an answer, and for cleanlab those without a label of the set.
    pub left_out: u64,
}

/// Writes what `target` reads of the rows into `folder`, which is made if it is not there. A row is forgotten once it is
/// written. The same rows in the same order make the same bytes.
///
/// # Errors
/// The first error among the rows; [`DataError::Write`] or [`DataError::NoRoom`]; [`DataError::Malformed`] where the set has
/// no distributions and cleanlab needs them, or a class has the name that stands for none. What is written before an error is
/// removed.
pub fn export(
    rows: impl IntoIterator<Item = Result<Row, DataError>>,
    set: &AnswerSet,
    target: Target,
    folder: &Path,
) -> Result<Exported, DataError> {
    fs::create_dir_all(folder).map_err(|cause| DataError::write(folder, cause))?;
    let rows = rows.into_iter();
    match target {
        Target::LabelStudio => label_studio::export(rows, set, folder),
        Target::FiftyOne => fiftyone::export(rows, set, folder),
        Target::Cleanlab => cleanlab::export(rows, set, folder),
    }
}

/// Writes `before`, a JSON array with an element for each row that has an answer, one a line, and `after`.
fn write_array<T: Serialize>(
    rows: impl Iterator<Item = Result<Row, DataError>>,
    path: &Path,
    [before, after]: [&str; 2],
    element: impl Fn(&Row, &Told) -> T,
) -> Result<Exported, DataError> {
    let failed = |cause: io::Error| DataError::write(path, cause);
    let mut file = BufWriter::new(Draft::new(path).map_err(failed)?);
    let mut exported = Exported::default();
    write!(file, "{before}[").map_err(failed)?;
    for row in rows {
        let row = row?;
        let Ok(told) = &row.said else {
            exported.left_out += 1;
            continue;
        };
        file.write_all(if exported.written == 0 { b"\n" } else { b",\n" }).map_err(failed)?;
        serde_json::to_writer(&mut file, &element(&row, told)).map_err(|error| failed(error.into()))?;
        exported.written += 1;
    }
    writeln!(file, "\n]{after}").map_err(failed)?;
    file.into_inner().map_err(|error| error.into_error()).and_then(Draft::keep).map_err(failed)?;
    Ok(exported)
}
