//! Steps outside of a pipeline: a short YAML text, as the command line has it.

use millstream_imageops::Step;
use serde_json::{Value, json};

use crate::check::steps::{self, Defaults};
use crate::check::{Checker, stream};
use crate::diagnostic::{Code, Diagnostics, Report, Span};
use crate::raw;
use crate::schema::schema;
use crate::structure;
use crate::variables::Environment;
use crate::yaml::{self, Path};

/// Reads steps from a YAML list such as `[{rotate: 9.0}, {cutout: 8}]`, or a single step such as `randaugment`. `name` is
/// what messages call the text, for example `--ops`. `size` (height, width) is the default of the steps that have a size; with
/// none they must say it themselves. Where a step fills with the mean pixel, that is the middle gray.
///
/// ```
/// use millstream_imageops::Step;
///
/// let steps = millstream_spec::parse_steps("[equalize, {cutout: 8}]", "--ops", None)?;
/// assert_eq!(steps[1], Step::Cutout { size: 8, fill: [0; 3], p: 1.0 });
/// let mistakes = millstream_spec::parse_steps("[{rotaet: 9}]", "--ops", None).unwrap_err();
/// assert!(mistakes.to_string().contains("did you mean `rotate`?"));
/// # Ok::<(), millstream_spec::Diagnostics>(())
/// ```
///
/// # Errors
/// All mistakes at once, with their places.
pub fn parse_steps(text: &str, name: &str, size: Option<(u32, u32)>) -> Result<Vec<Step>, Diagnostics> {
    let mut report = Report::default();
    let defaults = Defaults { size, mean: [stream::MIDDLE; 3] };
    let steps = steps_of(text, name, &defaults, &|name| std::env::var(name).ok(), &mut report);
    report.finish()?;
    steps.ok_or_else(|| Diagnostics::unreadable(format!("{name} has no steps"), ""))
}

fn steps_of(
    text: &str,
    name: &str,
    defaults: &Defaults,
    environment: Environment<'_>,
    report: &mut Report,
) -> Option<Vec<Step>> {
    let source = report.source(name, text);
    let Some(tree) = yaml::read(text, source, 0, environment, report) else {
        if report.is_empty() {
            let help = "give a step such as `flip`, or a list such as `[{rotate: 9}, {cutout: 8}]`";
            report.error(Code::Missing, Span::start(source), format!("`{name}` says nothing"), help);
        }
        return None;
    };
    let root = schema();
    let one = json!({ "$ref": "#/$defs/Step" });
    let many = json!({ "type": "array", "items": one });
    let single = !matches!(tree.value, yaml::Value::List(_));
    let structured = structure::check(if single { &one } else { &many }, &root, &tree, name, report);
    let raw = raw_steps(structured.value, single)?;
    let mut checker = Checker { tree: &tree, poisoned: &structured.poisoned, report };
    Some(match raw.as_slice() {
        [only] if single => vec![steps::step(&mut checker, &Path::default(), only, defaults)],
        several => steps::view(&mut checker, &Path::default(), several, defaults),
    })
}

/// The steps of a text whose structure fits.
fn raw_steps(value: Value, single: bool) -> Option<Vec<raw::Step>> {
    match single {
        true => serde_json::from_value(value).ok().map(|step| vec![step]),
        false => serde_json::from_value(value).ok(),
    }
}

#[cfg(test)]
mod tests;
