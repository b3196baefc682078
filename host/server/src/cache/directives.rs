//! `Cache-Control` (RFC 9111, section 5.2), of requests and of responses, and the fields of responses that say the same to
//! caches as this one alone (RFC 9213).

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

/// A time longer than any that makes a difference (section 1.2.2).
pub(super) const LONGEST: Duration = Duration::from_secs(1 << 31);

/// Fields for caches that stand before an origin and act on its behalf.
const TARGETED: [HeaderName; 2] = [
    HeaderName::from_static("cdn-cache-control"),
    HeaderName::from_static("surrogate-control"),
];

/// What a message says to caches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directives {
    /// Nothing of it may be kept.
    pub(super) no_store: bool,
    /// It may not be used without asking.
    pub(super) no_cache: bool,
    /// It is for one user.
    pub(super) private: bool,
    /// It is for all, whoever asked.
    pub(super) public: bool,
    /// It may not be used when it is stale.
    pub(super) must_revalidate: bool,
    /// The same, said to shared caches.
    pub(super) proxy_revalidate: bool,
    /// It may be kept only by who knows its status.
    pub(super) must_understand: bool,
    /// Nobody is to be asked.
    pub(super) only_if_cached: bool,
    /// How long it is fresh, or how old it may be.
    pub(super) max_age: Option<Duration>,
    /// How long it is fresh for shared caches.
    pub(super) s_maxage: Option<Duration>,
    /// How long it must stay fresh.
    pub(super) min_fresh: Option<Duration>,
    /// How long it may be used after its time while another one is fetched (RFC 5861).
    pub(super) stale_while_revalidate: Option<Duration>,
    /// How long it may be used after its time instead of an error (RFC 5861).
    pub(super) stale_if_error: Option<Duration>,
    /// They come from a field for caches as this one, and all others count for nothing.
    pub(super) targeted: bool,
    /// Fields that may not be kept, from `no-cache="…"` and `private="…"`.
    pub(super) fields: Vec<HeaderName>,
}

impl Directives {
    /// Those of a response: of `CDN-Cache-Control` or else `Surrogate-Control`, if it is a structured field and says something,
    /// and of nothing else then; what is no such field counts for nothing (RFC 9213, section 2.2).
    pub(super) fn of_response(headers: &HeaderMap) -> Self {
        let mut targeted = TARGETED.into_iter().filter_map(|name| dictionary(headers, &name));
        targeted
            .next()
            .map_or_else(|| Self::of(headers), |said| Self::targeted(&said))
    }

    /// Those that a structured field has. What forbids something does so whatever stands behind it, unless that is "no"; a
    /// time that is none is stale at once.
    fn targeted(said: &Dictionary) -> Self {
        let mut directives = Self {
            targeted: true,
            ..Self::default()
        };
        for (name, value) in said {
            let name = name.as_str();
            let names_fields = matches!(name, "no-cache" | "private");
            let value = match value {
                ListEntry::Item(item) => Some(&item.bare_item),
                ListEntry::InnerList(_) => None,
            };
            let argument = match value {
                Some(BareItem::Boolean(false)) => continue,
                Some(BareItem::Boolean(true)) => String::new(),
                Some(BareItem::Integer(seconds)) if !names_fields => format!("={seconds}"),
                Some(BareItem::String(fields)) if names_fields => format!("=\"{}\"", fields.as_str()),
                // Neither a time nor the name of a field.
                _ => "=?".to_owned(),
            };
            directives.take(format!("{name}{argument}").as_bytes());
        }
        directives
    }

    /// Those of a message in `Cache-Control`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for value in headers.get_all(header::CACHE_CONTROL) {
            for directive in split(value.as_bytes()) {
                directives.take(directive);
            }
        }
        directives
    }

    fn take(&mut self, directive: &[u8]) {
        let mut parts = directive.splitn(2, |byte| *byte == b'=');
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let value = parts.next();
        let time = || Some(seconds(value.unwrap_or_default()));
        match name.as_slice() {
            b"no-store" => self.no_store = true,
            b"no-cache" => match value.map(fields) {
                Some(Some(fields)) => self.fields.extend(fields),
                _ => self.no_cache = true,
            },
            b"private" => match value.map(fields) {
                Some(Some(fields)) => self.fields.extend(fields),
                _ => self.private = true,
            },
            b"public" => self.public = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"only-if-cached" => self.only_if_cached = true,
            b"max-age" => self.max_age = shorter(self.max_age, time()),
            b"s-maxage" => self.s_maxage = shorter(self.s_maxage, time()),
            b"min-fresh" => self.min_fresh = time(),
            b"stale-while-revalidate" => {
                self.stale_while_revalidate = shorter(self.stale_while_revalidate, time());
            }
            b"stale-if-error" => self.stale_if_error = shorter(self.stale_if_error, time()),
            _ => {}
        }
    }
}

/// A field as a dictionary; none where it is none, or empty. Its lines are one value (RFC 9651, section 4.2).
fn dictionary(headers: &HeaderMap, name: &HeaderName) -> Option<Dictionary> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let lines: Vec<_> = lines.map(|line| line.as_bytes()).collect();
    let said: Dictionary = Parser::new(&lines.join(&b","[..])).parse().ok()?;
    (!said.is_empty()).then_some(said)
}

/// Who says two times that differ means neither: the careful answer is the shorter one (section 4.2.1).
fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The directives of one value: between commas that are not quoted.
fn split(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    value
        .split(move |byte| {
            let was_escaped = std::mem::take(&mut escaped);
            match byte {
                b'\\' if quoted => escaped = !was_escaped,
                b'"' if !was_escaped => quoted = !quoted,
                _ => {}
            }
            *byte == b',' && !quoted
        })
        .map(<[u8]>::trim_ascii)
        .filter(|directive| !directive.is_empty())
}

/// A number of seconds. What is none is none at all: stale at once.
fn seconds(value: &[u8]) -> Duration {
    let digits = unquoted(value);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Duration::ZERO;
    }
    let seconds = digits.iter().fold(0_u64, |sum, digit| {
        sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    });
    Duration::from_secs(seconds).min(LONGEST)
}

/// Names of fields; none when one of them is no name, so that the whole message is meant.
fn fields(value: &[u8]) -> Option<Vec<HeaderName>> {
    let names = unquoted(value).split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    names.map(|name| HeaderName::from_bytes(name).ok()).collect()
}

fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&'static str]) -> Directives {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CACHE_CONTROL, HeaderValue::from_static(value));
        }
        Directives::of(&headers)
    }

    #[test]
    fn names_are_read_without_case_and_from_all_lines() {
        let directives = of(&["No-StOrE, ,max-age=003600", "s-maxage=\"60\", MUST-revalidate"]);
        assert!(directives.no_store && directives.must_revalidate);
        assert_eq!(directives.max_age, Some(Duration::from_secs(3600)));
        assert_eq!(directives.s_maxage, Some(Duration::from_secs(60)));
    }

    #[test]
    fn what_is_quoted_is_no_directive() {
        let directives = of(&["extension=\"max-age=3600, no-store, a=\\\"\", max-age=1"]);
        assert_eq!(directives.max_age, Some(Duration::from_secs(1)));
        assert!(!directives.no_store);
    }

    #[test]
    fn a_time_that_is_none_is_stale_at_once_and_of_two_the_shorter_counts() {
        for value in [
            "max-age=-1",
            "max-age='60'",
            "max-age=60a",
            "max-age",
            "max-age= 60",
            "max-age=60.0",
        ] {
            assert_eq!(of(&[value]).max_age, Some(Duration::ZERO), "{value}");
        }
        assert_eq!(of(&["max-age=60, max-age=5"]).max_age, Some(Duration::from_secs(5)));
        assert_eq!(of(&["max-age =60"]).max_age, None);
        assert_eq!(of(&["max-age=99999999999999999999999"]).max_age, Some(LONGEST));
    }

    #[test]
    fn a_field_for_caches_as_this_one_is_the_only_one_that_counts() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=60"));
        assert!(Directives::of_response(&headers).private);
        headers.insert("surrogate-control", HeaderValue::from_static("max-age=5"));
        let said = Directives::of_response(&headers);
        assert_eq!(
            (said.private, said.max_age, said.targeted),
            (false, Some(Duration::from_secs(5)), true)
        );
        headers.insert("cdn-cache-control", HeaderValue::from_static("no-store"));
        let said = Directives::of_response(&headers);
        assert_eq!((said.no_store, said.max_age), (true, None));
    }

    fn targeted(lines: &[&'static str]) -> Directives {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, private"));
        for line in lines {
            headers.append("cdn-cache-control", HeaderValue::from_static(line));
        }
        Directives::of_response(&headers)
    }

    #[test]
    fn a_field_for_caches_as_this_one_that_is_no_structured_field_counts_for_nothing() {
        for line in [
            "",
            " ",
            "max-age=60,",
            "max-age=60,,no-cache",
            "max-age = 60",
            "max-age=60 no-cache",
            "Max-Age=60",
            "max-age=60;",
            "max-age='60'",
            "max-age=\"60",
            "max-age=6e1",
            "max-age=99999999999999999999",
            "&",
        ] {
            let said = targeted(&[line]);
            assert!(said.no_store && said.private && !said.targeted, "{line:?}");
        }
    }

    #[test]
    fn the_directives_of_a_structured_field_are_its_members() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let said = targeted(&["max-age=60;ext=1, must-revalidate", "stale-if-error=5, other=(a b)"]);
        assert_eq!((said.max_age, said.stale_if_error), (seconds(60), seconds(5)));
        assert!(said.targeted && said.must_revalidate && !said.no_store && !said.private);
        // The last of two counts, and "no" is no.
        assert_eq!(targeted(&["max-age=60, max-age=5"]).max_age, seconds(5));
        assert_eq!(targeted(&["max-age=5, max-age=60"]).max_age, seconds(60));
        assert!(!targeted(&["max-age=5, no-store=?0"]).no_store);
        // What forbids is heard in every form, and a time that is none is stale at once.
        for line in [
            "no-store",
            "no-store=?1",
            "no-store=1",
            "no-store=a",
            "no-store=(a)",
            "max-age=5, no-store=\"\"",
        ] {
            assert!(targeted(&[line]).no_store, "{line}");
        }
        for line in [
            "max-age=-1",
            "max-age=1.5",
            "max-age=a",
            "max-age",
            "max-age=(1)",
            "max-age=@60",
            "max-age=\"60\"",
        ] {
            assert_eq!(targeted(&[line]).max_age, seconds(0), "{line}");
        }
        assert_eq!(targeted(&["private=\"set-cookie\", max-age=1"]).fields, ["set-cookie"]);
    }

    #[test]
    fn fields_may_be_excepted_one_by_one() {
        let directives = of(&["no-cache=\"a, B\", private=\"set-cookie\""]);
        assert_eq!((directives.no_cache, directives.private), (false, false));
        assert_eq!(directives.fields, ["a", "b", "set-cookie"]);
        assert!(of(&["private=\"a b\""]).private);
    }
}
