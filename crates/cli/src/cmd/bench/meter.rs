//! What is measured, and how.

use std::fs::read_to_string;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::allocations;

/// Counts images and takes the time at the end of each pass. A pass ends with a batch, so the stream never pauses.
pub(super) struct Meter {
    begun: Instant,
    records: u64,
    passes: u32,
    seen: u64,
    first_batch: Option<Duration>,
    marks: Vec<Mark>,
}

/// The state of things at the end of a pass.
#[derive(Clone, Copy)]
struct Mark {
    seen: u64,
    at: Instant,
    allocations: u64,
    cpu: f64,
}

/// The figures of a run.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// Images in a pass.
    pub(super) images: u64,
    /// Images a second, pass by pass.
    pub(super) rates: Vec<f64>,
    /// Seconds from the start of the command to the first batch; none where there are no batches.
    pub(super) first_batch: Option<f64>,
    /// Memory allocations an image, libraries in C not counted.
    pub(super) allocations: f64,
    /// Cores used on average.
    pub(super) cores: f64,
    /// Largest resident set so far, in MiB.
    pub(super) peak_rss: f64,
}

impl Meter {
    pub(super) fn new(begun: Instant, records: u64, passes: u32) -> Self {
        Meter { begun, records, passes, seen: 0, first_batch: None, marks: Vec::new() }
    }

    /// Counts a batch. Hands out the figures with the one that ends the last pass.
    pub(super) fn count(&mut self, images: u64) -> Option<Reading> {
        self.first_batch.get_or_insert_with(|| self.begun.elapsed());
        self.seen += images;
        if self.seen < self.records * (self.marks.len() as u64 + 1) || self.marks.len() > self.passes as usize {
            return None;
        }
        self.marks.push(Mark { seen: self.seen, at: Instant::now(), allocations: allocations::count(), cpu: cpu() });
        (self.marks.len() == self.passes as usize + 1).then(|| self.reading())
    }

    fn reading(&self) -> Reading {
        let rate = |pair: &[Mark]| (pair[1].seen - pair[0].seen) as f64 / (pair[1].at - pair[0].at).as_secs_f64();
        let (first, last) = (self.marks[0], self.marks[self.marks.len() - 1]);
        let images = (last.seen - first.seen) as f64;
        Reading {
            images: self.records,
            rates: self.marks.windows(2).map(rate).collect(),
            first_batch: self.first_batch.map(|time| time.as_secs_f64()),
            allocations: (last.allocations - first.allocations) as f64 / images,
            cores: (last.cpu - first.cpu) / (last.at - first.at).as_secs_f64(),
            peak_rss: peak_rss(),
        }
    }
}

impl Reading {
    /// All images over all the time: the harmonic mean of passes of the same length.
    fn rate(&self) -> f64 {
        self.rates.len() as f64 / self.rates.iter().map(|rate| rate.recip()).sum::<f64>()
    }

    /// For programs; of so many processes with so many workers each.
    pub(super) fn as_json(&self, task: &str, (processes, workers): (usize, usize)) -> Value {
        json!({
            "task": task,
            "processes": processes,
            "workers": workers,
            "images": self.images,
            "images_per_second": self.rates.iter().map(|rate| rounded(*rate, 1)).collect::<Vec<_>>(),
            "first_batch_seconds": self.first_batch.map(|seconds| rounded(seconds, 3)),
            "allocations_per_image": rounded(self.allocations, 2),
            "cores_used": rounded(self.cores, 2),
            "peak_rss_mib": rounded(self.peak_rss, 0),
        })
    }

    pub(super) fn as_text(&self, task: &str, (processes, workers): (usize, usize)) -> String {
        let layout = match processes {
            1 => format!("{workers} workers"),
            _ => format!("{processes} processes of {workers} workers"),
        };
        let (low, high) =
            self.rates.iter().fold((f64::MAX, 0f64), |(low, high), rate| (low.min(*rate), high.max(*rate)));
        let first = self.first_batch.map_or(String::new(), |seconds| format!("\nfirst batch after {seconds:.3} s"));
        format!(
            "{task}: {:.0} images/s ({low:.0} to {high:.0} over {} passes of {} images, {layout}, {:.2} cores used)\n\
             peak memory {:.0} MiB, {:.2} allocations an image{first}",
            self.rate(),
            self.rates.len(),
            self.images,
            self.cores,
            self.peak_rss,
            self.allocations,
        )
    }
}

/// For people, and no longer than the measurement is exact.
pub(super) fn rounded(value: f64, digits: i32) -> f64 {
    (value * 10f64.powi(digits)).round() / 10f64.powi(digits)
}

/// Seconds of processor time that this process has used.
pub(in crate::cmd) fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// The largest resident set that this process has had, in MiB; 0 where the system does not tell.
pub(super) fn peak_rss() -> f64 {
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_end_with_the_batch_that_completes_them() {
        let mut meter = Meter::new(Instant::now(), 100, 2);
        let readings: Vec<Option<Reading>> = (0..12).map(|_| meter.count(30)).collect();
        let ends: Vec<usize> = (0..12).filter(|i| readings[*i].is_some()).collect();
        assert_eq!(ends, [9], "warm-up ends at 120, the passes at 210 and 300");
        let reading = readings[9].as_ref().unwrap();
        assert_eq!((reading.rates.len(), reading.images), (2, 100));
        assert!(reading.first_batch.is_some() && reading.peak_rss > 1.0);
    }
}
