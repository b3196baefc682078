//! The router end to end: which route answers, and what is said when none does.

use gatewright_tests::{RawClient, TestGateway, http};

use crate::setup::listening;

/// Each route answers with its own name.
fn gateway(routes: &[(&str, &str)]) -> TestGateway {
    let routes: String = routes
        .iter()
        .map(|(name, lines)| {
            format!("[[route]]\nname = \"{name}\"\n{lines}\nintegration = {{ respond = 200, body = \"{name}\" }}\n")
        })
        .collect();
    TestGateway::start(&listening(&routes))
}

fn answer(gateway: &TestGateway, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let response = http(gateway.addr("public"), method, path, headers, b"");
    if response.status == 200 {
        response.text()
    } else {
        response.status.to_string()
    }
}

#[test]
fn a_path_without_a_route_is_404() {
    let gateway = gateway(&[("x", "path = \"/x\"")]);
    let response = http(gateway.addr("public"), "GET", "/y", &[], b"");
    assert_eq!((response.status, response.error()), (404, Some("RESOURCE_NOT_FOUND")));
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.json()["message"], "Not Found");
    for path in ["/", "/x/", "/x/y", "/X"] {
        assert_eq!(answer(&gateway, "GET", path, &[]), "404", "{path}");
    }
    let records = gateway.wait_for_records(5);
    assert!(
        records
            .iter()
            .all(|record| record["route"].is_null() && record["outcome"] == "refused")
    );
}

#[test]
fn a_method_without_a_route_is_405_with_those_that_have_one() {
    let gateway = gateway(&[
        ("read", "path = \"/x\"\nmethods = [\"GET\"]"),
        ("write", "path = \"/x\"\nmethods = [\"PUT\", \"PATCH\"]"),
    ]);
    let response = http(gateway.addr("public"), "DELETE", "/x", &[], b"");
    assert_eq!((response.status, response.error()), (405, Some("METHOD_NOT_ALLOWED")));
    assert_eq!(response.header("allow"), Some("GET, HEAD, PATCH, PUT"));
    assert_eq!(answer(&gateway, "OPTIONS", "/x", &[]), "405");
    assert_eq!(answer(&gateway, "get", "/x", &[]), "405", "methods have a case");
    assert_eq!(answer(&gateway, "PATCH", "/x", &[]), "write");
    let mut client = RawClient::connect(gateway.addr("public"));
    assert_eq!(client.request("HEAD", "/x", &[], b"").status, 200);
}

#[test]
fn the_more_specific_route_wins_whatever_the_order() {
    let gateway = gateway(&[
        ("rest", "path = \"/{rest+}\""),
        ("under", "path = \"/users/{rest+}\""),
        ("id", "path = \"/users/{id}\""),
        ("me", "path = \"/users/me\""),
        ("posts", "path = \"/users/{id}/posts\""),
        ("id-put", "path = \"/users/{id}\"\nmethods = [\"PUT\"]"),
    ]);
    for (method, path, name) in [
        ("GET", "/users/me", "me"),
        ("GET", "/users/%6de", "me"),
        ("GET", "/users/7", "id"),
        ("PUT", "/users/7", "id-put"),
        ("GET", "/users/7/posts", "posts"),
        ("GET", "/users/7/photos", "under"),
        ("GET", "/other", "rest"),
        ("GET", "/users", "rest"),
    ] {
        assert_eq!(answer(&gateway, method, path, &[]), name, "{method} {path}");
    }
}

#[test]
fn hosts_headers_and_queries_choose_between_routes_of_one_path() {
    let gateway = gateway(&[
        ("any", "path = \"/x\""),
        ("host", "path = \"/x\"\nhosts = [\"api.example\"]"),
        ("wild", "path = \"/x\"\nhosts = [\"*.example\"]"),
        ("version", "path = \"/x\"\nheaders = { x-version = \"2\" }"),
        ("query", "path = \"/x\"\nquery = { preview = true }"),
        (
            "both",
            "path = \"/x\"\nheaders = { x-version = \"2\" }\nquery = { preview = true }",
        ),
    ]);
    let version = ("X-Version", "2");
    for (path, headers, name) in [
        ("/x", &[][..], "any"),
        ("/x", &[("Host", "api.example")], "host"),
        ("/x", &[("Host", "API.example:8080")], "host"),
        ("/x", &[("Host", "www.example")], "wild"),
        ("/x", &[version], "version"),
        ("/x", &[("X-Version", "3")], "any"),
        ("/x?preview=1", &[], "query"),
        ("/x?preview", &[], "query"),
        ("/x?previews=1", &[], "any"),
        ("/x?preview", &[version], "both"),
    ] {
        assert_eq!(answer(&gateway, "GET", path, headers), name, "{path} {headers:?}");
    }
}

#[test]
fn parameters_are_passed_on_in_the_form_that_was_matched() {
    let origin = gatewright_tests::Origin::saying("hello");
    let gateway = TestGateway::start(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [upstream.app]
        targets = [{{ url = "{}/base" }}]

        [[route]]
        name = "user"
        path = "/users/{{id}}/{{rest+}}"
        integration = {{ http = "app", path = "/v1/{{path.rest}}/of/{{path.id}}", headers = {{ x-id = "user-{{path.id}}" }} }}
        "#,
        origin.url()
    ));
    let addr = gateway.addr("public");
    assert_eq!(
        http(
            addr,
            "GET",
            "/users/a%2Db/c/d%20e?q=1&q=%2F",
            &[("X-Id", "forged")],
            b""
        )
        .status,
        200
    );
    assert_eq!(http(addr, "GET", "/users/./7/x/../y", &[], b"").status, 200);
    let requests = origin.requests();
    assert_eq!(requests[0].target, "/base/v1/c/d%20e/of/a-b?q=1&q=%2F");
    assert_eq!(
        requests[0].headers.get_all("x-id").iter().collect::<Vec<_>>(),
        ["user-a-b"]
    );
    assert_eq!(requests[1].target, "/base/v1/y/of/7");
}
