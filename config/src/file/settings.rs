//! A plugin's own configuration: any TOML table, as JSON; and single values in the same way.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A table as JSON; dates and times become strings.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Settings(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = toml::Table::deserialize(deserializer)?;
        object(table)
            .map(Self)
            .map_err(|number| D::Error::custom(format_args!("{number} cannot be given to a plugin")))
    }
}

/// Any value as JSON; dates and times become strings.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Json(pub Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        json(value)
            .map(Self)
            .map_err(|number| D::Error::custom(format_args!("{number} is not JSON")))
    }
}

/// JSON has no infinities and no NaN; the first one found is the error.
fn object(table: toml::Table) -> Result<Map<String, Value>, f64> {
    table.into_iter().map(|(key, value)| Ok((key, json(value)?))).collect()
}

fn json(value: toml::Value) -> Result<Value, f64> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => serde_json::Number::from_f64(number).map(Value::Number).ok_or(number)?,
        toml::Value::Boolean(boolean) => Value::Bool(boolean),
        toml::Value::Datetime(datetime) => Value::String(datetime.to_string()),
        toml::Value::Array(values) => Value::Array(values.into_iter().map(json).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => Value::Object(object(table)?),
    })
}

impl JsonSchema for Settings {
    fn schema_name() -> Cow<'static, str> {
        "Settings".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": true })
    }
}
