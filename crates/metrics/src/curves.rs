//! What `metrics.jsonl` tells, for whoever draws it.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::line::Line;

/// The course of a run, by steps of the run (from 1). A value that a line does not have is not a number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// Mean training loss, in nats.
    pub loss: Vec<(f64, f64)>,
    /// The share of labelled training images that the model had right before it learned from them, 0 to 1.
    pub accuracy: Vec<(f64, f64)>,
    /// The learning rate.
    pub learning_rate: Vec<(f64, f64)>,
    /// Training images a second.
    pub images_per_second: Vec<(f64, f64)>,
    /// The share of the time in which the training node waited for batches, 0 to 1.
    pub data_wait: Vec<(f64, f64)>,
}

impl Curves {
    /// Reads them from a run directory. Lines that are not understood are left out: the last may be half written.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn read(run: &Path) -> io::Result<Curves> {
        let file = match File::open(run.join("metrics.jsonl")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Curves::default()),
            file => file?,
        };
        let mut curves = Curves::default();
        for line in BufReader::new(file).lines() {
            if let Ok(Line::Train(training)) = serde_json::from_str(&line?) {
                let step = training.global_step as f64;
                let missing = |value: Option<f64>| (step, value.unwrap_or(f64::NAN));
                curves.loss.push(missing(training.loss));
                curves.accuracy.push(missing(training.accuracy));
                curves.learning_rate.push((step, training.learning_rate));
                curves.images_per_second.push((step, training.images_per_second));
                curves.data_wait.push((step, training.data_wait_share()));
            }
        }
        Ok(curves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_read_and_what_is_missing_is_no_number() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Curves::read(folder.path()).unwrap(), Curves::default());
        let train = r#"{"pass":"train","round":0,"epoch":0,"step":3,"global_step":4,"loss":0.5,"learning_rate":0.1,"accuracy":null,"images_per_second":100.0,"data_wait_seconds":1.0,"step_seconds":3.0}"#;
        let test =
            r#"{"pass":"test","round":0,"global_step":4,"total":3,"accuracy":0.9,"top5":null,"loss":0.1,"ece":0.2}"#;
        std::fs::write(folder.path().join("metrics.jsonl"), format!("{train}\n{test}\n{}", &train[..40])).unwrap();
        let curves = Curves::read(folder.path()).unwrap();
        assert_eq!((&curves.loss[..], &curves.data_wait[..]), (&[(4.0, 0.5)][..], &[(4.0, 0.25)][..]));
        assert!(curves.accuracy[0].1.is_nan());
    }
}
