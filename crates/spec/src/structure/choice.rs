//! Nodes that may be one of several things: kinds with settings, plain words, or values of different types.

use serde_json::{Value as Json, json};

use super::{At, Walker};
use crate::diagnostic::{Code, suggest};
use crate::schema::{follow, kind};
use crate::yaml::{Entry, Kind, Node, Scalar, Value};

/// The alternatives of a schema, sorted.
struct Choices<'a> {
    /// Words.
    words: Vec<&'a str>,
    /// Names of kinds with the schemas of their settings.
    kinds: Vec<(&'a str, &'a Json)>,
    /// Everything else: a number, text, a list, settings.
    others: Vec<&'a Json>,
}

impl<'a> Choices<'a> {
    fn new(choices: &'a [Json], root: &'a Json) -> Self {
        let mut sorted = Choices { words: Vec::new(), kinds: Vec::new(), others: Vec::new() };
        for choice in choices {
            if let Some(word) = choice.get("const").and_then(Json::as_str) {
                sorted.words.push(word);
            } else if let Some(words) = choice.get("enum") {
                sorted.words.extend(super::strings(Some(words)));
            } else if let Some(kind) = kind(choice) {
                sorted.kinds.push(kind);
            } else {
                sorted.others.push(follow(choice, root));
            }
        }
        sorted
    }

    fn settings(&self, name: &str) -> Option<&'a Json> {
        self.kinds.iter().find(|(kind, _)| *kind == name).map(|(_, settings)| *settings)
    }

    /// The alternative of one of these types, in order of preference.
    fn other(&self, types: &[&str]) -> Option<&'a Json> {
        let of = |wanted: &&str| {
            self.others.iter().copied().find(|other| other.get("type").is_some_and(|kind| kind == wanted))
        };
        types.iter().find_map(of)
    }

    /// Every name that could stand here, each once.
    fn names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.kinds.iter().map(|(name, _)| *name).collect();
        let words = self.words.iter().copied().filter(|word| self.settings(word).is_none());
        names.extend(words);
        names
    }
}

impl<'a> Walker<'a> {
    pub(super) fn choice(&mut self, schema: &'a Json, choices: &'a [Json], at: &At<'_>) -> Json {
        let choices = Choices::new(choices, self.root);
        match &at.node.value {
            Value::Map(entries) => match choices.other(&["object"]) {
                Some(settings) => self.value(settings, at),
                None if choices.kinds.is_empty() && choices.words.is_empty() => self.mismatch(schema, at),
                None => self.one_kind(schema, &choices, entries, at),
            },
            Value::List(_) => match choices.other(&["array"]) {
                Some(other) => self.value(other, at),
                None => self.mismatch(schema, at),
            },
            Value::Scalar(scalar) => self.word(schema, &choices, scalar, at),
        }
    }

    /// A mapping of exactly one key, which names the kind.
    fn one_kind(&mut self, schema: &'a Json, choices: &Choices<'a>, entries: &[Entry], at: &At<'_>) -> Json {
        match entries {
            [entry] => match choices.settings(&entry.key) {
                Some(settings) => {
                    json!({ entry.key.clone(): self.value(settings, &at.key(entry)) })
                }
                None if choices.words.contains(&entry.key.as_str()) => self.word_with_settings(schema, entry, at),
                None => {
                    let help = suggest(&entry.key, "there are", choices.names());
                    let message = format!("{} has no kind `{}`", at.subject(), entry.key);
                    self.report.error(Code::UnknownKey, entry.key_span, message, help);
                    self.poisoned.push(at.path.clone());
                    super::placeholder(schema, self.root)
                }
            },
            [] => self.mismatch(schema, at),
            [first, second, ..] => {
                let message = format!("{} is two things at once: `{}` and `{}`", at.subject(), first.key, second.key);
                let settings = choices.settings(&first.key).map(|schema| follow(schema, self.root));
                let settings = settings.and_then(|schema| schema.get("properties"));
                let help = match settings.and_then(|settings| settings.get(&second.key)) {
                    Some(_) => format!("`{0}` is a setting of `{1}`: indent it below `{1}`", second.key, first.key),
                    None => "keep one of them; in a list each needs its own `-`".to_string(),
                };
                self.report.error(Code::Conflict, second.key_span, message, help);
                self.poisoned.push(at.path.clone());
                super::placeholder(schema, self.root)
            }
        }
    }

    /// `all: {}` for `all`: fine as long as nothing is set.
    fn word_with_settings(&mut self, schema: &'a Json, entry: &Entry, at: &At<'_>) -> Json {
        let empty = match &entry.node.value {
            Value::Map(entries) => entries.is_empty(),
            Value::Scalar(scalar) => scalar.kind == Kind::Null,
            Value::List(_) => false,
        };
        if empty {
            return Json::from(entry.key.as_str());
        }
        let message = format!("`{}` has nothing to set", entry.key);
        let help = format!("write the word alone: `{}`", entry.key);
        self.wrong(Code::WrongType, schema, &at.key(entry), message, &help)
    }

    fn word(&mut self, schema: &'a Json, choices: &Choices<'a>, scalar: &Scalar, at: &At<'_>) -> Json {
        let text = scalar.text.as_str();
        if let Some(settings) = choices.settings(text) {
            return json!({ text: self.bare_kind(settings, text, at) });
        }
        if choices.words.contains(&text) && scalar.kind != Kind::Null {
            return Json::from(text);
        }
        let other = match scalar.kind {
            Kind::Int(_) => choices.other(&["integer", "number"]),
            Kind::Float(_) => choices.other(&["number"]).or_else(|| choices.other(&["string"])),
            Kind::Text => choices.other(&["string"]),
            // Nothing at all is an empty mapping.
            Kind::Null => choices.other(&["object"]),
            Kind::Bool(_) | Kind::Broken => None,
        };
        match other {
            // A number in the wrong notation: whoever understands the notation says what is wrong with it.
            Some(other) if matches!(scalar.kind, Kind::Float(_)) && other.get("pattern").is_some() => Json::from(text),
            Some(other) => self.value(other, at),
            None if scalar.variable && choices.other(&["string"]).is_some() => Json::from(text),
            None if scalar.kind == Kind::Text && choices.others.is_empty() => {
                self.unknown_word(schema, choices, text, at)
            }
            None => self.mismatch(schema, at),
        }
    }

    /// A kind written as its name alone: all its settings are defaults, if it has them.
    fn bare_kind(&mut self, settings: &'a Json, name: &str, at: &At<'_>) -> Json {
        let nothing = Scalar { text: String::new(), kind: Kind::Null, variable: false };
        let node = Node { span: at.node.span, value: Value::Scalar(nothing) };
        let at = At { node: &node, anchor: at.node.span, name: name.to_string(), path: at.path.key(name) };
        self.value(settings, &at)
    }

    fn unknown_word(&mut self, schema: &'a Json, choices: &Choices<'a>, text: &str, at: &At<'_>) -> Json {
        let help = suggest(text, "there are", choices.names());
        let message = match choices.kinds.is_empty() {
            true => format!("{} cannot be `{text}`", at.subject()),
            false => format!("{} has no kind `{text}`", at.subject()),
        };
        self.wrong(Code::UnknownKey, schema, at, message, &help)
    }
}
