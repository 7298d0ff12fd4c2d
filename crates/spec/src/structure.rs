//! The structure of a definition against the schema: every unknown key, missing key and wrong value, with its place.
//!
//! The walk never stops at a mistake. It puts a harmless value in the place of a wrong one and remembers where, so that the
//! checks that follow can go on and keep quiet about what has been said already.

mod choice;
mod describe;

use serde_json::{Map, Number, Value as Json};

use crate::diagnostic::{Code, Report, Span, nearest, quoted};
use crate::schema::follow;
use crate::yaml::{Entry, Kind, Node, Path, Scalar, Value};
use describe::{Range, expected, found, placeholder};

/// A definition that has the structure of the schema.
pub(crate) struct Structured {
    /// The values.
    pub(crate) value: Json,
    /// Where a wrong value was replaced by a harmless one.
    pub(crate) poisoned: Vec<Path>,
}

/// Walks along the whole tree. `root` holds the definitions that `schema` refers to; `name` is what messages call the whole,
/// empty for a pipeline. Mistakes go to `report`.
pub(crate) fn check(schema: &Json, root: &Json, tree: &Node, name: &str, report: &mut Report) -> Structured {
    let mut walker = Walker { root, report, poisoned: Vec::new() };
    let at = At { node: tree, anchor: tree.span, name: name.to_string(), path: Path::default() };
    let value = walker.value(schema, &at);
    Structured { value, poisoned: walker.poisoned }
}

/// Where the walk is.
struct At<'n> {
    node: &'n Node,
    /// The place of the key, or of the node if it has none.
    anchor: Span,
    /// What messages call it.
    name: String,
    path: Path,
}

impl<'n> At<'n> {
    fn key(&self, entry: &'n Entry) -> At<'n> {
        At { node: &entry.node, anchor: entry.key_span, name: entry.key.clone(), path: self.path.key(&entry.key) }
    }

    fn item(&self, position: usize, node: &'n Node) -> At<'n> {
        At { node, anchor: node.span, name: format!("{}[{position}]", self.name), path: self.path.item(position) }
    }

    /// The place to point at: a scalar itself, the key of anything larger or of nothing.
    fn span(&self) -> Span {
        match self.scalar() {
            Some(scalar) if scalar.kind != Kind::Null => self.node.span,
            _ => self.anchor,
        }
    }

    fn scalar(&self) -> Option<&'n Scalar> {
        match &self.node.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.kind == Kind::Null)
    }

    /// `name`, as the subject of a sentence.
    fn subject(&self) -> String {
        if self.name.is_empty() { "the pipeline".to_string() } else { format!("`{}`", self.name) }
    }
}

struct Walker<'a> {
    root: &'a Json,
    report: &'a mut Report,
    poisoned: Vec<Path>,
}

impl<'a> Walker<'a> {
    fn value(&mut self, schema: &'a Json, at: &At<'_>) -> Json {
        let schema = follow(schema, self.root);
        if at.scalar().is_some_and(|scalar| scalar.kind == Kind::Broken) {
            self.poisoned.push(at.path.clone());
            return placeholder(schema, self.root);
        }
        if let Some(choices) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Json::as_array) {
            return self.choice(schema, choices, at);
        }
        if may_be_anything(schema) {
            return json_of(at.node);
        }
        match schema.get("type").and_then(Json::as_str) {
            Some("object") => self.object(schema, at),
            Some("array") => self.list(schema, at),
            Some("integer" | "number") => self.number(schema, at),
            Some("boolean") => self.boolean(schema, at),
            _ => self.text(schema, at),
        }
    }

    /// A mapping. Nothing at all is an empty one: a section whose keys are all commented out.
    fn object(&mut self, schema: &'a Json, at: &At<'_>) -> Json {
        let entries = match &at.node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Scalar(scalar) if scalar.kind == Kind::Null => &[],
            _ => return self.mismatch(schema, at),
        };
        match schema.get("additionalProperties") {
            Some(of_each @ Json::Object(_)) => self.named(schema, of_each, entries, at),
            _ => self.section(schema, entries, at),
        }
    }

    /// A mapping whose keys are names that the user chooses.
    fn named(&mut self, schema: &'a Json, of_each: &'a Json, entries: &[Entry], at: &At<'_>) -> Json {
        if entries.is_empty() && schema.get("minProperties").is_some() {
            self.report.error(
                Code::Missing,
                at.span(),
                format!("{} is empty", at.subject()),
                "it needs at least one entry",
            );
            self.poisoned.push(at.path.clone());
        }
        let most = schema.get("maxProperties").and_then(Json::as_u64).unwrap_or(u64::MAX);
        if entries.len() as u64 > most {
            let message = format!("{} has {} entries, {most} are allowed", at.subject(), entries.len());
            return self.wrong(Code::OutOfRange, schema, at, message, "");
        }
        let values = entries.iter().map(|entry| (entry.key.clone(), self.value(of_each, &at.key(entry))));
        Json::Object(values.collect())
    }

    /// A mapping whose keys the schema knows.
    fn section(&mut self, schema: &'a Json, entries: &[Entry], at: &At<'_>) -> Json {
        let none = Map::new();
        let known = schema.get("properties").and_then(Json::as_object);
        let mut values = Map::new();
        let mut meant = Vec::new();
        for entry in entries {
            match known.and_then(|known| known.get(&entry.key)) {
                Some(schema) => {
                    values.insert(entry.key.clone(), self.value(schema, &at.key(entry)));
                }
                None => {
                    let free = known.unwrap_or(&none).keys().map(String::as_str);
                    let free = free.filter(|key| entries.iter().all(|entry| entry.key != *key));
                    meant.extend(self.unknown_key(schema, entry, free.collect(), at));
                }
            }
        }
        self.poisoned.extend(meant.iter().map(|key| at.path.key(key)));
        for key in strings(schema.get("required")) {
            if let (false, Some(schema)) = (values.contains_key(key), known.and_then(|known| known.get(key))) {
                if !meant.iter().any(|meant| meant == key) {
                    self.missing_key(schema, key, at);
                }
                values.insert(key.to_string(), placeholder(schema, self.root));
            }
        }
        Json::Object(values)
    }

    /// Reports a key that the section does not know; gives back the one that was probably meant. `free` are those of the
    /// section that are not there.
    fn unknown_key(&mut self, schema: &'a Json, entry: &Entry, free: Vec<&str>, at: &At<'_>) -> Option<String> {
        let place = if at.name.is_empty() { String::new() } else { format!(" in `{}`", at.name) };
        let meant = nearest(&entry.key, free.iter().copied());
        let help = match (meant, self.home_of(&entry.key)) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, Some(home)) => home,
            (None, None) => match schema.get("properties").and_then(Json::as_object) {
                Some(known) => format!("{} knows {}", at.subject(), quoted(known.keys().map(String::as_str))),
                None => format!("{} has nothing to set: remove the key", at.subject()),
            },
        };
        self.report.error(Code::UnknownKey, entry.key_span, format!("unknown key `{}`{place}", entry.key), help);
        meant.map(str::to_string)
    }

    /// The section that does know a key, if there is one.
    fn home_of(&self, key: &str) -> Option<String> {
        let sections = self.root.get("properties")?.as_object()?;
        if sections.contains_key(key) {
            return Some(format!("`{key}` belongs at the top level"));
        }
        let knows =
            |schema: &Json| follow(schema, self.root).get("properties").is_some_and(|known| known.get(key).is_some());
        let home = sections.iter().find(|(_, schema)| knows(schema));
        home.map(|(section, _)| format!("`{key}` belongs in `{section}`"))
    }

    fn missing_key(&mut self, schema: &Json, key: &str, at: &At<'_>) {
        let description = schema.get("description").or_else(|| follow(schema, self.root).get("description"));
        let help = description.and_then(Json::as_str).map(|text| format!("{key}: {text}"));
        let message = format!("{} lacks the key `{key}`", at.subject());
        self.report.error(Code::Missing, at.span(), message, help.unwrap_or_default());
        self.poisoned.push(at.path.key(key));
    }

    fn list(&mut self, schema: &'a Json, at: &At<'_>) -> Json {
        let (Value::List(items), Some(of_each)) = (&at.node.value, schema.get("items")) else {
            return self.mismatch(schema, at);
        };
        let count = items.len() as u64;
        let least = schema.get("minItems").and_then(Json::as_u64).unwrap_or(0);
        let most = schema.get("maxItems").and_then(Json::as_u64).unwrap_or(u64::MAX);
        if count < least || count > most {
            let message = format!("{} must be {}, but has {count}", at.subject(), expected(schema, self.root));
            return self.wrong(Code::OutOfRange, schema, at, message, "");
        }
        let values = items.iter().enumerate().map(|(position, item)| self.value(of_each, &at.item(position, item)));
        Json::Array(values.collect())
    }

    fn number(&mut self, schema: &'a Json, at: &At<'_>) -> Json {
        let whole = schema.get("type").is_some_and(|kind| kind == "integer");
        let (json, size) = match at.scalar().map(|scalar| scalar.kind) {
            // Where a whole number does not fit in 64 bits it is out of any range that we have.
            Some(Kind::Int(number)) if whole => (integer(number), number as f64),
            Some(Kind::Int(number)) => (Number::from_f64(number as f64), number as f64),
            Some(Kind::Float(number)) if !whole => (Number::from_f64(number), number),
            _ => return self.mismatch(schema, at),
        };
        let range = Range::of(schema);
        match json.filter(|_| range.contains(size)) {
            Some(number) => Json::Number(number),
            None => {
                let text = at.scalar().map_or("", |scalar| scalar.text.as_str());
                let message = format!("{} must be {range}, but it is {text}", at.subject());
                self.wrong(Code::OutOfRange, schema, at, message, "")
            }
        }
    }

    fn boolean(&mut self, schema: &'a Json, at: &At<'_>) -> Json {
        match at.scalar().map(|scalar| scalar.kind) {
            Some(Kind::Bool(value)) => Json::Bool(value),
            _ => self.mismatch(schema, at),
        }
    }

    fn text(&mut self, schema: &'a Json, at: &At<'_>) -> Json {
        let Some(scalar) = at.scalar().filter(|scalar| scalar.kind == Kind::Text || scalar.variable) else {
            return self.mismatch(schema, at);
        };
        let length = scalar.text.chars().count() as u64;
        let least = schema.get("minLength").and_then(Json::as_u64).unwrap_or(0);
        let most = schema.get("maxLength").and_then(Json::as_u64).unwrap_or(u64::MAX);
        if length < least {
            return self.wrong(Code::OutOfRange, schema, at, format!("{} is empty", at.subject()), "");
        }
        if length > most {
            let message = format!("{} has {length} characters, {most} are allowed", at.subject());
            return self.wrong(Code::OutOfRange, schema, at, message, "");
        }
        Json::String(scalar.text.clone())
    }

    /// Reports a value of the wrong type.
    fn mismatch(&mut self, schema: &'a Json, at: &At<'_>) -> Json {
        let expected = expected(schema, self.root);
        if at.is_null() {
            let help = format!("give {expected}, or remove the key if it has a default");
            return self.wrong(Code::Missing, schema, at, format!("{} has no value", at.subject()), &help);
        }
        let message = format!("{} must be {expected}, but this is {}", at.subject(), found(at.node));
        let help = describe::way_out(schema, self.root, at.node);
        self.wrong(Code::WrongType, schema, at, message, &help)
    }

    /// Reports a mistake and puts a harmless value in its place.
    fn wrong(&mut self, code: Code, schema: &'a Json, at: &At<'_>, message: String, help: &str) -> Json {
        self.report.error(code, at.span(), message, help);
        self.poisoned.push(at.path.clone());
        placeholder(schema, self.root)
    }
}

/// Whether a schema says nothing of its values.
fn may_be_anything(schema: &Json) -> bool {
    ["type", "const", "enum", "oneOf", "anyOf", "$ref"].iter().all(|key| schema.get(key).is_none())
}

/// A value as it stands there.
fn json_of(node: &Node) -> Json {
    match &node.value {
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), json_of(&entry.node))).collect(),
        Value::Scalar(scalar) => match scalar.kind {
            Kind::Null => Json::Null,
            Kind::Bool(value) => Json::Bool(value),
            Kind::Int(number) => integer(number).map_or(Json::Null, Json::Number),
            Kind::Float(number) => Number::from_f64(number).map_or(Json::Null, Json::Number),
            Kind::Text | Kind::Broken => Json::from(scalar.text.as_str()),
        },
    }
}

/// A whole number, if it fits in 64 bits.
fn integer(number: i128) -> Option<Number> {
    let unsigned = u64::try_from(number).ok().map(Number::from);
    unsigned.or_else(|| i64::try_from(number).ok().map(Number::from))
}

/// The strings of a list of strings.
fn strings(list: Option<&Json>) -> impl Iterator<Item = &str> {
    list.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
}
