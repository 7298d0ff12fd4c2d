//! Flow control of a bulk job: what may be under way at a time.
//!
//! What reads a corpus are threads of their own, so they may simply wait until there is room.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A number of places. Who wants some waits until they are free.
#[derive(Debug)]
pub(crate) struct Gate {
    places: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u64,
    closed: bool,
}

impl Gate {
    pub(crate) fn new(places: u64) -> Self {
        let places = places.max(1);
        Gate { places, state: Mutex::new(State { free: places, closed: false }), changed: Condvar::new() }
    }

    /// Waits for so many places and takes them; who wants more than there are takes all. Returns what it took, to be given
    /// back, or nothing when the job is over.
    pub(crate) fn enter(&self, wanted: u64) -> Option<u64> {
        let wanted = wanted.min(self.places);
        let waits = |state: &mut State| state.free < wanted && !state.closed;
        let mut state = self.changed.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return None;
        }
        state.free -= wanted;
        Some(wanted)
    }

    /// Gives places back.
    pub(crate) fn leave(&self, taken: u64) {
        let mut state = self.state();
        state.free = state.free.saturating_add(taken).min(self.places);
        self.changed.notify_all();
    }

    /// Sends everybody away, now and later.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn who_finds_no_room_waits_until_there_is() {
        let gate = Arc::new(Gate::new(10));
        assert_eq!(gate.enter(7), Some(7));
        let other = Arc::clone(&gate);
        let waiting = thread::spawn(move || other.enter(1000));
        assert_eq!(gate.enter(3), Some(3));
        gate.leave(3);
        gate.leave(7);
        assert_eq!(waiting.join().unwrap(), Some(10), "more than there is room for is all of it");
    }

    #[test]
    fn a_closed_gate_lets_nobody_wait() {
        let gate = Arc::new(Gate::new(1));
        assert_eq!(gate.enter(1), Some(1));
        let other = Arc::clone(&gate);
        let waiting = thread::spawn(move || other.enter(1));
        gate.close();
        assert_eq!(waiting.join().unwrap(), None);
        gate.leave(1);
        assert_eq!(gate.enter(1), None);
    }
}
