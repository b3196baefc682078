//! JSON that means the same to everybody: what parsers are known to read differently is refused.

mod numbers;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

pub(crate) use self::numbers::Inexact;
use self::numbers::Numbers;

/// Reads a JSON text, without recursing deeper than `depth`. Keys that are there twice are refused, and so are half surrogate
/// pairs, byte order marks and numbers that no double can hold. `inexact` says what becomes of numbers that would be others
/// when they are written again.
///
/// # Errors
/// What is wrong, and where, without any of its values.
pub(crate) fn read(text: &[u8], depth: usize, inexact: Inexact) -> Result<Value, String> {
    let numbers = Numbers::new(text, inexact);
    read_with(text, depth, &numbers)
}

/// Reads a JSON text that is only judged and not written again: its number that no 64 bits hold are between two values, and
/// there is a reading with the ones below and one with the ones above. One reading where all are exact.
///
/// # Errors
/// As [`read`].
pub(crate) fn readings(text: &[u8], depth: usize) -> Result<Vec<Value>, String> {
    let numbers = Numbers::new(text, Inexact::Below);
    let below = read_with(text, depth, &numbers)?;
    if !numbers.met_inexact() {
        return Ok(vec![below]);
    }
    Ok(vec![below, read(text, depth, Inexact::Above)?])
}

fn read_with(text: &[u8], depth: usize, numbers: &Numbers<'_>) -> Result<Value, String> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth, numbers }.deserialize(&mut reader).and_then(|value| {
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
struct Strict<'n> {
    depth: usize,
    numbers: &'n Numbers<'n>,
}

impl Strict<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth = self
            .depth
            .checked_sub(1)
            .ok_or_else(|| E::custom("it is nested too deep"))?;
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
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
        self.numbers.pass();
        Ok(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        self.numbers.pass();
        Ok(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        let number = self.numbers.settle(number).ok_or_else(|| {
            E::custom("a number has more digits than can be kept: neither 64 bits nor a double hold it")
        })?;
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
            let refused = read(text.as_bytes(), 8, Inexact::Refused).unwrap_err();
            assert!(refused.starts_with(reason), "{text}: {refused}");
        }
        assert!(read(b"[\"\xff\"]", 8, Inexact::Refused).is_err());
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(
            read(deep.as_bytes(), 100, Inexact::Refused)
                .unwrap_err()
                .contains("nested too deep")
        );
        assert_eq!(read(b"[[[]]]", 3, Inexact::Refused).unwrap().to_string(), "[[[]]]");
        let long = format!("[{}]", "9".repeat(100_000));
        assert!(read(long.as_bytes(), 8, Inexact::Refused).is_err());
        assert_eq!(read(b"18446744073709551615", 0, Inexact::Refused).unwrap(), u64::MAX);
    }

    #[test]
    fn a_number_is_what_it_was_or_is_refused() {
        let written = |text: &str| read(text.as_bytes(), 8, Inexact::Refused).map(|value| value.to_string());
        for text in [
            "0",
            "-1",
            "18446744073709551615",
            "-9223372036854775808",
            "0.1",
            "3.141592653589793",
            "[1,-2.5,\"18446744073709551616\",{\"1e999\":1.5}]",
        ] {
            assert_eq!(written(text).unwrap(), text);
        }
        for (text, same) in [
            ("1.0", "1.0"),
            ("1.500", "1.5"),
            ("1e2", "100.0"),
            ("25E-1", "2.5"),
            ("0.0e5", "0.0"),
        ] {
            assert_eq!(written(text).unwrap(), same);
        }
        for text in [
            "18446744073709551616",
            "-9223372036854775809",
            "10000000000000000000000",
            "[\"\\\"\",1,18446744073709551616]",
            "3.14159265358979323846",
            "9007199254740993.0",
            "0.10000000000000000001",
            "1e-400",
            "123456789012345678e3",
        ] {
            let refused = written(text).unwrap_err();
            assert!(refused.contains("more digits"), "{text}: {refused}");
        }
    }

    #[test]
    fn what_is_only_judged_is_read_from_both_sides_of_an_inexact_number() {
        let both = readings(b"[1, 100.00000000000000001, 2]", 8).unwrap();
        let [below, above] = both.as_slice() else {
            panic!("{both:?}")
        };
        assert!(below[1].as_f64().unwrap() < 100.0 && above[1].as_f64().unwrap() > 100.0);
        assert_eq!((&below[2], &above[2]), (&2.into(), &2.into()));
        assert_eq!(readings(b"[1, 0.1]", 8).unwrap().len(), 1);
    }
}
