//! What a schema asks for and what a node is, in words; and a harmless value for a schema.

use std::fmt;

use serde_json::{Map, Value as Json, json};

use crate::diagnostic::quoted;
use crate::schema::{follow, kind};
use crate::yaml::{Kind, Node, Value};

/// The range of a number.
pub(super) struct Range {
    least: Option<f64>,
    most: Option<f64>,
    above: Option<f64>,
    below: Option<f64>,
    whole: bool,
}

impl Range {
    pub(super) fn of(schema: &Json) -> Range {
        let number = |key| schema.get(key).and_then(Json::as_f64);
        let format = schema.get("format").and_then(Json::as_str);
        let widest = match format {
            Some("uint32") => Some(f64::from(u32::MAX)),
            Some("int32") => Some(f64::from(i32::MAX)),
            Some("uint8") => Some(255.0),
            _ => None,
        };
        Range {
            least: number("minimum"),
            most: number("maximum").or(widest),
            above: number("exclusiveMinimum"),
            below: number("exclusiveMaximum"),
            whole: schema.get("type").is_some_and(|kind| kind == "integer"),
        }
    }

    pub(super) fn contains(&self, number: f64) -> bool {
        number.is_finite()
            && self.least.is_none_or(|least| number >= least)
            && self.most.is_none_or(|most| number <= most)
            && self.above.is_none_or(|above| number > above)
            && self.below.is_none_or(|below| number < below)
    }

    /// A number in it.
    fn any(&self) -> f64 {
        let lowest = self.least.or(self.above).unwrap_or(0.0);
        let highest = self.most.or(self.below).unwrap_or(lowest + 2.0);
        if self.contains(lowest) { lowest } else { f64::midpoint(lowest, highest) }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.whole { "a whole number" } else { "a number" };
        let low =
            self.least.map(|least| format!("of at least {least}")).or(self.above.map(|above| format!("above {above}")));
        let high = self.most.map(|most| format!("at most {most}")).or(self.below.map(|below| format!("below {below}")));
        match (low, high) {
            (Some(_), Some(_)) if self.least.is_some() && self.most.is_some() => {
                write!(f, "{what} from {} to {}", self.least.unwrap_or_default(), self.most.unwrap_or_default())
            }
            (Some(low), Some(high)) => write!(f, "{what} {low} and {high}"),
            (Some(one), None) | (None, Some(one)) => write!(f, "{what} {one}"),
            (None, None) if self.whole => write!(f, "a whole number that fits in 64 bits"),
            (None, None) => write!(f, "a finite number"),
        }
    }
}

/// What a schema asks for: "a whole number from 1 to 10", "`a` or `b`".
pub(super) fn expected(schema: &Json, root: &Json) -> String {
    let schema = follow(schema, root);
    if let Some(choices) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Json::as_array) {
        return one_of(choices, root);
    }
    match schema.get("type").and_then(Json::as_str) {
        Some("object") => "a mapping (`key: value`)".to_string(),
        Some("array") => list(schema, root),
        Some("integer" | "number") => Range::of(schema).to_string(),
        Some("boolean") => "`true` or `false`".to_string(),
        _ => "text".to_string(),
    }
}

fn list(schema: &Json, root: &Json) -> String {
    let bound = |key| schema.get(key).and_then(Json::as_u64);
    let items = match (bound("minItems"), bound("maxItems")) {
        (Some(least), Some(most)) if least == most => format!("a list of {least}"),
        (Some(least), Some(most)) => format!("a list of {least} to {most}"),
        _ => "a list".to_string(),
    };
    let numbers = schema.get("items").map(|items| follow(items, root)).and_then(|items| items.get("type"));
    match numbers.and_then(Json::as_str) {
        Some("integer" | "number") => format!("{items} numbers").replace("list numbers", "list of numbers"),
        _ if items.contains(" of ") => format!("{items} items"),
        _ => items,
    }
}

fn one_of(choices: &[Json], root: &Json) -> String {
    let kinds: Vec<&str> = choices.iter().filter_map(kind).map(|(name, _)| name).collect();
    let words = choices.iter().filter_map(|choice| choice.get("const").and_then(Json::as_str));
    let words: Vec<&str> = words.filter(|word| !kinds.contains(word)).collect();
    let plain = choices
        .iter()
        .filter(|choice| kind(choice).is_none() && choice.get("const").is_none() && choice.get("enum").is_none());
    let mut parts: Vec<String> = plain.map(|choice| expected(choice, root)).collect();
    if !kinds.is_empty() {
        parts.push(format!("one key out of {}", quoted(kinds)));
    }
    parts.extend(words.iter().map(|word| format!("`{word}`")));
    match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "something else".to_string(),
    }
}

/// What a node is.
pub(super) fn found(node: &Node) -> String {
    match &node.value {
        Value::List(_) => "a list".to_string(),
        Value::Map(_) => "a mapping".to_string(),
        Value::Scalar(scalar) => match scalar.kind {
            Kind::Null => "nothing".to_string(),
            Kind::Bool(_) => format!("`{}`", scalar.text),
            Kind::Int(_) | Kind::Float(_) => format!("the number {}", scalar.text),
            Kind::Text | Kind::Broken => format!("the text `{}`", shorten(&scalar.text)),
        },
    }
}

fn shorten(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST {
        return text.to_string();
    }
    format!("{}...", text.chars().take(LONGEST).collect::<String>())
}

/// What usually helps with a value of the wrong type.
pub(super) fn way_out(schema: &Json, root: &Json, node: &Node) -> String {
    let choices = schema.get("anyOf").and_then(Json::as_array).into_iter().flatten().map(|choice| follow(choice, root));
    if let Some(settings) = choices.into_iter().find(|choice| choice.get("type").is_some_and(|kind| kind == "object")) {
        return way_out(settings, root, node);
    }
    let wanted = schema.get("type").and_then(Json::as_str).unwrap_or("");
    if let ("object", Some(known)) = (wanted, schema.get("properties").and_then(Json::as_object)) {
        return format!("its keys are {}", quoted(known.keys().map(String::as_str)));
    }
    let Value::Scalar(scalar) = &node.value else {
        return String::new();
    };
    let text = &scalar.text;
    match (wanted, scalar.kind) {
        ("string", _) => format!("put it in quotes: \"{text}\""),
        ("array", _) => as_list(schema, text),
        ("integer" | "number", Kind::Text) => as_number(text),
        ("integer", Kind::Float(number)) if number.fract() == 0.0 && number.abs() < 1e15 => {
            format!("write {number}")
        }
        ("boolean", Kind::Text) if matches!(text.as_str(), "yes" | "on" | "Yes" | "On") => "write true".to_string(),
        ("boolean", Kind::Text) if matches!(text.as_str(), "no" | "off" | "No" | "Off") => "write false".to_string(),
        _ => String::new(),
    }
}

/// A text that is almost a number.
fn as_number(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !matches!(c, '_' | ',' | ' ')).collect();
    let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    if text.parse::<f64>().is_ok() {
        format!("remove the quotes: {text}")
    } else if plain.parse::<f64>().is_ok() {
        format!("write {plain}")
    } else if let Some(percent) = percent {
        format!("write {}", percent / 100.0)
    } else {
        String::new()
    }
}

/// One value where a list is wanted: `28x28` for `[28, 28]`, or `28` for both of them.
fn as_list(schema: &Json, text: &str) -> String {
    let Some(count) = schema.get("minItems").and_then(Json::as_u64).filter(|count| *count > 1) else {
        return format!("write it as a list: [{text}]");
    };
    let numbers = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    let numbers: Vec<&str> = numbers.filter(|number| !number.is_empty()).collect();
    let items = match numbers.as_slice() {
        [] => return String::new(),
        [one] => vec![*one; usize::try_from(count).unwrap_or(2)],
        several => several.to_vec(),
    };
    format!("write it as a list: [{}]", items.join(", "))
}

/// A value that the schema allows and that no other check dislikes more than any other.
pub(super) fn placeholder(schema: &Json, root: &Json) -> Json {
    if let Some(default) = schema.get("default") {
        return in_full(default, follow(schema, root));
    }
    let schema = follow(schema, root);
    let choices = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Json::as_array);
    if let Some(first) = choices.and_then(|choices| choices.first()) {
        return placeholder(first, root);
    }
    if let Some(word) = schema.get("const").or_else(|| schema.get("enum").and_then(|words| words.get(0))) {
        return word.clone();
    }
    match schema.get("type").and_then(Json::as_str) {
        Some("object") => Json::Object(required(schema, root)),
        Some("array") => {
            let count = schema.get("minItems").and_then(Json::as_u64).unwrap_or(0);
            let item = schema.get("items").map_or(Json::Null, |items| placeholder(items, root));
            Json::Array((0..count).map(|_| item.clone()).collect())
        }
        Some("integer") => json!(Range::of(schema).any() as i64),
        Some("number") => json!(Range::of(schema).any()),
        Some("boolean") => json!(false),
        _ => json!(""),
    }
}

/// A default as the walk would give it: the bare name of a kind becomes the kind.
fn in_full(default: &Json, schema: &Json) -> Json {
    let kinds = schema.get("oneOf").and_then(Json::as_array).into_iter().flatten().filter_map(kind);
    let names: Vec<&str> = kinds.map(|(name, _)| name).collect();
    match default.as_str() {
        Some(name) if names.contains(&name) => json!({ name: {} }),
        _ => default.clone(),
    }
}

fn required(schema: &Json, root: &Json) -> Map<String, Json> {
    let properties = schema.get("properties");
    let value =
        |key: &str| properties.and_then(|properties| properties.get(key)).map(|schema| placeholder(schema, root));
    let keys = super::strings(schema.get("required"));
    keys.filter_map(|key| value(key).map(|value| (key.to_string(), value))).collect()
}
