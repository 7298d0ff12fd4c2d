//! `--set key.key=value`: values given on the command line take the place of those in the file.

use crate::diagnostic::{Code, Report, Span, suggest};
use crate::variables::Environment;
use crate::yaml::{self, Entry, Node, Value};

/// What the line that is shown for a mistake begins with.
const COMMAND: &str = "--set ";

/// Puts each value into the tree; `pairs` are (key, value). Keys are joined by dots, items of a list go by their position from
/// 0. Values are YAML. Mappings on the way are made as needed, and a kind written as a bare name becomes a mapping.
pub(crate) fn apply(root: &mut Node, pairs: &[(String, String)], environment: Environment<'_>, report: &mut Report) {
    for (key, value) in pairs {
        let source = report.source("<command line>", &format!("{COMMAND}{key}={value}"));
        let start = COMMAND.chars().count() + 1;
        let key_span = Span { source, line: 1, column: start, end: start + key.chars().count() };
        let shift = key_span.end;
        let Some(mut node) = yaml::read(value, source, shift, environment, report).or_else(|| nothing(value, key_span))
        else {
            continue;
        };
        mark_absent(&mut node, key_span);
        if let Err((message, help)) = put(root, key, node, key_span) {
            report.error(Code::Override, key_span, message, help);
        }
    }
}

/// An empty value: a null, which its key will refuse with a better message than we could here. None if reading failed.
fn nothing(value: &str, span: Span) -> Option<Node> {
    let scalar = yaml::Scalar { text: String::new(), kind: yaml::Kind::Null, variable: false };
    value.trim().is_empty().then_some(Node { span, value: Value::Scalar(scalar) })
}

/// A null stands nowhere: point at the key.
fn mark_absent(node: &mut Node, key_span: Span) {
    if matches!(&node.value, Value::Scalar(scalar) if scalar.kind == yaml::Kind::Null) {
        node.span = key_span;
    }
}

/// Walks down the keys and sets the last one; a message and what to do if that leads nowhere.
fn put(root: &mut Node, path: &str, node: Node, span: Span) -> Result<(), (String, String)> {
    let keys: Vec<&str> = path.split('.').collect();
    let Some((last, way)) = keys.split_last() else {
        return Ok(());
    };
    let mut at = root;
    for (number, key) in way.iter().enumerate() {
        let before = keys.get(..number).unwrap_or_default().join(".");
        at = child(at, key, &before, span)?;
    }
    let before = way.join(".");
    *child(at, last, &before, span)? = node;
    // What is said about the value from here on concerns the command line.
    if let Value::Map(entries) = &mut at.value
        && let Some(entry) = entries.iter_mut().find(|entry| entry.key == *last)
    {
        entry.key_span = span;
    }
    Ok(())
}

/// The value of a key or the item at a position, made if it can be.
fn child<'a>(node: &'a mut Node, key: &str, before: &str, span: Span) -> Result<&'a mut Node, (String, String)> {
    if key.is_empty() {
        let help = "write --set key=value, with dots between keys: --set training.steps=100";
        return Err(("an empty key in --set".to_string(), help.to_string()));
    }
    let bare = matches!(&node.value, Value::Scalar(scalar) if scalar.text == key || scalar.kind == yaml::Kind::Null);
    if bare {
        node.value = Value::Map(Vec::new());
    }
    match &mut node.value {
        Value::Map(entries) => Ok(entry(entries, key, span)),
        Value::List(items) => item(items, key, before),
        Value::Scalar(scalar) => {
            let help = suggest(key, "to give all of it anew", [format!("--set {before}={{{key}: ...}}").as_str()]);
            Err((format!("`{before}` is `{}`, which has no key `{key}`", scalar.text), help))
        }
    }
}

fn entry<'a>(entries: &'a mut Vec<Entry>, key: &str, span: Span) -> &'a mut Node {
    let position = entries.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
        entries.push(Entry { key: key.to_string(), key_span: span, node: Node::empty(span) });
        entries.len() - 1
    });
    &mut entries[position].node
}

fn item<'a>(items: &'a mut [Node], key: &str, before: &str) -> Result<&'a mut Node, (String, String)> {
    let count = items.len();
    let position = key.parse::<usize>();
    position.ok().and_then(|position| items.get_mut(position)).ok_or_else(|| {
        let help = match count {
            0 => "it is empty: give the whole list".to_string(),
            _ => format!("items count from 0: 0 to {}", count - 1),
        };
        (format!("the list `{before}` has no item `{key}`"), help)
    })
}
