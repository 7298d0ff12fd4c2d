//! Values that may be written in two ways. Each has its own reading, so that neither serde nor a message has to guess.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A name, or a list of them.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Names(pub(crate) Vec<String>);

impl JsonSchema for Names {
    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let name = json_schema!({ "type": "string", "minLength": 1 });
        json_schema!({
            "description": "A name, or a list of names.",
            "anyOf": [name, { "type": "array", "items": name }]
        })
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Names, E> {
                Ok(Names(vec![name.to_string()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Names, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(sequence)).map(Names)
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

/// A whole number, or one with a unit. What the text means is found out where it is used.
#[derive(Debug, Serialize)]
pub(crate) struct Quantity(pub(crate) String);

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A whole number, or a number with a unit.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? ?([KMGT]i?B|kB|B|%)$" }
            ]
        })
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;
        impl Visitor<'_> for NumberOrText {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or a number with a unit")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
                Ok(Quantity(number.to_string()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                Ok(Quantity(text.to_string()))
            }
        }
        deserializer.deserialize_any(NumberOrText)
    }
}

/// The side of an image in pixels.
#[derive(Copy, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Side(#[schemars(range(min = 1, max = 65535))] pub(crate) u32);

/// The value of a pixel: one number for all channels, or three for red, green and blue.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Fill(pub(crate) [u8; 3]);

impl JsonSchema for Fill {
    fn schema_name() -> Cow<'static, str> {
        "Fill".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let value = json_schema!({ "type": "integer", "minimum": 0, "maximum": 255 });
        json_schema!({
            "description": "One number from 0 (black) to 255 (white), or one for each of red, green and blue.",
            "anyOf": [value, { "type": "array", "items": value, "minItems": 3, "maxItems": 3 }]
        })
    }
}

impl Serialize for Fill {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            [all, green, blue] if all == green && all == blue => all.serialize(serializer),
            colour => colour.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Fill {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrThree;
        impl<'de> Visitor<'de> for OneOrThree {
            type Value = Fill;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value from 0 to 255, or three of them")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Fill, E> {
                let all = u8::try_from(value);
                all.map(|all| Fill([all; 3])).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Fill, A::Error> {
                Deserialize::deserialize(de::value::SeqAccessDeserializer::new(sequence)).map(Fill)
            }
        }
        deserializer.deserialize_any(OneOrThree)
    }
}

/// Settings that may be written as a number alone.
pub(crate) trait Shorthand {
    /// What the number may be.
    fn number() -> Schema;

    /// The settings that it stands for.
    fn of(number: f64) -> Self;
}

/// Settings, or the number that stands for them.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Brief<T>(pub(crate) T);

impl<T: Shorthand + JsonSchema> JsonSchema for Brief<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Brief{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [T::number(), generator.subschema_for::<T>()] })
    }
}

impl<'de, T: Shorthand + de::DeserializeOwned> Deserialize<'de> for Brief<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        match value.as_f64() {
            Some(number) => Ok(Brief(T::of(number))),
            None => serde_json::from_value(value).map(Brief).map_err(de::Error::custom),
        }
    }
}

/// A setting that may be switched off.
#[derive(Debug)]
pub(crate) enum OrOff<T> {
    On(T),
    Off,
}

impl<T: JsonSchema> JsonSchema for OrOff<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}OrOff", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        // A setting that may itself be several things has its alternatives here, so that they are found at once.
        let setting = generator.subschema_for::<T>();
        let mut choices = match setting.get("anyOf").and_then(serde_json::Value::as_array) {
            Some(alternatives) => alternatives.clone(),
            None => vec![setting.to_value()],
        };
        choices.push(serde_json::json!({ "const": "off", "type": "string" }));
        json_schema!({ "anyOf": choices })
    }
}

impl<T: Serialize> Serialize for OrOff<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            OrOff::On(setting) => setting.serialize(serializer),
            OrOff::Off => serializer.serialize_str("off"),
        }
    }
}

impl<'de, T: de::DeserializeOwned> Deserialize<'de> for OrOff<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        match value.as_str() {
            Some("off") => Ok(OrOff::Off),
            _ => serde_json::from_value(value).map(OrOff::On).map_err(de::Error::custom),
        }
    }
}
