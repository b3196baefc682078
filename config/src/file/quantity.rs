//! Quantities of the file that the meaning has as plain numbers and durations: zero is allowed or it is not.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

use crate::units::{UnitError, format_duration, parse_duration, string_quantity};

/// A duration that may be zero: `"0s"`, `"250ms"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay(pub Duration);

/// A duration above zero: `"250ms"`, `"10s"`, `"5m"`, `"1h"`, `"1d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(pub Duration);

/// A whole number, 1 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Count(pub u32);

/// A whole number from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Percent(pub u32);

impl Timeout {
    pub(super) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub(super) const fn milliseconds(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }
}

impl Count {
    /// As a number of things in memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Delay {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse_duration(text).map(Self)
    }
}

impl FromStr for Timeout {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match parse_duration(text)? {
            Duration::ZERO => Err(UnitError {
                message: "it must be longer than zero".to_owned(),
                hint: "write a duration such as \"250ms\" or \"10s\"; a long one if it should hardly ever apply",
            }),
            duration => Ok(Self(duration)),
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_duration(self.0))
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_duration(self.0))
    }
}

string_quantity!(Delay, expected "a duration such as \"10s\"", pattern "^[0-9]+ *(ms|s|m|h|d)$", example "10s");
string_quantity!(Timeout, expected "a duration such as \"10s\"", pattern "^0*[1-9][0-9]* *(ms|s|m|h|d)$", example "10s");

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(CountVisitor)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, 1 or more")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Count, E> {
        match u32::try_from(number) {
            Ok(number) if number > 0 => Ok(Count(number)),
            _ => Err(E::invalid_value(
                serde::de::Unexpected::Signed(number),
                &"a whole number from 1 to 4294967295",
            )),
        }
    }
}

impl JsonSchema for Count {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": u32::MAX })
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(PercentVisitor)
    }
}

struct PercentVisitor;

impl Visitor<'_> for PercentVisitor {
    type Value = Percent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from 0 to 100")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Percent, E> {
        match u32::try_from(number) {
            Ok(number) if number <= 100 => Ok(Percent(number)),
            _ => Err(E::invalid_value(serde::de::Unexpected::Signed(number), &self)),
        }
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": 100 })
    }
}
