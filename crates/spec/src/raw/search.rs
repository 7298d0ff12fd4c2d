//! The section `search`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Named;

/// What `millstream search` tries to find the best settings; `run` takes no notice of it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    /// What is tried: settings by their keys with dots between, as after `--set`, each with a list of values or a range.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 20))]
    pub(crate) over: Named<Axis>,
    /// Settings of every trial, by their keys: fewer steps, a smaller model. What makes a trial cheaper than the pipeline and leaves
    /// the order of the combinations as it is.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 100))]
    pub(crate) set: Named<Anything>,
    /// How many combinations are drawn at random. Without it all of them are tried, and `over` may have no ranges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) trials: Option<u32>,
    /// Train all combinations for a few steps, and only the best of them for more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) halving: Option<Halving>,
    /// The labelled images are cut into so many folds, evenly in each class. Trials learn from all but one.
    #[serde(default = "Search::folds")]
    #[schemars(range(min = 2, max = 100))]
    pub(crate) folds: u32,
    /// So many of the folds are held out, one after the other: each combination is trained once without each of these, and measured on it.
    /// More of them tell combinations apart that are close to each other.
    #[serde(default = "Search::held_out")]
    #[schemars(range(min = 1, max = 100))]
    pub(crate) held_out: u32,
    /// What combinations are compared by.
    #[serde(default)]
    pub(crate) by: Criterion,
    /// How many of the rounds a trial has, from the first. What is compared is the model of the last of them. All by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) rounds: Option<u32>,
}

impl Search {
    fn folds() -> u32 {
        5
    }

    fn held_out() -> u32 {
        1
    }
}

/// What combinations are compared by, on the images that are held out.
#[derive(Copy, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Criterion {
    /// The share that the model tells right; more is better.
    #[default]
    Accuracy,
    /// The mean negative log-likelihood of the right classes; less is better. It tells combinations apart with fewer images, but counts how sure the
    /// model is as well: not for settings that change that more than anything else, as label smoothing does.
    Loss,
}

/// Successive halving (Jamieson and Talwalkar 2016).
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Halving {
    /// Of so many combinations one goes on to the next rung, where it is trained anew with so many times the steps.
    #[schemars(range(min = 2, max = 10))]
    pub(crate) eta: u32,
    /// How many rungs there are. On the last one trials have all of their steps.
    #[schemars(range(min = 2, max = 8))]
    pub(crate) rungs: u32,
}

impl Default for Halving {
    fn default() -> Self {
        Halving { eta: 3, rungs: 3 }
    }
}

/// The values of a setting that are tried.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Axis {
    /// These.
    Values(Vec<serde_json::Value>),
    /// Any number of a range.
    Range(Range),
}

/// Numbers that values are drawn from.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Range {
    /// The smallest.
    pub(crate) from: f64,
    /// The largest.
    pub(crate) to: f64,
    /// Whether they are drawn evenly, or evenly in their logarithm.
    #[serde(default)]
    pub(crate) scale: Spacing,
    /// Whether only whole numbers are meant.
    #[serde(default)]
    pub(crate) whole: bool,
}

/// How numbers of a range are spread.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Spacing {
    /// Evenly.
    #[default]
    Linear,
    /// Evenly in the logarithm: as many from 0.01 to 0.1 as from 0.1 to 1.
    Log,
}

impl JsonSchema for Axis {
    fn schema_name() -> Cow<'static, str> {
        "Axis".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A list of values, or a range of numbers.",
            "anyOf": [
                { "type": "array", "items": anything(), "minItems": 1, "maxItems": 1000 },
                generator.subschema_for::<Range>()
            ]
        })
    }
}

impl<'de> Deserialize<'de> for Axis {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Array(values) => Ok(Axis::Values(values)),
            range => serde_json::from_value(range).map(Axis::Range).map_err(serde::de::Error::custom),
        }
    }
}

/// A value of some setting: whether it can be that is found out where it becomes part of a pipeline.
#[derive(Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Anything(pub(crate) serde_json::Value);

impl JsonSchema for Anything {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Anything".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        anything()
    }
}

fn anything() -> Schema {
    json_schema!({ "description": "Whatever the setting may be." })
}
