//! The JSON schema of a definition, for editors and for our own check of the structure.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::raw;

/// The JSON schema (draft 2020-12) of a pipeline: types, ranges, defaults and descriptions of every key.
///
/// ```
/// let schema = millstream_spec::schema();
/// assert_eq!(schema["properties"]["seed"]["type"], "integer");
/// ```
#[must_use]
pub fn schema() -> Value {
    let mut root = tidied::<raw::Pipeline>();
    let original = root.clone();
    allow_bare_names(&mut root, &original);
    root
}

/// The schema of a type, as the walk over a structure takes it.
pub(crate) fn tidied<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut root = generator.into_root_schema_for::<T>().to_value();
    tidy(&mut root);
    root
}

/// Takes out what `Option` leaves behind, for a key of ours is there with a value or not there at all, and the line breaks of
/// our source.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(object) => {
            forget_null(object);
            if let Some(Value::String(description)) = object.get_mut("description") {
                *description = description.replace('\n', " ");
            }
            object.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn forget_null(object: &mut Map<String, Value>) {
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_string(), only);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            object.extend(only);
        }
    }
}

/// A kind whose settings all have defaults may be written as its name alone: `equalize` for `equalize: {}`.
fn allow_bare_names(value: &mut Value, root: &Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::Array(choices)) = object.get_mut("oneOf") {
                let names: Vec<Value> = choices.iter().filter_map(|choice| bare_name(choice, root)).collect();
                if !names.is_empty() {
                    let description = "A kind alone, with the defaults of all its settings.";
                    choices.push(serde_json::json!({ "description": description, "type": "string", "enum": names }));
                }
            }
            object.values_mut().for_each(|value| allow_bare_names(value, root));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| allow_bare_names(item, root)),
        _ => {}
    }
}

fn bare_name(choice: &Value, root: &Value) -> Option<Value> {
    let (name, settings) = kind(choice)?;
    let settings = follow(settings, root);
    let alternatives = settings.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    let optional = |settings: &Value| {
        settings.get("type").is_some_and(|kind| kind == "object") && settings.get("required").is_none()
    };
    let optional = optional(settings) || alternatives.map(|settings| follow(settings, root)).any(optional);
    optional.then(|| Value::from(name))
}

/// The name of a kind and the schema of its settings, if this is the schema of one: an object of exactly one key.
pub(crate) fn kind(choice: &Value) -> Option<(&str, &Value)> {
    let properties = choice.get("properties")?.as_object()?;
    let required = choice.get("required")?.as_array()?;
    let (name, settings) = properties.iter().next()?;
    (properties.len() == 1 && required.len() == 1).then_some((name.as_str(), settings))
}

/// The schema that a `$ref` stands for, or the schema itself.
pub(crate) fn follow<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}
