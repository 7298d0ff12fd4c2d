//! What each worker's time goes to.

use std::cell::Cell;
use std::time::Instant;

use crate::gauges::{Doing, Gauges};

/// The watch of one worker: it runs on from one thing that the worker does to the next, so that no time is counted twice or lost.
#[derive(Debug)]
pub(crate) struct Watch {
    gauges: Gauges,
    doing: Cell<Doing>,
    since: Cell<Instant>,
}

impl Watch {
    /// A worker that has nothing to do yet.
    pub(crate) fn new(gauges: Gauges) -> Self {
        Watch { gauges, doing: Cell::new(Doing::Blocked), since: Cell::new(Instant::now()) }
    }

    /// From now on the worker does this.
    pub(crate) fn turn_to(&self, doing: Doing) {
        let now = Instant::now();
        self.gauges.spent(self.doing.replace(doing), now.duration_since(self.since.replace(now)));
    }

    /// A record is on its way: whoever had nothing to do waits for it now.
    pub(crate) fn record_begins(&self) {
        if self.doing.get() == Doing::Blocked {
            self.turn_to(Doing::Starved);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_goes_to_what_is_done() {
        let (gauges, moment) = (Gauges::default(), Duration::from_millis(5));
        let watch = Watch::new(gauges.clone());
        sleep(moment);
        watch.record_begins();
        sleep(moment);
        watch.turn_to(Doing::Preparing);
        watch.record_begins();
        sleep(moment);
        watch.turn_to(Doing::Other);
        let work = gauges.read();
        for (seconds, name) in [(work.blocked, "blocked"), (work.starved, "starved"), (work.preparing, "preparing")] {
            assert!(seconds >= moment.as_secs_f64(), "{name}: {work:?}");
        }
    }
}
