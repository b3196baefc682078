//! The `rewrite` stage end to end: the upstream and later stages see one path, and it is in normal form.

use gatewright_tests::{Origin, RawResponse, TestGateway, http};

use crate::setup::routed;

fn gateway(origin: &Origin, path: &str, rewrite: &str) -> TestGateway {
    TestGateway::start(&routed(
        &origin.url(),
        &format!(
            "[[route]]\nname = \"it\"\npath = \"{path}\"\nchain = [{{ use = \"rewrite\", {rewrite} }}]\n\
             integration = {{ http = \"app\" }}\n"
        ),
    ))
}

fn get(gateway: &TestGateway, target: &str) -> RawResponse {
    http(gateway.addr("public"), "GET", target, &[], b"")
}

/// What the origin is asked for.
fn targets(path: &str, rewrite: &str, asked: &[&str]) -> Vec<String> {
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, path, rewrite);
    for target in asked {
        assert_eq!(get(&gateway, target).status, 200, "{target}");
    }
    origin.requests().into_iter().map(|request| request.target).collect()
}

#[test]
fn a_prefix_is_whole_segments_and_is_taken_off_where_it_is_there() {
    let asked = ["/api/users?a=1", "/api", "/api/", "/apiary/users", "/%61pi/b"];
    assert_eq!(
        targets("/{rest+}", "strip_prefix = \"/api\"", &asked),
        ["/users?a=1", "/", "/", "/apiary/users", "/b"]
    );
    assert_eq!(
        targets(
            "/{rest+}",
            "strip_prefix = \"/api/\", add_prefix = \"/v2\"",
            &["/api/users", "/api", "/b"]
        ),
        ["/v2/users", "/v2", "/v2/b"]
    );
}

#[test]
fn a_path_is_made_of_parameters_and_cannot_leave_its_place() {
    assert_eq!(
        targets("/{a}/{rest+}", "path = \"/x/{rest}/{a}\"", &["/1/b/c%20d?q=1"]),
        ["/x/b/c%20d/1?q=1"]
    );
    assert_eq!(
        targets("/{a}", "path = \"/x/{a}{a}\"", &["/%3Fb", "/a%20", "/..a"]),
        ["/x/%3Fb%3Fb", "/x/a%20a%20", "/x/..a..a"]
    );
}

#[test]
fn parameters_of_the_query_are_removed_renamed_set_and_appended() {
    let edits = "query = { remove = [\"debug\"], rename = { q = \"the query\" }, set = { user = \"{path.id}\" }, append = { tag = \"a&b\" } }";
    assert_eq!(
        targets(
            "/{id}",
            edits,
            &[
                "/7?debug&q=a%2Bb&x=1&q=2&user=evil&%64ebug=1",
                "/caf%C3%A9",
                "/a?u%73er=2"
            ]
        ),
        [
            "/7?the%20query=a%2Bb&x=1&the%20query=2&user=7&tag=a%26b",
            "/caf%C3%A9?user=caf%C3%A9&tag=a%26b",
            "/a?user=a&tag=a%26b",
        ]
    );
    let without = "query = { remove = [\"a\"], set = { user = \"{auth.principal}\" } }";
    assert_eq!(targets("/{id}", without, &["/7?a=1&user=evil", "/7?a"]), ["/7", "/7"]);
}

#[test]
fn later_stages_see_the_new_path_and_the_route_keeps_its_parameters() {
    let origin = Origin::saying("ok");
    let gateway = TestGateway::start(&routed(
        &origin.url(),
        r#"
        [[route]]
        name = "it"
        path = "/api/{id}"
        chain = [
            { use = "rewrite", strip_prefix = "/api" },
            { use = "waf", mode = "detect", exclude = [{ rule = "xss", path = "/api" }] },
            { use = "headers", request = { set = { x-id = "{path.id}" } } },
        ]
        integration = { http = "app" }
        "#,
    ));
    assert_eq!(get(&gateway, "/api/7?q=%3Cscript%3E").status, 200);
    let request = origin.only_request();
    assert_eq!(
        (request.target.as_str(), &request.headers["x-id"]),
        ("/7?q=%3Cscript%3E", &"7".parse().unwrap())
    );
    let record = gateway.wait_for_records(1).remove(0);
    assert_eq!(
        (&record["path"], &record["waf"]),
        (&"/api/7".into(), &"xss at query:q".into())
    );
}

#[test]
fn one_route_serves_a_prefix_and_everything_under_it_and_adds_no_slash() {
    let asked = ["/api", "/api/", "/api/a/b/?q=1"];
    assert_eq!(
        targets("/api/{rest*}", "path = \"/v2/{rest}\"", &asked),
        ["/v2", "/v2/", "/v2/a/b/?q=1"]
    );
    assert_eq!(
        targets("/api/{rest*}", "path = \"/{rest}/x\"", &asked),
        ["/x", "/x", "/a/b/x?q=1"]
    );
    assert_eq!(targets("/{rest*}", "path = \"/{rest}\"", &["/", "/a"]), ["/", "/a"]);
    assert_eq!(
        targets("/{id}/{rest*}", "path = \"/{rest}/{id}\"", &["/7", "/7/", "/7/a"]),
        ["/7", "/7", "/a/7"]
    );
    let origin = Origin::saying("ok");
    let gateway = gateway(&origin, "/api/{rest*}", "strip_prefix = \"/api\"");
    assert_eq!(get(&gateway, "/apis").status, 404);
}
