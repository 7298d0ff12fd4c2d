//! Of records that show the same, the one that stays.

use differential_dataflow::VecCollection;
use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::ThresholdTotal;
use millstream_data::{Fingerprint, Key};
use serde::{Deserialize, Serialize};
use timely::order::TotalOrder;
use timely::progress::Timestamp;

use crate::book::{Labels, as_of};
use crate::duplicates::{Alike, Deduplication, Duplicates, Looks, Match, matched};
use crate::policy::Policy;
use crate::select::Candidate;

/// Who says what a record shows. Of two that show the same the first stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// A person has corrected it.
    Person,
    /// The data came with a label that is trusted.
    Trusted,
    /// Teachers, surely enough.
    Teacher,
}

impl Standing {
    /// That of what people say in an import.
    pub(crate) fn of_import(import: u32) -> Standing {
        if import == 0 { Standing::Trusted } else { Standing::Person }
    }
}

/// A record in the order in which records stay.
type Ranked = (Standing, Key);
type Standings<'scope, T> = VecCollection<'scope, T, (Key, Standing)>;

/// A search for duplicates, before it is known which records could be in the training set.
pub(crate) struct Search<'scope, T: Timestamp> {
    what: Deduplication,
    distance: u32,
    records: VecCollection<'scope, T, (Key, Fingerprint)>,
    leaks: VecCollection<'scope, T, (Key, Match)>,
    /// All with a smaller key, where they are only reported.
    copies: Option<VecCollection<'scope, T, (Key, Match)>>,
}

impl<'scope, T: Timestamp + Lattice + TotalOrder> Search<'scope, T> {
    pub(crate) fn open(looks: Looks<'scope, T>) -> Self {
        let Looks { records, test, distance, what } = looks;
        let alike = Alike::new(records.clone(), distance);
        let copies = || alike.copies().map(|(key, found)| (key, matched(found)));
        let copies = (what != Deduplication::KeepOne).then(copies);
        Search { what, distance, leaks: alike.leaks(test), copies, records }
    }

    /// Records that repeat a test image, where those are barred.
    pub(crate) fn barred(&self) -> VecCollection<'scope, T, Key> {
        let barred = self.what != Deduplication::Report;
        self.leaks.clone().flat_map(move |(key, _)| barred.then_some(key))
    }

    /// Compares the records that could be in the training set, if one of each two is to stay: those that do not, and all that was
    /// found.
    pub(crate) fn settle(
        self,
        standings: impl FnOnce() -> Standings<'scope, T>,
    ) -> (VecCollection<'scope, T, Key>, Duplicates<'scope, T>) {
        if let Some(copies) = self.copies {
            let none = copies.clone().flat_map(|_| None);
            return (none, Duplicates { leaks: self.leaks, copies });
        }
        let ranked = self.records.join_map(standings(), |key, print, standing| ((*standing, *key), *print));
        let copies = Alike::<T, Ranked>::new(ranked, self.distance).copies();
        let copies = copies.map(|((_, key), (distance, (_, of)))| (key, Match { distance, of }));
        (copies.clone().map(|(key, _)| key), Duplicates { leaks: self.leaks, copies })
    }
}

/// Records that teachers are sure enough of and that nothing else is said of. From the time `frozen` on there come no more.
pub(crate) fn eligible<'scope, T>(
    labels: Labels<'scope, T>,
    ruled: VecCollection<'scope, T, Key>,
    policy: &Policy,
    frozen: Option<T>,
) -> Standings<'scope, T>
where
    T: Timestamp + Lattice + TotalOrder,
{
    let policy = policy.clone();
    let sure = labels.as_collection(|key, ((), label)| (*key, Candidate::from(label)));
    let sure = sure.filter(move |(_, label)| policy.admits(label)).map(|(key, _)| (key, Standing::Teacher));
    let ruled = ruled.distinct_total();
    let free = sure.antijoin(ruled.clone());
    match frozen {
        Some(frozen) => as_of(free, frozen).antijoin(ruled),
        None => free,
    }
}
