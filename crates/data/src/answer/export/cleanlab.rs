//! Arrays for cleanlab: labels as the corpus has them beside what the model says.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::Exported;
use crate::DataError;
use crate::answer::{AnswerSet, Row, class_of};
use crate::file::Draft;

/// Bytes before the numbers of an array: enough for any shape, and a multiple of 64, as NumPy wants it.
const HEADER: usize = 128;

pub(super) fn export(
    rows: impl Iterator<Item = Result<Row, DataError>>,
    set: &AnswerSet,
    folder: &Path,
) -> Result<Exported, DataError> {
    if !set.distribution {
        return Err(DataError::Malformed {
            place: "answers".to_string(),
            found: "the likeliest classes alone".to_string(),
            expected: "the probabilities of all classes, which cleanlab compares with labels".to_string(),
            help: "have them kept: label anew with `relabel --distribution`",
        });
    }
    let mut arrays = Arrays::new(folder)?;
    let mut exported = Exported::default();
    for row in rows {
        match arrays.row(set, &row?, exported.written)? {
            true => exported.written += 1,
            false => exported.left_out += 1,
        }
    }
    arrays.keep(exported.written, set.classes.len())?;
    Ok(exported)
}

/// The three files while they are written, side by side.
struct Arrays<'a> {
    folder: &'a Path,
    labels: BufWriter<Draft>,
    probabilities: BufWriter<Draft>,
    records: csv::Writer<Draft>,
}

impl<'a> Arrays<'a> {
    fn new(folder: &'a Path) -> Result<Self, DataError> {
        let failed = |cause: io::Error| DataError::write(folder, cause);
        let draft = |name: &str| Draft::new(&folder.join(name)).map_err(failed);
        let mut arrays = Arrays {
            folder,
            labels: BufWriter::new(draft("labels.npy")?),
            probabilities: BufWriter::new(draft("pred_probs.npy")?),
            records: csv::Writer::from_writer(draft("records.csv")?),
        };
        // How many rows there are is known at the end.
        let room = [0; HEADER];
        arrays.labels.write_all(&room).and_then(|()| arrays.probabilities.write_all(&room)).map_err(failed)?;
        arrays.records.write_record(["row", "key", "place"]).map_err(|error| failed(error.into()))?;
        Ok(arrays)
    }

    fn row(&mut self, set: &AnswerSet, row: &Row, number: u64) -> Result<bool, DataError> {
        let distribution = row.said.as_ref().ok().and_then(|told| told.distribution.as_deref());
        let label = row.label.as_deref().and_then(|label| class_of(label, &set.classes));
        let (Some(label), Some(distribution)) = (label.map(i64::from), distribution) else {
            return Ok(false);
        };
        let mut write = || -> io::Result<()> {
            self.labels.write_all(&label.to_le_bytes())?;
            // Rounded to 16 bits they do not sum to 1.
            let sum: f64 = distribution.iter().map(|p| f64::from(*p)).sum();
            let share = |p: &f32| if sum > 0.0 { (f64::from(*p) / sum) as f32 } else { *p };
            distribution.iter().try_for_each(|p| self.probabilities.write_all(&share(p).to_le_bytes()))?;
            Ok(self.records.write_record([&number.to_string(), &row.key.to_string(), &row.place])?)
        };
        write().map_err(|cause| DataError::write(self.folder, cause)).map(|()| true)
    }

    fn keep(self, rows: u64, classes: usize) -> Result<(), DataError> {
        let failed = |cause: io::Error| DataError::write(self.folder, cause);
        finish(self.labels, &header("<i8", &format!("({rows},)"))).map_err(failed)?;
        finish(self.probabilities, &header("<f4", &format!("({rows}, {classes})"))).map_err(failed)?;
        self.records.into_inner().map_err(|error| error.into_error()).and_then(Draft::keep).map_err(failed)
    }
}

fn finish(file: BufWriter<Draft>, header: &[u8]) -> io::Result<()> {
    let mut draft = file.into_inner().map_err(|error| error.into_error())?;
    draft.file().seek(SeekFrom::Start(0))?;
    draft.write_all(header)?;
    draft.keep()
}

/// The beginning of an NPY file, version 1.
fn header(numbers: &str, shape: &str) -> Vec<u8> {
    let dictionary = format!("{{'descr': '{numbers}', 'fortran_order': False, 'shape': {shape}, }}");
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((HEADER as u16 - 10).to_le_bytes());
    header.extend(dictionary.bytes());
    header.resize(HEADER - 1, b' ');
    header.push(b'\n');
    header
}
