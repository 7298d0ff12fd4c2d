//! What a teacher says of a record, and what selection makes of it.

use serde::{Deserialize, Serialize};

/// A probability in [0, 1] that can be sorted, hashed and compared exactly.
///
/// It keeps the bits of a non-negative `f32`, whose order as integers is their order as numbers.
#[derive(Copy, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "f32", into = "f32")]
pub struct Confidence(u32);

impl Confidence {
    /// The value, brought into [0, 1]. Not-a-number becomes 0: a teacher that cannot say is not sure.
    pub fn new(value: f32) -> Self {
        let inside = if value > 0.0 { value.min(1.0) } else { 0.0 };
        Confidence(inside.to_bits())
    }

    /// The number, in [0, 1].
    pub fn get(self) -> f32 {
        f32::from_bits(self.0)
    }
}

impl From<f32> for Confidence {
    fn from(value: f32) -> Self {
        Confidence::new(value)
    }
}

impl From<Confidence> for f32 {
    fn from(confidence: Confidence) -> Self {
        confidence.get()
    }
}

impl std::fmt::Debug for Confidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.get())
    }
}

/// A pseudo-label: what one teacher says of one record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Pseudo {
    /// The most probable class, an index into the class names.
    pub class: u32,
    /// The probability of that class.
    pub confidence: Confidence,
    /// The round whose teacher said so.
    pub round: u32,
    /// The first 8 bytes of the teacher's hash, big-endian.
    pub model: u64,
    /// The probability of every class, for soft labels. Empty for hard ones.
    pub distribution: Vec<Confidence>,
}

impl Pseudo {
    /// A pseudo-label out of plain numbers. `model` is the whole hash; `distribution` is empty for a hard label.
    pub fn new(class: u32, confidence: f32, round: u32, model: &[u8; 32], distribution: &[f32]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = *model;
        Pseudo {
            class,
            confidence: Confidence::new(confidence),
            round,
            model: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            distribution: distribution.iter().copied().map(Confidence::new).collect(),
        }
    }
}

/// A pseudo-label that selection took into the training set.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Selected {
    /// The class to train on.
    pub class: u32,
    /// How sure the teacher was of it.
    pub confidence: Confidence,
    /// How often the record enters the training set: at least 1; more where balancing up-samples its class.
    pub copies: u32,
    /// The probability of every class. Empty for a hard label.
    pub distribution: Vec<Confidence>,
    /// The round whose teacher said so.
    pub round: u32,
    /// The first 8 bytes of the teacher's hash, big-endian.
    pub model: u64,
}

impl Selected {
    /// A label with the number of copies that balancing gave it.
    pub fn new(label: &Pseudo, copies: u32) -> Self {
        Selected {
            class: label.class,
            confidence: label.confidence,
            copies,
            distribution: label.distribution.clone(),
            round: label.round,
            model: label.model,
        }
    }
}

/// Where a label comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Provenance {
    /// A person.
    Human {
        /// The number of the import that brought it.
        import: u32,
    },
    /// A teacher, or several that agree.
    Pseudo {
        /// The round whose teacher said so.
        round: u32,
        /// The first 8 bytes of the teacher's hash, big-endian.
        model: u64,
        /// How sure the teacher was of the class.
        confidence: Confidence,
    },
}

/// A label to train on, whoever gave it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Label {
    /// The class, an index into the class names.
    pub class: u32,
    /// How often the record enters the training set: at least 1.
    pub copies: u32,
    /// The probability of every class. Empty for a hard label.
    pub distribution: Vec<Confidence>,
    /// Where it comes from.
    pub provenance: Provenance,
}

impl Label {
    /// What a person said.
    pub fn human(class: u32, import: u32) -> Label {
        Label { class, copies: 1, distribution: Vec::new(), provenance: Provenance::Human { import } }
    }
}

impl From<Selected> for Label {
    fn from(selected: Selected) -> Label {
        let Selected { class, confidence, copies, distribution, round, model } = selected;
        Label { class, copies, distribution, provenance: Provenance::Pseudo { round, model, confidence } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_stays_in_the_unit_interval() {
        for (given, kept) in [(-1.0, 0.0), (-0.0, 0.0), (0.25, 0.25), (1.0, 1.0), (7.0, 1.0), (f32::NAN, 0.0)] {
            assert_eq!(Confidence::new(given), Confidence::new(kept), "{given}");
            assert_eq!(Confidence::new(given).get(), kept, "{given}");
        }
        assert_eq!(Confidence::new(f32::INFINITY).get(), 1.0);
    }

    #[test]
    fn confidence_sorts_as_its_number() {
        let mut sorted = [0.5, 1.0, 0.0, f32::MIN_POSITIVE, 0.499_999_97].map(Confidence::new);
        sorted.sort();
        assert_eq!(sorted.map(Confidence::get), [0.0, f32::MIN_POSITIVE, 0.499_999_97, 0.5, 1.0]);
    }

    #[test]
    fn a_label_names_its_model_by_eight_bytes() {
        let mut hash = [0xff; 32];
        hash[..8].copy_from_slice(&0x0123_4567_89ab_cdef_u64.to_be_bytes());
        assert_eq!(Pseudo::new(3, 0.5, 1, &hash, &[0.5, 0.5]).model, 0x0123_4567_89ab_cdef);
    }
}
