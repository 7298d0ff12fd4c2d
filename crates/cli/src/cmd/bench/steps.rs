//! What is measured of training, and how.

use std::time::{Duration, Instant};

use millstream_dataflow::StepTime;
use serde_json::{Value, json};

use super::meter::{cpu, peak_rss, rounded};

/// Takes the time of steps, after some to warm up.
pub(in crate::cmd) struct StepMeter {
    begun: Instant,
    warmup: u32,
    /// What the process had used, and when, as warming up ended.
    mark: Option<(Instant, f64)>,
    first: Option<Duration>,
    steps: Vec<StepTime>,
    seen: u32,
    last: (Instant, f64),
}

/// The figures of a run.
#[derive(Clone, Debug)]
pub(in crate::cmd) struct StepReading {
    /// Steps that were measured.
    pub(in crate::cmd) steps: usize,
    /// Steps a second, by the clock.
    pub(in crate::cmd) rate: f64,
    /// Median seconds of a step, of the training node alone.
    pub(in crate::cmd) step: f64,
    /// Seconds of all steps, and seconds that the training node waited for their batches.
    pub(in crate::cmd) training: f64,
    pub(in crate::cmd) waiting: f64,
    /// Seconds from the start of the command to the end of the first step.
    pub(in crate::cmd) first: f64,
    /// Cores used on average.
    pub(in crate::cmd) cores: f64,
    /// Largest resident set so far, in MiB.
    pub(in crate::cmd) peak_rss: f64,
}

impl StepMeter {
    pub(in crate::cmd) fn new(begun: Instant, warmup: u32) -> Self {
        let last = (begun, 0.0);
        StepMeter { begun, warmup, mark: None, first: None, steps: Vec::new(), seen: 0, last }
    }

    /// Takes note of a step that has just ended.
    pub(in crate::cmd) fn note(&mut self, time: StepTime) {
        self.last = (Instant::now(), cpu());
        self.first.get_or_insert_with(|| self.begun.elapsed());
        self.seen += 1;
        if self.seen > self.warmup {
            self.steps.push(time);
        } else {
            self.mark = Some(self.last);
        }
    }

    /// The figures, once there was a step beyond those that warm up.
    pub(in crate::cmd) fn reading(&self) -> Option<StepReading> {
        let ((from, cpu_from), (to, cpu_to)) = (self.mark?, self.last);
        let mut each: Vec<f64> = self.steps.iter().map(|step| step.seconds).collect();
        each.sort_by(f64::total_cmp);
        let seconds = (to - from).as_secs_f64();
        Some(StepReading {
            steps: self.steps.len(),
            rate: self.steps.len() as f64 / seconds,
            step: *each.get(each.len() / 2)?,
            training: each.iter().sum(),
            waiting: self.steps.iter().map(|step| step.waited).sum(),
            first: self.first?.as_secs_f64(),
            cores: (cpu_to - cpu_from) / seconds,
            peak_rss: peak_rss(),
        })
    }
}

impl StepReading {
    /// As JSON, with steps of `batch` images.
    pub(in crate::cmd) fn as_json(&self, batch: u32) -> Value {
        json!({
            "steps": self.steps,
            "steps_per_second": rounded(self.rate, 3),
            "images_per_second": rounded(self.rate * f64::from(batch), 1),
            "step_seconds": rounded(self.step, 5),
            "training_seconds": rounded(self.training, 3),
            "waiting_seconds": rounded(self.waiting, 3),
            "first_step_seconds": rounded(self.first, 3),
            "cores_used": rounded(self.cores, 2),
            "peak_rss_mib": rounded(self.peak_rss, 0),
        })
    }

    /// As two lines for people.
    pub(in crate::cmd) fn as_text(&self, batch: u32) -> String {
        let all = (self.training + self.waiting).max(f64::MIN_POSITIVE);
        format!(
            "{:.2} steps/s, {:.0} images/s over {} steps ({:.2} cores used)\n\
             a step takes {:.2} ms; {:.1} % of the time the training node waited for data\n\
             peak memory {:.0} MiB, first step after {:.2} s",
            self.rate,
            self.rate * f64::from(batch),
            self.steps,
            self.cores,
            1e3 * self.step,
            100.0 * self.waiting / all,
            self.peak_rss,
            self.first,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_after_the_warm_up_count() {
        let mut meter = StepMeter::new(Instant::now(), 2);
        assert!(meter.reading().is_none());
        for seconds in [9.0, 9.0, 0.1, 0.5, 0.2] {
            std::thread::sleep(Duration::from_millis(1));
            meter.note(StepTime { waited: seconds / 10.0, ready: false, seconds });
        }
        let reading = meter.reading().unwrap();
        assert_eq!((reading.steps, reading.step), (3, 0.2));
        assert!((reading.training - 0.8).abs() < 1e-9 && (reading.waiting - 0.08).abs() < 1e-9, "{reading:?}");
        assert!(reading.rate > 3.0 && reading.rate < 1000.0, "by the clock: {reading:?}");
        assert!(reading.first > 0.0 && reading.peak_rss > 1.0);
    }
}
