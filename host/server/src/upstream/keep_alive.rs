//! How long an upstream keeps an unused connection open, as it says itself by `Keep-Alive: timeout=SECONDS`.
//!
//! A request that goes out just when the upstream closes its connection is lost, unless it may be sent twice. So the gateway
//! is the one that closes, a little earlier.

use std::time::Duration;

use http::header::{HeaderMap, HeaderName};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
/// How much earlier, for what is on its way meanwhile; of a second, half.
const MARGIN: Duration = Duration::from_secs(1);

/// How long a connection may be unused after a response with these fields; none when they say nothing of it.
pub(super) fn kept_for(headers: &HeaderMap) -> Option<Duration> {
    // To look through the few names costs a fifth of looking this one up, and hardly any response has it.
    if !headers.keys().any(|name| *name == KEEP_ALIVE) {
        return None;
    }
    let values = headers
        .get_all(KEEP_ALIVE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let parameters = values.flat_map(|value| value.split([',', ';']));
    let timeouts = parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let seconds: u32 = value.trim().trim_matches('"').parse().ok()?;
        name.trim().eq_ignore_ascii_case("timeout").then_some(seconds)
    });
    timeouts.min().map(|seconds| {
        let timeout = Duration::from_secs(seconds.into());
        timeout
            .checked_sub(MARGIN)
            .filter(|left| !left.is_zero())
            .unwrap_or(timeout / 2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(KEEP_ALIVE, value.parse().unwrap());
        }
        kept_for(&headers)
    }

    #[test]
    fn the_upstream_s_time_less_a_second_is_how_long_a_connection_is_kept() {
        assert_eq!(of(&["timeout=5"]), Some(Duration::from_secs(4)));
        assert_eq!(of(&["max=100, Timeout = \"20\""]), Some(Duration::from_secs(19)));
        assert_eq!(of(&["timeout=20", "timeout=3"]), Some(Duration::from_secs(2)));
        assert_eq!(of(&["timeout=1"]), Some(Duration::from_millis(500)));
        assert_eq!(of(&["timeout=0"]), Some(Duration::ZERO));
    }

    #[test]
    fn what_says_nothing_of_a_time_changes_nothing() {
        for value in [
            "",
            "300",
            "max=5",
            "timeout=",
            "timeout=-1",
            "timeout=soon",
            "timeouts=5",
        ] {
            assert_eq!(of(&[value]), None, "{value}");
        }
        assert_eq!(of(&[]), None);
    }
}
