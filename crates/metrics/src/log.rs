//! `metrics.jsonl`: one JSON object a line, in the order of training.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::line::Line;

/// The file, open at its end.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
}

impl Log {
    /// Opens the file to go on with `first`, a round and a step of it, and returns the lines of what was before. Later lines
    /// are cut off, and so is everything from the first line that is not whole: that will be told anew.
    pub(crate) fn open(path: &Path, first: (u32, u32)) -> io::Result<(Self, Vec<Line>)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut text = Vec::new();
        if first > (0, 0) {
            file.read_to_end(&mut text)?;
        }
        let kept = text.split_inclusive(|byte| *byte == b'\n').map_while(|line| before(line, first));
        let (mut length, mut lines) = (0, Vec::new());
        for (bytes, line) in kept {
            length += bytes as u64;
            lines.push(line);
        }
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok((Log { file }, lines))
    }

    /// Appends a line in one write, so that a process that is killed leaves it whole or not at all.
    pub(crate) fn append(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.write_all(&text)
    }

    /// Makes sure that what was appended outlives a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// A whole line of what was before `first`, and its length.
fn before(bytes: &[u8], first: (u32, u32)) -> Option<(usize, Line)> {
    let line: Line = serde_json::from_slice(bytes.strip_suffix(b"\n")?).ok()?;
    (line.at() < first).then_some((bytes.len(), line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Scores;

    fn scores(round: u32) -> Line {
        let global_step = 10 * u64::from(round);
        Line::Test(Scores {
            round,
            global_step,
            total: 3,
            accuracy: 1.0 / 3.0,
            top5: None,
            loss: 0.1,
            ece: 0.2,
            calibrated: None,
        })
    }

    fn write(path: &Path, rounds: std::ops::Range<u32>) {
        let mut log = Log::open(path, (rounds.start, 0)).unwrap().0;
        rounds.for_each(|round| log.append(&scores(round)).unwrap());
        log.sync().unwrap();
    }

    #[test]
    fn a_redone_round_takes_the_place_of_its_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        write(&path, 0..3);
        let whole = std::fs::read(&path).unwrap();
        write(&path, 1..3);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        assert_eq!(Log::open(&path, (3, 0)).unwrap().1, [scores(0), scores(1), scores(2)]);
        Log::open(&path, (0, 0)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"", "a fresh run starts afresh");
    }

    #[test]
    fn a_torn_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        write(&path, 0..3);
        let whole = std::fs::read(&path).unwrap();
        let two: usize = whole.split_inclusive(|byte| *byte == b'\n').take(2).map(<[u8]>::len).sum();
        for length in [whole.len() - 1, whole.len() - 5, two + 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let (_, lines) = Log::open(&path, (3, 0)).unwrap();
            assert_eq!(lines, [scores(0), scores(1)], "{length}");
            assert_eq!(std::fs::read(&path).unwrap(), whole[..two]);
        }
    }
}
