//! The YAML definition of a pipeline: reading, checking, and the typed plan.
//!
//! A definition goes through four hands, and only the first has to give up at a mistake:
//! text -> a tree that knows where everything stands (`yaml`, with `variables` and `overrides`) -> the structure that the
//! [`schema`] asks for (`structure`) -> the raw structs that the schema comes from (`raw`) -> the [`Plan`] (`check`). The
//! mistakes of all of them come back together as [`Diagnostics`].
//!
//! Nothing here opens data, touches a pixel or starts anything. Steps and mixing are in the plan as the image crate has them.
//!
//! ```
//! let text = "
//! name: tiny
//! data:
//!   sources:
//!     train: { idx: { images: train-images, labels: train-labels } }
//!     test: { idx: { images: test-images, labels: test-labels } }
//!   splits:
//!     labelled: { from: train }
//!     test: { from: test }
//! stream: { size: [28, 28], channels: gray }
//! rounds:
//!   - model: { smallnet: { width: 16 } }
//!     training: { steps: 100 }
//! ";
//! let plan = millstream_spec::parse(text, "tiny.yaml", &[("seed".to_string(), "7".to_string())])?;
//! assert_eq!((plan.seed, plan.rounds.len()), (7, 1));
//! # Ok::<(), millstream_spec::Diagnostics>(())
//! ```

mod check;
mod diagnostic;
mod edit;
pub mod graph;
mod hosts;
mod inline;
mod overrides;
mod plan;
mod raw;
mod schema;
mod structure;
mod text;
mod variables;
mod yaml;

use std::path::Path;

use diagnostic::Report;
use serde::{Deserialize, Serialize};
use variables::Environment;

pub use diagnostic::{Code, Diagnostic, Diagnostics, Place};
pub use hosts::{Host, Hosts, LOCALHOST, Role, hosts_schema, load_hosts, parse_hosts};
pub use inline::parse_steps;
pub use plan::{
    AxisPlan, BalancePlan, CalibratePlan, CheckpointPlan, ClipPlan, Criterion, DataPlan, DecodePlan, DistillPlan,
    EmaPlan, FlexiblePlan, FoldPlan, FreezePlan, HalvingPlan, KeyPlan, LabelFormat, LayoutPlan, MappingPlan, MaxBad,
    ModelPlan, OptimizerPlan, OutputPlan, OwnPlan, Plan, PrecisionPlan, RangePlan, RateGroupPlan, RatesPlan, RoundPlan,
    SchedulePlan, SearchPlan, SelectionPlan, SourcePlan, SplitPlan, StreamPlan, TakePlan, TargetsPlan, TeacherPlan,
    TrainingPlan, TransferPlan, UnlabelledPlan, ViewOf, ViewPlan, WeightsPlan,
};
pub use schema::schema;
pub use variables::VARIABLES;

/// A definition as it was written, with the settings of the command line: what travels to other machines, which need no copy of the
/// file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// What messages call the text.
    pub file: String,
    /// The YAML.
    pub text: String,
    /// Pairs (key, value) as after `--set`.
    pub overrides: Vec<(String, String)>,
}

impl Definition {
    /// Reads a file.
    ///
    /// # Errors
    /// That it cannot be read.
    pub fn read(path: &Path, overrides: &[(String, String)]) -> Result<Self, Diagnostics> {
        let text = text::read(path, "pipeline")?;
        Ok(Definition { file: path.display().to_string(), text, overrides: overrides.to_vec() })
    }

    /// The definition with more settings, which take the place of earlier ones.
    #[must_use]
    pub fn with(&self, settings: &[(String, String)]) -> Definition {
        let overrides = [&self.overrides[..], settings].concat();
        Definition { overrides, ..self.clone() }
    }

    /// What it says; see [`parse`].
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn plan(&self) -> Result<Plan, Diagnostics> {
        parse(&self.text, &self.file, &self.overrides)
    }
}

/// Reads a definition from a file; see [`parse`].
///
/// # Errors
/// All mistakes at once, or the one that the file cannot be read.
pub fn load(path: &Path, overrides: &[(String, String)]) -> Result<Plan, Diagnostics> {
    Definition::read(path, overrides)?.plan()
}

/// Checks a definition and fills in what it leaves out. `file` is what messages call the text. `overrides` are pairs (key, value)
/// as after `--set`: the key with dots (`rounds.0.training.steps`), the value in YAML. Variables ([`VARIABLES`]) come
/// from the environment.
///
/// # Errors
/// All mistakes at once, with their places.
pub fn parse(text: &str, file: &str, overrides: &[(String, String)]) -> Result<Plan, Diagnostics> {
    parse_with(text, file, overrides, &|name| std::env::var(name).ok())
}

fn parse_with(
    text: &str,
    file: &str,
    overrides: &[(String, String)],
    environment: Environment<'_>,
) -> Result<Plan, Diagnostics> {
    let mut report = Report::default();
    let plan = plan_of(text, file, overrides, environment, &mut report);
    report.finish()?;
    // Nobody gives up without a word; should that ever happen, it is not a plan either.
    plan.ok_or_else(|| Diagnostics::unreadable(format!("{file} is no pipeline"), ""))
}

fn plan_of(
    text: &str,
    file: &str,
    overrides: &[(String, String)],
    environment: Environment<'_>,
    report: &mut Report,
) -> Option<Plan> {
    let source = report.source(file, text);
    let Some(mut tree) = yaml::read(text, source, 0, environment, report) else {
        if report.is_empty() {
            let help = "start with a copy of a file in `pipelines/`";
            report.error(Code::Missing, diagnostic::Span::start(source), "the file says nothing", help);
        }
        return None;
    };
    overrides::apply(&mut tree, overrides, environment, report);
    let schema = schema();
    let structured = structure::check(&schema, &schema, &tree, "", report);
    match serde_json::from_value(structured.value) {
        Ok(raw) => Some(check::plan(&mut check::Checker { tree: &tree, poisoned: &structured.poisoned, report }, raw)),
        // The structure fits, or what is wrong with it has been said.
        Err(error) if report.is_empty() => {
            report.error(Code::WrongType, tree.span, format!("this is no pipeline: {error}"), "");
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
