//! Values carried along an exchange: what authorizers found out, captured parameters, what plugins leave for later
//! hooks. Names are namespaced: `auth.*`, `plugin.<name>.*`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// What the names of claims begin with.
const CLAIMS: &str = "auth.claims.";

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

/// What a verified token says of a client: the attributes `auth.claims.NAME`.
///
/// Claims are read where an attribute is asked for and are never copied beforehand, so no reader can miss a claim because
/// nobody foresaw that it would ask.
pub trait Claims: fmt::Debug + Send + Sync {
    /// The claim of that name, or the member of an object claim that a dotted path leads to. A claim that is `null` is none.
    fn get(&self, name: &str) -> Option<Value>;

    /// Every claim by its own name, without members of objects.
    fn all(&self) -> Vec<(&str, Value)>;
}

/// The attributes of one exchange, in the order in which they were first set, and the claims of its client's token.
///
/// A list, not a map: an exchange has a handful of them, and most have none.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    set: Vec<(Cow<'static, str>, Value)>,
    claims: Option<Arc<dyn Claims>>,
}

impl Attributes {
    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        if let Some((_, value)) = self.set.iter().find(|(known, _)| known == name) {
            return Some(Cow::Borrowed(value));
        }
        let claim = self.claims.as_ref()?.get(name.strip_prefix(CLAIMS)?)?;
        Some(Cow::Owned(claim))
    }

    /// Sets a value, replacing one of the same name.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        let name = name.into();
        match self.set.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.set.push((name, value)),
        }
    }

    /// Removes the value of that name. Claims stay.
    pub fn remove(&mut self, name: &str) {
        self.set.retain(|(known, _)| known != name);
    }

    /// Puts the claims of a token in the place of those of any other: a claim that only the earlier token has is none of the
    /// client that is known now.
    pub fn set_claims(&mut self, claims: Arc<dyn Claims>) {
        self.set.retain(|(known, _)| !known.starts_with(CLAIMS));
        self.claims = Some(claims);
    }

    /// The claims, of which none is among those that were set.
    pub fn claims(&self) -> Option<&dyn Claims> {
        self.claims.as_deref()
    }

    /// All that were set, without the token's claims.
    pub fn iter_set(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.set.iter().map(|(name, value)| (&**name, value))
    }

    /// All of them, claims included. A value that was set hides the claim of the same name.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, Value>)> {
        let set = self.iter_set();
        let set = set.map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value)));
        let claims = self.claims().map(Claims::all).unwrap_or_default();
        let claims = claims.into_iter().filter_map(|(name, value)| {
            let name = format!("{CLAIMS}{name}");
            let is_hidden = self.set.iter().any(|(known, _)| *known == name);
            (!is_hidden).then_some((Cow::Owned(name), Cow::Owned(value)))
        });
        set.chain(claims)
    }

    /// How many were set.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.claims.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Token(&'static [(&'static str, i64)]);

    impl Claims for Token {
        fn get(&self, name: &str) -> Option<Value> {
            let mut claims = self.0.iter();
            claims
                .find(|(known, _)| *known == name)
                .map(|(_, value)| Value::Integer(*value))
        }

        fn all(&self) -> Vec<(&str, Value)> {
            self.0
                .iter()
                .map(|(name, value)| (*name, Value::Integer(*value)))
                .collect()
        }
    }

    fn shown(attributes: &Attributes) -> Vec<String> {
        let all = attributes.iter();
        all.map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn claims_are_attributes_and_what_was_set_hides_them() {
        let mut attributes = Attributes::default();
        attributes.set("auth.principal", Value::Integer(0));
        attributes.set_claims(Arc::new(Token(&[("a", 1), ("b", 2)])));
        attributes.set("auth.claims.b", Value::Integer(3));
        assert_eq!(
            shown(&attributes),
            ["auth.principal=0", "auth.claims.b=3", "auth.claims.a=1"]
        );
        for (name, value) in attributes.iter() {
            assert_eq!(attributes.get(&name), Some(value));
        }
        assert_eq!(attributes.get("auth.claims.c"), None);
        assert_eq!(attributes.get("a"), None);
    }

    #[test]
    fn a_second_token_leaves_no_claim_of_the_first() {
        let mut attributes = Attributes::default();
        attributes.set_claims(Arc::new(Token(&[("a", 1)])));
        attributes.set("auth.claims.c", Value::Integer(3));
        attributes.set_claims(Arc::new(Token(&[("b", 2)])));
        assert_eq!(shown(&attributes), ["auth.claims.b=2"]);
    }
}
