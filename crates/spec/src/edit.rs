//! Settings as part of a definition: as YAML to paste, and put into its text.

use crate::diagnostic::{Report, Span};
use crate::yaml::{self, Kind, Node, Value};
use crate::{Definition, overrides};

/// From so many keys on the whole mapping around a setting is shown; before that it would be a whole section.
const DEEP: usize = 2;

impl Definition {
    /// What of the definition is around these settings, with them in it, as YAML to paste: pairs (keys with dots between, YAML) as after
    /// `--set`. Lists are whole, and so is the mapping that a setting is in, unless it is a section.
    #[must_use]
    pub fn excerpt(&self, settings: &[(String, String)]) -> String {
        let paths: Vec<Vec<&str>> = settings.iter().map(|(path, _)| path.split('.').collect()).collect();
        let mut lines = Vec::new();
        if let Some(tree) = self.with(settings).tree() {
            show(&tree, &paths, 0, &mut lines);
        }
        lines.join("\n")
    }

    /// The value of a setting (keys with dots between), as YAML on one line; none if it is not written anywhere, so that its default counts.
    #[must_use]
    pub fn value(&self, path: &str) -> Option<String> {
        let tree = self.tree()?;
        let at = |path: &str| path.split('.').try_fold(&tree, |node, key| node.child(key)).map(flow);
        // What a round's training does not say, the common one says.
        let common = || {
            path.strip_prefix("rounds.")?
                .split_once('.')?
                .1
                .strip_prefix("training.")
                .map(|rest| format!("training.{rest}"))
        };
        at(path).or_else(|| at(&common()?))
    }

    /// What is written, with the settings of the command line.
    fn tree(&self) -> Option<Node> {
        let mut report = Report::default();
        let source = report.source(&self.file, &self.text);
        let environment = &|name: &str| std::env::var(name).ok();
        let mut tree = yaml::read(&self.text, source, 0, environment, &mut report)?;
        overrides::apply(&mut tree, &self.overrides, environment, &mut report);
        Some(tree)
    }

    /// The text of the definition with these settings in it; all else stays as it is written, comments too.
    ///
    /// # Errors
    /// The first setting that cannot be put there: its value stands over several lines, in an alias, or on the command line only.
    pub fn rewritten(&self, settings: &[(String, String)]) -> Result<String, String> {
        let mut text = self.text.clone();
        for (path, value) in settings {
            text = put(&text, path, value).ok_or_else(|| path.clone())?;
        }
        // Whatever was done to the text, it must say what was meant.
        let written = Definition { text: text.clone(), ..self.clone() };
        match (written.plan(), self.with(settings).plan()) {
            (Ok(written), Ok(meant)) if written == meant => Ok(text),
            _ => Err(settings.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Writes a mapping, but only what leads to the paths.
fn show(node: &Node, paths: &[Vec<&str>], depth: usize, lines: &mut Vec<String>) {
    let Value::Map(entries) = &node.value else { return };
    for entry in entries {
        let inside = paths.iter().filter(|path| path.first() == Some(&entry.key.as_str()));
        let inside: Vec<Vec<&str>> = inside.map(|path| path[1..].to_vec()).collect();
        if inside.is_empty() {
            continue;
        }
        let indent = "  ".repeat(depth);
        let whole = inside.iter().any(Vec::is_empty) || depth + 1 >= DEEP && inside.iter().any(|path| path.len() == 1);
        match &entry.node.value {
            Value::List(items) if !inside.iter().any(Vec::is_empty) => {
                lines.push(format!("{indent}{}:", entry.key));
                lines.extend(items.iter().map(|item| format!("{indent}  - {}", flow(item))));
            }
            Value::Map(_) if !whole => {
                lines.push(format!("{indent}{}:", entry.key));
                show(&entry.node, &inside, depth + 1, lines);
            }
            _ => lines.push(format!("{indent}{}: {}", entry.key, flow(&entry.node))),
        }
    }
}

/// A value on one line.
fn flow(node: &Node) -> String {
    match &node.value {
        Value::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) if entries.is_empty() => "{}".to_string(),
        Value::Map(entries) => {
            let pairs: Vec<String> =
                entries.iter().map(|entry| format!("{}: {}", entry.key, flow(&entry.node))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Scalar(scalar) => match scalar.kind {
            Kind::Text if !is_plain(&scalar.text) => serde_json::Value::from(scalar.text.as_str()).to_string(),
            Kind::Null => "null".to_string(),
            _ => scalar.text.clone(),
        },
    }
}

/// Whether text may stand without quotes wherever a value may.
fn is_plain(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | '%');
    text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/' | '.'))
        && text.chars().all(word)
        && yaml::is_text(text)
}

/// The text with one setting: in the place of the value that is there, or as one more key of the mapping that it belongs in.
fn put(text: &str, path: &str, value: &str) -> Option<String> {
    let mut report = Report::default();
    let source = report.source("", text);
    let environment = &|name: &str| std::env::var(name).ok();
    let tree = yaml::read(text, source, 0, environment, &mut report)?;
    let keys: Vec<&str> = path.split('.').collect();
    let (last, way) = keys.split_last()?;
    let parent = way.iter().try_fold(&tree, |node, key| node.child(key))?;
    match (parent.child(last), &parent.value) {
        (Some(Node { span, value: Value::Scalar(_) }), _) => replace(text, *span, value),
        (None, Value::Map(entries)) => insert(text, entries.first()?.key_span, last, value),
        _ => None,
    }
}

fn replace(text: &str, span: Span, value: &str) -> Option<String> {
    let (start, end) = (offset(text, span.line, span.column)?, offset(text, span.line, span.end)?);
    Some(format!("{}{value}{}", &text[..start], &text[end..]))
}

/// Puts a key before the first one of a mapping, in the way that this is written.
fn insert(text: &str, first: Span, key: &str, value: &str) -> Option<String> {
    let at = offset(text, first.line, first.column)?;
    let (before, after) = text.split_at(at);
    let between = match before.trim_end_matches(' ').ends_with('{') {
        true => ", ".to_string(),
        false => format!("\n{}", " ".repeat(first.column - 1)),
    };
    Some(format!("{before}{key}: {value}{between}{after}"))
}

/// Where a place of the text is in its bytes; lines and columns count from 1, columns in characters.
fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start..)?;
    let within = rest.char_indices().map(|(at, _)| at).chain([rest.len()]).nth(column - 1)?;
    Some(start + within)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
name: tiny # a comment
data:
  sources:
    a: { idx: { images: i, labels: l } }
  splits: { labelled: { from: a }, test: { from: a } }
stream: { size: [28, 28], channels: gray }
training:
  steps: 100   # so many
  augment:
    - flip
    - randaugment: { ops: 2, magnitude: 9 }
    - randaugment:
        ops: 1
rounds:
  - model: { smallnet: { width: 16 } }
";

    fn tiny() -> Definition {
        Definition { file: "tiny.yaml".to_string(), text: TEXT.to_string(), overrides: Vec::new() }
    }

    fn settings(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn an_excerpt_can_be_pasted() {
        let chosen = settings(&[
            ("training.augment.1.randaugment.magnitude", "14"),
            ("training.steps", "50"),
            ("training.optimizer.sgd.lr", "0.5"),
            ("seed", "3"),
            ("rounds.0.model.smallnet.width", "8"),
        ]);
        let expected = "\
training:
  steps: 50
  augment:
    - flip
    - { randaugment: { ops: 2, magnitude: 14 } }
    - { randaugment: { ops: 1 } }
  optimizer:
    sgd: { lr: 0.5 }
rounds:
  - { model: { smallnet: { width: 8 } } }
seed: 3";
        assert_eq!(tiny().excerpt(&chosen), expected);
    }

    #[test]
    fn a_value_is_the_one_that_counts() {
        let tiny = tiny().with(&settings(&[("training.steps", "50")]));
        let value = |path| tiny.value(path);
        assert_eq!(value("training.steps").as_deref(), Some("50"));
        assert_eq!(value("training.augment.1").as_deref(), Some("{ randaugment: { ops: 2, magnitude: 9 } }"));
        assert_eq!(value("rounds.0.training.steps").as_deref(), Some("50"), "what all rounds have");
        assert_eq!((value("training.batch"), value("rounds.0.training"), value("name.x")), (None, None, None));
    }

    #[test]
    fn a_definition_is_rewritten_where_it_says_something_else() {
        let chosen = settings(&[
            ("training.augment.1.randaugment.magnitude", "14"),
            ("training.augment.2.randaugment.magnitude", "3"),
            ("training.steps", "50"),
            ("training.batch", "32"),
            ("rounds.0.model.smallnet.dropout", "0.5"),
        ]);
        let text = tiny().rewritten(&chosen).unwrap();
        let expected = TEXT
            .replace("magnitude: 9", "magnitude: 14")
            .replace("        ops: 1", "        magnitude: 3\n        ops: 1")
            .replace("  steps: 100 ", "  batch: 32\n  steps: 50 ")
            .replace("{ width: 16 }", "{ dropout: 0.5, width: 16 }");
        assert_eq!(text, expected);
    }

    #[test]
    fn what_cannot_be_written_is_named_and_nothing_is_changed() {
        let whole = settings(&[("training.augment", "[flip]")]);
        assert_eq!(tiny().rewritten(&whole), Err("training.augment".to_string()));
        let absent = settings(&[("training.optimizer.sgd.lr", "0.5")]);
        assert_eq!(tiny().rewritten(&absent), Err("training.optimizer.sgd.lr".to_string()));
        let alias = Definition { text: TEXT.replace("steps: 100", "steps: &n 100\n  batch: *n"), ..tiny() };
        assert_eq!(alias.rewritten(&settings(&[("training.batch", "7")])), Err("training.batch".to_string()));
    }
}
