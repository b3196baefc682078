//! What a parameter can stand for. A parameter is text; its schema says which values may be meant by it: of `["integer", "null"]`
//! an integer or nothing, and of `anyOf` what one of its schemas says.

use std::borrow::Cow;

use jsonschema::Validator;
use serde_json::Value;

use super::super::compile;
use crate::json;

/// How deep schemas within a schema are looked into; those that name themselves have no end.
const DEPTH: usize = 16;

/// One value that is meant, or two where a number is between two that can be read: both have to be good.
pub(super) type Reading = Vec<Value>;

/// The values that a schema lets a text stand for.
pub(super) struct Readings {
    types: Types,
    items: Option<Items>,
}

/// How the values of a list are read.
struct Items {
    types: Types,
    /// None where it cannot be asked by itself.
    schema: Option<Validator>,
}

/// Types that a schema speaks of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Types {
    number: bool,
    truth: bool,
    null: bool,
    text: bool,
    list: bool,
}

impl Readings {
    /// Those of a schema.
    pub(super) fn of(schema: &Value) -> Self {
        let types = Types::of(schema, schema, DEPTH).or_text();
        let items = items(schema, schema, DEPTH);
        Self {
            types,
            items: types.list.then(|| Items {
                types: items
                    .map_or(Types::default(), |items| Types::of(items, schema, DEPTH))
                    .or_text(),
                schema: items.and_then(|items| compile("its items", items).ok()),
            }),
        }
    }

    /// What values may stand for, the likeliest first. Nothing where there are several, and there may be one.
    pub(super) fn of_values(&self, values: &[Cow<'_, str>]) -> Vec<Reading> {
        let mut readings = match values {
            [text] => self.types.read(text),
            _ => Vec::new(),
        };
        readings.extend(self.items.as_ref().map(|items| items.read(values)));
        readings
    }
}

impl Items {
    /// A list, in which each item is what its schema says, if it can be.
    fn read(&self, values: &[Cow<'_, str>]) -> Reading {
        let item = |text: &Cow<'_, str>| {
            let readings = self.types.read(text);
            let good = |reading: &Reading| {
                let schema = self.schema.as_ref();
                schema.is_none_or(|schema| reading.iter().all(|value| schema.is_valid(value)))
            };
            let chosen = readings.iter().position(good).unwrap_or(0);
            // An item that only a list could be is none.
            let text = || vec![Value::String(text.to_string())];
            readings.into_iter().nth(chosen).unwrap_or_else(text)
        };
        let items: Vec<Reading> = values.iter().map(item).collect();
        let below = items.iter().filter_map(|reading| reading.first().cloned()).collect();
        let above = items.iter().filter_map(|reading| reading.last().cloned()).collect();
        match items.iter().all(|reading| reading.len() == 1) {
            true => vec![Value::Array(below)],
            false => vec![Value::Array(below), Value::Array(above)],
        }
    }
}

impl Types {
    /// Those that a schema, which is part of `root`, speaks of.
    fn of(schema: &Value, root: &Value, depth: usize) -> Self {
        let Some(depth) = depth.checked_sub(1) else {
            return Self::default();
        };
        match schema.get("type") {
            Some(Value::String(name)) => return Self::named(name),
            Some(Value::Array(names)) => return union(names.iter().filter_map(Value::as_str).map(Self::named)),
            _ => {}
        }
        let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
        let values = union(values.chain(schema.get("const")).map(Self::of_value));
        let alternatives = ["anyOf", "oneOf"]
            .into_iter()
            .filter_map(|key| schema.get(key)?.as_array());
        // An alternative that says nothing of types lets every text pass.
        let alternatives = union(alternatives.flatten().map(|one| Self::of(one, root, depth).or_text()));
        let all = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
        let referred = schema.get("$ref").and_then(|reference| resolve(reference, root));
        let parts = ["if", "then", "else"].into_iter().filter_map(|key| schema.get(key));
        let all = union(all.chain(referred).chain(parts).map(|part| Self::of(part, root, depth)));
        union([values, alternatives, all].into_iter())
    }

    fn named(name: &str) -> Self {
        let mut types = Self::default();
        match name {
            "integer" | "number" => types.number = true,
            "boolean" => types.truth = true,
            "null" => types.null = true,
            "array" => types.list = true,
            // Nothing else can be an object.
            _ => types.text = true,
        }
        types
    }

    fn of_value(value: &Value) -> Self {
        Self::named(match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::Array(_) => "array",
            Value::String(_) | Value::Object(_) => "string",
        })
    }

    /// Where nothing is said, a text is a text.
    fn or_text(self) -> Self {
        match self == Self::default() {
            true => Self::named("string"),
            false => self,
        }
    }

    /// What a text stands for, one reading at least: a text that is nothing else is a text, and then not of its type.
    fn read(self, text: &str) -> Vec<Reading> {
        let mut readings = Vec::new();
        if self.number {
            readings.extend(number(text));
        }
        match text {
            "true" | "false" if self.truth => readings.push(vec![Value::Bool(text == "true")]),
            "null" | "" if self.null => readings.push(vec![Value::Null]),
            _ => {}
        }
        if self.text || (readings.is_empty() && !self.list) {
            readings.push(vec![Value::String(text.to_owned())]);
        }
        readings
    }
}

fn union(all: impl Iterator<Item = Types>) -> Types {
    all.fold(Types::default(), |a, b| Types {
        number: a.number | b.number,
        truth: a.truth | b.truth,
        null: a.null | b.null,
        text: a.text | b.text,
        list: a.list | b.list,
    })
}

/// The schema of a list's items, wherever a schema has it.
fn items<'s>(schema: &'s Value, root: &'s Value, depth: usize) -> Option<&'s Value> {
    let depth = depth.checked_sub(1)?;
    if let Some(items) = schema.get("items") {
        return Some(items);
    }
    let parts = ["anyOf", "oneOf", "allOf"]
        .into_iter()
        .filter_map(|key| schema.get(key)?.as_array());
    let referred = schema.get("$ref").and_then(|reference| resolve(reference, root));
    parts
        .flatten()
        .chain(referred)
        .find_map(|part| items(part, root, depth))
}

/// What a reference within a document stands for.
fn resolve<'s>(reference: &Value, root: &'s Value) -> Option<&'s Value> {
    root.pointer(reference.as_str()?.strip_prefix('#')?)
}

fn number(text: &str) -> Option<Reading> {
    let is_plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    match text.bytes().all(is_plain) {
        true => json::readings(text.as_bytes(), 0).ok(),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn is_good(schema: &Value, values: &[&str]) -> bool {
        let validator = compile("it", schema).unwrap();
        let values: Vec<_> = values.iter().map(|text| Cow::Borrowed(*text)).collect();
        let readings = Readings::of(schema).of_values(&values);
        let good = |reading: &Reading| reading.iter().all(|value| validator.is_valid(value));
        readings.iter().any(good)
    }

    #[test]
    fn a_text_is_what_one_of_the_types_of_its_schema_makes_of_it() {
        let limited = json!({ "anyOf": [{ "type": "integer", "maximum": 10 }, { "const": "all" }] });
        let referring = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "type": ["number", "null"] } } });
        let list =
            json!({ "type": ["array", "null"], "items": { "oneOf": [{ "type": "integer" }, { "enum": ["x"] }] } });
        let either = json!({ "anyOf": [{ "type": "integer" }, { "type": "array", "items": { "type": "boolean" } }] });
        for (schema, good, bad) in [
            (
                &json!({ "type": ["integer", "null"] }),
                &["7", "", "null", "-1"][..],
                &["a", "1.5", "true"][..],
            ),
            (&limited, &["7", "all"], &["11", "none", ""]),
            (&referring, &["1.5", "null"], &["a"]),
            (
                &json!({ "enum": [1, 2, "three", null, true] }),
                &["1", "2", "three", "", "true"],
                &["3", "false"],
            ),
            (&json!({ "const": 5 }), &["5"], &["6", "five"]),
            (
                &json!({ "oneOf": [{ "type": "string", "pattern": "^[a-z]+$" }, { "type": "number" }] }),
                &["a", "1"],
                &["A"],
            ),
            (
                &json!({ "allOf": [{ "type": "integer" }, { "minimum": 3 }] }),
                &["3"],
                &["2"],
            ),
            (
                &json!({ "type": "integer", "maximum": 18446744073709551615u64 }),
                &["18446744073709551615"],
                &["18446744073709551616"],
            ),
            (
                &json!({ "type": "number", "maximum": 100 }),
                &["100"],
                &["100.00000000000000001"],
            ),
            (&json!({ "minLength": 2 }), &["12"], &["1"]),
            (&list, &["1", "x", ""], &["y"]),
            (&either, &["1", "true"], &["x"]),
        ] {
            good.iter()
                .for_each(|text| assert!(is_good(schema, &[text]), "{schema}: {text}"));
            bad.iter()
                .for_each(|text| assert!(!is_good(schema, &[text]), "{schema}: {text}"));
        }
        assert!(is_good(&list, &["1", "x", "2"]) && !is_good(&list, &["1", "y"]));
        assert!(is_good(&either, &["true", "false"]) && !is_good(&either, &["1", "2"]));
        assert!(
            Readings::of(&json!({ "type": ["integer", "null"] }))
                .of_values(&["1".into(), "2".into()])
                .is_empty()
        );
    }
}
