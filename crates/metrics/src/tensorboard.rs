//! TensorBoard's event files: scalars only.
//!
//! A file is a row of records: length (u64, little-endian), masked checksum of the length, a protobuf message `Event`, masked
//! checksum of the message. Field numbers are those of TensorBoard's `event.proto` and `summary.proto`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::line::{Scores, Training};

/// What the names of all event files begin with; TensorBoard knows them by `tfevents`.
const PREFIX: &str = "events.out.tfevents.";
/// The first record of every file.
const VERSION: &str = "brain.Event:2";
/// `SessionLog.START`: what was told of this step and later ones before does not count any more.
const START: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session: Option<Session>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    /// `optional`, or else a 0 would not be written at all and be no scalar.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct Session {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// The event file of one round.
#[derive(Debug)]
pub(crate) struct EventFile {
    file: File,
}

impl EventFile {
    /// Starts the file of a round whose first step will be `first_step`, counted over all rounds from 1. TensorBoard reads the
    /// files of a folder by name: a later generation's follow those of an earlier one.
    pub(crate) fn create(folder: &Path, generation: u64, round: u32, first_step: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = File::create(folder.join(format!("{PREFIX}{generation:06}.{round:06}")))?;
        let mut events = EventFile { file };
        events.write(Event { file_version: Some(VERSION.to_owned()), ..Event::default() })?;
        let session = Some(Session { status: START });
        events.write(Event { step: first_step as i64, session, ..Event::default() })?;
        Ok(events)
    }

    /// Adds a point to the curves of training.
    pub(crate) fn train(&mut self, point: &Training) -> io::Result<()> {
        self.scalars(
            point.global_step,
            &[
                ("train/loss", point.loss),
                ("train/accuracy", point.accuracy),
                ("train/accepted", point.accepted),
                ("train/learning_rate", Some(point.learning_rate)),
                ("train/images_per_second", Some(point.images_per_second)),
                ("train/data_wait_share", Some(point.data_wait_share())),
            ],
        )
    }

    /// Adds a point to the curves of a pass over a labelled split.
    pub(crate) fn scores(&mut self, pass: &str, scores: &Scores) -> io::Result<()> {
        let calibrated = scores.calibrated;
        let figures = [
            ("accuracy", Some(scores.accuracy)),
            ("top5", scores.top5),
            ("loss", Some(scores.loss)),
            ("ece", Some(scores.ece)),
            ("temperature", calibrated.map(|calibrated| calibrated.temperature)),
            ("calibrated_loss", calibrated.map(|calibrated| calibrated.loss)),
            ("calibrated_ece", calibrated.map(|calibrated| calibrated.ece)),
        ];
        let named = figures.map(|(figure, value)| (format!("{pass}/{figure}"), value));
        self.scalars(scores.global_step, &named.each_ref().map(|(tag, value)| (tag.as_str(), *value)))
    }

    fn scalars(&mut self, step: u64, scalars: &[(&str, Option<f64>)]) -> io::Result<()> {
        let value = scalars.iter().filter_map(|(tag, value)| {
            let simple_value = Some((*value)? as f32);
            Some(Scalar { tag: (*tag).to_owned(), simple_value })
        });
        let summary = Some(Summary { value: value.collect() });
        self.write(Event { step: step as i64, summary, ..Event::default() })
    }

    fn write(&mut self, event: Event) -> io::Result<()> {
        let wall_time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        self.file.write_all(&record(&Event { wall_time, ..event }.encode_to_vec()))
    }
}

/// Removes the files of rounds that will be told anew: those after the step `first` of a round, and that round itself if it
/// begins anew. A file that goes on from the middle of a round says so, and readers pass over what it repeats.
pub(crate) fn forget(folder: &Path, first: (u32, u32)) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if round_of(&entry.file_name().to_string_lossy()).is_some_and(|round| (round, 0) >= first) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn round_of(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split_once('.')?.1.parse().ok()
}

fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), message, &masked(message)].concat()
}

/// The checksum as TensorFlow stores it: rotated and shifted, because the checksum of data that hold checksums is weak.
fn masked(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-32C, and the mask done by hand: 0xe3069283 >> 15 | << 17 = 0x2507c60d, + 0xa282ead8.
    #[test]
    fn a_checksum_is_masked() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked(b"123456789"), 0xc78a_b0e5_u32.to_le_bytes());
    }

    #[test]
    fn a_round_that_is_told_anew_loses_its_files() {
        let folder = tempfile::tempdir().unwrap();
        for (generation, round) in [(0, 0), (0, 1), (1, 1), (1, 2)] {
            EventFile::create(folder.path(), generation, round, 1).unwrap();
        }
        std::fs::write(folder.path().join("notes"), "mine").unwrap();
        forget(folder.path(), (1, 0)).unwrap();
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["events.out.tfevents.000000.000000", "notes"]);
        forget(&folder.path().join("nowhere"), (0, 0)).unwrap();
    }
}
