//! What a round's selection amounts to, in numbers.

use serde::{Deserialize, Serialize};

/// The label book at one time, and what changed since the time before.
///
/// Records with a human label are in none of these numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoundStats {
    /// Records that carry a pseudo-label, selected or not.
    pub labelled_by_teacher: u64,
    /// Records selected, each counted once.
    pub accepted: u64,
    /// Images that enter the training set: selected records, copies counted.
    pub copies: u64,
    /// Selected records whose true class is known.
    pub known: u64,
    /// Those among them with the right class.
    pub correct: u64,
    /// The same by class of the pseudo-label; the index is the class.
    pub per_class: Vec<ClassStats>,
    /// Records that had a pseudo-label before and now have one of another class.
    pub churn: u64,
    /// Records selected now that were not before.
    pub joined: u64,
    /// Records selected before that are not now.
    pub left: u64,
}

/// One class of [`RoundStats`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassStats {
    /// Records that a teacher puts into this class, selected or not.
    pub labelled: u64,
    /// Records selected.
    pub accepted: u64,
    /// Images that enter the training set.
    pub copies: u64,
    /// The confidence from which on labels of this class count.
    pub threshold: f32,
    /// How often each label from the threshold on is taken on average: below 1 the class is sub-sampled, above 1
    /// filled up. 1 without balancing, 0 for a class without labels at the threshold.
    pub factor: f64,
    /// Selected records whose true class is known.
    pub known: u64,
    /// Those among them with the right class.
    pub correct: u64,
}

impl RoundStats {
    /// The share of selected records with the right class, among those where it is known. `None` if none is.
    pub fn precision(&self) -> Option<f64> {
        precision(self.correct, self.known)
    }
}

impl ClassStats {
    /// As [`RoundStats::precision`], of this class.
    pub fn precision(&self) -> Option<f64> {
        precision(self.correct, self.known)
    }
}

fn precision(correct: u64, known: u64) -> Option<f64> {
    (known > 0).then(|| correct as f64 / known as f64)
}
