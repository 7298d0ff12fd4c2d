//! How far a bulk job is, on standard error.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use millstream_dataflow::relabel::BulkEvent;

use crate::say::say;

/// How often a plain line is written.
const EVERY: Duration = Duration::from_secs(10);

/// Counts what is done and shows it: as a line that stays in its place on a terminal, as plain lines elsewhere.
pub(super) struct Meter {
    bar: ProgressBar,
    terminal: bool,
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    records: u64,
    errors: u64,
    bytes: u64,
    shards: u64,
    before: u64,
    said: Option<Instant>,
}

impl Meter {
    pub(super) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg} [{elapsed}]") {
            bar.set_style(style);
        }
        Meter { bar, terminal, begun: Instant::now(), state: Mutex::default() }
    }

    pub(super) fn note(&self, event: &BulkEvent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            BulkEvent::Labelled { records, errors, bytes } => {
                state.records += records;
                state.errors += errors;
                state.bytes += bytes;
            }
            BulkEvent::Shard { before, .. } => {
                state.shards += 1;
                state.before += u64::from(*before);
            }
            BulkEvent::Lost(reason) => self.line(&format!("not found: {reason}")),
        }
        let text = self.text(&state);
        if !self.terminal && state.said.unwrap_or(self.begun).elapsed() >= EVERY {
            state.said = Some(Instant::now());
            say(&text);
        }
        self.bar.set_message(text);
    }

    /// What is kept, in words.
    pub(super) fn kept(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{} shards are done", state.shards)
    }

    /// Takes the bar away and says what was done.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
        say(self.text(&self.state.lock().unwrap_or_else(PoisonError::into_inner)));
    }

    fn line(&self, text: &str) {
        if self.terminal {
            self.bar.println(text);
        } else {
            say(text);
        }
    }

    fn text(&self, state: &State) -> String {
        let seconds = self.begun.elapsed().as_secs_f64().max(1e-3);
        let before = if state.before > 0 { format!(" ({} of them before)", state.before) } else { String::new() };
        format!(
            "{} records ({} errors), {} shards done{before}: {:.0} records/s, {:.1} MB/s",
            state.records,
            state.errors,
            state.shards,
            state.records as f64 / seconds,
            state.bytes as f64 / 1e6 / seconds
        )
    }
}
