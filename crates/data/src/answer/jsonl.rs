//! Answers as JSON, one object a line.

use serde::Serialize;

use super::{Answer, AnswerSet, Line, hex};
use crate::{DataError, Key};

#[derive(Serialize)]
struct Object<'a> {
    key: Key,
    place: &'a str,
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    margin: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entropy: Option<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    top: Vec<Likely<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<&'a [f32]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<&'a [f32]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Key>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phash: Option<String>,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_stage: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// One of the likeliest classes.
#[derive(Serialize)]
struct Likely<'a> {
    class: &'a str,
    class_index: u32,
    probability: f32,
}

pub(super) fn encode(set: &AnswerSet, answers: &[Answer]) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    for answer in answers {
        let line = Line::new(set, answer)?;
        serde_json::to_writer(&mut bytes, &object(set, &line))
            .map_err(|error| super::wrong(&answer.place, error.to_string(), "an answer that is JSON".to_string()))?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn object<'a>(set: &'a AnswerSet, line: &Line<'a>) -> Object<'a> {
    let (summary, print, failure) = (line.summary(), line.fingerprint(set), line.failure());
    let likely = |(class, probability)| Likely { class: set.name(class), class_index: class, probability };
    Object {
        key: line.answer.key,
        place: &line.answer.place,
        label: line.answer.label.as_deref(),
        class: summary.map(|summary| set.name(summary.class())),
        class_index: summary.map(|summary| summary.class()),
        confidence: summary.map(|summary| summary.confidence()),
        margin: summary.and_then(|summary| summary.margin),
        entropy: summary.and_then(|summary| summary.entropy),
        top: summary.into_iter().flat_map(|summary| summary.top.iter().copied()).map(likely).collect(),
        distribution: line.distribution(set),
        embedding: line.embedding(set),
        content: print.map(|print| print.content),
        phash: print.map(|print| hex(print.perceptual)),
        model: &set.model,
        error_stage: failure.map(|failure| failure.stage.name()),
        error: failure.map(|failure| failure.reason.as_str()),
    }
}
