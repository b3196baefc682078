//! Values that travel with an exchange from hook to hook.

/// A typed value: authorizer context, stage variable, path parameter.
///
/// ```
/// use gatewright_sdk::Value;
/// assert_eq!(Value::from("gold"), Value::Text("gold".into()));
/// assert_eq!(Value::from(7).integer(), Some(7));
/// assert_eq!(Value::from(true).text(), None);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A number; the gateway refuses NaN and the infinities.
    Number(f64),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Truth(bool),
    /// Uninterpreted bytes.
    Bytes(Vec<u8>),
    /// A JSON text; the gateway refuses one that does not parse.
    Json(String),
}

impl Value {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Self::Truth(truth) => Some(*truth),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Truth(truth)
    }
}
