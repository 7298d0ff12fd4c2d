//! The identity of a run: what it will compute, on which data.

use millstream_data::{Manifest, hash_file};
use millstream_spec::{Plan, WeightsPlan};

use crate::ClusterError;

/// The version of the computation. Raise it when the same plan and data give other models or labels than before.
const COMPUTATION: u32 = 4;

/// The hash of plan, data, weights that rounds start from, and computation. Runs with equal hashes end with equal models and labels (on one
/// kind of processor), however many workers and processes they have.
///
/// # Errors
/// [`ClusterError::Weights`]: a file of weights cannot be read.
pub fn plan_hash(plan: &Plan, manifest: &Manifest) -> Result<[u8; 32], ClusterError> {
    let mut hasher = blake3::Hasher::new_derive_key("millstream 2026 plan hash");
    hasher.update(&COMPUTATION.to_le_bytes());
    let text = plan.canonical();
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
    hasher.update(&manifest.fingerprint());
    for (round, settings) in plan.rounds.iter().enumerate() {
        if let WeightsPlan::File(path) = &settings.weights {
            let unreadable = |source| ClusterError::Weights { round, source };
            hasher.update(&hash_file(path).map_err(unreadable)?);
        }
    }
    Ok(*hasher.finalize().as_bytes())
}
