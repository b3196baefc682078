//! Header fields of cases: values that are sent, and what is expected of them.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// `"value"`, or `["several", "values"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldValues(pub Vec<String>);

/// What a header field must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldExpectation {
    /// `true`: there, whatever it says.
    Present,
    /// `false`: not there.
    Absent,
    /// These values, in this order.
    Values(Vec<String>),
}

impl<'de> Deserialize<'de> for FieldValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValuesVisitor)
    }
}

impl<'de> Deserialize<'de> for FieldExpectation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExpectationVisitor)
    }
}

struct ValuesVisitor;

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = FieldValues;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or a list of strings")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<FieldValues, E> {
        Ok(FieldValues(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<FieldValues, A::Error> {
        texts(values).map(FieldValues)
    }
}

struct ExpectationVisitor;

impl<'de> Visitor<'de> for ExpectationVisitor {
    type Value = FieldExpectation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a list of strings, true for any value, or false for none")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<FieldExpectation, E> {
        Ok(FieldExpectation::Values(vec![text.to_owned()]))
    }

    fn visit_bool<E: Error>(self, present: bool) -> Result<FieldExpectation, E> {
        Ok(match present {
            true => FieldExpectation::Present,
            false => FieldExpectation::Absent,
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<FieldExpectation, A::Error> {
        texts(values).map(FieldExpectation::Values)
    }
}

fn texts<'de, A: SeqAccess<'de>>(mut values: A) -> Result<Vec<String>, A::Error> {
    let mut texts = Vec::new();
    while let Some(text) = values.next_element()? {
        texts.push(text);
    }
    Ok(texts)
}
