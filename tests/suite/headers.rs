//! The `headers` stage end to end: what reaches the upstream, and what reaches the client.

use gatewright_tests::{Origin, RawResponse, TestGateway, full, http};
use http::Response;

fn gateway(origin: &Origin, stage: &str) -> TestGateway {
    TestGateway::start(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [upstream.app]
        targets = [{{ url = "{}" }}]

        [[route]]
        name = "tenant"
        path = "/{{tenant}}/items"
        chain = [{{ use = "headers", {stage} }}]
        integration = {{ http = "app" }}

        [[route]]
        name = "refused"
        path = "/{{tenant}}/refused"
        chain = [{{ use = "headers", {stage} }}, {{ use = "ip", deny = ["0.0.0.0/0", "::/0"] }}]
        integration = {{ respond = 200 }}
        "#,
        origin.url()
    ))
}

fn origin() -> Origin {
    Origin::start(|_| async {
        let response = Response::builder().header("server", "old/1.0").header("vary", "accept");
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

#[test]
fn a_request_reaches_the_upstream_with_its_fields_changed() {
    let origin = origin();
    let stage = r#"request = { remove = ["Cookie"], set = { X-Tenant = "t-{path.tenant}", x-fixed = "{{x}}" }, append = { accept = "text/plain" } }"#;
    let gateway = gateway(&origin, stage);
    let sent = [
        ("cookie", "a=1"),
        ("x-tenant", "forged"),
        ("x-tenant", "twice"),
        ("accept", "text/html"),
    ];
    assert_eq!(
        http(gateway.addr("public"), "GET", "/blue/items", &sent, b"").status,
        200
    );
    let request = origin.only_request();
    let got = |name: &str| {
        request
            .headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(got("cookie"), [""; 0]);
    assert_eq!(got("x-tenant"), ["t-blue"]);
    assert_eq!(got("x-fixed"), ["{x}"]);
    assert_eq!(got("accept"), ["text/html", "text/plain"]);
}

#[test]
fn a_value_that_is_not_there_takes_away_what_a_client_sent_in_its_place() {
    let origin = origin();
    let stage = r#"request = { set = { x-user = "{auth.principal}" }, append = { x-more = "{auth.principal}" } }"#;
    let gateway = gateway(&origin, stage);
    let sent = [("x-user", "admin"), ("x-more", "mine")];
    assert_eq!(
        http(gateway.addr("public"), "GET", "/blue/items", &sent, b"").status,
        200
    );
    let request = origin.only_request();
    assert_eq!(request.headers.get("x-user"), None);
    assert_eq!(request.headers.get("x-more").unwrap(), "mine");
}

#[test]
fn a_response_reaches_the_client_with_its_fields_changed_also_when_it_is_the_gateways() {
    let origin = origin();
    let stage =
        r#"response = { remove = ["server"], set = { x-frame-options = "DENY" }, append = { vary = "x-tenant" } }"#;
    let gateway = gateway(&origin, stage);
    let response = http(gateway.addr("public"), "GET", "/blue/items", &[], b"");
    assert_eq!(response.status, 200);
    assert_eq!(values(&response, "server"), [""; 0]);
    assert_eq!(values(&response, "x-frame-options"), ["DENY"]);
    assert_eq!(values(&response, "vary"), ["accept", "x-tenant"]);
    let refused = http(gateway.addr("public"), "GET", "/blue/refused", &[], b"");
    assert_eq!(
        (refused.status, values(&refused, "x-frame-options")),
        (403, vec!["DENY"])
    );
}
