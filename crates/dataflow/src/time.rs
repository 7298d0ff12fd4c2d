//! The logical time of the stream: (round, epoch, step), totally ordered.

use differential_dataflow::lattice::Lattice;
use serde::{Deserialize, Serialize};
use timely::PartialOrder;
use timely::order::TotalOrder;
use timely::progress::timestamp::PathSummary;
use timely::progress::{Timestamp, timestamp::Refines};

/// A moment of the stream. Ordered by round, then epoch, then step.
///
/// Epochs `0..` are training epochs, counted on labelled images; [`Time::VALIDATE`], [`Time::TEST`] and [`Time::LABEL`] are
/// the evaluation passes that follow training within a round, so that "all of training comes before
/// labelling" is a fact of the order and not of some flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Time {
    /// One teacher to student pass, from 0.
    pub round: u32,
    /// Training epoch on labelled images, or one of the pass markers.
    pub epoch: u32,
    /// Batch within the round (training) or within the pass (evaluation).
    pub step: u32,
}

impl Time {
    /// The epoch that stands for the pass over the validation split.
    pub const VALIDATE: u32 = u32::MAX - 2;
    /// The epoch that stands for the pass over the test split.
    pub const TEST: u32 = u32::MAX - 1;
    /// The epoch that stands for the labelling pass over the unlabelled split.
    pub const LABEL: u32 = u32::MAX;

    /// A time from its parts.
    pub const fn new(round: u32, epoch: u32, step: u32) -> Self {
        Time { round, epoch, step }
    }

    /// The first moment of a round.
    pub const fn start_of(round: u32) -> Self {
        Time::new(round, 0, 0)
    }

    /// The last moment of a round: its labels are complete when the frontier passes it.
    pub const fn end_of(round: u32) -> Self {
        Time::new(round, u32::MAX, u32::MAX)
    }
}

/// How a path through the dataflow moves time forward: by a number of rounds.
///
/// Zero rounds is the identity; one or more resets epoch and step to 0, as the feedback edge does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Rounds(pub u32);

impl PathSummary<Time> for Rounds {
    fn results_in(&self, time: &Time) -> Option<Time> {
        match self.0 {
            0 => Some(*time),
            rounds => Some(Time::start_of(time.round.checked_add(rounds)?)),
        }
    }

    fn followed_by(&self, other: &Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Rounds)
    }
}

impl PartialOrder for Rounds {
    fn less_equal(&self, other: &Self) -> bool {
        self <= other
    }
}

impl PartialOrder for Time {
    fn less_equal(&self, other: &Self) -> bool {
        self <= other
    }
}

impl TotalOrder for Time {}

impl Timestamp for Time {
    type Summary = Rounds;

    fn minimum() -> Self {
        Time::start_of(0)
    }
}

impl Refines<()> for Time {
    fn to_inner(_outer: ()) -> Self {
        Time::minimum()
    }

    fn to_outer(self) {}

    fn summarize(_path: Rounds) {}
}

impl Lattice for Time {
    fn join(&self, other: &Self) -> Self {
        *self.max(other)
    }

    fn meet(&self, other: &Self) -> Self {
        *self.min(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn times() -> impl Strategy<Value = Time> {
        (0u32..4, prop_oneof![0u32..3, Just(Time::VALIDATE), Just(Time::TEST), Just(Time::LABEL)], 0u32..4)
            .prop_map(|(round, epoch, step)| Time::new(round, epoch, step))
    }

    proptest! {
        #[test]
        fn summaries_are_monotone_and_compose(a in times(), b in times(), s in 0u32..3, t in 0u32..3) {
            let (s, t) = (Rounds(s), Rounds(t));
            if a <= b {
                prop_assert!(s.results_in(&a) <= s.results_in(&b));
            }
            if s <= t {
                prop_assert!(s.results_in(&a) <= t.results_in(&a));
            }
            let in_order = s.results_in(&a).and_then(|m| t.results_in(&m));
            prop_assert_eq!(s.followed_by(&t).and_then(|both| both.results_in(&a)), in_order);
        }
    }

    #[test]
    fn feedback_strictly_advances_even_from_the_last_moment() {
        let end = Time::end_of(3);
        assert_eq!(Rounds(1).results_in(&end), Some(Time::start_of(4)));
        assert!(end < Time::start_of(4));
        assert_eq!(Rounds(1).results_in(&Time::end_of(u32::MAX)), None);
    }
}
