//! What a JSON Schema says of a value, in words for whoever wrote the value.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};

/// What is wrong with a value. `shows` is whether the value may be repeated: it may be secret, or a whole table.
#[must_use]
pub fn said(error: &ValidationError<'_>, shows: bool) -> String {
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            format!("the key `{}` is missing", property.as_str().unwrap_or_default())
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let names: Vec<_> = unexpected.iter().map(|name| format!("`{name}`")).collect();
            format!("there is no key {}", names.join(", "))
        }
        ValidationErrorKind::Type { kind } => {
            let types: Vec<_> = match kind {
                TypeKind::Single(only) => vec![only.as_str()],
                TypeKind::Multiple(types) => types.iter().map(JsonType::as_str).collect(),
            };
            let is = match shows {
                true => format!("{} is", error.instance()),
                false => "the value is".to_owned(),
            };
            format!("{is} no {}", types.join(" or "))
        }
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            "the value is none of those that the schema allows".to_owned()
        }
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            "the value is more than one of those that the schema allows one of".to_owned()
        }
        _ if shows => error.to_string(),
        _ => error.masked_with("the value").to_string(),
    }
}
