//! `training.unlabelled` and `training.distill`: what images without human labels, and other models, teach.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What images without human labels teach.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unlabelled {
    /// The pseudo-labels that were selected after the round before; the first round has none.
    Selected,
    /// Only what the teacher of `distill` says of each. All unlabelled images take part.
    Teacher,
    /// The class that the model itself takes each for, asked anew in each step (Lee 2013). All unlabelled images take part.
    PseudoLabel(PseudoLabel),
    /// The class that the model is sure of in a weak view is learnt in the others (Sohn et al. 2020, FixMatch). All unlabelled
    /// images take part.
    Fixmatch(FixMatch),
    /// FixMatch with a threshold for each class, lower where less was learnt (Zhang et al. 2021, FlexMatch).
    Flexmatch(FlexMatch),
}

/// The class that the model itself takes each image for.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PseudoLabel {
    /// How sure the model must be. 0, as in the paper, takes every image.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) threshold: f64,
    /// The weight, in the end, of the unlabelled images' mean loss beside that of the labelled ones. The paper has 3.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) weight: f64,
    /// The weight rises from 0 between these two shares of the round's steps.
    pub(crate) ramp: [Part; 2],
    /// Whether the averaged weights of `ema` are asked, as in Mean Teacher (Tarvainen & Valpola 2017), instead of those that train:
    /// they are right more often while the learning rate is high.
    pub(crate) mean_teacher: bool,
}

/// A share of the steps of a round.
#[derive(Copy, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Part(#[schemars(range(min = 0.0, max = 1.0))] pub(crate) f64);

impl Default for PseudoLabel {
    fn default() -> Self {
        PseudoLabel { threshold: 0.95, weight: 1.0, ramp: [Part(0.0), Part(0.4)], mean_teacher: false }
    }
}

/// The class that the model is sure of in a weak view is learnt in the others.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FixMatch {
    /// The name of the view in which the model is asked. The other views of unlabelled images learn from what it says.
    #[schemars(length(min = 1))]
    pub(crate) weak: String,
    /// How sure the model must be.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) threshold: f64,
    /// The weight of the unlabelled images' mean loss beside that of the labelled ones.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) weight: f64,
    /// Whether the averaged weights of `ema` are asked, as in Mean Teacher (Tarvainen & Valpola 2017), instead of those that train:
    /// they are right more often while the learning rate is high.
    pub(crate) mean_teacher: bool,
}

impl Default for FixMatch {
    fn default() -> Self {
        FixMatch { weak: "weak".to_owned(), threshold: 0.95, weight: 1.0, mean_teacher: false }
    }
}

/// FixMatch with a threshold for each class.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FlexMatch {
    /// The name of the view in which the model is asked. The other views of unlabelled images learn from what it says.
    #[schemars(length(min = 1))]
    pub(crate) weak: String,
    /// How sure the model must be of the class that it has learnt most of; and of any class, for an image to count as learnt.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub(crate) threshold: f64,
    /// The weight of the unlabelled images' mean loss beside that of the labelled ones.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) weight: f64,
    /// Whether all thresholds are low while there are many images that the model has never been sure of.
    pub(crate) warmup: bool,
    /// How a threshold follows what was learnt of its class, x of the most: `convex` is x / (2 - x), `linear` x, `concave`
    /// ln(x + 1) / ln 2.
    pub(crate) mapping: Mapping,
    /// Whether the averaged weights of `ema` are asked, as in Mean Teacher (Tarvainen & Valpola 2017), instead of those that train:
    /// they are right more often while the learning rate is high.
    pub(crate) mean_teacher: bool,
}

impl Default for FlexMatch {
    fn default() -> Self {
        let FixMatch { weak, threshold, weight, mean_teacher } = FixMatch::default();
        FlexMatch { weak, threshold, weight, warmup: true, mapping: Mapping::Convex, mean_teacher }
    }
}

/// How a threshold follows what was learnt of its class.
#[derive(Copy, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mapping {
    /// x / (2 - x).
    Convex,
    /// x.
    Linear,
    /// ln(x + 1) / ln 2.
    Concave,
}

/// Learning what another model says of each image of a batch, beside its label (Hinton et al. 2015): the loss is
/// `label_weight CE + weight T^2 KL`, the means over all images of a batch; with `unlabelled: teacher` the first is over those that
/// have labels. The other model sees the very same pixels, stays as it is, and may be larger or smaller.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Distill {
    /// `previous` for the model of the round before, which the first round does without; or a model file of any run with the
    /// same classes.
    #[schemars(length(min = 1))]
    pub(crate) teacher: String,
    /// The temperature T of both distributions. Above 1 they get flatter, and say more of the less likely classes.
    #[schemars(range(min = 0.01, max = 100.0))]
    pub(crate) temperature: f64,
    /// The weight of what the teacher says.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000))]
    pub(crate) weight: f64,
    /// The weight of the labels; by default what `weight` leaves of 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub(crate) label_weight: Option<f64>,
}

impl Default for Distill {
    fn default() -> Self {
        Distill { teacher: "previous".to_owned(), temperature: 4.0, weight: 0.9, label_weight: None }
    }
}
