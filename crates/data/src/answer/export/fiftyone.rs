//! A data set of FiftyOne.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Exported, write_array};
use crate::DataError;
use crate::answer::{AnswerSet, Row, Told};

pub(super) fn export(
    rows: impl Iterator<Item = Result<Row, DataError>>,
    set: &AnswerSet,
    folder: &Path,
) -> Result<Exported, DataError> {
    // FiftyOne takes the type of a field from its first value: what there is not is left out, not null.
    write_array(rows, &folder.join("samples.json"), ["{\"samples\": ", "}"], |row, told| sample(set, row, told))
}

fn sample(set: &AnswerSet, row: &Row, told: &Told) -> Map<String, Value> {
    let summary = &told.summary;
    let class = set.name(summary.class());
    let prediction = json!({ "_cls": "Classification", "label": class, "confidence": summary.confidence() });
    let mut sample = Map::new();
    // Records in an archive or of a store have no name that ends like an image's, which FiftyOne would tell by.
    sample.insert("_media_type".to_string(), json!("image"));
    sample.insert("filepath".to_string(), json!(row.place));
    sample.insert("key".to_string(), json!(row.key));
    for (name, number) in [("margin", summary.margin), ("entropy", summary.entropy)] {
        sample.extend(number.map(|number| (name.to_string(), json!(number))));
    }
    sample.insert("prediction".to_string(), prediction);
    if let Some(label) = &row.label {
        sample.insert("label".to_string(), json!({ "_cls": "Classification", "label": label }));
    }
    sample
}
