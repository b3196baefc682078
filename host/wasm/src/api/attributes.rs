//! Attributes from and to a plugin.

use gatewright_core::Value;
use serde::de::IgnoredAny;

use super::allowance::Allowance;
use super::types::{AttributeResult, ValueParam, ValueResult};
use crate::failure::OutputError;

const NAME_BYTES: usize = 64;

/// Checks attributes and puts `prefix` before their names.
pub(super) fn checked(
    attributes: Vec<AttributeResult>,
    prefix: &str,
    allowance: &mut Allowance,
) -> Result<Vec<(String, Value)>, OutputError> {
    let mut checked = Vec::with_capacity(attributes.len().min(16));
    for (place, (name, value)) in attributes.into_iter().enumerate() {
        if !is_name(&name) {
            return Err(OutputError::invalid(format!(
                "the name of attribute {place} is not 1 to {NAME_BYTES} letters, digits, `-`, `_` or `.`"
            )));
        }
        allowance.attribute(prefix.len() + name.len() + bytes(&value))?;
        let value = self::value(value).map_err(|what| OutputError::invalid(format!("attribute `{name}` {what}")))?;
        checked.push((format!("{prefix}{name}"), value));
    }
    Ok(checked)
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed)
}

fn bytes(value: &ValueResult) -> usize {
    match value {
        ValueResult::Text(text) | ValueResult::Json(text) => text.len(),
        ValueResult::Bytes(bytes) => bytes.len(),
        ValueResult::Number(_) | ValueResult::Integer(_) => 8,
        ValueResult::Truth(_) => 1,
    }
}

fn value(value: ValueResult) -> Result<Value, &'static str> {
    Ok(match value {
        ValueResult::Text(text) => Value::Text(text),
        ValueResult::Number(number) if number.is_finite() => Value::Number(number),
        ValueResult::Number(_) => return Err("is not a finite number"),
        ValueResult::Integer(integer) => Value::Integer(integer),
        ValueResult::Truth(truth) => Value::Truth(truth),
        ValueResult::Bytes(bytes) => Value::Bytes(bytes),
        ValueResult::Json(text) if serde_json::from_str::<IgnoredAny>(&text).is_ok() => Value::Json(text),
        ValueResult::Json(_) => return Err("is not JSON"),
    })
}

/// An attribute's value as the guest gets it.
pub(super) fn lowered(value: &Value) -> ValueParam<'_> {
    match value {
        Value::Text(text) => ValueParam::Text(text),
        Value::Number(number) => ValueParam::Number(*number),
        Value::Integer(integer) => ValueParam::Integer(*integer),
        Value::Truth(truth) => ValueParam::Truth(*truth),
        Value::Bytes(bytes) => ValueParam::Bytes(bytes),
        Value::Json(text) => ValueParam::Json(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: ValueResult) -> Result<Vec<(String, Value)>, OutputError> {
        checked(vec![(name.to_owned(), value)], "auth.", &mut Allowance::new(1 << 20))
    }

    #[test]
    fn names_get_the_hosts_prefix_and_cannot_bring_their_own_characters() {
        let attributes = check("tenant-1.x", ValueResult::Integer(1)).unwrap();
        assert_eq!(attributes, [("auth.tenant-1.x".to_owned(), Value::Integer(1))]);
        for name in ["", "a b", "ü", "a/b", &"a".repeat(65)] {
            assert!(check(name, ValueResult::Truth(true)).is_err(), "{name:?}");
        }
    }

    #[test]
    fn numbers_are_finite_and_json_parses() {
        assert!(check("a", ValueResult::Number(f64::NAN)).is_err());
        assert!(check("a", ValueResult::Number(f64::INFINITY)).is_err());
        assert!(check("a", ValueResult::Json("{".to_owned())).is_err());
        assert!(
            check("a", ValueResult::Json("[".repeat(100_000)))
                .unwrap_err()
                .too_large
        );
        assert!(check("a", ValueResult::Json("{\"b\":1}".to_owned())).is_ok());
    }

    #[test]
    fn attributes_are_bounded() {
        assert!(check("a", ValueResult::Bytes(vec![0; 16 << 10])).unwrap_err().too_large);
    }
}
