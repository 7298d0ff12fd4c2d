//! Answers as CSV.

use std::iter::repeat_n;

use super::{Answer, AnswerSet, Line, Summary, hex};
use crate::DataError;

pub(super) fn encode(set: &AnswerSet, answers: &[Answer]) -> Result<Vec<u8>, DataError> {
    let failed = |error: String| super::wrong("answers", error, "answers that fit into CSV".to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header(set)).map_err(|error| failed(error.to_string()))?;
    for answer in answers {
        let line = Line::new(set, answer)?;
        writer.write_record(fields(set, &line)).map_err(|error| failed(error.to_string()))?;
    }
    writer.into_inner().map_err(|error| failed(error.to_string()))
}

fn header(set: &AnswerSet) -> Vec<String> {
    let first = ["key", "place", "label", "class", "class_index", "confidence", "margin", "entropy"];
    let mut names: Vec<String> = first.map(str::to_string).to_vec();
    names.extend((1..=set.kept()).map(|rank| format!("class_{rank}")));
    names.extend((1..=set.kept()).map(|rank| format!("probability_{rank}")));
    names.extend(set.distribution.then(|| "distribution".to_string()));
    names.extend(set.embedding.map(|_| "embedding".to_string()));
    names.extend(["content", "phash"].into_iter().filter(|_| set.fingerprint).map(str::to_string));
    names.extend(["model", "error_stage", "error"].map(str::to_string));
    names
}

fn fields(set: &AnswerSet, line: &Line<'_>) -> Vec<String> {
    let answer = line.answer;
    let mut fields = vec![answer.key.to_string(), answer.place.clone(), answer.label.clone().unwrap_or_default()];
    match line.summary() {
        Some(summary) => fields.extend(told(set, summary)),
        None => fields.extend(repeat_n(String::new(), 5 + 2 * set.kept())),
    }
    fields.extend(set.distribution.then(|| numbers(line.distribution(set))));
    fields.extend(set.embedding.map(|_| numbers(line.embedding(set))));
    if set.fingerprint {
        let print = line.fingerprint(set);
        fields.push(print.map(|print| print.content.to_string()).unwrap_or_default());
        fields.push(print.map(|print| hex(print.perceptual)).unwrap_or_default());
    }
    let failure = line.failure();
    fields.push(set.model.clone());
    fields.push(failure.map(|failure| failure.stage.name().to_string()).unwrap_or_default());
    fields.push(failure.map(|failure| failure.reason.clone()).unwrap_or_default());
    fields
}

fn told(set: &AnswerSet, summary: &Summary) -> Vec<String> {
    let mut fields = vec![set.name(summary.class()).to_string(), summary.class().to_string()];
    let figures = [Some(summary.confidence()), summary.margin, summary.entropy];
    fields.extend(figures.map(|number| number.map_or_else(String::new, |number| number.to_string())));
    fields.extend(summary.top.iter().map(|(class, _)| set.name(*class).to_string()));
    fields.extend(summary.top.iter().map(|(_, probability)| probability.to_string()));
    fields
}

fn numbers(numbers: Option<&[f32]>) -> String {
    let texts: Vec<String> = numbers.unwrap_or_default().iter().map(f32::to_string).collect();
    texts.join(" ")
}
