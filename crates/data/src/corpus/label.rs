//! Labels as data have them: numbers, or names.
//!
//! A number from 0 is the index of a class, also where it is written as a float without a fraction. -1, NaN and null
//! say that there is no label. What else can be no label is none either: the image is as good without.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest name of a class.
const LONGEST: usize = 200;
/// What a label may stand under in JSON.
const FIELDS: [&str; 4] = ["label", "class_name", "class", "cls"];

/// A label as data has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Label {
    /// The index of a class.
    Index(u32),
    /// The name of a class.
    Name(String),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::Index(index) => write!(f, "{index}"),
            Label::Name(name) => f.write_str(name),
        }
    }
}

impl Label {
    pub(super) fn of_integer(number: impl TryInto<u32>) -> Option<Self> {
        number.try_into().ok().map(Label::Index)
    }

    pub(super) fn of_float(number: f64) -> Option<Self> {
        let whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
        whole.then_some(Label::Index(number as u32))
    }

    /// What a file says that has nothing but a label: a number, or the name of a class.
    pub(super) fn of_file(said: &[u8]) -> Option<Self> {
        let text = str::from_utf8(said).ok()?.trim();
        match text.parse::<f64>() {
            Ok(number) => Label::of_float(number),
            Err(_) => Label::of_name(text),
        }
    }

    pub(super) fn of_name(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= LONGEST).then(|| Label::Name(text.to_string()))
    }

    /// The label that a JSON object has, if it has one.
    pub(super) fn of_json(said: &Value) -> Option<Self> {
        match FIELDS.iter().find_map(|name| said.get(name))? {
            Value::String(name) => Label::of_name(name),
            Value::Number(number) => Label::of_float(number.as_f64()?),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_labels_and_all_else_is_none() {
        let index = |number| Some(Label::Index(number));
        let name = |name: &str| Some(Label::Name(name.to_string()));
        let long = "x".repeat(1000);
        for (said, label) in [
            ("7\n", index(7)),
            (" 3.0", index(3)),
            ("4294967295", index(u32::MAX)),
            ("4294967296", None),
            ("-1", None),
            ("-2", None),
            ("1.5", None),
            ("nan", None),
            ("", None),
            ("seven", name("seven")),
            (&long, None),
        ] {
            assert_eq!(Label::of_file(said.as_bytes()), label, "{said}");
        }
        assert_eq!(Label::of_file(b"\xff"), None);
        for (said, label) in [
            (r#"{"label": 3.0}"#, index(3)),
            (r#"{"cls": -1}"#, None),
            (r#"{"label": null, "class": 4}"#, None),
            (r#"{"label": [1, 2]}"#, None),
            (r#"{"label": true}"#, None),
            (r#"{"class_name": "cat", "class": 4}"#, name("cat")),
            (r#"[3]"#, None),
        ] {
            assert_eq!(Label::of_json(&serde_json::from_str(said).unwrap()), label, "{said}");
        }
    }
}
