//! Values carried along an exchange: what authorizers found out, captured parameters, what plugins leave for later
//! hooks. Names are namespaced: `auth.*`, `plugin.<name>.*`.

use std::borrow::Cow;
use std::fmt;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A floating-point number.
    Number(f64),
    /// An integer.
    Integer(i64),
    /// A truth value.
    Truth(bool),
    /// Bytes.
    Bytes(Vec<u8>),
    /// JSON, as text.
    Json(String),
}

impl fmt::Display for Value {
    /// The value as header fields and templates show it; bytes as lower-case hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Json(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Integer(integer) => integer.fmt(f),
            Self::Truth(truth) => truth.fmt(f),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// The attributes of one exchange, in the order in which they were first set.
///
/// A list, not a map: an exchange has a handful of them, and most have none.
#[derive(Clone, Debug, Default)]
pub struct Attributes(Vec<(Cow<'static, str>, Value)>);

impl Attributes {
    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Sets a value, replacing one of the same name.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
