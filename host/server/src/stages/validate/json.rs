//! JSON that means the same to everybody: what parsers are known to read differently is refused.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads a JSON text, without recursing deeper than `depth`. Keys that are there twice are refused, and so are half surrogate
/// pairs, byte order marks and numbers that no double can hold.
///
/// # Errors
/// What is wrong, and where, without any of its values.
pub(crate) fn read(text: &[u8], depth: usize) -> Result<Value, String> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth }.deserialize(&mut reader).and_then(|value| {
        reader.end()?;
        Ok(value)
    });
    value.map_err(|error| {
        let at = format!("line {}, column {}", error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Data => format!("{} at {at}", reason(&error)),
            serde_json::error::Category::Eof => format!("it ends too early, at {at}"),
            _ => format!("it is not JSON at {at}"),
        }
    })
}

/// What this file says itself, without the position that is added.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth = self
            .depth
            .checked_sub(1)
            .ok_or_else(|| E::custom("it is nested too deep"))?;
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        let number = Number::from_f64(number).ok_or_else(|| E::custom("a number is too large"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let within = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(within)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let within = self.deeper()?;
        let mut values = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(within)?;
            if values.insert(key, value).is_some() {
                return Err(A::Error::custom("a key is there twice"));
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_parsers_read_differently_is_refused() {
        for (text, reason) in [
            (r#"{"a":1,"a":2}"#, "a key is there twice at line 1"),
            (r#"{"a":{"b":1,"\u0062":2}}"#, "a key is there twice at line 1"),
            (r#"["\ud800"]"#, "it is not JSON at line 1"),
            ("\u{feff}{}", "it is not JSON at line 1"),
            ("[1e400]", "it is not JSON at line 1"),
            ("\n[1] [2]", "it is not JSON at line 2"),
            ("[NaN]", "it is not JSON at line 1"),
            ("[1,]", "it is not JSON at line 1"),
            ("{", "it ends too early, at line 1"),
            ("", "it ends too early"),
        ] {
            let refused = read(text.as_bytes(), 8).unwrap_err();
            assert!(refused.starts_with(reason), "{text}: {refused}");
        }
        assert!(read(b"[\"\xff\"]", 8).is_err());
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(read(deep.as_bytes(), 100).unwrap_err().contains("nested too deep"));
        assert_eq!(read(b"[[[]]]", 3).unwrap().to_string(), "[[[]]]");
        let long = format!("[{}]", "9".repeat(100_000));
        assert!(read(long.as_bytes(), 8).is_err());
        assert_eq!(read(b"18446744073709551615", 0).unwrap(), u64::MAX);
    }
}
