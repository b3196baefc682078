//! What a JSON Schema says of a value, and what is wrong with a schema itself, in words for whoever wrote them.

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

/// Why a value is no JSON Schema that can be used here, as the library says it of the schema of schemas.
#[must_use]
pub fn of_schema(error: &ValidationError<'_>) -> String {
    let at = error.instance_path().as_str();
    let what = match error.kind() {
        ValidationErrorKind::Referencing(_) => {
            return "it refers to something that is not in it, such as another document".to_owned();
        }
        ValidationErrorKind::Format { format } if format == "regex" => {
            "the pattern is no regular expression, or one that looks ahead or behind, or is too large".to_owned()
        }
        ValidationErrorKind::AnyOf { .. } if at.ends_with("/type") => {
            "there is no such type; there are array, boolean, integer, null, number, object and string".to_owned()
        }
        ValidationErrorKind::Enum { options } => format!("the value is none of {options}"),
        _ => said(error, false),
    };
    match at {
        "" => what,
        at => format!("`{at}`: {what}"),
    }
}
