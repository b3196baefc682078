//! `on_fault`: a word or a status.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// What becomes of an exchange whose plugin failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFault {
    /// `"deny"`
    Deny,
    /// `"skip"`
    Skip,
    /// 500 to 599
    Status(u16),
}

const EXPECTED: &str = "\"deny\", \"skip\" or a status from 500 to 599";

impl<'de> Deserialize<'de> for OnFault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnFaultVisitor)
    }
}

struct OnFaultVisitor;

impl Visitor<'_> for OnFaultVisitor {
    type Value = OnFault;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OnFault, E> {
        match text {
            "deny" => Ok(OnFault::Deny),
            "skip" => Ok(OnFault::Skip),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<OnFault, E> {
        match u16::try_from(number) {
            Ok(status) if (500..=599).contains(&status) => Ok(OnFault::Status(status)),
            _ => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }
}

impl Serialize for OnFault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Deny => serializer.serialize_str("deny"),
            Self::Skip => serializer.serialize_str("skip"),
            Self::Status(status) => serializer.serialize_u16(*status),
        }
    }
}

impl JsonSchema for OnFault {
    fn schema_name() -> Cow<'static, str> {
        "OnFault".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "enum": ["deny", "skip"] }, { "type": "integer", "minimum": 500, "maximum": 599 }] })
    }
}
