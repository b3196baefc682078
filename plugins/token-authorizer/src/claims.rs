//! What a token says, once its signature holds.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use gatewright_sdk::prelude::*;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::{Refusal, Settings};

/// More would be refused by the gateway.
const MOST_SCOPES: usize = 100;

/// The claims of a token that holds.
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) subject: String,
    /// Since 1970-01-01T00:00:00Z.
    pub(crate) expires: Duration,
    all: Object,
}

pub(crate) fn check(signed: &[u8], settings: &Settings, now: Duration) -> Result<Claims, Refusal> {
    let all: Object = serde_json::from_slice(signed).map_err(|_| Refusal::Invalid("claims are not a JSON object"))?;
    if all.text("iss") != Some(&settings.issuer) {
        return Err(Refusal::Invalid("wrong issuer"));
    }
    if settings
        .audience
        .as_deref()
        .is_some_and(|audience| !all.is_for(audience))
    {
        return Err(Refusal::Invalid("wrong audience"));
    }
    let leeway = Duration::from_secs(settings.leeway_seconds.into());
    let expires = all.time("exp")?.ok_or(Refusal::Invalid("no expiry"))?;
    if expires.saturating_add(leeway) <= now {
        return Err(Refusal::Invalid("expired"));
    }
    if all.time("nbf")?.is_some_and(|from| from > now.saturating_add(leeway)) {
        return Err(Refusal::Early);
    }
    let subject = all
        .text("sub")
        .filter(|sub| is_principal(sub))
        .ok_or(Refusal::Invalid("no usable subject"))?
        .to_owned();
    let claims = Claims { subject, expires, all };
    if claims.scopes().count() > MOST_SCOPES {
        return Err(Refusal::Invalid("more than 100 scopes"));
    }
    Ok(claims)
}

/// What the gateway takes as a principal. A token that names another is the token's fault, not ours.
fn is_principal(subject: &str) -> bool {
    (1..=1024).contains(&subject.len()) && !subject.chars().any(char::is_control)
}

impl Claims {
    /// A claim as a value of the exchange; objects and lists as JSON text.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        use serde_json::Value as Json;
        match self.all.0.get(name)? {
            Json::Null => None,
            Json::Bool(truth) => Some((*truth).into()),
            Json::String(text) => Some(text.as_str().into()),
            Json::Number(number) => number
                .as_i64()
                .map(Value::Integer)
                .or(number.as_f64().map(Value::Number)),
            json => Some(Value::Json(json.to_string())),
        }
    }

    /// The words of the claim `scope` (RFC 8693).
    pub(crate) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.all
            .text("scope")
            .unwrap_or_default()
            .split(' ')
            .filter(|scope| !scope.is_empty())
    }
}

/// A JSON object in which every name occurs once. Two readers of a token with two `sub` might believe two things.
#[derive(Debug)]
struct Object(BTreeMap<String, serde_json::Value>);

impl Object {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    fn time(&self, name: &str) -> Result<Option<Duration>, Refusal> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let seconds = value.as_f64().ok_or(Refusal::Invalid("a time is not a number"))?;
        Duration::try_from_secs_f64(seconds)
            .map(Some)
            .map_err(|_| Refusal::Invalid("a time is out of range"))
    }

    fn is_for(&self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(serde_json::Value::String(one)) => one == audience,
            Some(serde_json::Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Unique;

        impl<'de> Visitor<'de> for Unique {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut all = BTreeMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    if all.insert(name, value).is_some() {
                        return Err(de::Error::custom("a claim occurs twice"));
                    }
                }
                Ok(Object(all))
            }
        }

        deserializer.deserialize_map(Unique)
    }
}
