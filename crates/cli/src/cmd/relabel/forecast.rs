//! How much of a bulk job is left, and how long that takes.

use std::time::Duration;

use millstream_data::corpus::Counted;
use millstream_dataflow::relabel::ShardResult;

/// What of a corpus is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) shards: u64,
    /// With answers or errors.
    pub(super) records: u64,
    /// Bytes of the shards that say how large they are.
    pub(super) bytes: u64,
}

impl Amount {
    pub(super) fn add(&mut self, result: ShardResult, size: Option<u64>) {
        self.shards += 1;
        self.records += result.rows;
        self.bytes += size.unwrap_or(0);
    }
}

/// What there is to do, and what of it is done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    /// What was found of the input.
    pub(super) input: Counted,
    /// Whether that is all.
    pub(super) all_counted: bool,
    /// Records that are labelled at most.
    pub(super) limit: Option<u64>,
    /// Shards that were done before this job.
    pub(super) before: Amount,
    /// Shards that this job has done.
    pub(super) done: Amount,
    /// Records that have their answers, those of shards that are not yet done too.
    pub(super) labelled: u64,
}

impl Work {
    /// How long the rest takes if it goes on as in the time `taken`, which all but the shards that were done before took. None as long
    /// as nobody knows how much there is, or how fast it goes.
    pub(super) fn left(&self, taken: Duration) -> Option<Duration> {
        let (all, before, done) = self.measured()?;
        let rest = (all - before - done).max(0.0);
        let seconds = taken.as_secs_f64() * rest / done;
        (self.all_counted && done > 0.0).then(|| Duration::try_from_secs_f64(seconds).ok())?
    }

    /// What share of the work is done, in [0, 1]; none as long as nobody knows how much there is.
    pub(super) fn share(&self) -> Option<f64> {
        let (all, before, done) = self.measured()?;
        (self.all_counted && all > 0.0).then(|| ((before + done) / all).clamp(0.0, 1.0))
    }

    /// All there is, what was done before and what this job has done: in bytes where all shards say how large they are, else in records
    /// where all say how many they have, else in shards. A limit is one of records.
    fn measured(&self) -> Option<(f64, f64, f64)> {
        let Work { input, before, done, labelled, .. } = self;
        let records = |all: u64| (all as f64, before.records as f64, *labelled as f64);
        match self.limit {
            Some(limit) if input.without_records == 0 => Some(records(limit.min(input.records))),
            Some(limit) => Some(records(limit)),
            None if input.shards == 0 => None,
            None if input.without_bytes == 0 => {
                Some((input.bytes as f64, before.bytes as f64, self.under_way(done.bytes)))
            }
            None if input.without_records == 0 => Some(records(input.records)),
            None => Some((input.shards as f64, before.shards as f64, self.under_way(done.shards))),
        }
    }

    /// An amount that is known of shards as a whole, and what is to be added for the records of shards under way: as much for each as
    /// for those of the shards that are done.
    fn under_way(&self, done: u64) -> f64 {
        match self.done.records {
            0 => done as f64,
            records => done as f64 * self.labelled.max(records) as f64 / records as f64,
        }
    }
}

/// A duration in words: `40 s`, `12 min`, `3 h 05 min`.
pub(super) fn in_words(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match (seconds, seconds.div_ceil(60)) {
        (0..100, _) => format!("{seconds} s"),
        (_, minutes @ 0..100) => format!("{minutes} min"),
        (_, minutes) => format!("{} h {:02} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A hundred archives of 1000 bytes: 40 done before, 20 now with 10 records each.
    fn archives() -> Work {
        let input = Counted { shards: 100, bytes: 100_000, without_records: 100, ..Counted::default() };
        let before = Amount { shards: 40, records: 400, bytes: 40_000 };
        let done = Amount { shards: 20, records: 200, bytes: 20_000 };
        Work { input, all_counted: true, limit: None, before, done, labelled: 200 }
    }

    #[test]
    fn what_was_done_before_is_neither_left_nor_counted_into_the_rate() {
        let work = archives();
        assert_eq!(work.left(MINUTE), Some(2 * MINUTE));
        assert_eq!(work.share(), Some(0.6));
        let fresh = Work { before: Amount::default(), ..work };
        assert_eq!(fresh.left(MINUTE), Some(4 * MINUTE));
    }

    #[test]
    fn bytes_count_where_they_are_known_of_all_else_records_else_shards() {
        let uneven = Work { done: Amount { bytes: 30_000, ..archives().done }, ..archives() };
        assert_eq!(uneven.left(MINUTE), Some(MINUTE));
        let unsized_ = Counted { without_bytes: 1, without_records: 0, records: 1200, ..uneven.input };
        let by_records = Work { input: unsized_, ..uneven };
        assert_eq!(by_records.left(MINUTE), Some(3 * MINUTE));
        let by_shards = Work { input: Counted { without_records: 1, ..unsized_ }, ..uneven };
        assert_eq!(by_shards.left(MINUTE), Some(2 * MINUTE));
    }

    #[test]
    fn records_of_shards_under_way_count_as_those_before() {
        let work = Work { labelled: 300, ..archives() };
        assert_eq!(work.left(MINUTE), Some(MINUTE));
        assert_eq!(work.share(), Some(0.7));
    }

    #[test]
    fn a_limit_is_one_of_records() {
        let work = Work { limit: Some(1000), ..archives() };
        assert_eq!(work.left(MINUTE), Some(2 * MINUTE));
        let small = Counted { records: 700, without_records: 0, ..work.input };
        assert_eq!(Work { input: small, ..work }.left(MINUTE), Some(MINUTE / 2));
    }

    #[test]
    fn nothing_is_foretold_before_all_is_counted_and_something_done() {
        assert_eq!(Work { all_counted: false, ..archives() }.left(MINUTE), None);
        assert_eq!(Work { done: Amount::default(), labelled: 0, ..archives() }.left(MINUTE), None);
        assert_eq!(Work::default().left(MINUTE), None);
        // An input that grew while it was counted: what is left is not less than nothing.
        let grown = Work { done: Amount { bytes: 90_000, ..archives().done }, ..archives() };
        assert_eq!((grown.left(MINUTE), grown.share()), (Some(Duration::ZERO), Some(1.0)));
    }

    #[test]
    fn times_are_told_in_fitting_units() {
        let said = [0, 99, 100, 5940, 5941, 36_000].map(|seconds| in_words(Duration::from_secs(seconds)));
        assert_eq!(said, ["0 s", "99 s", "2 min", "99 min", "1 h 40 min", "10 h 00 min"]);
    }
}
