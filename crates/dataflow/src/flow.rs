//! Flow control: how far a worker may run ahead of the training node.
//!
//! timely does not push back, so the source of the stream holds itself back. Two limits apply: steps beyond
//! what training has finished (whole batches), and bytes of records between read and batch (this worker's
//! share of the byte budget). Whatever frees room wakes the source; nobody polls.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use timely::progress::frontier::AntichainRef;

use crate::gauges::{Doing, Gauges};
use crate::time::Time;
use crate::watch::Watch;

/// Records that go ahead before anybody knows what one weighs.
const SCOUTS: u64 = 4;

/// Enough records on their way to keep all readers busy, and enough bytes to keep the worker busy: with more, buffers
/// would only be colder and start later.
const AHEAD: u64 = 16;
const AHEAD_BYTES: f64 = (2 << 20) as f64;

/// The room that one worker's source has left. Shared by the operators of that worker.
#[derive(Clone)]
pub(crate) struct Credit(Rc<Inner>);

struct Inner {
    window: usize,
    budget: f64,
    steps: RefCell<VecDeque<Time>>,
    records: Cell<u64>,
    record_bytes: Cell<f64>,
    /// Whether the source was refused a record and has not been woken since.
    refused: Cell<bool>,
    source: RefCell<Option<Box<dyn Fn()>>>,
    watch: Watch,
}

impl Credit {
    /// Room for `window` steps, and for `budget` bytes of records. `gauges` are told how long the worker has nothing to do.
    pub(crate) fn new(window: usize, budget: u64, gauges: Gauges) -> Self {
        Credit(Rc::new(Inner {
            window,
            budget: budget as f64,
            steps: RefCell::default(),
            records: Cell::new(0),
            record_bytes: Cell::new(0.0),
            refused: Cell::new(false),
            source: RefCell::new(None),
            watch: Watch::new(gauges),
        }))
    }

    /// Says how to wake the source when there is room again.
    pub(crate) fn wakes(&self, source: impl Fn() + 'static) {
        *self.0.source.borrow_mut() = Some(Box::new(source));
    }

    /// Whether another step may begin.
    pub(crate) fn step_fits(&self) -> bool {
        self.0.steps.borrow().len() < self.0.window
    }

    /// Counts a step as begun.
    pub(crate) fn begin_step(&self, time: Time) {
        self.0.steps.borrow_mut().push_back(time);
    }

    /// Forgets the steps that the training node has finished, as its frontier tells.
    pub(crate) fn steps_done(&self, frontier: AntichainRef<'_, Time>) {
        let mut steps = self.0.steps.borrow_mut();
        let before = steps.len();
        while steps.front().is_some_and(|time| !frontier.less_equal(time)) {
            steps.pop_front();
        }
        if steps.len() < before {
            self.wake();
        }
    }

    /// Whether another record may be read. One always may, or nothing would ever move. Once refused, the source is woken as
    /// soon as the answer changes.
    pub(crate) fn record_fits(&self) -> bool {
        let fits = self.has_room();
        self.0.refused.set(!fits);
        fits
    }

    fn has_room(&self) -> bool {
        let (records, bytes) = (self.0.records.get(), self.0.record_bytes.get());
        if bytes == 0.0 {
            return records < SCOUTS;
        }
        let ahead = (records + 1) as f64 * bytes;
        records == 0 || ahead <= self.0.budget && (records < AHEAD || ahead <= AHEAD_BYTES)
    }

    /// Counts a record as on its way.
    pub(crate) fn begin_record(&self) {
        self.0.records.set(self.0.records.get() + 1);
        self.0.watch.record_begins();
    }

    /// Counts the time from here on as that of preparing.
    pub(crate) fn begin_turn(&self) {
        self.0.watch.turn_to(Doing::Preparing);
    }

    /// A turn of preparing is over, with nothing left to prepare or with some for the next.
    pub(crate) fn end_turn(&self, left: bool) {
        self.0.watch.turn_to(match (left, self.0.records.get()) {
            (true, _) => Doing::Other,
            (false, 0) => Doing::Blocked,
            (false, _) => Doing::Starved,
        });
    }

    /// Learns what a record weighs between read and batch. A large one counts at once, so that the estimate
    /// errs to the safe side; it comes down slowly.
    pub(crate) fn weigh_record(&self, bytes: usize) {
        let (known, bytes) = (self.0.record_bytes.get(), bytes as f64);
        self.0.record_bytes.set(if bytes > known { bytes } else { known + (bytes - known) / 64.0 });
        self.wake_if_room();
    }

    /// Counts a record as arrived in its batch, or lost.
    pub(crate) fn end_record(&self) {
        self.0.records.set(self.0.records.get().saturating_sub(1));
        self.wake_if_room();
    }

    fn wake_if_room(&self) {
        if self.0.refused.get() && self.has_room() {
            self.0.refused.set(false);
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(source) = &*self.0.source.borrow() {
            source();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use timely::progress::Antichain;

    #[test]
    fn a_window_of_steps_opens_as_the_frontier_passes() {
        let credit = Credit::new(2, 100, Gauges::default());
        for step in 0..2 {
            assert!(credit.step_fits());
            credit.begin_step(Time::new(0, 0, step));
        }
        assert!(!credit.step_fits());
        credit.steps_done(Antichain::from_elem(Time::new(0, 0, 0)).borrow());
        assert!(!credit.step_fits(), "step 0 is still under way");
        credit.steps_done(Antichain::from_elem(Time::new(0, 0, 1)).borrow());
        assert!(credit.step_fits());
    }

    #[test]
    fn a_refused_source_is_woken_by_whatever_makes_room() {
        let wakes = Rc::new(Cell::new(0));
        let credit = Credit::new(2, 1000, Gauges::default());
        let count = Rc::clone(&wakes);
        credit.wakes(move || count.set(count.get() + 1));
        credit.weigh_record(101);
        for _ in 0..9 {
            credit.begin_record();
        }
        assert!(!credit.record_fits(), "ten of 101 bytes exceed 1000");
        credit.weigh_record(1);
        assert_eq!(wakes.get(), 1, "records turn out to be smaller than they seemed");
        credit.end_record();
        assert_eq!(wakes.get(), 1, "nobody waits");
        credit.weigh_record(500);
        assert!(!credit.record_fits());
        for _ in 0..6 {
            credit.end_record();
        }
        assert_eq!(wakes.get(), 1, "three of 500 bytes exceed 1000");
        credit.end_record();
        assert_eq!(wakes.get(), 2);
    }

    #[test]
    fn few_records_go_ahead_until_one_was_weighed() {
        let credit = Credit::new(2, 1 << 40, Gauges::default());
        while credit.record_fits() {
            credit.begin_record();
        }
        assert_eq!(credit.0.records.get(), SCOUTS);
        credit.weigh_record(1000);
        assert!(credit.record_fits());
    }

    #[test]
    fn no_more_is_read_ahead_than_keeps_all_busy() {
        for (bytes, expected) in [(1 << 20, AHEAD), (100_000, 20), (1000, 2097)] {
            let credit = Credit::new(2, 1 << 40, Gauges::default());
            credit.weigh_record(bytes);
            while credit.record_fits() {
                credit.begin_record();
            }
            assert_eq!(credit.0.records.get(), expected, "{bytes} bytes each");
        }
    }

    #[test]
    fn records_are_admitted_by_the_bytes_seen() {
        let credit = Credit::new(2, 100, Gauges::default());
        credit.begin_record();
        credit.weigh_record(60);
        assert!(!credit.record_fits(), "two of 60 bytes exceed 100");
        credit.end_record();
        credit.begin_record();
        credit.end_record();
        assert!(credit.record_fits(), "one always fits");
    }
}
