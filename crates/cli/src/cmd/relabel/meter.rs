//! How far a bulk job is, on standard error.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use millstream_data::corpus::Counted;
use millstream_dataflow::relabel::BulkEvent;

use super::forecast::{Work, in_words};
use crate::say::say;

/// How often a plain line is written.
const EVERY: Duration = Duration::from_secs(10);

/// Counts what is done and shows it: as a line that stays in its place on a terminal, as plain lines elsewhere.
pub(crate) struct Meter {
    bar: ProgressBar,
    terminal: bool,
    state: Mutex<State>,
    over: AtomicBool,
}

struct State {
    work: Work,
    errors: u64,
    /// Bytes of the records that have their answers.
    bytes: u64,
    /// Since when shards are labelled, not passed over.
    since: Instant,
    said: Instant,
}

impl Meter {
    /// A meter of a job that labels at most `limit` records.
    pub(crate) fn new(limit: Option<u64>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg} [{elapsed}]") {
            bar.set_style(style);
        }
        let (now, work) = (Instant::now(), Work { limit, ..Work::default() });
        let state = Mutex::new(State { work, errors: 0, bytes: 0, since: now, said: now });
        Meter { bar, terminal, state, over: AtomicBool::new(false) }
    }

    pub(crate) fn note(&self, event: &BulkEvent) {
        let mut state = self.state();
        match event {
            BulkEvent::Labelled { records, errors, bytes } => {
                state.work.labelled += records;
                state.errors += errors;
                state.bytes += bytes;
            }
            BulkEvent::Shard { result, before: true, size } => {
                state.work.before.add(*result, *size);
                if state.work.labelled == 0 {
                    state.since = Instant::now();
                }
            }
            BulkEvent::Shard { result, before: false, size } => state.work.done.add(*result, *size),
            BulkEvent::Lost(reason) => self.line(&format!("not found: {reason}")),
        }
        self.show(&mut state);
    }

    /// Takes note of how much of the input was found so far. Whether anybody wants to know more.
    pub(super) fn counted(&self, input: &Counted) -> bool {
        self.found(*input, false)
    }

    /// Takes note that all of the input was found.
    pub(super) fn all_counted(&self, input: Counted) {
        self.found(input, true);
    }

    /// Whether the job still runs: what is found later nobody is told of.
    fn found(&self, input: Counted, all: bool) -> bool {
        let mut state = self.state();
        let runs = !self.over.load(Ordering::SeqCst);
        if runs {
            (state.work.input, state.work.all_counted) = (input, all);
            self.bar.set_message(text(&state));
        }
        runs
    }

    /// What is kept, in words.
    pub(super) fn kept(&self) -> String {
        let work = self.state().work;
        format!("{} shards are done", work.before.shards + work.done.shards)
    }

    /// Takes the bar away and says what was done.
    pub(crate) fn finish(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.bar.finish_and_clear();
        say(text(&self.state()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, state: &mut State) {
        let text = text(state);
        if !self.terminal && state.said.elapsed() >= EVERY {
            state.said = Instant::now();
            say(&text);
        }
        self.bar.set_message(text);
    }

    fn line(&self, text: &str) {
        if self.terminal {
            self.bar.println(text);
        } else {
            say(text);
        }
    }
}

fn text(state: &State) -> String {
    let State { work, errors, bytes, since, .. } = state;
    let taken = since.elapsed();
    let seconds = taken.as_secs_f64().max(1e-3);
    let (records, rate) = (work.labelled, work.labelled as f64 / seconds);
    let volume = *bytes as f64 / 1e6 / seconds;
    let (shards, rest) = (shards(work), rest(work, taken));
    format!("{records} records ({errors} errors), {shards}: {rate:.0} records/s, {volume:.1} MB/s{rest}")
}

/// `17 of 48 shards done (4 of them before)`.
fn shards(work: &Work) -> String {
    let (before, done) = (work.before.shards, work.before.shards + work.done.shards);
    let before = if before > 0 { format!(" ({before} of them before)") } else { String::new() };
    let least = if work.all_counted { "" } else { "at least " };
    match work.input.shards {
        all if all >= done && all > 0 => format!("{done} of {least}{all} shards done{before}"),
        _ => format!("{done} shards done{before}"),
    }
}

/// `, 35 %, about 12 min left`, as far as that is known.
fn rest(work: &Work, taken: Duration) -> String {
    let share = work.share().map_or_else(String::new, |share| format!(", {:.0} %", (100.0 * share).floor()));
    let left = work.left(taken).map_or_else(String::new, |left| format!(", about {} left", in_words(left)));
    format!("{share}{left}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::relabel::forecast::Amount;

    #[test]
    fn the_line_says_how_much_there_is_as_far_as_it_is_known() {
        let amount = |shards| Amount { shards, records: 10 * shards, bytes: 1000 * shards };
        let input = Counted { shards: 30, bytes: 30_000, without_records: 30, ..Counted::default() };
        let work = Work { input, before: amount(4), done: amount(13), labelled: 130, ..Work::default() };
        assert_eq!(shards(&work), "17 of at least 30 shards done (4 of them before)");
        assert_eq!(rest(&work, Duration::from_secs(60)), "");
        let work = Work { all_counted: true, ..work };
        assert_eq!(shards(&work), "17 of 30 shards done (4 of them before)");
        assert_eq!(rest(&work, Duration::from_secs(60)), ", 56 %, about 60 s left");
        // Counting may be behind labelling.
        assert_eq!(shards(&Work { input: Counted::default(), ..work }), "17 shards done (4 of them before)");
    }
}
