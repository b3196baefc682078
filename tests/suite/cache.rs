//! The `cache` stage end to end: what is answered again, to whom, and when not any more.

mod aws;
mod conformance;
mod disk;
mod fetching;
mod principals;
mod purging;
mod stale;
mod streams;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatewright_tests::{Origin, RawResponse, TestGateway, full, http};
use http::Response;

use crate::setup::routed;

/// A gateway with the route `all` for every path, whose chain has the cache with these keys.
fn gateway(origin: &Origin, keys: &str) -> TestGateway {
    TestGateway::start(&configuration(origin, keys))
}

fn configuration(origin: &Origin, keys: &str) -> String {
    let comma = if keys.is_empty() { "" } else { ", " };
    with_chain(origin, &format!("{{ use = \"cache\"{comma}{keys} }}"))
}

fn with_chain(origin: &Origin, chain: &str) -> String {
    let route = format!(
        "[[route]]\nname = \"all\"\npath = \"/{{rest+}}\"\nchain = [{chain}]\nintegration = {{ http = \"app\" }}\n"
    );
    routed(&origin.url(), &route)
}

/// An origin that says in each answer the how many-th it is, with these fields.
fn counting(fields: &'static [(&'static str, &'static str)]) -> Origin {
    let count = Arc::<AtomicUsize>::default();
    Origin::start(move |_| {
        let count = Arc::clone(&count);
        async move {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            let mut response = Response::builder();
            for (name, value) in fields {
                response = response.header(*name, *value);
            }
            response.body(full(format!("answer {number}"))).unwrap()
        }
    })
}

fn get(gateway: &TestGateway, path: &str, fields: &[(&str, &str)]) -> RawResponse {
    http(gateway.addr("public"), "GET", path, fields, b"")
}

fn status(response: &RawResponse) -> &str {
    response.header("cache-status").unwrap_or_default()
}

#[test]
fn what_is_fresh_is_answered_again_with_its_age() {
    let origin = counting(&[("cache-control", "max-age=60"), ("x-own", "1")]);
    let gateway = gateway(&origin, "");
    let first = get(&gateway, "/a", &[]);
    let second = get(&gateway, "/a", &[]);
    assert_eq!(
        (first.text(), second.text()),
        ("answer 1".to_owned(), "answer 1".to_owned())
    );
    assert_eq!(
        (first.header("age"), status(&first)),
        (None, "gatewright; fwd=uri-miss; stored")
    );
    assert!(second.header("age").is_some() && status(&second).starts_with("gatewright; hit; ttl="));
    assert_eq!(
        (second.header("x-own"), second.header("content-length")),
        (Some("1"), Some("8"))
    );
    assert_eq!(second.header("date"), first.header("date"));
    assert_eq!(get(&gateway, "/b", &[]).text(), "answer 2");
    assert_eq!(origin.hits(), 2);
    let records = gateway.wait_for_records(3);
    let shown = records.iter().map(|record| record["cache"].as_str().unwrap());
    assert_eq!(shown.collect::<Vec<_>>(), ["miss", "hit", "miss"]);
    assert!(records.iter().all(|record| record["outcome"] == "answered"));
    assert_eq!(
        gateway.metric("gatewright_cache_requests_total{route=\"all\",result=\"hit\"}"),
        1.0
    );
    assert_eq!(gateway.metric("gatewright_cache_entries"), 2.0);
    assert!(gateway.metric("gatewright_cache_stored_bytes") > 16.0);
}

#[test]
fn head_is_answered_from_get_and_parts_from_the_whole() {
    let origin = counting(&[("cache-control", "max-age=60"), ("etag", "\"a\"")]);
    let gateway = gateway(&origin, "");
    assert_eq!(get(&gateway, "/a", &[]).text(), "answer 1");
    let head = http(gateway.addr("public"), "HEAD", "/a", &[], b"");
    assert_eq!(
        (head.status, head.header("content-length"), head.body.len()),
        (200, Some("8"), 0)
    );
    let part = get(&gateway, "/a", &[("range", "bytes=-1")]);
    assert_eq!(
        (part.status, part.text().as_str(), part.header("content-range")),
        (206, "1", Some("bytes 7-7/8"))
    );
    let nothing = get(&gateway, "/a", &[("range", "bytes=8-")]);
    assert_eq!(
        (nothing.status, nothing.header("content-range")),
        (416, Some("bytes */8"))
    );
    let has_it = get(&gateway, "/a", &[("if-none-match", "\"b\", W/\"a\"")]);
    assert_eq!(
        (has_it.status, has_it.header("etag"), has_it.body.len()),
        (304, Some("\"a\""), 0)
    );
    assert_eq!(has_it.header("content-type"), None);
    assert_eq!(origin.hits(), 1);
}

#[test]
fn c30_a_request_for_many_ranges_makes_no_more_bytes_than_there_are() {
    let origin = counting(&[("cache-control", "max-age=60")]);
    let gateway = gateway(&origin, "");
    let whole = get(&gateway, "/a", &[]);
    let many = format!("bytes={}", vec!["0-"; 1000].join(","));
    let response = get(&gateway, "/a", &[("range", &many)]);
    assert_eq!((response.status, response.body), (200, whole.body));
    assert_eq!(origin.hits(), 1);
}

#[test]
fn c30_what_is_private_or_has_cookies_or_is_not_to_be_stored_is_fetched_each_time() {
    for fields in [
        &[("cache-control", "private, max-age=60")][..],
        &[("cache-control", "no-store")],
        &[("cache-control", "max-age=60"), ("set-cookie", "session=1")],
        &[("cache-control", "max-age=60"), ("vary", "*")],
        &[],
    ] {
        let origin = counting(fields);
        let gateway = gateway(&origin, "");
        for number in 1..=3 {
            assert_eq!(
                get(&gateway, "/a", &[]).text(),
                format!("answer {number}"),
                "{fields:?}"
            );
        }
    }
}

#[test]
fn c30_what_an_unkeyed_field_changes_is_given_to_nobody_else() {
    // Says where it was asked for, as frameworks do.
    let origin = Origin::start(|request| async move {
        let headers = request.headers();
        let said = ["x-forwarded-host", "x-original-url", "x-forwarded-proto"]
            .map(|name| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned());
        let response = Response::builder().header("cache-control", "max-age=60");
        response.body(full(said.join(" "))).unwrap()
    });
    let gateway = gateway(&origin, "");
    let evil = get(
        &gateway,
        "/a",
        &[("host", "a.test:666"), ("x-forwarded-host", "evil.test")],
    );
    assert_eq!(evil.text(), "a.test:666  http");
    assert_eq!(get(&gateway, "/a", &[("host", "a.test")]).text(), "a.test  http");
    let evil = get(&gateway, "/b", &[("host", "a.test"), ("x-original-url", "/admin")]);
    assert_eq!(
        (evil.text().as_str(), status(&evil)),
        ("a.test /admin http", "gatewright; fwd=uri-miss")
    );
    assert_eq!(get(&gateway, "/b", &[("host", "a.test")]).text(), "a.test  http");
}

#[test]
fn c30_what_a_trusted_proxy_says_of_the_way_is_part_of_the_key() {
    // Says all that it was told of the way, as frameworks that build links do in parts.
    let origin = Origin::start(|request| async move {
        let said = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let is_told =
                name.as_str().starts_with("x-forwarded-") || ["forwarded", "front-end-https"].contains(&name.as_str());
            is_told.then(|| format!("{name}={}\n", value.to_str().unwrap()))
        };
        let said: String = request.headers().iter().filter_map(said).collect();
        let response = Response::builder().header("cache-control", "max-age=60");
        response.body(full(said)).unwrap()
    });
    for keys in ["", "key = [\"query:page\"]", "mode = \"aws\", ttl = \"60s\""] {
        let config = configuration(&origin, keys);
        let gateway = TestGateway::start(&config.replace(
            "address = \"127.0.0.1:0\"",
            "address = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1\"]",
        ));
        for (number, (name, value)) in [
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-port", "666"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-scheme", "https"),
            ("x-forwarded-ssl", "on"),
            ("x-forwarded-server", "evil.example"),
            ("x-forwarded-prefix", "/evil"),
            ("x-forwarded-user", "evil"),
            ("front-end-https", "on"),
            ("forwarded", "for=127.0.0.1;host=evil.example"),
            ("forwarded", "for=127.0.0.1;proto=https"),
        ]
        .into_iter()
        .enumerate()
        {
            let path = format!("/{number}");
            let poison = get(&gateway, &path, &[("host", "a.test"), (name, value)]);
            assert!(
                poison.text().contains("evil")
                    || poison.text().contains("666")
                    || poison.text().contains("https")
                    || poison.text().contains("=on"),
                "{}",
                poison.text()
            );
            let clean = get(&gateway, &path, &[("host", "a.test")]).text();
            assert_eq!(
                clean, "x-forwarded-for=127.0.0.1\nx-forwarded-proto=http\nx-forwarded-host=a.test\n",
                "{keys}: after {name}: {value}"
            );
            let again = get(&gateway, &path, &[("host", "a.test"), (name, value)]);
            assert_eq!(again.text(), poison.text());
            assert!(
                status(&again).contains("hit"),
                "what a proxy always says is no reason not to keep: {name}"
            );
        }
    }
}

#[test]
fn c30_variants_are_told_apart_and_there_are_only_so_many() {
    let origin = Origin::start(|request| async move {
        let language = request.headers().get("accept-language").cloned();
        let response = Response::builder()
            .header("cache-control", "max-age=60")
            .header("vary", "Accept-Language");
        response
            .body(full(
                language.map_or(String::new(), |value| value.to_str().unwrap().to_owned()),
            ))
            .unwrap()
    });
    let gateway = gateway(&origin, "variants = 2");
    let ask = |language: &str| get(&gateway, "/a", &[("accept-language", language)]).text();
    for language in ["de", "fr", "de", "fr"] {
        assert_eq!(ask(language), language);
    }
    assert_eq!(get(&gateway, "/a", &[]).text(), "");
    assert_eq!(origin.hits(), 3);
    // The oldest one had to go.
    assert_eq!((ask("fr"), origin.hits()), ("fr".to_owned(), 3));
    assert_eq!((ask("de"), origin.hits()), ("de".to_owned(), 4));
}

#[test]
fn what_changes_something_makes_it_forgotten_with_all_its_queries() {
    let origin = counting(&[("cache-control", "max-age=60"), ("location", "/made")]);
    let gateway = gateway(&origin, "");
    for path in ["/a", "/a?b=1", "/made", "/c"] {
        get(&gateway, path, &[]);
        get(&gateway, path, &[]);
    }
    assert_eq!(origin.hits(), 4);
    assert_eq!(http(gateway.addr("public"), "POST", "/a", &[], b"x").status, 200);
    assert_eq!(get(&gateway, "/c", &[]).text(), "answer 4");
    for (number, path) in (6..).zip(["/a", "/a?b=1", "/made"]) {
        assert_eq!(get(&gateway, path, &[]).text(), format!("answer {number}"), "{path}");
    }
    assert_eq!(gateway.metric("gatewright_cache_purged_total"), 3.0);
}

#[test]
fn what_did_not_change_anything_leaves_it_as_it_is() {
    let origin = Origin::start(|request| async move {
        let status = if request.method() == "GET" { 200 } else { 403 };
        let response = Response::builder().status(status).header("cache-control", "max-age=60");
        response.body(full("x")).unwrap()
    });
    let gateway = gateway(&origin, "");
    get(&gateway, "/a", &[]);
    assert_eq!(http(gateway.addr("public"), "DELETE", "/a", &[], b"").status, 403);
    assert!(status(&get(&gateway, "/a", &[])).contains("hit"));
}

#[test]
fn stages_before_the_cache_run_each_time_and_those_after_it_on_misses_only() {
    let origin = counting(&[("cache-control", "max-age=60")]);
    let chain = "{ use = \"throttle\", rate = \"1/h\", burst = 3, by = \"route\" }, { use = \"cache\" }, \
                 { use = \"headers\", response = { set = { x-after = \"kept\" } } }, \
                 { use = \"throttle\", rate = \"1/h\", burst = 1, by = \"route\" }";
    let gateway = TestGateway::start(&with_chain(&origin, chain));
    for _ in 0..3 {
        let response = get(&gateway, "/a", &[]);
        assert_eq!((response.status, response.header("x-after")), (200, Some("kept")));
    }
    assert_eq!(get(&gateway, "/a", &[]).status, 429);
    let calls = |stage: &str| gateway.metric(&format!("gatewright_stage_calls_total{{stage=\"{stage}\"}}"));
    assert_eq!((calls("headers"), calls("throttle"), origin.hits()), (1.0, 5.0, 1));
}

#[test]
fn what_a_stage_after_the_cache_refuses_is_not_kept() {
    let origin = counting(&[("cache-control", "max-age=60")]);
    let chain =
        "{ use = \"cache\", mode = \"aws\" }, { use = \"throttle\", rate = \"1/h\", burst = 1, by = \"route\" }";
    let gateway = TestGateway::start(&with_chain(&origin, chain));
    assert_eq!(get(&gateway, "/a", &[]).status, 200);
    for _ in 0..2 {
        let refused = get(&gateway, "/b", &[]);
        assert_eq!((refused.status, status(&refused)), (429, "gatewright; fwd=uri-miss"));
    }
    assert_eq!(get(&gateway, "/a", &[]).status, 200);
}

#[test]
fn what_is_kept_survives_a_reload_and_may_shrink() {
    let origin = counting(&[("cache-control", "max-age=60")]);
    let gateway = gateway(&origin, "");
    get(&gateway, "/a", &[]);
    let changed = configuration(&origin, "status = false");
    gateway.rewrite_config(&changed);
    gateway.reload().unwrap();
    let kept = get(&gateway, "/a", &[]);
    assert_eq!((kept.text().as_str(), kept.header("cache-status")), ("answer 1", None));
    gateway.rewrite_config(&format!("{changed}\n[response_cache]\nbytes = \"1MiB\"\n"));
    gateway.reload().unwrap();
    assert_eq!(get(&gateway, "/a", &[]).text(), "answer 1");
    gateway.rewrite_config(&format!(
        "{}\n[response_cache]\nbytes = \"100B\"\n",
        configuration(&origin, "object = \"10B\"")
    ));
    gateway.reload().unwrap();
    assert_eq!(
        (
            gateway.metric("gatewright_cache_stored_bytes"),
            gateway.metric("gatewright_cache_evictions_total")
        ),
        (0.0, 1.0)
    );
    assert_eq!(get(&gateway, "/a", &[]).text(), "answer 2");
}

#[test]
fn what_may_not_be_asked_for_is_answered_504() {
    let origin = counting(&[("cache-control", "max-age=60")]);
    let gateway = gateway(&origin, "");
    assert_eq!(get(&gateway, "/a", &[("cache-control", "only-if-cached")]).status, 504);
    assert_eq!(origin.hits(), 0);
    get(&gateway, "/a", &[]);
    assert_eq!(
        get(&gateway, "/a", &[("cache-control", "only-if-cached")]).text(),
        "answer 1"
    );
}

#[test]
fn a_response_that_is_there_for_other_header_fields_is_a_miss_of_vary_and_not_of_the_uri() {
    let origin = counting(&[("cache-control", "max-age=60"), ("vary", "accept-language")]);
    let gateway = gateway(&origin, "");
    let asked = |language| status(&get(&gateway, "/a", &[("accept-language", language)])).to_owned();
    assert_eq!(asked("de"), "gatewright; fwd=uri-miss; stored");
    assert_eq!(asked("fr"), "gatewright; fwd=vary-miss; stored");
    assert!(asked("de").starts_with("gatewright; hit"));
    assert!(asked("fr").starts_with("gatewright; hit"));
    let only = [("accept-language", "it"), ("cache-control", "only-if-cached")];
    let refused = get(&gateway, "/a", &only);
    assert_eq!((refused.status, status(&refused)), (504, "gatewright; fwd=vary-miss"));
    let head = http(gateway.addr("public"), "HEAD", "/a", &[("accept-language", "es")], b"");
    assert_eq!(status(&head), "gatewright; fwd=vary-miss");
}

#[test]
fn a_field_for_caches_counts_instead_of_cache_control_if_it_is_a_structured_field() {
    for (field, is_kept) in [
        // A valid one is the only one that counts.
        ("max-age=60", true),
        ("max-age=60;ext, must-revalidate", true),
        ("no-store", false),
        ("max-age=60, private", false),
        // What is none lets `no-store` count.
        ("max-age=60,", false),
        ("max-age = 60", false),
        ("Max-Age=60", false),
        ("max-age='60'", false),
        ("", false),
    ] {
        let fields: &'static [(&'static str, &'static str)] = Box::leak(Box::new([
            ("cache-control", "no-store, private"),
            ("cdn-cache-control", field),
        ]));
        let origin = counting(fields);
        let gateway = gateway(&origin, "");
        get(&gateway, "/a", &[]);
        let again = get(&gateway, "/a", &[]);
        assert_eq!(again.text() == "answer 1", is_kept, "{field:?}: {}", status(&again));
    }
}

#[test]
fn of_an_age_the_first_value_counts_and_one_that_is_none_counts_for_nothing() {
    for (age, is_fresh) in [
        ("10, 500", true),
        ("500, 10", false),
        ("x", true),
        ("-1", true),
        ("500", false),
    ] {
        let fields: &'static [(&'static str, &'static str)] =
            Box::leak(Box::new([("cache-control", "max-age=60"), ("age", age)]));
        let origin = counting(fields);
        let gateway = gateway(&origin, "");
        get(&gateway, "/a", &[]);
        assert_eq!(get(&gateway, "/a", &[]).text() == "answer 1", is_fresh, "{age}");
    }
}
