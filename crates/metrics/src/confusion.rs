//! The confusion matrix as a table: a row for each true class, a column for each predicted one.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::file::replace;

/// The most classes for which a matrix is written: some 50 MB.
pub const MOST_CLASSES: usize = 5000;

/// What stands above the names of the true classes and before those of the predicted ones.
const CORNER: &str = "true \\ predicted";

/// Writes the matrix as CSV, quoted after RFC 4180: first the names of the classes, then a line for each true class.
///
/// # Errors
/// More than [`MOST_CLASSES`] classes, or what the system says.
pub fn write_confusion(path: &Path, classes: &[String], counts: &[((u32, u32), u64)]) -> io::Result<()> {
    if classes.len() > MOST_CLASSES {
        return Err(io::Error::other(format!("{} classes are too many for a matrix", classes.len())));
    }
    replace(path, |temporary| {
        let mut writer = csv::Writer::from_writer(File::create(temporary)?);
        writer.write_record(std::iter::once(CORNER).chain(classes.iter().map(String::as_str)))?;
        for (row, name) in rows(classes.len(), counts).zip(classes) {
            writer.write_field(name)?;
            row.iter().try_for_each(|count| writer.write_field(count.to_string()))?;
            writer.write_record(None::<&[u8]>)?;
        }
        writer.flush()
    })
}

/// Reads what [`write_confusion`] wrote: the names of the classes, and the counts of each true class by predicted class.
///
/// # Errors
/// What the system says, or a file that is no such matrix.
pub fn read_confusion(path: &Path) -> io::Result<(Vec<String>, Vec<Vec<u64>>)> {
    let mut reader = csv::Reader::from_path(path)?;
    let names: Vec<String> = reader.headers()?.iter().skip(1).map(str::to_owned).collect();
    let numbers = |record: csv::Result<csv::StringRecord>| -> io::Result<Vec<u64>> {
        record?.iter().skip(1).map(|count| count.parse().map_err(io::Error::other)).collect()
    };
    let counts: Vec<Vec<u64>> = reader.records().map(numbers).collect::<io::Result<_>>()?;
    match counts.len() == names.len() && counts.iter().all(|row| row.len() == names.len()) {
        true => Ok((names, counts)),
        false => Err(io::Error::other(format!("{} is no square matrix", path.display()))),
    }
}

/// The counts of each true class.
pub(crate) fn rows(classes: usize, counts: &[((u32, u32), u64)]) -> impl Iterator<Item = Vec<u64>> {
    let mut counts = counts.to_vec();
    counts.sort_unstable();
    let mut counts = counts.into_iter().peekable();
    (0..classes).map(move |class| {
        let mut row = vec![0; classes];
        while let Some(((_, predicted), count)) = counts.next_if(|((label, _), _)| *label as usize <= class) {
            if let Some(cell) = row.get_mut(predicted as usize) {
                *cell += count;
            }
        }
        row
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_must_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("confusion.csv");
        let classes = ["cat, small", "the \"dog\"", "Vögel"].map(str::to_owned);
        write_confusion(&path, &classes, &[((2, 0), 7), ((0, 0), 12), ((0, 2), 1)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let wanted = "true \\ predicted,\"cat, small\",\"the \"\"dog\"\"\",Vögel\n\
                      \"cat, small\",12,0,1\n\"the \"\"dog\"\"\",0,0,0\nVögel,7,0,0\n";
        assert_eq!(text, wanted);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        assert_eq!(read_confusion(&path).unwrap(), (classes.to_vec(), vec![vec![12, 0, 1], vec![0; 3], vec![7, 0, 0]]));
        std::fs::write(&path, "true,a,b\na,1,2\n").unwrap();
        assert!(read_confusion(&path).unwrap_err().to_string().contains("no square matrix"));
    }

    #[test]
    fn too_many_classes_are_refused() {
        let classes = vec![String::new(); MOST_CLASSES + 1];
        assert!(write_confusion(Path::new("nowhere"), &classes, &[]).is_err());
    }
}
