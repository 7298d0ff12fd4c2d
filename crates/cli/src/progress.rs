//! How far a job is: bars on a terminal, plain lines elsewhere. On standard error.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use millstream_dataflow::{Event, Pass};

use crate::say::say;

/// How often a plain line is written.
const EVERY: Duration = Duration::from_secs(10);

/// The work of one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundWork {
    /// Optimisation steps.
    pub(crate) steps: u64,
    /// Images of the validation pass.
    pub(crate) validation: u64,
    /// Images of the test pass.
    pub(crate) test: u64,
    /// Images of the labelling pass.
    pub(crate) label: u64,
}

/// Shows events as they come.
pub(crate) struct Progress {
    rounds: Vec<RoundWork>,
    bar: ProgressBar,
    terminal: bool,
    showing: Option<(u32, &'static str)>,
    said: Instant,
}

impl Progress {
    /// Progress over the given rounds.
    pub(crate) fn new(rounds: Vec<RoundWork>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("{prefix:24} {bar:32} {pos}/{len} {msg} [{elapsed}]") {
            bar.set_style(style);
        }
        Progress { rounds, bar, terminal, showing: None, said: Instant::now() }
    }

    /// Takes note of an event.
    pub(crate) fn note(&mut self, event: &Event) {
        let work = |round: &u32| self.rounds.get(*round as usize).copied();
        match event {
            Event::Stepped { round, step, metrics, .. } => {
                let steps = work(round).map_or(0, |work| work.steps);
                let message = format!("loss {:.3}, lr {:.4}", metrics.loss, metrics.learning_rate);
                self.show(*round, "train", u64::from(*step) + 1, steps, message);
            }
            Event::Predicted { round, pass, images } => {
                let (what, all) = match (pass, work(round)) {
                    (Pass::Validate, work) => ("validate", work.map_or(0, |work| work.validation)),
                    (Pass::Label, work) => ("label", work.map_or(0, |work| work.label)),
                    (Pass::Test | Pass::Train, work) => ("test", work.map_or(0, |work| work.test)),
                };
                self.add(*round, what, u64::from(*images), all);
            }
            Event::Dead(_) | Event::Round(_) => {}
        }
    }

    /// Writes a line beside the bar.
    pub(crate) fn line(&self, text: &str) {
        if self.terminal {
            self.bar.println(text);
        } else {
            say(text);
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn add(&mut self, round: u32, what: &'static str, images: u64, all: u64) {
        let before = if self.showing == Some((round, what)) { self.bar.position() } else { 0 };
        self.show(round, what, before + images, all, String::new());
    }

    fn show(&mut self, round: u32, what: &'static str, done: u64, all: u64, message: String) {
        if self.showing != Some((round, what)) {
            self.showing = Some((round, what));
            // A bar that was taken away stays away until it is reset.
            self.bar.reset();
            self.bar.set_length(all);
            self.bar.set_prefix(format!("round {round}: {what}"));
        }
        self.bar.set_position(done);
        if !self.terminal && self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            say(format_args!("round {round}: {what} {done}/{all} {message}"));
        }
        self.bar.set_message(message);
    }
}

/// Shows the progress of a job of one round, from whichever thread tells of it.
pub(crate) fn watch(work: RoundWork) -> impl Fn(&Event) + Send + Sync {
    let progress = Mutex::new(Progress::new(vec![work]));
    move |event| {
        if let Ok(mut progress) = progress.lock() {
            progress.note(event);
        }
    }
}
