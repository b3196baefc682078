//! What the upstream sees: path, host, and header fields that only the gateway may set.

use gatewright_tests::{Origin, RawClient, Recorded, TestFiles, TestGateway, http};
use sha2::{Digest as _, Sha256};

use super::proxy_to;
use crate::setup::routed;

#[track_caller]
fn target(gateway: &TestGateway, origin: &Origin, path: &str) -> String {
    let before = origin.hits();
    let response = http(gateway.addr("public"), "GET", path, &[], b"");
    assert_eq!(response.status, 200, "{path}: {response:?}");
    origin.requests()[before].target.clone()
}

#[test]
fn a_base_path_comes_before_the_path() {
    let origin = Origin::saying("ok");
    let gateway = proxy_to(&[&format!("{}/base/v1", origin.url())], "", "");
    assert_eq!(target(&gateway, &origin, "/a/b?c=/d"), "/base/v1/a/b?c=/d");
    assert_eq!(target(&gateway, &origin, "/a/"), "/base/v1/a/");
}

#[test]
fn a_path_is_rewritten_with_what_the_route_captured() {
    let origin = Origin::saying("ok");
    let gateway = TestGateway::start(&routed(
        &format!("{}/base", origin.url()),
        r#"
        [[route]]
        name = "user"
        path = "/users/{id}"
        integration = { http = "app", path = "/v1/people/{id}/profile" }
        [[route]]
        name = "files"
        path = "/files/{rest+}"
        integration = { http = "app", path = "/store/{rest}" }
        "#,
    ));
    let target = |path: &str| target(&gateway, &origin, path);
    assert_eq!(target("/users/42"), "/base/v1/people/42/profile");
    assert_eq!(
        target("/users/42?full=1&x=%20"),
        "/base/v1/people/42/profile?full=1&x=%20"
    );
    assert_eq!(target("/files/a/b/c.txt"), "/base/store/a/b/c.txt");
    // What a client encodes stays encoded: it can add neither a query nor a segment.
    assert_eq!(target("/users/a%20b"), "/base/v1/people/a%20b/profile");
    assert_eq!(target("/users/42%3Fadmin=1"), "/base/v1/people/42%3Fadmin=1/profile");
    assert_eq!(target("/users/42%23"), "/base/v1/people/42%23/profile");
    assert_eq!(target("/users/%34%32"), "/base/v1/people/42/profile");
    assert_eq!(target("/files/x/../y"), "/base/store/y");
}

#[test]
fn no_request_leaves_what_the_rewritten_path_begins_with() {
    let origin = Origin::saying("ok");
    let gateway = proxy_to(&[&format!("{}/base", origin.url())], "", "");
    for path in [
        "/../admin",
        "/%2e%2e/admin",
        "/a/../../admin",
        "/..%2fadmin",
        "/.%2e/admin",
        "/a/..;/../admin",
        "/..\\admin",
    ] {
        let before = origin.hits();
        let response = http(gateway.addr("public"), "GET", path, &[], b"");
        match response.status {
            200 => {
                let target = origin.requests()[before].target.clone();
                assert!(
                    target.starts_with("/base/") && !target.contains(".."),
                    "{path} became {target}"
                );
            }
            status => assert_eq!((status, origin.hits()), (400, before), "{path}"),
        }
    }
}

/// A gateway with two routes that tell the upstream who asks: `/open` lets everybody in, `/closed` asks for a key.
fn vouching(origin: &Origin) -> TestGateway {
    let digest: String = Sha256::digest("the-key")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    TestFiles::default()
        .with(
            "keys.toml",
            format!("[[key]]\nname = \"alice\"\nsha256 = \"{digest}\"\n"),
        )
        .start(&routed(
            &origin.url(),
            r#"
        [[route]]
        name = "closed"
        path = "/closed/{id}"
        chain = [{ use = "api-key", keys = "keys.toml", header = "x-api-key" }]
        [route.integration]
        http = "app"
        headers = { x-principal = "{auth.principal}", x-user = "user-{path.id}" }
        [[route]]
        name = "open"
        path = "/open/{id}"
        [route.integration]
        http = "app"
        headers = { x-principal = "{auth.principal}", x-user = "user-{path.id}", x-tenant = "fixed" }
        "#,
        ))
}

fn ask(gateway: &TestGateway, origin: &Origin, path: &str, headers: &[(&str, &str)]) -> Recorded {
    let response = RawClient::connect(gateway.addr("public")).request("GET", path, headers, b"");
    assert_eq!(response.status, 200, "{response:?}");
    origin.requests().pop().unwrap()
}

#[test]
fn header_templates_say_who_asks_and_for_what() {
    let origin = Origin::saying("ok");
    let gateway = vouching(&origin);
    let request = ask(&gateway, &origin, "/closed/42", &[("x-api-key", "the-key")]);
    assert_eq!(
        (&request.headers["x-principal"], &request.headers["x-user"]),
        (&"alice".parse().unwrap(), &"user-42".parse().unwrap())
    );
}

#[test]
fn c6_no_client_can_forge_what_the_gateway_vouches_for() {
    let origin = Origin::saying("ok");
    let gateway = vouching(&origin);
    // Without a principal there is no field, whatever the client sends.
    let forged = [
        ("x-principal", "root"),
        ("X-Principal", "admin"),
        ("x-user", "user-1"),
        ("X-Tenant", "other"),
    ];
    let request = ask(&gateway, &origin, "/open/42", &forged);
    assert_eq!(
        request.headers.get_all("x-tenant").iter().collect::<Vec<_>>(),
        ["fixed"]
    );
    assert!(!request.headers.contains_key("x-principal"), "{:?}", request.headers);
    assert_eq!(
        request.headers.get_all("x-user").iter().collect::<Vec<_>>(),
        ["user-42"]
    );
    // With one it is the only one, and cannot be taken away as a field of the connection.
    let forged = [
        ("x-api-key", "the-key"),
        ("x-principal", "root"),
        ("connection", "x-principal, x-user"),
    ];
    let request = ask(&gateway, &origin, "/closed/42", &forged);
    assert_eq!(
        request.headers.get_all("x-principal").iter().collect::<Vec<_>>(),
        ["alice"]
    );
    assert_eq!(
        request.headers.get_all("x-user").iter().collect::<Vec<_>>(),
        ["user-42"]
    );
    // Nor by a name that some servers take for the same.
    let response = http(
        gateway.addr("public"),
        "GET",
        "/open/42",
        &[("x_principal", "root")],
        b"",
    );
    assert_eq!(response.status, 400);
}

#[test]
fn no_parameter_can_add_a_field() {
    let origin = Origin::saying("ok");
    let gateway = vouching(&origin);
    for path in ["/open/a%0d%0aX-Evil:%201", "/open/a%0aX-Evil:%201", "/open/a%00b"] {
        let response = http(gateway.addr("public"), "GET", path, &[], b"");
        assert!(matches!(response.status, 200 | 400), "{response:?}");
    }
    assert!(
        origin
            .requests()
            .iter()
            .all(|request| !request.headers.contains_key("x-evil")),
        "{:?}",
        origin.requests()
    );
}

#[test]
fn the_upstream_is_told_what_the_request_came_through() {
    let origin = Origin::saying("ok");
    let gateway = vouching(&origin);
    let request = ask(
        &gateway,
        &origin,
        "/open/1",
        &[("via", "1.0 somebody"), ("x-forwarded-for", "203.0.113.9")],
    );
    assert_eq!(request.headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(request.headers["x-forwarded-proto"], "http");
    let via: Vec<&str> = request
        .headers
        .get_all("via")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert_eq!((via.len(), via[0]), (2, "1.0 somebody"));
    assert!(via[1].starts_with("1.1 gatewright-"), "{via:?}");
}
