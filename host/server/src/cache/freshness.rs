//! Whether a response may be kept, and for how long: RFC 9111, sections 3 and 4.2. No clock and no I/O.

use std::time::{Duration, SystemTime};

use gatewright_config::{CacheBy, CacheConfig, CacheFreshness};
use http::header::{self, HeaderMap};
use http::{HeaderValue, StatusCode};

use super::directives::{Directives, LONGEST};

/// A heuristic never says more.
const LONGEST_GUESS: Duration = Duration::from_secs(24 * 3600);

/// What it matters that a request had.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// It has proved who it is, or says so in `Authorization`.
    pub(super) authenticated: bool,
    /// It has cookies.
    pub(super) cookies: bool,
    /// It says that nothing may be kept.
    pub(super) no_store: bool,
}

/// How long a response may be used, counted from when it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    /// How old it was when it came.
    pub(super) age: Duration,
    /// How long it is fresh.
    pub(super) fresh: Duration,
    /// After that, how long it may be used while another one is fetched.
    pub(super) while_revalidating: Duration,
    /// After that, how long it may be used instead of an error.
    pub(super) if_error: Duration,
}

/// A response and how it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came<'a> {
    /// Its status.
    pub(super) status: StatusCode,
    /// Its fields.
    pub(super) headers: &'a HeaderMap,
    /// What it says to caches.
    pub(super) directives: &'a Directives,
    /// The time as it came.
    pub(super) now: SystemTime,
    /// How long it took.
    pub(super) took: Duration,
}

/// How long a response may be used; none when it may not be kept, or there is no use in it.
pub(super) fn times(config: &CacheConfig, asked: Asked, came: Came<'_>) -> Option<Times> {
    let said = came.directives;
    let understood = is_understood(came.status);
    let no_store = said.no_store && !said.must_understand;
    if !understood || no_store || said.private || asked.no_store || varies_in_everything(came.headers) {
        return None;
    }
    if came.headers.contains_key(header::SET_COOKIE) && !config.set_cookie {
        return None;
    }
    let age = age(came);
    match config.freshness {
        CacheFreshness::Ttl(ttl) => {
            let usable = ttl > Duration::ZERO && came.status.is_success();
            usable.then(|| windows(config, &Directives::default(), age, age + ttl))
        }
        CacheFreshness::Http { heuristic } => {
            let shared = said.public || said.must_revalidate || said.s_maxage.is_some();
            if asked.authenticated && config.by == CacheBy::Everybody && !shared {
                return None;
            }
            let guess = || {
                let may = heuristic && !asked.cookies && (is_heuristic(came.status) || said.public);
                may.then(|| guess(came)).flatten()
            };
            let fresh = explicit(came).or_else(guess);
            let fresh = if said.no_cache { Duration::ZERO } else { fresh? };
            let times = windows(config, said, age, fresh);
            // An error is kept as long as it says, and not to be asked about.
            let lasts = times.while_revalidating > Duration::ZERO
                || times.if_error > Duration::ZERO
                || came.headers.contains_key(header::ETAG)
                || came.headers.contains_key(header::LAST_MODIFIED);
            let useful = times.fresh > times.age || lasts && !came.status.is_server_error();
            useful.then_some(times)
        }
    }
}

/// What a response may be used for when it is stale.
fn windows(config: &CacheConfig, said: &Directives, age: Duration, fresh: Duration) -> Times {
    // What has `s-maxage` is as strict for shared caches (RFC 9111, section 5.2.2.10).
    let strict = said.must_revalidate || said.proxy_revalidate || said.no_cache || said.s_maxage.is_some();
    let window = |said: Option<Duration>, otherwise: Duration| match strict {
        true => Duration::ZERO,
        false => said.unwrap_or(otherwise).min(LONGEST),
    };
    Times {
        age,
        fresh: fresh.min(LONGEST),
        while_revalidating: window(said.stale_while_revalidate, config.stale_while_revalidate),
        if_error: window(said.stale_if_error, config.stale_if_error),
    }
}

/// What the response itself says (section 4.2.1).
fn explicit(came: Came<'_>) -> Option<Duration> {
    let said = came.directives;
    said.s_maxage.or(said.max_age).or_else(|| {
        if said.targeted {
            return None;
        }
        let expires = came.headers.get(header::EXPIRES)?;
        let several = came.headers.get_all(header::EXPIRES).iter().nth(1).is_some();
        // A date that is none is in the past (section 5.3).
        let expires = parse_date(expires).filter(|_| !several);
        Some(expires.map_or(Duration::ZERO, |expires| {
            expires.duration_since(date(came)).unwrap_or_default()
        }))
    })
}

/// A tenth of the time since it was changed (section 4.2.2).
fn guess(came: Came<'_>) -> Option<Duration> {
    let modified = parse_date(came.headers.get(header::LAST_MODIFIED)?)?;
    let since = date(came).duration_since(modified).ok()?;
    Some((since / 10).min(LONGEST_GUESS))
}

/// How old a response was when it came (section 4.2.3). Of an `Age` with several values the first counts, and one that is no
/// number of seconds counts for nothing (section 5.1).
fn age(came: Came<'_>) -> Duration {
    let first = came.headers.get(header::AGE);
    let first = first.and_then(|value| value.as_bytes().split(|byte| *byte == b',').next());
    let said = first.map(<[u8]>::trim_ascii).and_then(|digits| {
        let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
        Some(Duration::from_secs(number.parse().unwrap_or(u64::MAX)).min(LONGEST))
    });
    let apparent = came.now.duration_since(date(came)).unwrap_or_default();
    apparent.max(said.unwrap_or_default() + came.took).min(LONGEST)
}

/// When the response was made; as it came, where it does not say.
fn date(came: Came<'_>) -> SystemTime {
    came.headers.get(header::DATE).and_then(parse_date).unwrap_or(came.now)
}

/// A date in one of the three forms of HTTP.
pub(super) fn parse_date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

/// Statuses whose meaning is known, and which are whole answers of their own.
fn is_understood(status: StatusCode) -> bool {
    let partial = matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
    !status.is_informational() && !partial && status.canonical_reason().is_some()
}

/// Statuses that may be kept without being told how long (RFC 9110, section 15.1).
fn is_heuristic(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

fn varies_in_everything(headers: &HeaderMap) -> bool {
    let mut names = headers
        .get_all(header::VARY)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    names.any(|name| name.trim_ascii() == b"*")
}

#[cfg(test)]
mod tests;
