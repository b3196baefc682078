//! Which bodies plugins are given: whole ones where they say so, and none that their rules keep from them.

use bytes::Bytes;
use gatewright_tests::body::channel;
use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, full, guests, http};
use http::{Request, Response};
use serde_json::json;

use super::setup::{PATIENT, base, record, route, upstream};

const MASKED: &str = "{ plugin = \"mask-json\", config = { names = [\"email\"] } }";
const SECRET: &str = "alice@example.com";
const MIB: usize = 1 << 20;

fn files() -> TestFiles {
    let put = |files: TestFiles, name: &&str| files.with(&format!("plugins/{name}.wasm"), guests::plugin(name));
    ["mask-json", "redact"]
        .iter()
        .fold(TestFiles::default(), put)
        .with_guests(&["rewrites", "decides"])
}

fn start(origin: &Origin, routes: &[String]) -> TestGateway {
    let limits = ["mask-json", "redact", "rewrites"].map(|name| format!("[plugin.{name}]\n{PATIENT}\n"));
    files().start(&[base(), upstream(origin), limits.concat(), routes.concat()].concat())
}

fn document() -> String {
    json!({ "id": 1, "email": SECRET }).to_string()
}

/// Serves ranges of a JSON document, as a file server does, by each of the fields that some server knows them by.
fn ranges() -> Origin {
    Origin::start(|request: Request<_>| async move {
        let document = document();
        let asks = |name: &str| request.headers().contains_key(name);
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("accept-ranges", "bytes")
            .header("etag", "\"1\"");
        if !(asks("range") || asks("request-range") || asks("a-im")) {
            let response = response.header("cache-control", "max-age=60");
            return response.body(full(document)).unwrap();
        }
        let range = response
            .status(206)
            .header("content-range", format!("bytes 8-34/{}", document.len()));
        range.body(full(document[8..].to_owned())).unwrap()
    })
}

#[test]
fn a_plugin_that_needs_whole_bodies_is_given_them_whatever_part_the_client_asks_for() {
    let origin = ranges();
    let routes = [
        route("masked", MASKED, "http = \"app\""),
        route(
            "redacted",
            "{ plugin = \"redact\", config = { patterns = [\"alice@\"] } }",
            "http = \"app\"",
        ),
    ];
    let gateway = start(&origin, &routes);
    let asked: [&[(&str, &str)]; 4] = [
        &[("range", "bytes=8-34")],
        &[("range", "bytes=8-34"), ("if-range", "\"1\"")],
        &[("request-range", "bytes=8-34")],
        &[("a-im", "vcdiff")],
    ];
    for path in ["/masked", "/redacted"] {
        for headers in asked {
            let answer = http(gateway.addr("public"), "GET", path, headers, b"");
            assert_eq!(answer.status, 200, "{path} {headers:?}: {answer:?}");
            assert!(
                !answer.text().contains("alice@") && answer.text().contains("***"),
                "{path} {headers:?}: {answer:?}"
            );
            assert_eq!(answer.header("accept-ranges"), None);
        }
    }
    let head = http(
        gateway.addr("public"),
        "HEAD",
        "/masked",
        &[("range", "bytes=8-34")],
        b"",
    );
    assert_eq!((head.status, head.header("accept-ranges")), (200, None));
}

#[test]
fn a_part_that_comes_unasked_is_a_fault_and_nothing_of_it_is_seen() {
    let origin = Origin::start(|request: Request<_>| async move {
        let response = Response::builder().header("content-type", "application/json");
        let response = match request.uri().query() {
            Some("206") => response.status(206).header("content-range", "bytes 8-34/41"),
            Some("200") => response.header("content-range", "bytes 8-34/41"),
            Some("226") => response.status(226),
            _ => Response::builder().header("content-type", "multipart/byteranges; boundary=x"),
        };
        response.body(full(format!("\"{SECRET}\""))).unwrap()
    });
    let other = "{ plugin = \"mask-json\", on_fault = 503, config = { names = [\"email\"] } }";
    let redact = "{ plugin = \"redact\", config = { patterns = [\"alice@\"] } }";
    let routes = [
        route("masked", MASKED, "http = \"app\""),
        route("other", other, "http = \"app\""),
        route("redacted", redact, "http = \"app\""),
    ];
    let gateway = start(&origin, &routes);
    for (path, status) in [("masked", 500), ("other", 503), ("redacted", 500)] {
        for kind in ["206", "200", "226", "multipart"] {
            let answer = http(
                gateway.addr("public"),
                "GET",
                &format!("/{path}/{kind}?{kind}"),
                &[],
                b"",
            );
            assert_eq!(
                (answer.status, answer.error()),
                (status, Some("PLUGIN_FAULT")),
                "{path} {kind}: {answer:?}"
            );
            assert!(!answer.text().contains("alice"), "{answer:?}");
            let cause = record(&gateway, &format!("/{path}/{kind}"))["cause"].to_string();
            assert!(cause.contains("a part of a representation"), "{cause}");
        }
    }
    let faults = "gatewright_plugin_calls_total{plugin=\"mask-json\",route=\"masked-below\",hook=\"response-transform\",outcome=\"fault\"}";
    assert_eq!(gateway.metric(faults), 4.0);
}

#[test]
fn a_range_of_what_is_kept_is_one_of_what_was_masked() {
    let origin = ranges();
    let before = format!("{MASKED}, {{ use = \"cache\" }}");
    let after = format!("{{ use = \"cache\" }}, {MASKED}");
    let routes = [
        route("before", &before, "http = \"app\""),
        route("after", &after, "http = \"app\""),
    ];
    let gateway = start(&origin, &routes);
    let ask = |path: &str| http(gateway.addr("public"), "GET", path, &[("range", "bytes=8-30")], b"");
    for path in ["/before", "/after"] {
        for _ in 0..3 {
            let answer = ask(path);
            let status = [200, 206].contains(&answer.status);
            assert!(
                status && !answer.text().contains("alice") && answer.text().contains("***"),
                "{path}: {answer:?}"
            );
        }
    }
}

#[test]
fn a_part_of_a_request_and_a_coded_one_are_the_clients_to_mend() {
    let origin = Origin::saying("ok");
    let chain = "{ plugin = \"mask-json\", config = { names = [\"email\"], apply_to = [\"request\"] } }";
    let gateway = start(&origin, &[route("masked", chain, "http = \"app\"")]);
    let put = |headers: &[(&str, &str)]| {
        let headers = [&[("content-type", "application/json")], headers].concat();
        http(
            gateway.addr("public"),
            "PUT",
            "/masked",
            &headers,
            document().as_bytes(),
        )
    };
    let part = put(&[("content-range", "bytes 8-34/41")]);
    assert_eq!((part.status, part.error()), (400, Some("BAD_REQUEST")), "{part:?}");
    let coded = put(&[("content-encoding", "gzip")]);
    assert_eq!(
        (coded.status, coded.error()),
        (415, Some("UNSUPPORTED_MEDIA_TYPE")),
        "{coded:?}"
    );
    assert_eq!(coded.header("accept-encoding"), Some("identity"));
    assert_eq!(put(&[]).status, 200);
    assert_eq!(origin.only_request().body, br#"{"email":"***","id":1}"#);
}

/// Answers with the query's type and as many bytes as it says, in pieces and without a length if it says so.
fn sizes() -> Origin {
    Origin::start(|request: Request<_>| async move {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let mut words = query.split('&');
        let (kind, length) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or("0"));
        let bytes = Bytes::from(vec![b'x'; length.parse().unwrap()]);
        let response = Response::builder().header("content-type", kind);
        if words.next().is_none() {
            return response.body(full(bytes)).unwrap();
        }
        let (sender, body) = channel();
        tokio::spawn(async move {
            for piece in bytes.chunks(10_000) {
                let _ = sender.send(Ok(Bytes::copy_from_slice(piece)));
            }
        });
        response.body(body).unwrap()
    })
}

#[test]
fn a_body_that_a_plugin_does_not_read_streams_past_it_however_long_it_is() {
    let origin = sizes();
    let gateway = start(&origin, &[route("masked", MASKED, "http = \"app\"")]);
    let ask = |path: &str, body: &[u8], kind| {
        let headers: &[(&str, &str)] = &[("content-type", kind)];
        http(
            gateway.addr("public"),
            if body.is_empty() { "GET" } else { "POST" },
            path,
            headers,
            body,
        )
    };
    let download = |query: &str| ask(&format!("/masked?{query}"), b"", "text/plain");
    for query in [
        "application/octet-stream&2097152",
        "application/octet-stream&2097152&pieces",
    ] {
        let answer = download(query);
        assert_eq!((answer.status, answer.body.len()), (200, 2 * MIB), "{query}");
    }
    // Of JSON nothing passes unread.
    let json = download("application/json&2097152");
    assert_eq!((json.status, json.error()), (502, Some("INTEGRATION_FAILURE")));
    // Responses are masked only, so requests are none of its business.
    for kind in ["application/octet-stream", "application/json"] {
        let answer = ask("/masked?text/plain&5", &vec![b'x'; 2 * MIB], kind);
        assert_eq!((answer.status, answer.text().as_str()), (200, "xxxxx"), "{kind}");
    }
}

fn rewritten(answer: &RawResponse) -> bool {
    answer.body.starts_with(b"response:")
}

#[test]
fn a_route_narrows_what_a_plugin_is_given() {
    let origin = sizes();
    let rule = "bodies = { request = { types = [] }, response = { types = [\"text/*\"], longest = \"64KiB\" } }";
    let chain = format!("{{ plugin = \"masks-texts\", {rule} }}");
    let files = TestFiles::default().with("plugins/masks-texts.wasm", guests::guest("given"));
    let config = [
        base(),
        upstream(&origin),
        format!("[plugin.masks-texts]\n{PATIENT}\n"),
        route("texts", &chain, "http = \"app\""),
    ];
    let gateway = files.start(&config.concat());
    let ask = |query: &str| {
        http(
            gateway.addr("public"),
            "POST",
            &format!("/texts?{query}"),
            &[],
            &[b'x'; 1000],
        )
    };
    for (query, given, length) in [
        ("text/plain&65536", true, 65_536),
        ("Text/Plain;charset=utf-8&100&pieces", true, 100),
        ("text/plain&65537", false, 65_537),
        ("text/plain&2097152&pieces", false, 2 * MIB),
        ("image/png&100", false, 100),
    ] {
        let answer = ask(query);
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        assert_eq!(rewritten(&answer), given, "{query}");
        let length = length + if given { "response:".len() } else { 0 };
        assert_eq!(answer.body.len(), length, "{query}");
        // The hook is asked all the same: it has the head.
        assert_eq!(
            answer.header("x-given"),
            Some(if given { "body" } else { "none" }),
            "{query}"
        );
    }
    let notes = http(gateway.admin(), "GET", "/routes", &[], b"").json();
    assert!(notes.to_string().contains("texts"));
}

#[test]
fn an_authorizer_is_given_every_body_that_it_asks_for() {
    let chain = "{ plugin = \"decides\", bodies = { request = { types = [\"text/plain\"] } } }";
    let error = files()
        .try_start(&[base(), route("asked", chain, "respond = 200")].concat())
        .err()
        .unwrap();
    assert!(
        error.contains("an authorizer decides by every body that it asks for"),
        "{error}"
    );
}

#[test]
fn rules_that_are_none_are_said_when_the_plugin_is_loaded() {
    let chain = "{ plugin = \"rewrites\", bodies = { response = { types = [\"json\"] } } }";
    let error = files()
        .try_start(&[base(), route("a", chain, "respond = 200")].concat())
        .err()
        .unwrap();
    assert!(error.contains("`json` is not a content type"), "{error}");
}
