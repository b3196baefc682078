//! Tables: routes, requests, and the route that serves each.

use gatewright_config::gateway::{PathSegment, PathTemplate};

use super::{found, route};

fn check(routes: &[&str], cases: &[(&str, &str)]) {
    let routes: Vec<_> = routes.iter().map(|text| route(text)).collect();
    for (request, expected) in cases {
        assert_eq!(found(&routes, request), *expected, "{request}");
    }
}

#[test]
fn static_comes_before_parameter_before_greedy() {
    check(
        &[
            "* /{rest+}",
            "* /users/{rest+}",
            "* /users/{id}",
            "* /users/me",
            "* /{kind}/me",
            "* /users/{id}/{rest+}",
        ],
        &[
            ("GET h/users/me", "* /users/me"),
            ("GET h/users/7", "* /users/{id} id=7"),
            ("GET h/teams/me", "* /{kind}/me kind=teams"),
            ("GET h/users/7/a", "* /users/{id}/{rest+} id=7 rest=a"),
            ("GET h/users/7/a/b/", "* /users/{id}/{rest+} id=7 rest=a/b/"),
            ("GET h/users/7/", "* /users/{rest+} rest=7/"),
            ("GET h/users/", "* /{rest+} rest=users/"),
            ("GET h/users", "* /{rest+} rest=users"),
            ("GET h/", "404"),
        ],
    );
}

#[test]
fn a_whole_template_comes_before_a_greedy_one_that_begins_better() {
    check(
        &["* /a/{rest+}", "* /{x}/b", "* /{x}/c/{rest+}"],
        &[
            ("GET h/a/b", "* /{x}/b x=a"),
            ("GET h/a/c/d", "* /a/{rest+} rest=c/d"),
            ("GET h/z/c/d", "* /{x}/c/{rest+} x=z rest=d"),
        ],
    );
}

#[test]
fn a_rest_of_zero_or_more_serves_the_prefix_itself_and_everything_under_it() {
    check(
        &[
            "* /api/{rest*}",
            "* /api/v1",
            "* /api/{x}/{rest+}",
            "* /{a}/b/{more*}",
            "GET /{all*}",
        ],
        &[
            ("GET h/api", "* /api/{rest*} rest="),
            ("GET h/api/", "* /api/{rest*} rest="),
            ("GET h/api/v2", "* /api/{rest*} rest=v2"),
            ("GET h/api/v2/", "* /api/{rest*} rest=v2/"),
            ("GET h/api/v1", "* /api/v1"),
            ("GET h/api/v1/x/y", "* /api/{x}/{rest+} x=v1 rest=x/y"),
            ("GET h/apis", "GET /{all*} all=apis"),
            ("GET h/z/b", "* /{a}/b/{more*} a=z more="),
            ("GET h/z/b/c", "* /{a}/b/{more*} a=z more=c"),
            ("GET h/", "GET /{all*} all="),
            ("POST h/", "405 GET, HEAD"),
        ],
    );
    check(
        &["* /a/{one+}", "* /a/{zero*}"],
        &[
            ("GET h/a", "* /a/{zero*} zero="),
            ("GET h/a/", "* /a/{zero*} zero="),
            ("GET h/a/b", "* /a/{one+} one=b"),
        ],
    );
}

#[test]
fn parameters_of_other_names_share_a_place() {
    check(
        &["* /users/{id}/a", "* /users/{name}/b", "* /{a}/{b}/{c}/{d}/{e}"],
        &[
            ("GET h/users/1/a", "* /users/{id}/a id=1"),
            ("GET h/users/1/b", "* /users/{name}/b name=1"),
            ("GET h/users/1/c", "404"),
            ("GET h/1/2/3/4/5%20", "* /{a}/{b}/{c}/{d}/{e} a=1 b=2 c=3 d=4 e=5%20"),
        ],
    );
}

#[test]
fn a_trailing_slash_is_significant() {
    check(
        &["* /a", "* /b/", "* /c/{x}/", "* /"],
        &[
            ("GET h/a", "* /a"),
            ("GET h/a/", "404"),
            ("GET h/b/", "* /b/"),
            ("GET h/b", "404"),
            ("GET h/c/1/", "* /c/{x}/ x=1"),
            ("GET h/c/1", "404"),
            ("GET h/", "* /"),
        ],
    );
}

#[test]
fn braces_in_a_static_segment_are_no_parameter() {
    let mut routes = [route("* /x"), route("* /{p}")];
    routes[0].path = PathTemplate(vec![PathSegment::Static("{p}".to_owned())]);
    assert_eq!(found(&routes, "GET h/%7Bp%7D"), "* /x");
    assert_eq!(found(&routes, "GET h/x"), "* /{p} p=x");
}

#[test]
fn a_better_path_comes_before_predicates_and_method() {
    check(
        &[
            "* /a/b",
            "GET /a/{x}?v=1\nx-canary",
            "GET /a/{x}",
            "* /a/{x}\nx-canary",
            "* /a/{x}",
        ],
        &[
            ("GET h/a/b?v=1\nx-canary: 1", "* /a/b"),
            ("GET h/a/c?v=1\nx-canary: 1", "GET /a/{x}?v=1\nx-canary x=c"),
            ("GET h/a/c\nx-canary: 1", "* /a/{x}\nx-canary x=c"),
            ("GET h/a/c?v=1", "GET /a/{x} x=c"),
            ("PUT h/a/c", "* /a/{x} x=c"),
        ],
    );
}

#[test]
fn a_route_whose_method_or_predicate_fails_falls_through() {
    check(
        &[
            "POST /a/b",
            "GET /a/{x}\ntenant: one",
            "GET /a/{x}\ntenant: two",
            "DELETE /{rest+}",
        ],
        &[
            ("GET h/a/b\ntenant: one", "GET /a/{x}\ntenant: one x=b"),
            ("GET h/a/b\ntenant: two", "GET /a/{x}\ntenant: two x=b"),
            ("GET h/a/b\ntenant: zero\ntenant: two", "GET /a/{x}\ntenant: two x=b"),
            ("DELETE h/a/b", "DELETE /{rest+} rest=a/b"),
            ("GET h/a/b", "405 DELETE, POST"),
            ("GET h/b", "405 DELETE"),
        ],
    );
}

#[test]
fn equal_routes_are_taken_in_the_order_of_the_file() {
    check(
        &["* /a?x", "* /a?y", "* /a\nx", "* /a"],
        &[
            ("GET h/a?y&x\nx: 1", "* /a?x"),
            ("GET h/a?y=\nx: 1", "* /a?y"),
            ("GET h/a?z\nx: 1", "* /a\nx"),
        ],
    );
}

#[test]
fn query_predicates_compare_decoded_and_any_occurrence() {
    check(
        &["* /?q=a b", "* /?caf\u{e9}", "* /?e="],
        &[
            ("GET h/?q=a+b", "* /?q=a b"),
            ("GET h/?q=a%20b", "* /?q=a b"),
            ("GET h/?%71=x&q=a%20%62", "* /?q=a b"),
            ("GET h/?q=a%2Bb", "404"),
            ("GET h/?q=A+b", "404"),
            ("GET h/?caf%c3%a9=1", "* /?caf\u{e9}"),
            ("GET h/?&&e", "* /?e="),
            ("GET h/?e=1", "404"),
            ("GET h/?", "404"),
            ("GET h/", "404"),
        ],
    );
}

#[test]
fn a_more_specific_host_comes_first_and_falls_through() {
    check(
        &[
            "* a.example.com/x",
            "* *.example.com/{p}",
            "* *.b.example.com/x",
            "* /{rest+}",
            "GET,PUT a.example.com/m",
            "* [2001:DB8:0:0::1],[2001:db8::1]/m",
        ],
        &[
            ("GET a.example.com/x", "* a.example.com/x"),
            ("GET a.example.com/y", "* *.example.com/{p} p=y"),
            ("GET a.example.com/y/z", "* /{rest+} rest=y/z"),
            ("GET c.b.example.com/x", "* *.b.example.com/x"),
            ("GET c.b.example.com/y", "* *.example.com/{p} p=y"),
            ("GET b.example.com/x", "* *.example.com/{p} p=x"),
            ("GET example.com/x", "* /{rest+} rest=x"),
            ("GET xexample.com/x", "* /{rest+} rest=x"),
            ("POST a.example.com/m", "* *.example.com/{p} p=m"),
            ("GET [::1]/x", "* /{rest+} rest=x"),
            ("GET [2001:db8::1]/m", "* [2001:DB8:0:0::1],[2001:db8::1]/m"),
        ],
    );
}

#[test]
fn allow_lists_the_methods_of_the_most_specific_host_with_the_path() {
    check(
        &["PUT,GET h/x", "POST h/{p}", "DELETE /x", "PATCH /x?v=2"],
        &[
            ("OPTIONS h/x", "405 GET, HEAD, POST, PUT"),
            ("OPTIONS h/y", "405 POST"),
            ("OPTIONS other/x", "405 DELETE"),
            ("OPTIONS other/x?v=2", "405 DELETE, PATCH"),
            ("DELETE h/x", "DELETE /x"),
            ("OPTIONS h/x/y", "404"),
            ("GET other/y", "404"),
        ],
    );
}

#[test]
fn head_is_served_by_a_get_route() {
    check(
        &[
            "GET /a",
            "GET /b",
            "* /b",
            "GET /c",
            "HEAD /c",
            "GET /d/e",
            "* /{rest+}",
        ],
        &[
            ("HEAD h/a", "GET /a"),
            ("HEAD h/b", "* /b"),
            ("HEAD h/c", "HEAD /c"),
            ("HEAD h/d/e", "GET /d/e"),
            ("OPTIONS h/a", "* /{rest+} rest=a"),
        ],
    );
}
