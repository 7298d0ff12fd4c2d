//! Weights that rounds start from, and what of them trains.

use std::path::PathBuf;

use serde::Serialize;

/// Where a round's model starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightsPlan {
    /// From fresh weights.
    Fresh,
    /// From those of a file, of any program.
    File(PathBuf),
    /// From those that the round before kept: the averaged ones, if it has any. The model is the same but for its noise.
    Previous,
}

/// What of a model trains, and how fast. At least one of the two is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TransferPlan {
    /// What stays as it is.
    pub freeze: Option<FreezePlan>,
    /// How fast the rest trains.
    pub rates: Option<RatesPlan>,
}

/// What of a model stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FreezePlan {
    /// Everything before the linear layers at the end.
    Body,
    /// Tensors whose names are of one of these patterns, at least one; `*` stands for any characters.
    Tensors(Vec<String>),
}

/// How fast tensors train, as shares of the learning rate.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RatesPlan {
    /// `max(min, decay^n)` for the layer that is n below the head.
    LayerDecay {
        /// In (0, 1].
        decay: f64,
        /// In [0, 1].
        min: f64,
    },
    /// That of the first group that matches, else 1.
    Groups(Vec<RateGroupPlan>),
}

/// Tensors that train at a rate of their own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RateGroupPlan {
    /// Their names; `*` stands for any characters.
    #[serde(rename = "match")]
    pub pattern: String,
    /// Their share of the learning rate, above 0 and at most 1000.
    pub rate: f64,
}
