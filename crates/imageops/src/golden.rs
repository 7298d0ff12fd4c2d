//! Comparison with golden files: what other libraries make of the same input. They are committed, written by the scripts
//! in `golden/`; `scripts/parity` writes fresh ones and reads the tally that each test prints.

use std::borrow::Cow;

/// The cases in the file that the environment names, or else the committed ones.
pub(crate) fn cases(variable: &str, committed: &'static str) -> Cow<'static, str> {
    std::env::var(variable).map_or(committed.into(), |path| std::fs::read_to_string(path).unwrap().into())
}

/// CRC-32 as zlib computes it.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let shift = |value: u32| (value >> 1) ^ (0xEDB8_8320 & (value & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |value, _| shift(value)))
}

/// The largest difference from what is expected, in hex or as `crc` and a CRC-32. Infinite if the lengths differ; a wrong
/// CRC-32 does not tell how far off the values are.
pub(crate) fn difference(found: &[u8], expected: &str) -> f64 {
    if let Some(crc) = expected.strip_prefix("crc ") {
        return if format!("{:08x}", crc32(found)) == crc { 0.0 } else { f64::INFINITY };
    }
    let digits = expected.as_bytes().chunks_exact(2).map(|pair| str::from_utf8(pair).unwrap());
    let expected: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    found.iter().zip(&expected).map(|(a, b)| f64::from(a.abs_diff(*b))).fold(0.0, f64::max)
}

/// How many cases of a group were compared, and how well they went.
pub(crate) struct Tally {
    group: &'static str,
    tolerance: f64,
    cases: usize,
    largest: f64,
    wrong: Vec<String>,
}

impl Tally {
    /// A group in which differences up to `tolerance` are no mismatch.
    pub(crate) fn new(group: &'static str, tolerance: f64) -> Self {
        Self { group, tolerance, cases: 0, largest: 0.0, wrong: Vec::new() }
    }

    /// Counts a case; the line is what it takes to repeat it.
    pub(crate) fn add(&mut self, line: &str, difference: f64) {
        self.cases += 1;
        self.largest = self.largest.max(difference);
        if difference > self.tolerance {
            self.wrong.push(format!("off by {difference}: {line}"));
        }
    }

    /// Prints the tally and the first mismatches, for `scripts/parity` to read.
    #[allow(clippy::print_stdout)]
    fn print(&self) {
        let Self { group, tolerance, cases, largest, wrong } = self;
        println!("\nparity | {group} | {cases} | {} | {largest} | {tolerance}", wrong.len());
        wrong.iter().take(20).for_each(|line| println!("mismatch | {group} | {line}"));
    }
}

/// Fewer cases than this are no test of a group.
const FEWEST: usize = 20;

/// Prints all tallies.
///
/// # Panics
/// If one of them has a mismatch, or hardly any case.
pub(crate) fn finish<const N: usize>(tallies: [Tally; N]) {
    tallies.iter().for_each(Tally::print);
    let groups = tallies.iter().filter(|tally| tally.cases < FEWEST || !tally.wrong.is_empty());
    let wrong: Vec<String> =
        groups.map(|tally| format!("{}: {} of {}", tally.group, tally.wrong.len(), tally.cases)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
