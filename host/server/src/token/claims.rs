//! What a token says of a client, once its signature or its issuer has vouched for it. Whoever reads an attribute
//! `auth.claims.NAME` reads it here.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use gatewright_core::Value as Attribute;
use serde_json::{Map, Number, Value};

/// Claims (RFC 7519, section 4; RFC 7662, section 2.2). Times are seconds since 1970.
#[derive(Clone, Debug)]
pub struct Claims {
    all: Map<String, Value>,
    /// When they are over; none where that need not be said.
    pub expires: Option<f64>,
    /// Before when they are not good.
    pub not_before: Option<f64>,
    /// When they were issued.
    pub issued: Option<f64>,
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs_f64()
}

impl Claims {
    /// Claims of that object.
    ///
    /// # Errors
    /// When a time is none.
    pub fn new(all: Map<String, Value>) -> Result<Self, &'static str> {
        Ok(Self {
            expires: time(&all, "exp").ok_or("its `exp` is not a time")?,
            not_before: time(&all, "nbf").ok_or("its `nbf` is not a time")?,
            issued: time(&all, "iat").ok_or("its `iat` is not a time")?,
            all,
        })
    }

    /// A claim by its name or, where there is none of that name, the one that a dotted path leads to:
    /// `realm_access.roles`. Names may have dots too, such as `https://example.com/roles`: the longest name counts.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        member(&self.all, name)
    }

    /// The claim of that name as text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.all.iter()
    }

    /// The scopes, separated by spaces: `scope` (RFC 8693, section 4.2), or `scp`, which some issuers write as a list.
    #[must_use]
    pub fn scopes(&self) -> Option<Cow<'_, str>> {
        match self.all.get("scope").or_else(|| self.all.get("scp"))? {
            Value::String(scopes) => Some(Cow::Borrowed(scopes)),
            Value::Array(scopes) => {
                let scopes: Vec<_> = scopes.iter().filter_map(Value::as_str).collect();
                Some(Cow::Owned(scopes.join(" ")))
            }
            _ => None,
        }
    }
}

impl gatewright_core::Claims for Claims {
    fn get(&self, name: &str) -> Option<Attribute> {
        attribute(self.get(name)?)
    }

    fn all(&self) -> Vec<(&str, Attribute)> {
        let claims = self.all.iter();
        claims
            .filter_map(|(name, value)| Some((name.as_str(), attribute(value)?)))
            .collect()
    }
}

fn member<'c>(object: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    if let Some(value) = object.get(path) {
        return Some(value);
    }
    let mut dots = path.rmatch_indices('.');
    dots.find_map(|(dot, _)| {
        let (name, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
        member(object.get(name)?.as_object()?, rest)
    })
}

fn attribute(value: &Value) -> Option<Attribute> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(truth) => Attribute::Truth(*truth),
        Value::String(text) => Attribute::Text(text.clone()),
        Value::Number(number) => self::number(number),
        Value::Array(_) | Value::Object(_) => Attribute::Json(value.to_string()),
    })
}

/// A number as it was written: one that no attribute can hold exactly is JSON, so that an identifier of twenty digits stays
/// the same identifier.
fn number(number: &Number) -> Attribute {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(integer), _, _) => Attribute::Integer(integer),
        (None, None, Some(float)) => Attribute::Number(float),
        _ => Attribute::Json(number.to_string()),
    }
}

/// The outer none is for what is no time (RFC 7519, section 2: `NumericDate`).
fn time(claims: &Map<String, Value>, name: &str) -> Option<Option<f64>> {
    match claims.get(name) {
        None => Some(None),
        Some(value) => value.as_f64().filter(|time| time.is_finite()).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_core::Claims as _;
    use serde_json::json;

    fn claims(all: &Value) -> Claims {
        Claims::new(all.as_object().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_claim_is_found_by_its_whole_name_and_members_by_a_path() {
        let claims = claims(&json!({
            "a.b": 1, "a": { "b": 2, "c": { "d": 3 }, "e.f": 4 },
            "https://example.com/app": { "roles": ["x"] }, "cognito:groups": ["y"], "nobody": null,
        }));
        let shown = |name: &str| gatewright_core::Claims::get(&claims, name).map(|value| value.to_string());
        for (name, value) in [
            ("a.b", "1"),
            ("a.c.d", "3"),
            ("a.e.f", "4"),
            ("https://example.com/app.roles", "[\"x\"]"),
            ("cognito:groups", "[\"y\"]"),
        ] {
            assert_eq!(shown(name).as_deref(), Some(value), "{name}");
        }
        for name in ["nobody", "a.c.x", "", ".", "a.", "b"] {
            assert_eq!(shown(name), None, "{name}");
        }
        assert_eq!(claims.all().len(), 4);
    }

    #[test]
    fn a_number_stays_the_number_that_the_token_has() {
        let claims = claims(&json!({ "i": -7, "u": 18_446_744_073_709_551_615_u64, "f": 1.5 }));
        assert_eq!(
            claims.all(),
            [
                ("f", Attribute::Number(1.5)),
                ("i", Attribute::Integer(-7)),
                ("u", Attribute::Json("18446744073709551615".to_owned())),
            ]
        );
    }
}
