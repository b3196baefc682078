//! What is stale is asked about, served meanwhile, or served instead of an error, where somebody has said so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use gatewright_tests::{Origin, RawOrigin, TestGateway, eventually, full};
use http::Response;

use super::{gateway, get, status};
use crate::setup::passing_with;

/// An origin whose answers are stale at once, and have these words in `Cache-Control` too. It answers with the status that is
/// set, and 304 to whoever has what it has.
fn stale(words: &'static str) -> (Origin, Arc<AtomicU16>) {
    let with = Arc::new(AtomicU16::new(200));
    let count = Arc::<AtomicUsize>::default();
    let set = Arc::clone(&with);
    let origin = Origin::start(move |request| {
        let (set, count) = (Arc::clone(&set), Arc::clone(&count));
        async move {
            let mut status = set.load(Ordering::SeqCst);
            let has_it = request.headers().get("if-none-match").is_some_and(|tag| tag == "\"a\"");
            if has_it && status == 200 {
                status = 304;
            }
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            let response = Response::builder()
                .status(status)
                .header("cache-control", format!("max-age=0{words}"))
                .header("etag", "\"a\"")
                .header("x-number", number.to_string());
            let body = if status == 304 {
                String::new()
            } else {
                format!("answer {number}")
            };
            response.body(full(body)).unwrap()
        }
    });
    (origin, with)
}

#[test]
fn what_is_stale_is_asked_about_and_brought_up_to_date() {
    let (origin, _) = stale("");
    let gateway = gateway(&origin, "");
    get(&gateway, "/a", &[]);
    let second = get(&gateway, "/a", &[]);
    assert_eq!(
        (second.status, second.text().as_str(), second.header("x-number")),
        (200, "answer 1", Some("2"))
    );
    assert_eq!(status(&second), "gatewright; fwd=stale; fwd-status=304; stored");
    // What the client has is compared with what is kept.
    let third = get(&gateway, "/a", &[("if-none-match", "\"other\"")]);
    assert_eq!((third.status, third.text().as_str()), (200, "answer 1"));
    assert_eq!(get(&gateway, "/a", &[("if-none-match", "\"a\"")]).status, 304);
    assert_eq!(
        gateway.metric("gatewright_cache_revalidations_total{result=\"unchanged\"}"),
        3.0
    );
    assert_eq!(gateway.wait_for_records(4)[1]["cache"], "revalidated");
}

#[test]
fn what_has_changed_replaces_what_was_kept() {
    let (origin, with) = stale("");
    let gateway = gateway(&origin, "");
    get(&gateway, "/a", &[]);
    with.store(404, Ordering::SeqCst);
    let changed = get(&gateway, "/a", &[]);
    assert_eq!((changed.status, changed.text().as_str()), (404, "answer 2"));
    assert_eq!(
        gateway.metric("gatewright_cache_revalidations_total{result=\"changed\"}"),
        1.0
    );
    assert_eq!(gateway.wait_for_records(2)[1]["cache"], "miss");
}

#[test]
fn what_is_stale_is_served_while_it_is_fetched_once() {
    let (origin, _) = stale(", stale-while-revalidate=60");
    let gateway = gateway(&origin, "");
    get(&gateway, "/a", &[]);
    for _ in 0..3 {
        let response = get(&gateway, "/a", &[]);
        assert_eq!(
            (response.text().as_str(), status(&response)),
            ("answer 1", "gatewright; hit; detail=stale")
        );
        assert_eq!(response.status, 200);
    }
    eventually("it is asked about beside", || {
        (gateway.metric("gatewright_cache_revalidations_total{result=\"unchanged\"}") >= 1.0).then_some(())
    });
    let updated = eventually("what is served is brought up to date", || {
        let response = get(&gateway, "/a", &[]);
        (response.header("x-number") != Some("1")).then_some(response)
    });
    assert_eq!(updated.text(), "answer 1");
    let records = gateway.wait_for_records(4);
    assert!(records[1..].iter().all(|record| record["cache"] == "stale"));
}

#[test]
fn an_error_is_answered_with_what_is_stale_where_that_was_said() {
    for (words, keys, serves) in [
        (", stale-if-error=60", "", true),
        ("", "stale_if_error = \"60s\"", true),
        ("", "", false),
        (", must-revalidate", "stale_if_error = \"60s\"", false),
        (", stale-if-error=0", "stale_if_error = \"60s\"", false),
    ] {
        let (origin, with) = stale(words);
        let gateway = gateway(&origin, keys);
        get(&gateway, "/a", &[]);
        with.store(503, Ordering::SeqCst);
        let response = get(&gateway, "/a", &[]);
        assert_eq!(response.status, if serves { 200 } else { 503 }, "{words} {keys}");
        let record = &gateway.wait_for_records(2)[1];
        assert_eq!(record["cache"], if serves { "stale" } else { "miss" }, "{words} {keys}");
        assert_eq!(
            gateway.metric("gatewright_cache_revalidations_total{result=\"failed\"}"),
            1.0
        );
        // An error does not make it forgotten.
        with.store(200, Ordering::SeqCst);
        assert_eq!(get(&gateway, "/a", &[]).text(), "answer 1", "{words} {keys}");
    }
}

#[test]
fn what_is_stale_serves_where_no_upstream_is() {
    let answer = "HTTP/1.1 200 OK\r\nCache-Control: max-age=0\r\nETag: \"a\"\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    let origin = RawOrigin::answering(answer);
    let chain = "chain = [{ use = \"cache\", stale_if_error = \"60s\" }]";
    let gateway = TestGateway::start(&passing_with(&format!("http://{}", origin.addr()), "", chain));
    assert_eq!(get(&gateway, "/a", &[]).text(), "hello");
    drop(origin);
    assert_eq!(get(&gateway, "/a", &[]).text(), "hello");
    assert_eq!(get(&gateway, "/b", &[]).status, 503);
    let records = gateway.wait_for_records(3);
    let shown = |number: usize| (records[number]["outcome"].as_str(), records[number]["error"].as_str());
    assert_eq!(shown(1), (Some("answered"), None));
    assert_eq!(shown(2), (Some("failed"), Some("UPSTREAM_UNAVAILABLE")));
}

#[test]
fn c30_dates_that_make_no_sense_keep_nothing_fresh_and_nobody_from_an_answer() {
    for fields in [
        &[("expires", "0"), ("last-modified", "yesterday")][..],
        &[("expires", "Thu, 99 Aug 2050 02:01:18 GMT"), ("etag", "\"a\"")],
        &[
            ("expires", "never"),
            ("date", "never"),
            ("age", "-1"),
            ("etag", "\"a\""),
        ],
    ] {
        let origin = super::counting(fields);
        let gateway = gateway(&origin, "");
        for number in 1..=2 {
            let response = get(&gateway, "/a", &[("if-modified-since", "nonsense")]);
            assert_eq!(
                (response.status, response.text()),
                (200, format!("answer {number}")),
                "{fields:?}"
            );
        }
    }
}
