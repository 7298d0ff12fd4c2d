//! What images without human labels, and other models, teach.

use std::path::PathBuf;

use serde::Serialize;

/// What images without human labels teach.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnlabelledPlan {
    /// The pseudo-labels that were selected after the round before.
    Selected,
    /// What the round's teacher says of them; it has one.
    Teacher,
    /// What the model itself says of them in each step.
    Own(OwnPlan),
}

/// The model's own word on all unlabelled images (Pseudo-Label, FixMatch, FlexMatch).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OwnPlan {
    /// The view that the model is asked about: one of unlabelled images, with count 1, beside which these have others. None: each
    /// view is asked about itself.
    pub weak: Option<String>,
    /// How sure the model must be, in [0, 1]; above 0 where it is flexible.
    pub threshold: f64,
    /// FlexMatch's thresholds for each class, if wanted.
    pub flexible: Option<FlexiblePlan>,
    /// The weight of the unlabelled images' mean loss beside that of the labelled ones, at least 0.
    pub weight: f64,
    /// The weight rises from 0 between these shares of the round, in [0, 1], the second not below the first.
    pub ramp: [f64; 2],
    /// Whether the averaged weights are asked, of which there are some, instead of those that train.
    pub mean_teacher: bool,
}

impl OwnPlan {
    /// What definitions call it.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match (&self.weak, &self.flexible) {
            (None, _) => "pseudo_label",
            (_, None) => "fixmatch",
            (_, Some(_)) => "flexmatch",
        }
    }
}

/// A threshold for each class.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlexiblePlan {
    /// Whether all are low while there are many images that the model has never been sure of.
    pub warmup: bool,
    /// How a threshold follows what was learnt of its class.
    pub mapping: MappingPlan,
}

/// How a threshold follows what was learnt of its class, x of the most.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingPlan {
    /// x / (2 - x).
    Convex,
    /// x.
    Linear,
    /// ln(x + 1) / ln 2.
    Concave,
}

/// Learning what another model says of each image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DistillPlan {
    /// Who that is.
    pub teacher: TeacherPlan,
    /// The temperature of both distributions, above 0.
    pub temperature: f64,
    /// The weight of what the teacher says, at least 0.
    pub weight: f64,
    /// The weight of the labels, at least 0.
    pub label_weight: f64,
}

/// Who teaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TeacherPlan {
    /// The model of the round before.
    Previous,
    /// A model file of a run.
    File(PathBuf),
}
