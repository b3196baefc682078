//! A response as it is kept.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use gatewright_core::{Body, Response};
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::asked::{Asked, Asks};
use super::conditions::{self, Wanted};
use super::directives::Directives;
use super::freshness::{Times, parse_date};
use super::said::{Said, say};

/// What keeping one takes beside what is counted.
const OVERHEAD: u64 = 512;
/// What keeping a field takes beside its bytes: a place in what came, and one in what is answered.
const FIELD: usize = 48 + 104;

/// Fields that are between the gateway and the upstream, or that each answer has anew (RFC 9111, section 3.1).
const NOT_KEPT: [HeaderName; 10] = [
    header::AGE,
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// Fields that are about the body that is kept, and not about the answer that says that it is still good.
const OF_THE_BODY: [HeaderName; 5] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    HeaderName::from_static("content-md5"),
    header::CONTENT_RANGE,
    header::ETAG,
];
/// Names of what a response is about, by which it can be purged: separated by spaces, and by commas.
const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");

/// A response as it is kept. Never changed: what changes is another one.
#[derive(Debug)]
pub(super) struct Stored {
    /// Everything but the body.
    pub(super) head: Head,
    /// The body, whole.
    pub(super) body: Bytes,
    answered: ArcSwapOption<Answered>,
}

/// The fields of an answer, for the others that have the same: those of one second.
#[derive(Debug)]
struct Answered {
    age: u64,
    said: Option<Said>,
    headers: HeaderMap,
}

/// A head as a file has it. Times are in milliseconds.
#[derive(Deserialize, Serialize)]
pub(super) struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    vary: Vec<(String, Vec<String>)>,
    age: u64,
    fresh: u64,
    while_revalidating: u64,
    if_error: u64,
}

/// Everything of a kept response but its body.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Status.
    pub(super) status: StatusCode,
    /// Fields, as they are sent but for `Age`.
    pub(super) headers: HeaderMap,
    /// What the request had in the fields that `Vary` names.
    vary: Vec<(HeaderName, Vec<HeaderValue>)>,
    /// When it came, or was last found to be good.
    pub(super) received: Instant,
    times: Times,
    /// Names of what it is about.
    pub(super) tags: Vec<Box<str>>,
}

impl Head {
    /// That of a response to a request with these fields. `said` is what it says to caches.
    pub(super) fn new(
        status: StatusCode,
        mut headers: HeaderMap,
        said: &Directives,
        asked: &HeaderMap,
        times: Times,
        received: Instant,
    ) -> Self {
        for name in NOT_KEPT.iter().chain(&said.fields) {
            headers.remove(name);
        }
        if !headers.contains_key(header::DATE)
            && let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now()))
        {
            headers.insert(header::DATE, date);
        }
        let vary = vary(&headers).map(|name| {
            let values = asked.get_all(&name).iter().cloned().collect();
            (name, values)
        });
        Self {
            status,
            vary: vary.collect(),
            tags: tags(&headers),
            headers,
            received,
            times,
        }
    }

    /// Whether it is the answer to a request with these fields, as far as `Vary` says.
    pub(super) fn is_for(&self, asked: &HeaderMap) -> bool {
        self.vary
            .iter()
            .all(|(name, values)| asked.get_all(name).iter().eq(values))
    }

    /// Whether it is for the same requests as another one.
    pub(super) fn is_for_the_same(&self, other: &Self) -> bool {
        self.vary == other.vary
    }

    /// How old it is.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.times.age + now.saturating_duration_since(self.received)
    }

    /// For how long it is still fresh; none when it is not.
    pub(super) fn fresh_for(&self, now: Instant) -> Option<Duration> {
        self.times
            .fresh
            .checked_sub(self.age(now))
            .filter(|left| *left > Duration::ZERO)
    }

    /// Whether it may be used now while another one is fetched.
    pub(super) fn serves_while_revalidating(&self, now: Instant) -> bool {
        self.age(now) < self.times.fresh + self.times.while_revalidating
    }

    /// Whether it may be used now instead of an error.
    pub(super) fn serves_instead_of_an_error(&self, now: Instant) -> bool {
        self.age(now) < self.times.fresh + self.times.if_error
    }

    /// Whether the upstream can be asked whether it is still good.
    pub(super) fn can_be_asked_about(&self) -> bool {
        self.headers.contains_key(header::ETAG) || self.headers.contains_key(header::LAST_MODIFIED)
    }

    /// Asks the upstream whether it is still good, instead of what the client asked. Whether it can be asked so.
    pub(super) fn ask_about(&self, request: &mut HeaderMap) -> bool {
        if !self.can_be_asked_about() {
            return false;
        }
        ask_for_all(request);
        for (name, validator) in [
            (header::IF_NONE_MATCH, header::ETAG),
            (header::IF_MODIFIED_SINCE, header::LAST_MODIFIED),
        ] {
            if let Some(validator) = self.headers.get(validator) {
                request.insert(name, validator.clone());
            }
        }
        true
    }

    /// Its fields, with those of an answer that says that it is still good (RFC 9111, section 3.2).
    pub(super) fn freshened(&self, by: &HeaderMap) -> HeaderMap {
        let mut headers = self.headers.clone();
        for name in by.keys().filter(|name| !OF_THE_BODY.contains(name)) {
            headers.remove(name);
            for value in by.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        headers
    }

    /// Whether it is of any use to somebody who comes later, and has nothing in it that opens doors.
    pub(super) fn is_for_a_file(&self, now: Instant) -> bool {
        let opens_doors = |name: &HeaderName| *name == header::AUTHORIZATION || *name == header::COOKIE;
        if self.vary.iter().any(|(name, _)| opens_doors(name)) {
            return false;
        }
        let times = &self.times;
        let useful = times.fresh + times.while_revalidating.max(times.if_error);
        self.age(now) + Duration::from_secs(1) < useful || self.can_be_asked_about()
    }

    /// As a file has it that is of this time.
    pub(super) fn to_keep(&self, at: Instant) -> Kept {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let headers = self.headers.iter();
        let vary = self.vary.iter();
        Kept {
            status: self.status.as_u16(),
            headers: headers.map(|(name, value)| (name.to_string(), text(value))).collect(),
            vary: vary
                .map(|(name, values)| (name.to_string(), values.iter().map(text).collect()))
                .collect(),
            age: milliseconds(self.age(at)),
            fresh: milliseconds(self.times.fresh),
            while_revalidating: milliseconds(self.times.while_revalidating),
            if_error: milliseconds(self.times.if_error),
        }
    }

    fn bytes(&self) -> u64 {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + FIELD);
        let vary = self
            .vary
            .iter()
            .flat_map(|(_, values)| values)
            .map(|value| value.len() + 64);
        let tags = self.tags.iter().map(|tag| tag.len() + 16);
        let sum: usize = headers.chain(vary).chain(tags).sum();
        sum as u64 + OVERHEAD
    }
}

impl Kept {
    /// The response with this body, from a file that is so old. None when it is of no use any more.
    pub(super) fn stored(self, older: Duration, body: Bytes) -> Option<Stored> {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, text) in &self.headers {
            headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, value(text)?);
        }
        let mut vary = Vec::with_capacity(self.vary.len());
        for (name, texts) in &self.vary {
            let values = texts.iter().map(|text| value(text)).collect::<Option<_>>()?;
            vary.push((HeaderName::from_bytes(name.as_bytes()).ok()?, values));
        }
        let now = Instant::now();
        let head = Head {
            status: StatusCode::from_u16(self.status).ok()?,
            vary,
            received: now.checked_sub(older)?,
            times: Times {
                age: Duration::from_millis(self.age),
                fresh: Duration::from_millis(self.fresh),
                while_revalidating: Duration::from_millis(self.while_revalidating),
                if_error: Duration::from_millis(self.if_error),
            },
            tags: tags(&headers),
            headers,
        };
        head.is_for_a_file(now).then(|| Stored {
            head,
            body,
            answered: ArcSwapOption::empty(),
        })
    }
}

/// The bytes of a value, each as the character of its number.
fn text(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|byte| char::from(*byte)).collect()
}

fn value(text: &str) -> Option<HeaderValue> {
    let bytes: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(char).ok()).collect();
    HeaderValue::from_bytes(&bytes?).ok()
}

impl Stored {
    /// A head and its body.
    pub(super) fn new(mut head: Head, body: Bytes) -> Self {
        let is_bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
        if !is_bodiless {
            // `HEAD` is answered from it too.
            head.headers.insert(header::CONTENT_LENGTH, body.len().into());
        }
        Self {
            head,
            body,
            answered: ArcSwapOption::empty(),
        }
    }

    /// What it takes in memory.
    pub(super) fn weight(&self) -> u64 {
        self.head.bytes() + self.body.len() as u64
    }

    /// The answer to a request with these fields: the whole, a part, or that it has not changed. It says what the cache did if
    /// it is to.
    pub(super) fn answer(&self, asks: &Asks, asked: &HeaderMap, now: Instant, said: Option<Said>) -> Response {
        let wanted = match self.head.status {
            StatusCode::OK => conditions::wanted(self, asks, asked),
            _ => Wanted::Whole,
        };
        let mut response = Response::new(Body::empty());
        let mut headers = self.fields(now, said);
        match wanted {
            Wanted::Whole => {
                *response.status_mut() = self.head.status;
                if asks.method != Asked::Head {
                    *response.body_mut() = Body::full(self.body.clone());
                }
            }
            Wanted::NotModified => {
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                for name in [
                    header::CONTENT_LENGTH,
                    header::CONTENT_TYPE,
                    header::CONTENT_ENCODING,
                    header::CONTENT_LANGUAGE,
                    header::CONTENT_RANGE,
                ] {
                    headers.remove(name);
                }
            }
            Wanted::Part(range) => {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                let whole = self.body.len();
                headers.insert(header::CONTENT_LENGTH, range.len().into());
                if let Ok(value) = HeaderValue::try_from(format!("bytes {}-{}/{whole}", range.start, range.end - 1)) {
                    headers.insert(header::CONTENT_RANGE, value);
                }
                *response.body_mut() = Body::full(self.body.slice(range));
            }
            Wanted::Nothing => {
                *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                headers.insert(header::CONTENT_LENGTH, 0.into());
                if let Ok(value) = HeaderValue::try_from(format!("bytes */{}", self.body.len())) {
                    headers.insert(header::CONTENT_RANGE, value);
                }
            }
        }
        *response.headers_mut() = headers;
        response
    }

    /// Its fields, with its age and what the cache did.
    fn fields(&self, now: Instant, said: Option<Said>) -> HeaderMap {
        let age = self.head.age(now).as_secs();
        let answered = self.answered.load();
        if let Some(answered) = &*answered
            && (answered.age, answered.said) == (age, said)
        {
            return answered.headers.clone();
        }
        let mut headers = self.head.headers.clone();
        headers.insert(header::AGE, age.into());
        if let Some(said) = said {
            say(&mut headers, said);
        }
        let answered = Answered {
            age,
            said,
            headers: headers.clone(),
        };
        self.answered.store(Some(Arc::new(answered)));
        headers
    }

    /// When it was last changed, as far as it says.
    pub(super) fn modified(&self) -> Option<SystemTime> {
        parse_date(self.head.headers.get(header::LAST_MODIFIED)?)
    }
}

/// Makes a request one for the whole response, whatever its client has of it.
pub(super) fn ask_for_all(request: &mut HeaderMap) {
    for name in [
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::RANGE,
        header::IF_RANGE,
    ] {
        request.remove(name);
    }
}

/// The names in `Vary`. What is no name is a field that no request has.
fn vary(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let names = headers
        .get_all(header::VARY)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut names: Vec<_> = names
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    names.into_iter()
}

fn tags(headers: &HeaderMap) -> Vec<Box<str>> {
    let values = |name: HeaderName, separator: char| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let tags: Vec<Box<str>> = values
            .flat_map(|value| value.split(separator))
            .map(|tag| tag.trim().into())
            .collect();
        tags
    };
    let mut tags = [values(SURROGATE_KEY, ' '), values(CACHE_TAG, ',')].concat();
    tags.retain(|tag| !tag.is_empty());
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::stored;

    #[test]
    fn answers_say_what_is_true_when_they_are_given() {
        let stored = stored(&[("etag", "\"a\"")], "body");
        let asks = Asks {
            method: Asked::Get,
            ..Asks::default()
        };
        let answered = |after: u64, said: Option<Said>| {
            let now = stored.head.received + Duration::from_millis(after);
            let answer = stored.answer(&asks, &HeaderMap::new(), now, said);
            let field = |name| {
                answer
                    .headers()
                    .get(name)
                    .map(|value| value.to_str().unwrap().to_owned())
            };
            (field("age").unwrap(), field("cache-status"))
        };
        let hit = |ttl: u64| Some(format!("gatewright; hit; ttl={ttl}"));
        for _ in 0..2 {
            assert_eq!(answered(900, Some(Said::Hit(59))), ("0".to_owned(), hit(59)));
            // The two change at different moments.
            assert_eq!(answered(1_000, Some(Said::Hit(59))), ("1".to_owned(), hit(59)));
            assert_eq!(answered(1_000, Some(Said::Hit(58))), ("1".to_owned(), hit(58)));
            assert_eq!(answered(1_000, None), ("1".to_owned(), None));
            let stale = Some("gatewright; hit; detail=stale".to_owned());
            assert_eq!(answered(61_000, Some(Said::Stale)), ("61".to_owned(), stale));
        }
    }
}
