//! JSON of which nobody can read something else: no name of an object is there twice, and nothing follows.

use serde_json::{Map, Value};

use crate::json::{self, Inexact};

/// How deep an object may be nested.
const DEPTH: usize = 128;

/// Reads an object. Numbers that could not be written again as they are have no place in it: what is shown of it to others
/// would say something else.
///
/// # Errors
/// When it is no object, or has a name twice at any depth.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    match json::read(bytes, DEPTH, Inexact::Refused)? {
        Value::Object(object) => Ok(object),
        _ => Err("it is not an object".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_in_two_ways_is_not_read() {
        let text = r#"{"a": [1, -1, 0.5, true, null, {"b": "\u00e9"}], "c": 1e3}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(Value::Object(object(text.as_bytes()).unwrap()), expected);
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        let deep = format!("{{\"a\":{deep}}}");
        for wrong in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":[{"b":1,"b":1}]}"#,
            r#"{"a":1}{"a":1}"#,
            r#"{"a":1} x"#,
            r#"{"a":1e999}"#,
            r#"{"a":18446744073709551616}"#,
            r#"{"a":"\ud800"}"#,
            "\u{feff}{}",
            "[]",
            "",
            "<html>",
            &deep,
        ] {
            assert!(object(wrong.as_bytes()).is_err(), "{wrong:.40}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
    }
}
