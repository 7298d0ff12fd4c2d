//! The identity of a run: what it will compute, on which data.

use millstream_data::Manifest;
use millstream_spec::Plan;

/// The version of the computation. Raise it when the same plan and data give other models or labels than before.
const COMPUTATION: u32 = 3;

/// The hash of plan, data and computation. Runs with equal hashes end with equal models and labels (on one
/// kind of processor), however many workers and processes they have.
pub fn plan_hash(plan: &Plan, manifest: &Manifest) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("millstream 2026 plan hash");
    hasher.update(&COMPUTATION.to_le_bytes());
    let plan = plan.canonical();
    hasher.update(&(plan.len() as u64).to_le_bytes());
    hasher.update(plan.as_bytes());
    hasher.update(&manifest.fingerprint());
    *hasher.finalize().as_bytes()
}
