//! Labels as archives and Parquet files have them, as indices into classes.
//!
//! Where labels are numbers the classes are called by them; where they are names the classes are these, sorted by their
//! bytes.

use std::collections::{BTreeMap, BTreeSet};

use crate::DataError;
use crate::corpus::Label;

/// The most classes that numbers may count.
const CLASSES: u32 = 1 << 20;

/// Labels as indices into classes, and the classes. `place` says where the record of a label lies.
pub(super) fn classes(
    labels: &[Option<Label>],
    place: impl Fn(usize) -> String,
) -> Result<(Vec<Option<u32>>, Vec<String>), DataError> {
    let (mut names, mut count) = (BTreeSet::new(), 0);
    for (index, label) in labels.iter().enumerate() {
        match label {
            Some(Label::Name(name)) => {
                names.insert(name.as_str());
            }
            Some(Label::Index(index)) => count = count.max(index.saturating_add(1)),
            None => {}
        }
        if count > CLASSES || (count > 0 && !names.is_empty()) {
            return Err(wrong_label(place(index), label.as_ref()));
        }
    }
    let numbers: BTreeMap<&str, u32> = names.iter().copied().zip(0..).collect();
    let number = |label: &Option<Label>| match label.as_ref()? {
        Label::Index(index) => Some(*index),
        Label::Name(name) => numbers.get(name.as_str()).copied(),
    };
    let classes = if count > 0 {
        (0..count).map(|n| n.to_string()).collect()
    } else {
        names.iter().map(|n| n.to_string()).collect()
    };
    Ok((labels.iter().map(number).collect(), classes))
}

fn wrong_label(place: String, label: Option<&Label>) -> DataError {
    DataError::Malformed {
        place,
        found: match label {
            Some(Label::Index(index)) => format!("the label {index}"),
            Some(Label::Name(name)) => format!("the label `{name}`"),
            None => "no label".to_string(),
        },
        expected: format!("labels that are all names, or all numbers below {CLASSES}"),
        help: "write the data again with labels of one kind",
    }
}
