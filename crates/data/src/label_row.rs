//! What a round says about one record.

use serde::{Deserialize, Serialize};

use crate::Key;

/// The label that a model gave to a record, and what was made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelRow {
    /// The record.
    pub key: Key,
    /// Where it lies.
    pub place: String,
    /// The most probable class.
    pub class: u32,
    /// The name of that class.
    pub class_name: String,
    /// The probability of that class, in [0, 1].
    pub confidence: f32,
    /// The probability of each class; empty where only the class is kept.
    pub distribution: Vec<f32>,
    /// The round whose model this is.
    pub round: u32,
    /// The hash of that model, in hexadecimal digits.
    pub model: String,
    /// Whether the next round trains on it.
    pub selected: bool,
    /// How often the next round has it in an epoch; 0 where it is not selected.
    pub copies: u32,
}
