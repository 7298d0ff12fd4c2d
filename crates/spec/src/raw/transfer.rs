//! The section `training.transfer`.

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

use super::{Brief, Names, Shorthand};

/// What of a model that starts from given weights trains, and how fast.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transfer {
    /// What stays as it is: `body` for everything before the linear layers at the end, or patterns of tensor names, such as
    /// `[conv1.*, layer1.*]`, in which `*` stands for any characters. A batch norm whose weight stays normalises with its
    /// running statistics, which stay as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) freeze: Option<Names>,
    /// How fast the rest trains, tensor by tensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rates: Option<Rates>,
}

/// How fast tensors train, as shares of the learning rate.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rates {
    /// Slower with each layer below the head.
    LayerDecay(Brief<LayerDecay>),
    /// One rate for each group of tensors; those of no group have the whole rate.
    Groups(Vec<RateGroup>),
}

/// Slower with each layer below the head: `max(min, decay^n)` for the layer that is n below it. A block is a layer.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LayerDecay {
    /// The share from one layer to the next below.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub(crate) decay: f64,
    /// The least share of any layer.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) min: f64,
}

impl Shorthand for LayerDecay {
    fn number() -> Schema {
        json_schema!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 })
    }

    fn of(decay: f64) -> Self {
        LayerDecay { decay, min: 0.0 }
    }
}

/// Tensors that train at a rate of their own.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateGroup {
    /// Their names, such as `features.*`, where `*` stands for any characters. The first group that matches a tensor decides.
    #[schemars(length(min = 1))]
    pub(crate) r#match: String,
    /// Their share of the learning rate.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) rate: f64,
}
