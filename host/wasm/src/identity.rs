//! What identifies a client, as the route's `identity` says.

use std::borrow::Cow;

use gatewright_config::gateway::IdentitySource;
use http::HeaderName;
use percent_encoding::percent_decode_str;

use crate::api::View;
use crate::digest::Digest;

/// Longest value under which a decision is kept.
const LONGEST_KEPT: usize = 8 << 10;

/// Where the values come from, in order.
pub(crate) struct Identity {
    sources: Vec<Source>,
    digest: Digest,
}

enum Source {
    Header(HeaderName),
    Query(String),
    Path(String),
    Client,
}

/// The values of one request.
pub(crate) struct Values<'a> {
    pub(crate) values: Vec<Option<Cow<'a, str>>>,
    /// Whether they say everything there is to say. A source that is there more than once, or is not UTF-8, looks
    /// absent to the plugin's `identity`, but not in its `fields`: such a decision is neither kept nor looked up.
    pub(crate) exact: bool,
}

impl Identity {
    /// None when a header's name is none; the configuration has checked it.
    pub(crate) fn new(sources: &[IdentitySource]) -> Option<Self> {
        let digest = Digest::of(format!("{sources:?}").as_bytes());
        let source = |source: &IdentitySource| {
            Some(match source {
                IdentitySource::Header(name) => Source::Header(HeaderName::from_bytes(name.as_bytes()).ok()?),
                IdentitySource::Query(name) => Source::Query(name.clone()),
                IdentitySource::Path(name) => Source::Path(name.clone()),
                IdentitySource::Client => Source::Client,
            })
        };
        Some(Self {
            sources: sources.iter().map(source).collect::<Option<_>>()?,
            digest,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Stands for the list of sources.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(crate) fn has_header(&self, name: &HeaderName) -> bool {
        self.sources
            .iter()
            .any(|source| matches!(source, Source::Header(known) if known == name))
    }

    pub(crate) fn has_client(&self) -> bool {
        self.sources.iter().any(|source| matches!(source, Source::Client))
    }

    /// The values in this request.
    pub(crate) fn of<'a>(&self, view: &View<'a>) -> Values<'a> {
        let mut exact = true;
        let mut values = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            let value = source.value(view);
            exact &=
                !matches!(value, Value::Unclear) && !matches!(&value, Value::Is(value) if value.len() > LONGEST_KEPT);
            values.push(match value {
                Value::Is(value) => Some(value),
                Value::Absent | Value::Unclear => None,
            });
        }
        Values { values, exact }
    }
}

enum Value<'a> {
    Is(Cow<'a, str>),
    Absent,
    /// There, but not one text.
    Unclear,
}

impl Source {
    fn value<'a>(&self, view: &View<'a>) -> Value<'a> {
        match self {
            Self::Header(name) => {
                let values = view.request.headers.get_all(name).iter();
                only(values.map(|value| std::str::from_utf8(value.as_bytes()).ok().map(Cow::Borrowed)))
            }
            Self::Query(name) => {
                let pairs = view.request.query().unwrap_or_default().split('&');
                let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
                let values = pairs.filter(|(key, _)| percent_decode_str(key).eq(name.bytes()));
                only(values.map(|(_, value)| percent_decode_str(value).decode_utf8().ok()))
            }
            Self::Path(name) => view
                .parameters
                .get(name)
                .map_or(Value::Absent, |value| Value::Is(Cow::Borrowed(value))),
            Self::Client => match view.client.address.known() {
                Some(address) => Value::Is(Cow::Owned(address.to_string())),
                None => Value::Absent,
            },
        }
    }
}

/// The only one, if it is text.
fn only<'a>(mut values: impl Iterator<Item = Option<Cow<'a, str>>>) -> Value<'a> {
    match (values.next(), values.next()) {
        (None, _) => Value::Absent,
        (Some(Some(value)), None) => Value::Is(value),
        _ => Value::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use http::HeaderValue;

    fn values(edit: impl FnOnce(&mut gatewright_core::Exchange)) -> (Vec<Option<String>>, bool) {
        let identity = Identity::new(&[
            IdentitySource::Header("x-key".to_owned()),
            IdentitySource::Query("k y".to_owned()),
            IdentitySource::Path("id".to_owned()),
            IdentitySource::Client,
        ]);
        let mut exchange = testing::exchange();
        edit(&mut exchange);
        let values = identity.unwrap().of(&View::of(&exchange));
        (
            values
                .values
                .into_iter()
                .map(|value| value.map(Cow::into_owned))
                .collect(),
            values.exact,
        )
    }

    #[test]
    fn values_come_in_order_and_queries_are_decoded() {
        let (values, exact) = values(|exchange| {
            exchange
                .request
                .headers
                .insert("x-key", HeaderValue::from_static("secret"));
            exchange.request.target = "/a?x&k%20y=1%2B1".parse().unwrap();
            exchange.parameters = gatewright_core::Parameters::new(&["id".into()].into(), ["7"].into_iter(), 1);
        });
        let expected = [Some("secret"), Some("1+1"), Some("7"), Some("192.0.2.1")];
        assert_eq!(values, expected.map(|value| value.map(str::to_owned)));
        assert!(exact);
    }

    #[test]
    fn a_source_that_is_there_twice_is_none_and_never_taken_for_absent_by_the_cache() {
        let (values, exact) = self::values(|exchange| {
            exchange.request.headers.append("x-key", HeaderValue::from_static("a"));
            exchange.request.headers.append("x-key", HeaderValue::from_static("b"));
        });
        assert_eq!(values.first(), Some(&None));
        assert!(!exact);
        assert!(self::values(|_| {}).1);
    }

    #[test]
    fn long_values_are_passed_but_not_kept() {
        let long = "a".repeat(LONGEST_KEPT + 1);
        let (values, exact) = values(|exchange| {
            exchange
                .request
                .headers
                .insert("x-key", HeaderValue::from_str(&long).unwrap());
        });
        assert_eq!(values.first(), Some(&Some(long)));
        assert!(!exact);
    }
}
