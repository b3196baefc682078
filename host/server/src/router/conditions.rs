//! What a route asks of header fields and query besides path and method.

use std::borrow::Cow;

use gatewright_config::gateway::ValuePredicate;
use http::HeaderName;
use percent_encoding::percent_decode_str;

use super::preflight::{Announced, announced};
use super::{RouteRequest, RouterErrorCause};

/// Predicates of a route in one order, so that equal sets are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Conditions {
    headers: Vec<(HeaderName, Expected)>,
    query: Vec<(String, Expected)>,
}

/// A value, or none for any.
type Expected = Option<String>;

impl Conditions {
    /// Takes the predicates of a route.
    pub(super) fn new(
        headers: &[(String, ValuePredicate)],
        query: &[(String, ValuePredicate)],
    ) -> Result<Conditions, RouterErrorCause> {
        let header = |(name, predicate): &(String, ValuePredicate)| {
            let parsed = HeaderName::from_bytes(name.as_bytes());
            Ok((
                parsed.map_err(|_| RouterErrorCause::Header(name.clone()))?,
                expected(predicate),
            ))
        };
        let mut headers = headers.iter().map(header).collect::<Result<Vec<_>, _>>()?;
        headers.sort_by(|(a, expected_a), (b, expected_b)| (a.as_str(), expected_a).cmp(&(b.as_str(), expected_b)));
        headers.dedup();
        let mut query: Vec<_> = query
            .iter()
            .map(|(name, value)| (name.clone(), expected(value)))
            .collect();
        query.sort();
        query.dedup();
        Ok(Conditions { headers, query })
    }

    /// Whether nothing is asked.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many predicates there are.
    pub(super) fn len(&self) -> usize {
        self.headers.len() + self.query.len()
    }

    /// Whether `request` is as asked, or may be so, as far as a preflight tells. Of a field or parameter that comes several
    /// times, one value suffices.
    pub(super) fn hold(&self, request: &RouteRequest<'_>) -> bool {
        let query = request.query.unwrap_or_default();
        self.headers
            .iter()
            .all(|(name, expected)| header_holds(request, name, expected) != Held::No)
            && self
                .query
                .iter()
                .all(|(name, expected)| query_holds(query, name, expected))
    }

    /// Whether nothing is open where they hold.
    pub(super) fn are_certain(&self, request: &RouteRequest<'_>) -> bool {
        let mut headers = self.headers.iter();
        headers.all(|(name, expected)| header_holds(request, name, expected) == Held::Yes)
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Yes,
    /// Of the request that a preflight asks about nobody knows yet.
    Perhaps,
    No,
}

fn expected(predicate: &ValuePredicate) -> Expected {
    match predicate {
        ValuePredicate::Present => None,
        ValuePredicate::Equals(value) => Some(value.clone()),
    }
}

fn header_holds(request: &RouteRequest<'_>, name: &HeaderName, expected: &Expected) -> Held {
    if request.preflight {
        match (announced(request.headers, name), expected) {
            (Announced::WillCome, None) => return Held::Yes,
            (Announced::WillCome, Some(_)) | (Announced::MayCome, _) => return Held::Perhaps,
            // Browsers send it with every request, this one too, or with none.
            (Announced::Same, _) => {}
        }
    }
    let holds = match expected {
        None => request.headers.contains_key(name),
        Some(expected) => request
            .headers
            .get_all(name)
            .iter()
            .any(|value| value.as_bytes() == expected.as_bytes()),
    };
    if holds { Held::Yes } else { Held::No }
}

fn query_holds(query: &str, name: &str, expected: &Expected) -> bool {
    query.split('&').filter(|pair| !pair.is_empty()).any(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        decodes_to(key, name) && expected.as_ref().is_none_or(|expected| decodes_to(value, expected))
    })
}

/// Whether `encoded` stands for `text`, as HTML forms encode: `+` is a space.
fn decodes_to(encoded: &str, text: &str) -> bool {
    let spaced = if encoded.contains('+') {
        Cow::Owned(encoded.replace('+', " "))
    } else {
        Cow::Borrowed(encoded)
    };
    percent_decode_str(&spaced).eq(text.bytes())
}
