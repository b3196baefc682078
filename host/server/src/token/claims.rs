//! What a token says of a client, once its signature or its issuer has vouched for it.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

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
    /// `realm_access.roles`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        if let Some(value) = self.all.get(name) {
            return Some(value);
        }
        let (first, rest) = name.split_once('.')?;
        rest.split('.')
            .try_fold(self.all.get(first)?, |value, name| value.as_object()?.get(name))
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

/// The outer none is for what is no time (RFC 7519, section 2: `NumericDate`).
fn time(claims: &Map<String, Value>, name: &str) -> Option<Option<f64>> {
    match claims.get(name) {
        None => Some(None),
        Some(value) => value.as_f64().filter(|time| time.is_finite()).map(Some),
    }
}
