//! The label book: keyed labels, selection and balancing, maintained incrementally on differential dataflow.
//!
//! ```text
//!  upserts ──► book (key ► newest pseudo-label) ──┬──────────────────────────────► join by key ──► selected
//!                │                                │                                   ▲
//!                └─ minus human ─► candidates ─┬──┴► histogram ► cut ► cells ─► copies ┘
//!                                              └──► tallies ◄── selected, truth, cuts
//!                                                     └──► stats, one a time, on worker 0
//! ```
//!
//! - A human label always wins: its key is no candidate, whatever a teacher says.
//! - A pseudo-label is an upsert, so a teacher that changes its mind retracts what it said before.
//! - Chance is a hash of (seed, round of the label, key), so retries and other partitionings choose alike.
//! - Work follows change. Only what changed is exchanged, sorted and joined, and
//!   a class whose factor drifts a little touches only the few members that the drift decides about.
//!
//! What a teacher says may be calibrated before: [`Temperature`] makes its confidence mean what it says.
//!
//! [`book()`] builds the dataflow for one teacher at a time, as a run trains them. [`curate`] builds it for a corpus: people correct,
//! import by import; several teachers agree or not; each class has its threshold or at most K records; the members of
//! a round may stay while their labels are renewed; and records are barred, such as those that repeat a test image. Of records
//! that show the same, and that could all be chosen, one stays: [`Looks`] says how they are found.
//! [`reference::ReferenceBook`] computes the same from scratch, round by round, the
//! way the paper's scripts do; the tests hold one against the other.

mod balance;
mod book;
mod calibration;
mod class_threshold;
mod confident;
mod correction;
mod curate;
mod duplicates;
mod label;
mod near;
mod policy;
mod precision;
pub mod reference;
mod rule;
mod select;
mod stats;
mod survivor;
mod tally;
mod teachers;
mod threshold;
mod top;
mod upsert;

pub use book::{Book, as_of, book};
pub use calibration::{Temperature, Validated, log_probability};
pub use class_threshold::{ENOUGH, class_thresholds};
pub use confident::{Confidences, confident_class, normalised_margin};
pub use correction::{Correction, Verdict};
pub use curate::{Curated, Sayings, curate};
pub use duplicates::{Deduplication, Duplicates, Looks, MOST_DISTANCE, Match, duplicates};
pub use label::{Confidence, Label, Provenance, Pseudo, Selected};
pub use near::{Groups, near_hashes};
pub use policy::Policy;
pub use precision::Precision;
pub use rule::{Balance, LabelsError, Rule};
pub use stats::{ClassStats, RoundStats};
pub use teachers::{Agreement, Pair};
