//! Quantities with their unit, as the file writes them: `250ms`, `1MiB`, `100/s`.
//!
//! Each has one `FromStr` that says what a right one looks like, and one `Display` that writes it back.

mod byte_size;
mod duration;
mod rate;

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserializer, Error, Visitor};

pub use byte_size::ByteSize;
pub use duration::{format_duration, parse_duration};
pub use rate::Rate;

/// Text that is not the quantity it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnitError {
    /// What is wrong.
    pub message: String,
    /// What a right one looks like.
    pub hint: &'static str,
}

impl UnitError {
    fn new(text: &str, what: &str, hint: &'static str) -> Self {
        Self {
            message: format!("`{text}` is not {what}"),
            hint,
        }
    }
}

/// Splits `16KiB` into 16 and `KiB`; spaces between are tolerated, a sign or a fraction is not.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

/// Deserialises a quantity from a string. The hint travels on the second line of serde's message,
/// since that message is all that comes through.
pub(crate) fn deserialize_quantity<'de, D, T>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = UnitError>,
{
    deserializer.deserialize_str(QuantityVisitor {
        expected,
        quantity: PhantomData,
    })
}

struct QuantityVisitor<T> {
    expected: &'static str,
    quantity: PhantomData<T>,
}

impl<T: FromStr<Err = UnitError>> Visitor<'_> for QuantityVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse()
            .map_err(|error: UnitError| E::custom(format_args!("{error}\n{}", error.hint)))
    }
}

/// `Deserialize`, `Serialize` and `JsonSchema` of a quantity that is written as a string.
macro_rules! string_quantity {
    ($type:ident, expected $expected:literal, pattern $pattern:literal, example $example:literal) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::units::deserialize_quantity(deserializer, $expected)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "examples": [$example] })
            }
        }
    };
}
pub(crate) use string_quantity;
