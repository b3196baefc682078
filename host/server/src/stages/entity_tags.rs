//! Entity tags where a stage changes bodies of responses: a strong tag of the upstream becomes a weak one, because the bytes are
//! others (RFC 9110, section 8.8.1). What clients say with the weak one is about the upstream's strong one, and an answer
//! without a body has the tag that it would have with one.
//!
//! Some upstreams have weak tags of their own and compare them (OData does): what clients say with those is theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{self, HeaderMap, HeaderValue};

/// What is known of the tags of an upstream, shared by all stages whose routes lead to it.
#[derive(Clone, Debug, Default)]
pub struct UpstreamTags {
    are_weak: Arc<AtomicBool>,
    /// Responses come to the stage as they were made.
    looks: bool,
}

impl UpstreamTags {
    /// For the stage that is next to the integration, of those that make weak tags.
    #[must_use]
    pub fn looking(self) -> Self {
        Self { looks: true, ..self }
    }

    /// Looks at a response, if it is as it came.
    pub(super) fn look(&self, response: &HeaderMap) {
        let is_weak = |tag: &HeaderValue| tag.as_bytes().starts_with(b"W/");
        if self.looks && response.get(header::ETAG).is_some_and(is_weak) {
            self.are_weak.store(true, Ordering::Relaxed);
        }
    }

    /// Has the upstream compare the tags in `If-Match` with its own: a weak one never is equal to anything there (RFC 9110,
    /// section 13.1.1), and whoever was given one by a stage could change nothing. Not where the upstream itself gives weak
    /// ones.
    ///
    /// `If-Range` stays as it is: who names a weak tag has other bytes.
    pub(super) fn restore(&self, request: &mut HeaderMap) {
        if request.contains_key(header::IF_MATCH) && !self.are_weak.load(Ordering::Relaxed) {
            restore(request);
        }
    }
}

/// Makes a strong tag a weak one.
pub(super) fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(header::ETAG).filter(|tag| is_strong(tag)) else {
        return;
    };
    if let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
        headers.insert(header::ETAG, weak);
    }
}

fn restore(request: &mut HeaderMap) {
    let values: Vec<_> = request.get_all(header::IF_MATCH).iter().map(strong).collect();
    request.remove(header::IF_MATCH);
    for value in values {
        request.append(header::IF_MATCH, value);
    }
}

/// Makes the tag of a 304 the one that the client has: the weak one if that is what it named, and if it named neither what it
/// would be given now.
pub(super) fn match_unchanged(request: &HeaderMap, response: &mut HeaderMap, is_weak_now: bool) {
    let Some(tag) = response.get(header::ETAG).filter(|tag| is_strong(tag)) else {
        return;
    };
    let mut named_weak = false;
    for value in request.get_all(header::IF_NONE_MATCH) {
        for named in tags(value.as_bytes()) {
            if named == tag.as_bytes() {
                return;
            }
            named_weak |= named.strip_prefix(b"W/") == Some(tag.as_bytes());
        }
    }
    if named_weak || is_weak_now {
        weaken(response);
    }
}

fn is_strong(tag: &HeaderValue) -> bool {
    tag.as_bytes().starts_with(b"\"")
}

fn strong(value: &HeaderValue) -> HeaderValue {
    let tags: Vec<_> = tags(value.as_bytes())
        .map(|tag| tag.strip_prefix(b"W/").unwrap_or(tag))
        .collect();
    HeaderValue::from_bytes(&tags.join(&b", "[..])).unwrap_or_else(|_| value.clone())
}

/// The tags of a list. A comma may be part of one.
fn tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let tags = list.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    });
    tags.map(<[u8]>::trim_ascii).filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(fields: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        let fields = fields.iter().cloned();
        fields
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn an_answer_without_a_body_has_the_tag_that_the_client_has() {
        for (named, is_weak_now, expected) in [
            ("W/\"a,b\"", false, "W/\"a,b\""),
            ("\"a,b\"", true, "\"a,b\""),
            ("\"x\", W/\"a,b\"", false, "W/\"a,b\""),
            ("W/\"a,b\", \"a,b\"", true, "\"a,b\""),
            ("\"x\"", true, "W/\"a,b\""),
            ("*", false, "\"a,b\""),
        ] {
            let mut response = with(&[(header::ETAG, "\"a,b\"")]);
            match_unchanged(&with(&[(header::IF_NONE_MATCH, named)]), &mut response, is_weak_now);
            assert_eq!(response[header::ETAG], expected, "{named}");
        }
        let mut weak = with(&[(header::ETAG, "W/\"a\"")]);
        match_unchanged(&HeaderMap::new(), &mut weak, true);
        assert_eq!(weak[header::ETAG], "W/\"a\"");
    }

    #[test]
    fn the_upstream_is_asked_about_its_own_tags() {
        let tags = UpstreamTags::default();
        let mut request = with(&[(header::IF_MATCH, "W/\"a,W/b\", \"c\"")]);
        tags.restore(&mut request);
        assert_eq!(request[header::IF_MATCH], "\"a,W/b\", \"c\"");
        let mut any = with(&[(header::IF_MATCH, "*")]);
        tags.restore(&mut any);
        assert_eq!(any[header::IF_MATCH], "*");
        // One with weak tags of its own.
        tags.look(&with(&[(header::ETAG, "W/\"a\"")]));
        tags.clone().looking().look(&with(&[(header::ETAG, "\"a\"")]));
        tags.restore(&mut request);
        assert_eq!(request[header::IF_MATCH], "\"a,W/b\", \"c\"");
        tags.clone().looking().look(&with(&[(header::ETAG, "W/\"a\"")]));
        let mut request = with(&[(header::IF_MATCH, "W/\"a\"")]);
        tags.restore(&mut request);
        assert_eq!(request[header::IF_MATCH], "W/\"a\"");
    }
}
