//! The `cors` stage end to end: what browsers are told, and that nobody has to log in to be told.

use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, full, http};
use http::Response;

use crate::setup::routed;

const APP: &str = "https://app.example.com";

fn gateway(origin: &Origin, cors: &str) -> TestGateway {
    TestFiles::default().with("keys.toml", "").start(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [upstream.app]
        targets = [{{ url = "{}" }}]

        [chain]
        protected = [{{ use = "cors", {cors} }}, {{ use = "api-key", keys = "keys.toml" }}]
        open = [{{ use = "cors", {cors} }}]

        [[route]]
        name = "read"
        path = "/items"
        methods = ["GET"]
        chain = ["open"]
        integration = {{ http = "app" }}

        [[route]]
        name = "write"
        path = "/items"
        methods = ["PUT", "DELETE"]
        chain = ["protected"]
        integration = {{ http = "app" }}

        [[route]]
        name = "closed"
        path = "/items"
        methods = ["PATCH"]
        integration = {{ respond = 200 }}
        "#,
        origin.url()
    ))
}

fn saying_much() -> Origin {
    Origin::start(|_| async {
        let response = Response::builder()
            .header("access-control-allow-origin", "*")
            .header("access-control-allow-credentials", "true")
            .header("vary", "accept");
        response.body(full("hello")).unwrap()
    })
}

fn values<'r>(response: &'r RawResponse, name: &str) -> Vec<&'r str> {
    let fields = response.headers.iter();
    fields
        .filter(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
        .collect()
}

fn preflight(gateway: &TestGateway, origin: &str, method: &str, headers: &str) -> RawResponse {
    let mut fields = vec![("origin", origin), ("access-control-request-method", method)];
    if !headers.is_empty() {
        fields.push(("access-control-request-headers", headers));
    }
    http(gateway.addr("public"), "OPTIONS", "/items", &fields, b"")
}

#[test]
fn c32_a_preflight_request_is_answered_before_anybody_asks_who_it_is() {
    let origin = saying_much();
    let cors = format!("origins = [\"{APP}\"], headers = [\"content-type\"], credentials = true, max_age = \"10m\"");
    let gateway = gateway(&origin, &cors);
    let response = preflight(&gateway, APP, "PUT", "content-type");
    assert_eq!((response.status, response.body.len()), (204, 0));
    for (name, value) in [
        ("access-control-allow-origin", APP),
        ("access-control-allow-methods", "PUT, DELETE"),
        ("access-control-allow-headers", "content-type"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "600"),
        (
            "vary",
            "origin, access-control-request-method, access-control-request-headers",
        ),
    ] {
        assert_eq!(values(&response, name), [value], "{name}");
    }
    assert_eq!(
        values(&preflight(&gateway, APP, "GET", ""), "access-control-allow-methods"),
        ["GET"]
    );
    assert_eq!(origin.hits(), 0);
    for record in gateway.wait_for_records(2) {
        assert_eq!(
            (&record["outcome"], &record["answered_by"], &record["status"]),
            (&"answered".into(), &"cors".into(), &204.into()),
            "nothing was refused: {record}"
        );
    }
}

#[test]
fn c32_another_origin_learns_nothing() {
    let origin = saying_much();
    let gateway = gateway(&origin, "origins = [\"https://*.example.com\"]");
    for other in [
        "https://evil.test",
        "https://example.com",
        "https://app.example.com.evil.test",
        "null",
    ] {
        let response = preflight(&gateway, other, "PUT", "");
        assert_eq!(
            (response.status, values(&response, "access-control-allow-origin").len()),
            (204, 0),
            "{other}"
        );
        let read = http(gateway.addr("public"), "GET", "/items", &[("origin", other)], b"");
        assert_eq!(
            (read.status, values(&read, "access-control-allow-origin").len()),
            (200, 0),
            "{other}"
        );
        assert_eq!(values(&read, "vary"), ["accept", "origin"]);
    }
    let twice = [("origin", APP), ("origin", "https://evil.test")];
    let read = http(gateway.addr("public"), "GET", "/items", &twice, b"");
    assert_eq!(values(&read, "access-control-allow-origin").len(), 0);
}

#[test]
fn what_the_upstream_says_of_origins_is_not_passed_on_and_errors_can_be_read() {
    let origin = saying_much();
    let gateway = gateway(
        &origin,
        &format!("origins = [\"{APP}\"], expose = [\"ETag\", \"x-request-id\"]"),
    );
    let read = http(gateway.addr("public"), "GET", "/items", &[("origin", APP)], b"");
    assert_eq!(values(&read, "access-control-allow-origin"), [APP]);
    assert_eq!(values(&read, "access-control-allow-credentials"), [""; 0]);
    assert_eq!(values(&read, "access-control-expose-headers"), ["etag, x-request-id"]);
    let refused = http(gateway.addr("public"), "PUT", "/items", &[("origin", APP)], b"");
    assert_eq!((refused.status, refused.error()), (401, Some("UNAUTHORIZED")));
    assert_eq!(values(&refused, "access-control-allow-origin"), [APP]);
}

#[test]
fn c32_where_all_origins_may_read_the_answer_is_the_same_for_all() {
    let origin = saying_much();
    let gateway = gateway(&origin, "origins = [\"*\"], headers = [\"*\"]");
    let response = preflight(&gateway, "https://any.test", "DELETE", "x-one, x-two");
    assert_eq!(values(&response, "access-control-allow-origin"), ["*"]);
    assert_eq!(values(&response, "access-control-allow-headers"), ["x-one, x-two"]);
    let read = http(gateway.addr("public"), "GET", "/items", &[("origin", "null")], b"");
    assert_eq!(
        (values(&read, "access-control-allow-origin"), values(&read, "vary")),
        (vec!["*"], vec!["accept"])
    );
}

#[test]
fn options_that_are_no_preflight_are_a_method_like_any_other() {
    let origin = saying_much();
    let gateway = gateway(&origin, "origins = [\"*\"]");
    for fields in [&[][..], &[("origin", APP)], &[("access-control-request-method", "PUT")]] {
        let response = http(gateway.addr("public"), "OPTIONS", "/items", fields, b"");
        assert_eq!((response.status, response.error()), (405, Some("METHOD_NOT_ALLOWED")));
    }
    // Routes without the stage, methods that no route has, and what is no method.
    for method in ["PATCH", "POST", "a b"] {
        assert_eq!(preflight(&gateway, APP, method, "").status, 405, "{method}");
    }
}

/// Routes for `/NAME`, in this order, the chain, and what more they have.
fn routes(origin: &Origin, routes: &[(&str, &str, &str)]) -> TestGateway {
    let routes: Vec<_> = routes
        .iter()
        .enumerate()
        .map(|(index, (path, chain, more))| {
            format!(
                "[[route]]\nname = \"r{index}\"\npath = \"{path}\"\nchain = [{chain}]\n{more}\nintegration = {{ http = \"app\" }}\n"
            )
        })
        .collect();
    TestGateway::start(&routed(&origin.url(), &routes.concat()))
}

fn ask(gateway: &TestGateway, path: &str, method: &str, headers: &str) -> RawResponse {
    let mut fields = vec![
        ("origin", APP),
        ("access-control-request-method", method),
        ("accept", "*/*"),
    ];
    if !headers.is_empty() {
        fields.push(("access-control-request-headers", headers));
    }
    http(gateway.addr("public"), "OPTIONS", path, &fields, b"")
}

#[test]
fn a_preflight_belongs_to_the_route_of_the_request_that_it_asks_about() {
    let origin = saying_much();
    let cors = "{ use = \"cors\", origins = [\"https://app.example.com\"], headers = [\"x-version\"] }";
    let all = "{ use = \"cors\", origins = [\"*\"] }";
    let gateway = routes(
        &origin,
        &[
            ("/items", cors, "methods = [\"GET\"]"),
            ("/shared", "", ""),
            ("/shared", cors, "methods = [\"PUT\"]"),
            ("/versions", cors, "headers = { x-version = \"2\" }"),
            ("/versions", "", ""),
            ("/typed", cors, "headers = { accept = \"application/vnd.two+json\" }"),
            ("/typed", "", ""),
            ("/own", "", "methods = [\"OPTIONS\"]"),
            ("/own", cors, "methods = [\"GET\"]"),
            ("/closed", "", "methods = [\"PUT\"]"),
            ("/under/{rest+}", all, ""),
            ("/under/closed", "", "methods = [\"PUT\"]"),
            ("/{rest+}", "", ""),
        ],
    );
    let answered = |path: &str, method: &str, headers: &str| {
        let hits = origin.hits();
        let response = ask(&gateway, path, method, headers);
        assert_eq!(
            (response.status, origin.hits()),
            (204, hits),
            "{method} {path} {headers}"
        );
        assert_eq!(values(&response, "access-control-allow-origin"), [APP], "{path}");
    };
    // Beside a route for everything, a sibling for other methods, and a route for `OPTIONS`.
    answered("/items", "GET", "");
    answered("/items", "HEAD", "");
    answered("/shared", "PUT", "");
    answered("/own", "GET", "");
    // A preflight names the fields of the request and has no values.
    answered("/versions", "GET", "x-other, X-Version");
    answered("/typed", "GET", "");
    let passed_on = |path: &str, method: &str, headers: &str| {
        let hits = origin.hits();
        let response = ask(&gateway, path, method, headers);
        assert_eq!(
            (response.status, origin.hits()),
            (200, hits + 1),
            "{method} {path} {headers}"
        );
    };
    passed_on("/versions", "GET", "x-other");
    passed_on("/shared", "GET", "");
    passed_on("/items", "PUT", "");
    passed_on("/closed", "PUT", "");
    // No route says yes to what another one gets.
    let hits = origin.hits();
    let closed = ask(&gateway, "/under/closed", "PUT", "");
    assert_eq!((closed.status, origin.hits()), (405, hits));
    assert_eq!(values(&closed, "access-control-allow-origin"), [""; 0]);
    assert_eq!(
        values(
            &ask(&gateway, "/under/closed", "GET", ""),
            "access-control-allow-origin"
        ),
        ["*"]
    );
}

#[test]
fn answers_before_the_chain_can_be_read_where_the_route_says_so() {
    let origin = saying_much();
    let cors = "{ use = \"cors\", origins = [\"https://app.example.com\"], expose = [\"x-request-id\"] }";
    let gateway = routes(
        &origin,
        &[
            ("/items", cors, "methods = [\"POST\"]\nbody = \"10B\""),
            ("/versions", cors, "headers = { x-version = \"2\" }"),
            ("/plain", "", "methods = [\"GET\"]"),
        ],
    );
    let refused = |method: &str, path: &str, status: u16, readable: bool| {
        let fields = [("origin", APP)];
        let response = http(gateway.addr("public"), method, path, &fields, b"more than ten bytes");
        assert_eq!(response.status, status, "{method} {path}");
        let allowed: &[&str] = if readable { &[APP] } else { &[] };
        assert_eq!(
            values(&response, "access-control-allow-origin"),
            allowed,
            "{method} {path}"
        );
        assert_eq!(
            values(&response, "vary").contains(&"origin"),
            readable,
            "{method} {path}"
        );
        let exposed: &[&str] = if readable { &["x-request-id"] } else { &[] };
        assert_eq!(values(&response, "access-control-expose-headers"), exposed);
        let fields = [("origin", "https://evil.test")];
        let other = http(gateway.addr("public"), method, path, &fields, b"more than ten bytes");
        assert_eq!(
            values(&other, "access-control-allow-origin"),
            [""; 0],
            "{method} {path}"
        );
    };
    refused("POST", "/items", 413, true);
    refused("GET", "/items", 405, true);
    refused("GET", "/versions", 404, true);
    refused("PUT", "/plain", 405, false);
    refused("GET", "/nothing", 404, false);
    assert_eq!(origin.hits(), 0);
}
