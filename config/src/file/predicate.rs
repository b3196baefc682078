//! What a header field or query parameter of a route must be: a value, or `true`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// `"value"`, or `true` for any value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Predicate {
    /// `true`
    Present,
    /// `"value"`
    Equals(String),
}

impl<'de> Deserialize<'de> for Predicate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PredicateVisitor)
    }
}

struct PredicateVisitor;

impl Visitor<'_> for PredicateVisitor {
    type Value = Predicate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or true for any value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Predicate, E> {
        Ok(Predicate::Equals(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, present: bool) -> Result<Predicate, E> {
        if present {
            Ok(Predicate::Present)
        } else {
            Err(E::invalid_value(Unexpected::Bool(false), &self))
        }
    }
}

impl JsonSchema for Predicate {
    fn schema_name() -> Cow<'static, str> {
        "Predicate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "const": true }] })
    }
}
