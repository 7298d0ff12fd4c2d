//! Mixing samples of a batch with each other: CutMix and MixUp.

use serde::Serialize;

/// How the samples of a batch are mixed.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct Mixing {
    /// Alpha of CutMix's Beta distribution; 0 for none.
    pub cutmix: f32,
    /// Alpha of MixUp's Beta distribution; 0 for none.
    pub mixup: f32,
    /// Probability of mixing at all, in [0, 1].
    pub p: f32,
    /// Probability of CutMix where both are on, in [0, 1].
    pub switch: f32,
    /// What one draw is for.
    pub per: Per,
}

/// What one draw is for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// The whole batch.
    Batch,
    /// One sample.
    Element,
}
