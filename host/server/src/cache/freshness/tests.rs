//! The rules of RFC 9111, one by one.

use http::HeaderName;

use super::*;
use crate::cache::tests::config;

const NOW: Duration = Duration::from_secs(1_800_000_000);

/// The time `seconds` from now, as HTTP writes it.
fn at(seconds: i64) -> String {
    let now = SystemTime::UNIX_EPOCH + NOW;
    let time = match u64::try_from(seconds) {
        Ok(later) => now + Duration::from_secs(later),
        Err(_) => now - Duration::from_secs(seconds.unsigned_abs()),
    };
    httpdate::fmt_http_date(time)
}

fn judge_with(config: &CacheConfig, asked: Asked, status: u16, fields: &[(&str, &str)]) -> Option<Times> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let came = Came {
        status: StatusCode::from_u16(status).unwrap(),
        headers: &headers,
        directives: &Directives::of(&headers),
        now: SystemTime::UNIX_EPOCH + NOW,
        took: Duration::ZERO,
    };
    times(config, asked, came)
}

fn judge(status: u16, fields: &[(&str, &str)]) -> Option<Times> {
    judge_with(&config(""), Asked::default(), status, fields)
}

/// Seconds that it is fresh for, from now.
fn fresh(fields: &[(&str, &str)]) -> Option<u64> {
    judge(200, fields).map(|times| times.fresh.saturating_sub(times.age).as_secs())
}

#[test]
fn s_maxage_is_before_max_age_and_max_age_before_expires() {
    let expires = at(7);
    assert_eq!(
        fresh(&[("cache-control", "max-age=5, s-maxage=3"), ("expires", &expires)]),
        Some(3)
    );
    assert_eq!(fresh(&[("cache-control", "max-age=5"), ("expires", &expires)]), Some(5));
    assert_eq!(fresh(&[("expires", &expires)]), Some(7));
}

#[test]
fn what_says_nothing_is_not_kept() {
    assert_eq!(fresh(&[]), None);
    assert_eq!(fresh(&[("etag", "\"a\"")]), None);
    assert_eq!(fresh(&[("last-modified", &at(-1000))]), None);
}

#[test]
fn what_is_stale_at_once_is_kept_only_if_it_can_be_asked_about() {
    for stale in ["max-age=0", "max-age=x", "no-cache"] {
        assert_eq!(fresh(&[("cache-control", stale)]), None, "{stale}");
        assert_eq!(
            fresh(&[("cache-control", stale), ("etag", "\"a\"")]),
            Some(0),
            "{stale}"
        );
    }
    assert_eq!(fresh(&[("expires", "0"), ("etag", "\"a\"")]), Some(0));
}

#[test]
fn a_response_is_as_old_as_its_age_or_its_date_say() {
    assert_eq!(fresh(&[("cache-control", "max-age=60"), ("age", "20")]), Some(40));
    assert_eq!(
        fresh(&[("cache-control", "max-age=60"), ("date", &at(-30)), ("age", "20")]),
        Some(30)
    );
    assert_eq!(fresh(&[("expires", &at(300)), ("date", &at(400))]), None);
    assert_eq!(fresh(&[("expires", &at(20)), ("date", &at(10)), ("age", "15")]), None);
}

#[test]
fn of_an_age_the_first_value_counts_and_what_is_none_counts_for_nothing() {
    for (age, fresh_for) in [
        ("20", 40),
        ("20, 0", 40),
        (" 20 , x", 40),
        ("abc", 60),
        ("-7", 60),
        ("20.0", 60),
        ("20;a=b", 60),
        ("x, 20", 60),
        ("", 60),
        (", 20", 60),
    ] {
        let fields = [("cache-control", "max-age=60"), ("age", age)];
        assert_eq!(fresh(&fields), Some(fresh_for), "{age}");
    }
    let twice = [("cache-control", "max-age=60"), ("age", "10"), ("age", "0")];
    assert_eq!(fresh(&twice), Some(50));
    let old = [("cache-control", "max-age=60"), ("age", "99999999999999999999999")];
    assert_eq!(fresh(&old), None);
}

#[test]
fn what_is_private_or_not_to_be_stored_is_not_kept_in_any_mode() {
    for said in [
        "no-store",
        "private",
        "private, max-age=60",
        "NO-STORE, max-age=60",
        "public, no-store, max-age=9",
    ] {
        for mode in [
            "",
            "mode = \"aws\"",
            "mode = \"aws\", by = \"everybody\"",
            "by = \"principal\"",
        ] {
            let fields = [("cache-control", said), ("etag", "\"a\"")];
            assert_eq!(
                judge_with(&config(mode), Asked::default(), 200, &fields),
                None,
                "{said} {mode}"
            );
        }
    }
}

#[test]
fn what_the_authenticated_get_is_kept_only_if_it_is_for_all() {
    let asked = Asked {
        authenticated: true,
        ..Asked::default()
    };
    let kept = |mode: &str, said: &str| judge_with(&config(mode), asked, 200, &[("cache-control", said)]).is_some();
    assert!(!kept("", "max-age=60"));
    for said in ["max-age=60, public", "s-maxage=60", "max-age=60, must-revalidate"] {
        assert!(kept("", said), "{said}");
    }
    assert!(kept("by = \"principal\"", "max-age=60"));
}

#[test]
fn cookies_are_kept_only_where_the_configuration_says_so() {
    let fields = [("cache-control", "max-age=60"), ("set-cookie", "a=b")];
    assert_eq!(judge(200, &fields), None);
    assert_eq!(
        judge_with(&config("mode = \"aws\""), Asked::default(), 200, &fields),
        None
    );
    assert!(judge_with(&config("set_cookie = true"), Asked::default(), 200, &fields).is_some());
}

#[test]
fn only_whole_answers_of_known_meaning_are_kept() {
    let fields = [("cache-control", "max-age=60")];
    for status in [200, 204, 301, 302, 404, 410, 503] {
        assert!(judge(status, &fields).is_some(), "{status}");
    }
    for status in [206, 304, 299, 499, 599] {
        assert_eq!(judge(status, &fields), None, "{status}");
    }
    assert_eq!(judge(599, &[("cache-control", "max-age=60, must-understand")]), None);
    assert!(judge(200, &[("cache-control", "max-age=60, no-store, must-understand")]).is_some());
}

#[test]
fn an_error_is_kept_as_long_as_it_says_and_no_longer() {
    let kept = |said| judge(503, &[("cache-control", said), ("etag", "\"a\"")]).is_some();
    assert!(kept("max-age=5") && !kept("max-age=0") && !kept("no-cache"));
}

#[test]
fn a_guess_is_a_tenth_of_the_age_and_made_only_where_it_may_be() {
    let modified = at(-1000);
    let fields = [("last-modified", modified.as_str())];
    let guess = |asked, status| judge_with(&config("heuristic = true"), asked, status, &fields);
    assert_eq!(guess(Asked::default(), 200).unwrap().fresh.as_secs(), 100);
    assert_eq!(guess(Asked::default(), 403), None);
    assert_eq!(
        guess(
            Asked {
                cookies: true,
                ..Asked::default()
            },
            200
        ),
        None
    );
    let ancient = judge_with(
        &config("heuristic = true"),
        Asked::default(),
        200,
        &[("last-modified", &at(-100_000_000))],
    );
    assert_eq!(ancient.unwrap().fresh, LONGEST_GUESS);
}

#[test]
fn what_is_stale_serves_as_long_as_it_says_or_else_the_configuration() {
    let config = config("stale_while_revalidate = \"7s\", stale_if_error = \"8s\"");
    let windows = |said: &str| {
        let times = judge_with(
            &config,
            Asked::default(),
            200,
            &[("cache-control", said), ("etag", "\"a\"")],
        )
        .unwrap();
        (times.while_revalidating.as_secs(), times.if_error.as_secs())
    };
    assert_eq!(windows("max-age=1"), (7, 8));
    assert_eq!(windows("max-age=1, stale-while-revalidate=2, stale-if-error=0"), (2, 0));
    for strict in ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=1"] {
        assert_eq!(
            windows(&format!("max-age=1, stale-if-error=9, {strict}")),
            (0, 0),
            "{strict}"
        );
    }
}

#[test]
fn with_a_ttl_the_response_has_no_say() {
    let config = config("mode = \"aws\", ttl = \"9s\"");
    let ttl = |status, said| {
        let times = judge_with(
            &config,
            Asked::default(),
            status,
            &[("cache-control", said), ("age", "100")],
        );
        times.map(|times| (times.fresh - times.age).as_secs())
    };
    assert_eq!(ttl(200, "max-age=3600"), Some(9));
    assert_eq!(ttl(200, "max-age=0"), Some(9));
    assert_eq!(ttl(404, "max-age=3600"), None);
    let off = crate::cache::tests::config("mode = \"aws\", ttl = \"0s\"");
    assert_eq!(judge_with(&off, Asked::default(), 200, &[]), None);
}

#[test]
fn vary_with_a_star_is_not_kept_however_it_is_written() {
    for vary in ["*", "*, *", ", *", "foo, *", "*, foo"] {
        assert_eq!(
            fresh(&[("cache-control", "max-age=60"), ("vary", vary)]),
            None,
            "{vary}"
        );
    }
}
