//! Tasks for Label Studio, with what the model said as predictions.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::{Exported, write_array};
use crate::answer::correction::REJECTED;
use crate::answer::{AnswerSet, Row};
use crate::{DataError, write_atomically};

pub(super) fn export(
    rows: impl Iterator<Item = Result<Row, DataError>>,
    set: &AnswerSet,
    folder: &Path,
) -> Result<Exported, DataError> {
    if set.classes.iter().any(|class| class == REJECTED) {
        return Err(DataError::Malformed {
            place: "answers".to_string(),
            found: format!("a class `{REJECTED}`"),
            expected: "another name: this one says that a record is of no class".to_string(),
            help: "give the class another name",
        });
    }
    write_atomically(&folder.join("config.xml"), |file| file.write_all(config(set).as_bytes()))?;
    write_array(rows, &folder.join("tasks.json"), ["", ""], |row, told| {
        let value = json!({ "choices": [set.name(told.summary.class())] });
        let choice = json!({ "from_name": "label", "to_name": "image", "type": "choices", "value": value });
        let confidence = told.summary.confidence();
        let prediction = json!({ "model_version": set.model, "score": confidence, "result": [choice] });
        let data = json!({ "image": row.place, "key": row.key, "label": row.label });
        json!({ "data": data, "predictions": [prediction] })
    })
}

/// The labelling interface: the image, a choice for each class and one for none.
fn config(set: &AnswerSet) -> String {
    let names = set.classes.iter().map(String::as_str).chain([REJECTED]);
    let choices: String = names.map(|name| format!("    <Choice value=\"{}\"/>\n", escaped(name))).collect();
    format!(
        "<View>\n  <Image name=\"image\" value=\"$image\"/>\n  \
         <Choices name=\"label\" toName=\"image\" choice=\"single\">\n{choices}  </Choices>\n</View>\n"
    )
}

/// A text as an attribute has it. What XML cannot have at all becomes a space.
fn escaped(text: &str) -> String {
    let letter = |letter: char| match letter {
        '&' => "&amp;".to_string(),
        '<' => "&lt;".to_string(),
        '>' => "&gt;".to_string(),
        '"' => "&quot;".to_string(),
        letter if letter.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&letter) => " ".to_string(),
        letter => letter.to_string(),
    };
    text.chars().map(letter).collect()
}
