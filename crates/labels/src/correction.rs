//! What people say of records, import by import.

use differential_dataflow::VecCollection;
use differential_dataflow::lattice::Lattice;
use millstream_data::Key;
use serde::{Deserialize, Serialize};
use timely::progress::Timestamp;

/// What a person says of a record. Where one import says both, the record is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// It shows this class, an index into the class names.
    Class(u32),
    /// It shows nothing to learn from: it is in no training set.
    Reject,
}

/// A verdict and where it comes from. The greatest of a record counts: a later import corrects an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Correction {
    /// The number of the import: 0 for the labels that the data came with, then upwards.
    pub import: u32,
    /// What it says.
    pub verdict: Verdict,
}

/// The correction of each record that counts. Where an import is withdrawn, the one before it counts again.
pub(crate) fn last_word<'scope, T>(
    corrections: VecCollection<'scope, T, (Key, Correction)>,
) -> VecCollection<'scope, T, (Key, Correction)>
where
    T: Timestamp + Lattice,
{
    corrections.reduce_named("Last word", |_, said, last| {
        let valid = said.iter().rev().find(|(_, count)| *count > 0);
        last.extend(valid.map(|(correction, _)| (**correction, 1)));
    })
}
