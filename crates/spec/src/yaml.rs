//! YAML text to a tree that knows where everything stands. Nothing else in the house reads YAML.
//!
//! YAML 1.2 with the core schema. Aliases are followed; tags, merge keys, several documents and keys that are not plain
//! words are refused, because nothing in a pipeline needs them.

mod scalar;

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use crate::diagnostic::{Code, Report, Span};
use crate::variables::{self, Environment};
pub(crate) use scalar::{Kind, Scalar};

/// Most levels of a tree. Deeper than any pipeline, and shallow enough for recursion over it.
const DEPTH: usize = 64;

/// Most nodes of a tree, aliases written out. A few aliases of aliases would otherwise fill the memory.
const NODES: usize = 100_000;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A number, a word, nothing.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// Keys with values, each key once, in the order of the text.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

/// Where a node is in a tree: keys, and positions of items in decimal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path(Vec<String>);

impl Path {
    /// The path of a chain of keys.
    pub(crate) fn of(keys: &[&str]) -> Path {
        Path(keys.iter().map(|key| (*key).to_string()).collect())
    }

    pub(crate) fn key(&self, key: &str) -> Path {
        let mut path = self.clone();
        path.0.push(key.to_string());
        path
    }

    pub(crate) fn item(&self, position: usize) -> Path {
        self.key(&position.to_string())
    }

    pub(crate) fn starts_with(&self, other: &Path) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl Node {
    /// An empty mapping.
    pub(crate) fn empty(span: Span) -> Node {
        Node { span, value: Value::Map(Vec::new()) }
    }

    /// The place to point at for a path: a scalar itself, the key of anything larger, or the nearest thing around it that
    /// is in the text.
    pub(crate) fn locate(&self, path: &Path) -> Span {
        let (place, node) = self.follow(path);
        match &node.value {
            Value::Scalar(scalar) if scalar.kind != Kind::Null => node.span,
            _ => place,
        }
    }

    /// The key of a path, or the nearest thing around it that is in the text.
    pub(crate) fn locate_key(&self, path: &Path) -> Span {
        self.follow(path).0
    }

    /// The value of a key, or the item at a position.
    pub(crate) fn child(&self, step: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == step).map(|entry| &entry.node),
            Value::List(items) => step.parse::<usize>().ok().and_then(|position| items.get(position)),
            Value::Scalar(_) => None,
        }
    }

    /// As far along a path as the tree goes: the place of the last key or item, and its value.
    fn follow(&self, path: &Path) -> (Span, &Node) {
        let mut place = self.span;
        let mut node = self;
        for step in &path.0 {
            let next = match &node.value {
                Value::Map(entries) => {
                    entries.iter().find(|entry| entry.key == *step).map(|entry| (entry.key_span, &entry.node))
                }
                Value::List(items) => {
                    let position = step.parse::<usize>().ok();
                    position.and_then(|position| items.get(position)).map(|item| (item.span, item))
                }
                Value::Scalar(_) => None,
            };
            match next {
                Some(next) => (place, node) = next,
                None => break,
            }
        }
        (place, node)
    }
}

/// Whether a word without quotes is text.
pub(crate) fn is_text(word: &str) -> bool {
    scalar::resolve(word) == Kind::Text
}

/// Reads one document. Mistakes go to `report`; nothing comes back if there is no tree at all. `source` is the text's number
/// in the report; `shift` is how many characters stand before its first line there.
pub(crate) fn read(
    text: &str,
    source: usize,
    shift: usize,
    environment: Environment<'_>,
    report: &mut Report,
) -> Option<Node> {
    let reader = Reader { source, shift, environment, report, open: Vec::new(), anchors: BTreeMap::new(), nodes: 0 };
    reader.run(text)
}

/// A list or mapping whose end has not come yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<(String, Span)>,
}

struct Reader<'a> {
    source: usize,
    shift: usize,
    environment: Environment<'a>,
    report: &'a mut Report,
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
}

/// The reader cannot go on; why is in the report.
struct Stop;

impl Reader<'_> {
    fn run(mut self, text: &str) -> Option<Node> {
        let mut root = None;
        let mut documents = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => {
                    self.syntax_error(&error);
                    return None;
                }
            };
            let span = self.span(span.start, span.end);
            if matches!(event, Event::DocumentStart(_)) {
                documents += 1;
            }
            if documents > 1 {
                self.refuse(
                    span,
                    "a second document",
                    "a file holds one pipeline: remove the `---` line, or make it two files",
                );
                return root;
            }
            match self.event(event, span) {
                Ok(Some(node)) => root = Some(node),
                Ok(None) => {}
                Err(Stop) => return None,
            }
        }
        root
    }

    /// Takes one event; gives back the root when it is complete.
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<Option<Node>, Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                if self.takes_key() {
                    self.key(text.into_owned(), span);
                    return Ok(None);
                }
                let node = self.scalar(&text, style, span);
                self.add(node, anchor)
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                self.begin(Value::List(Vec::new()), anchor, span)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                self.begin(Value::Map(Vec::new()), anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.add(open.node.with_first_key(), open.anchor),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Whether the next node is the key of a mapping.
    fn takes_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { node: Node { value: Value::Map(_), .. }, key: None, .. }))
    }

    fn key(&mut self, text: String, span: Span) {
        if let Some(open) = self.open.last_mut() {
            open.key = Some((text, span));
        }
    }

    fn begin(&mut self, value: Value, anchor: usize, span: Span) -> Result<Option<Node>, Stop> {
        if self.takes_key() {
            self.refuse(
                span,
                "a list or mapping as a key",
                "a key is a plain word; a value that starts with `{` or `[` needs its key before it",
            );
            return Err(Stop);
        }
        if self.open.len() >= DEPTH {
            self.refuse(
                span,
                &format!("more than {DEPTH} levels"),
                "no pipeline is that deep: look for a bracket too many",
            );
            return Err(Stop);
        }
        self.open.push(Open { node: Node { span, value }, anchor, key: None });
        Ok(None)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Option<Node>, Stop> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            self.refuse(span, "an alias within its own anchor", "write the value out");
            return Err(Stop);
        };
        if self.takes_key() {
            self.refuse(span, "an alias as a key", "write the key out");
            return Err(Stop);
        }
        self.nodes += size;
        let node = node.clone();
        self.add(node, 0)
    }

    /// Puts a complete node where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<Option<Node>, Stop> {
        self.nodes += 1;
        if self.nodes > NODES {
            self.refuse(
                node.span,
                &format!("more than {NODES} values, aliases written out"),
                "remove the aliases of aliases",
            );
            return Err(Stop);
        }
        if anchor > 0 {
            let size = node.count();
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            return Ok(Some(node));
        };
        match (&mut open.node.value, open.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some((key, key_span))) => {
                match entries.iter().find(|entry| entry.key == key).map(|entry| entry.key_span.line) {
                    Some(line) => self.duplicate(&key, key_span, line),
                    None if key == "<<" => {
                        self.refuse(key_span, "a merge key", "YAML 1.2 has none: write the keys out")
                    }
                    None => entries.push(Entry { key, key_span, node }),
                }
            }
            _ => {}
        }
        Ok(None)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Node {
        let plain = style == ScalarStyle::Plain;
        let (text, kind, variable) = match variables::substitute(text, self.environment) {
            Ok((text, variable)) => {
                let kind = if plain { scalar::resolve(&text) } else { Kind::Text };
                (text, kind, variable)
            }
            Err(mistake) => {
                let at = if plain { mistake.within(span) } else { span };
                self.report.error(Code::Variable, at, mistake.message, mistake.help);
                (text.to_string(), Kind::Broken, true)
            }
        };
        Node { span, value: Value::Scalar(Scalar { text, kind, variable }) }
    }

    fn refuse_tag(&mut self, tagged: bool, span: Span) {
        if tagged {
            self.refuse(span, "a tag (`!...`)", "remove it: what a value is follows from its key");
        }
    }

    fn refuse(&mut self, span: Span, what: &str, help: &str) {
        self.report.error(Code::Syntax, span, format!("{what} is not allowed here"), help);
    }

    fn duplicate(&mut self, key: &str, span: Span, first: usize) {
        let message = format!("the key `{key}` is given twice");
        self.report.error(
            Code::DuplicateKey,
            span,
            message,
            format!("it is already on line {first}: remove one of the two"),
        );
    }

    fn syntax_error(&mut self, error: &saphyr_parser::ScanError) {
        let span = self.last_text(self.span(*error.marker(), *error.marker()));
        let help = self.syntax_help(span.line);
        self.report.error(Code::Syntax, span, format!("this is not YAML: {}", error.info()), help);
    }

    /// The end of the last line that says something, for a mistake that the parser notices at the end of the text.
    fn last_text(&self, span: Span) -> Span {
        let length = |line| self.report.line(self.source, line).trim_end().chars().count();
        if length(span.line) > 0 {
            return span;
        }
        let line = (1..span.line).rev().find(|line| length(*line) > 0).unwrap_or(1);
        let column = length(line) + 1;
        Span { line, column, end: column + 1, ..span }
    }

    /// What is usually wrong with a line that is not YAML. The parser often notices on the line after.
    fn syntax_help(&self, line: usize) -> &'static str {
        let lines = [line, line.saturating_sub(1)].map(|line| self.report.line(self.source, line));
        if lines.iter().any(|line| line.trim_start_matches(' ').starts_with('\t')) {
            "indent with spaces: YAML allows no tabs"
        } else if lines.iter().any(|line| line.contains("${") && line.contains(['{', '['])) {
            "inside `{ }` and `[ ]` a variable needs quotes: \"${MILLSTREAM_DATA:-data}/images\""
        } else {
            "check the indentation, the space after each `:` and the closing quotes and brackets, here and on the line before"
        }
    }

    fn span(&self, start: Marker, end: Marker) -> Span {
        let shift = if start.line() <= 1 { self.shift } else { 0 };
        let column = start.col() + 1 + shift;
        let end = if end.line() == start.line() {
            end.col() + 1 + shift
        } else {
            self.report.line(self.source, start.line()).trim_end().chars().count() + 1
        };
        Span { source: self.source, line: start.line(), column, end: end.max(column + 1) }
    }
}

impl Node {
    /// A mapping that begins with its first key is pointed at by that key.
    fn with_first_key(mut self) -> Node {
        if let Value::Map(entries) = &self.value
            && let Some(first) = entries.first().map(|entry| entry.key_span)
            && (first.line, first.column) == (self.span.line, self.span.column)
        {
            self.span = first;
        }
        self
    }

    /// Values in the tree, this one included.
    fn count(&self) -> usize {
        match &self.value {
            Value::Scalar(_) => 1,
            Value::List(items) => 1 + items.iter().map(Node::count).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|entry| entry.node.count()).sum::<usize>(),
        }
    }
}
