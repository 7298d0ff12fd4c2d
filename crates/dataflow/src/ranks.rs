//! Ranks: the training nodes of a run, at which workers they are, and what each gets of a step.

use serde::{Deserialize, Serialize};

/// The training nodes of a run. They see the same steps, each with its part of the images, and keep their models equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranks {
    /// How many there are, at least 1.
    pub count: u32,
    /// Workers of a process: rank r is at the first worker of process r.
    pub workers: usize,
    /// How many of these processes, the first ones, leave it to others to prepare samples.
    pub resting: u32,
}

impl Ranks {
    /// One training node, at the first worker.
    pub const ONE: Ranks = Ranks { count: 1, workers: 1, resting: 0 };

    /// The worker that holds a rank.
    pub(crate) fn worker(self, rank: u32) -> usize {
        rank as usize * self.workers
    }

    /// The rank that a worker holds, if it holds one.
    pub(crate) fn at(self, worker: usize) -> Option<u32> {
        (0..self.count).find(|rank| self.worker(*rank) == worker)
    }

    /// The place of one of so many workers among those that prepare samples, and how many these are; none if it is not one of them.
    pub(crate) fn preparing(self, index: usize, peers: usize) -> Option<(usize, usize)> {
        let resting = self.resting as usize * self.workers;
        Some((index.checked_sub(resting)?, peers.saturating_sub(resting)))
    }

    /// The rank that one of so many preparing workers makes samples for, and its place among those who do. Where each process has
    /// a rank and prepares it is its own.
    pub(crate) fn served_by(self, index: usize, peers: usize) -> (u32, (usize, usize)) {
        let count = self.count as usize;
        let rank = index * count / peers;
        let first = |rank: usize| (rank * peers).div_ceil(count);
        (rank as u32, (index - first(rank), first(rank + 1) - first(rank)))
    }
}

/// Every so manieth slot of a step: those of one rank. So each rank gets as much of what people labelled as the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lane {
    pub(crate) rank: u32,
    pub(crate) ranks: u32,
}

impl Lane {
    /// All slots.
    pub(crate) const ALL: Lane = Lane { rank: 0, ranks: 1 };

    /// How many of the first `slots` slots of a step are in it.
    pub(crate) fn count(self, slots: u32) -> u32 {
        slots.saturating_sub(self.rank).div_ceil(self.ranks)
    }

    /// The slot of the step that has this number here.
    pub(crate) fn global(self, number: u32) -> u32 {
        number * self.ranks + self.rank
    }

    /// Whether a slot of the step is in it.
    pub(crate) fn has(self, slot: u32) -> bool {
        slot % self.ranks == self.rank
    }
}

impl Default for Lane {
    fn default() -> Self {
        Lane::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_cover_a_step_once() {
        for (slots, ranks) in [(10, 3), (2, 4), (64, 1)] {
            let lane = |rank| Lane { rank, ranks };
            let mut all: Vec<u32> = (0..ranks)
                .flat_map(|rank| (0..lane(rank).count(slots)).map(move |number| lane(rank).global(number)))
                .collect();
            assert!(
                (0..ranks).all(|rank| (0..lane(rank).count(slots)).all(|at| lane(rank).has(lane(rank).global(at))))
            );
            all.sort_unstable();
            assert_eq!(all, (0..slots).collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_worker_serves_one_rank_and_every_rank_is_served() {
        for (count, peers) in [(1, 4), (2, 4), (3, 8), (2, 5), (4, 4)] {
            let ranks = Ranks { count, workers: 1, resting: 0 };
            let mut served = vec![Vec::new(); count as usize];
            for index in 0..peers {
                let (rank, (place, of)) = ranks.served_by(index, peers);
                served[rank as usize].push((place, of));
            }
            for served in served {
                let whole: Vec<_> = (0..served.len()).map(|place| (place, served.len())).collect();
                assert!(!whole.is_empty());
                assert_eq!(served, whole, "{count} ranks, {peers} workers");
            }
        }
    }

    #[test]
    fn a_resting_process_prepares_nothing_and_the_others_serve_every_rank() {
        let ranks = Ranks { count: 2, workers: 2, resting: 1 };
        assert_eq!(
            (ranks.preparing(1, 6), ranks.preparing(2, 6), ranks.preparing(5, 6)),
            (None, Some((0, 4)), Some((3, 4)))
        );
    }

    #[test]
    fn a_process_with_a_rank_serves_its_own() {
        let ranks = Ranks { count: 2, workers: 3, resting: 0 };
        assert_eq!((ranks.at(0), ranks.at(3), ranks.at(1)), (Some(0), Some(1), None));
        assert_eq!(ranks.served_by(ranks.worker(1), 6).0, 1);
    }
}
