//! C7: a path has one form. The path that was checked is the path that the origin sees.

use gatewright_tests::{Origin, RawClient, TestGateway};

use crate::setup::routed;

/// `/admin` and what is under it is refused by a route of its own; everything else goes to the origin.
fn guarded() -> (TestGateway, Origin) {
    let origin = Origin::saying("hello");
    let gateway = TestGateway::start(&routed(
        &origin.url(),
        r#"
        [[route]]
        name = "admin"
        path = "/admin"
        integration = { respond = 403 }

        [[route]]
        name = "under-admin"
        path = "/admin/{rest+}"
        integration = { respond = 403 }

        [[route]]
        name = "root"
        path = "/"
        integration = { http = "app" }

        [[route]]
        name = "all"
        path = "/{rest+}"
        integration = { http = "app" }
        "#,
    ));
    (gateway, origin)
}

fn get(gateway: &TestGateway, target: &[u8]) -> u16 {
    let mut client = RawClient::connect(gateway.addr("public"));
    client.send([b"GET ", target, b" HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat());
    client.read_response().status
}

#[test]
fn c7_the_path_that_was_checked_is_the_path_that_the_origin_sees() {
    let (gateway, origin) = guarded();
    let cases = [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("//a///b", "/a/b"),
        ("/%61dmi", "/admi"),
        ("/a%2db", "/a-b"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a;v=1/b", "/a;v=1/b"),
        ("/a%20b", "/a%20b"),
        ("/a+b", "/a+b"),
        ("/100%25", "/100%25"),
        ("/a|b", "/a%7Cb"),
        ("/a?x=/../%2e%2e/&y=%2F&z=a+b", "/a?x=/../%2e%2e/&y=%2F&z=a+b"),
        ("/a?", "/a?"),
        ("http://localhost/a/../b?q", "/b?q"),
    ];
    for (raw, _) in cases {
        assert_eq!(get(&gateway, raw.as_bytes()), 200, "{raw}");
    }
    let seen: Vec<String> = origin.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(seen, cases.map(|(_, normal)| normal));
}

#[test]
fn c7_there_is_no_other_way_to_write_a_guarded_path() {
    let (gateway, origin) = guarded();
    for raw in [
        "/admin",
        "/admin/x",
        "/%61dmin",
        "/%61%64%6D%69%6e/x",
        "//admin/x",
        "/./admin/x",
        "/a/../admin/x",
        "/a/b/../../admin//x",
        "/a//../admin/x",
        "http://localhost/admin/x",
    ] {
        assert_eq!(get(&gateway, raw.as_bytes()), 403, "{raw}");
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn c7_a_path_that_servers_read_differently_is_400() {
    let (gateway, origin) = guarded();
    let cases: [&[u8]; 27] = [
        b"/a/%2e%2e/admin",
        b"/a/.%2E/admin",
        b"/a/..;/admin",
        b"/a/..;x=1/admin",
        b"/a%2fb",
        b"/..%2fadmin",
        b"/a%5cb",
        b"/a\\..\\admin",
        b"/..",
        b"/../admin",
        b"/a/../../admin",
        b"/%252e%252e/admin",
        b"/%2561dmin",
        b"/%252f",
        b"/%00",
        b"/a%00.png",
        b"/a%0d%0aX:1",
        b"/%7f",
        b"/%c0%af",
        b"/%c0%ae%c0%ae/admin",
        b"/%e0%80%af",
        b"/%ff",
        b"/%",
        b"/%2",
        b"/%zz",
        b"/%u002e%u002e/admin",
        b"/a#b",
    ];
    for raw in cases {
        assert_eq!(get(&gateway, raw), 400, "{}", String::from_utf8_lossy(raw));
    }
    for raw in [
        &b"/caf\xc3\xa9"[..],
        b"/caf\xe9",
        b"/\xef\xbc\x8f",
        b"/\x01",
        b"/\x7f",
        b"/a\tb",
    ] {
        assert_eq!(get(&gateway, raw), 400, "{}", String::from_utf8_lossy(raw));
    }
    assert_eq!(origin.connections(), 0);
}

/// Routes for `/admin` and what is under it, and one for a name with these keys.
fn with_encodings(origin: &Origin, path: &str, keys: &str) -> TestGateway {
    TestGateway::start(&routed(
        &origin.url(),
        &format!(
            r#"
            [[route]]
            name = "admin"
            path = "/admin/{{rest+}}"
            integration = {{ respond = 403 }}

            [[route]]
            name = "admin-itself"
            path = "/admin"
            integration = {{ respond = 403 }}

            [[route]]
            name = "named"
            path = "{path}"
            {keys}
            integration = {{ http = "app", headers = {{ x-id = "{{path.id}}" }} }}

            [[route]]
            name = "written"
            path = "/written/{{id}}"
            {keys}
            integration = {{ http = "app", path = "/v1/{{id}}" }}
            "#
        ),
    ))
}

/// What the origin sees of each request, or the status where it sees none.
fn seen(gateway: &TestGateway, origin: &Origin, target: &str) -> String {
    let hits = origin.hits();
    let status = get(gateway, target.as_bytes());
    match origin.hits() > hits {
        true => origin.requests().pop().unwrap().target,
        false => status.to_string(),
    }
}

#[test]
fn c7_a_route_says_whether_an_encoded_slash_is_refused_kept_or_decoded() {
    let origin = Origin::saying("hello");
    let slash = |value: &str| with_encodings(&origin, "/{id}", &format!("encoded_slash = \"{value}\""));
    let check = |gateway: &TestGateway, cases: &[(&str, &str)]| {
        for (target, expected) in cases {
            assert_eq!(seen(gateway, &origin, target), *expected, "{target}");
        }
    };
    check(
        &slash("refuse"),
        &[("/group%2Fproject", "400"), ("/written/a%2fb", "400"), ("/a", "/a")],
    );
    check(
        &slash("keep"),
        &[
            ("/group%2fproject?a=%2F", "/group%2Fproject?a=%2F"),
            ("/%40scope%2Fname", "/%40scope%2Fname"),
            ("/%2F", "/%2F"),
            ("/written/a%2Fb%20c", "/v1/a%2Fb%20c"),
            // What is for another route stays what it is, dot segments and all that decodes to something else are refused.
            ("/admin/x%2Fy", "400"),
            ("/admin%2Fx", "/admin%2Fx"),
            ("/a%2F..%2Fb", "400"),
            ("/..%2Fb", "400"),
            ("/a%2F%2e%2e", "400"),
            ("/a%2F..;x", "400"),
            ("/a%5Cb", "400"),
            ("/a%252Fb", "400"),
            ("/a%2F%00", "400"),
            ("/a%2Fb/c", "404"),
        ],
    );
    // A listener has both, and each route its own.
    check(
        &with_encodings(&origin, "/{id}/{rest*}", "encoded_slash = \"decode\""),
        &[
            ("/group%2Fproject", "/group/project"),
            ("/a%2F%2Fb%2fc", "/a/b/c"),
            ("/a%2Fb%2f..%2Fc", "400"),
            ("/a%2F..%2F..%2F..", "400"),
            // It would get around the route for what it decodes to.
            ("/admin%2Fx", "400"),
            ("/x%2F..%2Fadmin%2Fy", "400"),
            ("/a%252Fb", "400"),
        ],
    );
    // One that has no route as it was sent.
    check(
        &with_encodings(&origin, "/{id}/{other}", "encoded_slash = \"decode\""),
        &[("/a%2Fb", "/a/b"), ("/a%2Fb%2Fc", "404"), ("/admin", "403")],
    );
}

#[test]
fn c7_a_route_says_what_becomes_of_what_is_encoded_twice() {
    let origin = Origin::saying("hello");
    for (keys, cases) in [
        (
            "encoded_percent = \"keep\"",
            &[
                ("/a%2541", "/a%2541"),
                ("/%252e%252e", "/%252e%252e"),
                ("/a%252Fb", "/a%252Fb"),
                ("/written/100%2525", "/v1/100%2525"),
                ("/50%25", "/50%25"),
                ("/a%2Fb", "400"),
            ][..],
        ),
        (
            "encoded_percent = \"decode\"",
            &[
                ("/a%2541", "/aA"),
                ("/%252e%252e", "400"),
                ("/a%252Fb", "400"),
                ("/50%25", "/50%25"),
                ("/a%252541", "400"),
                ("/%2561dmin", "400"),
            ],
        ),
        (
            "encoded_percent = \"decode\"\nencoded_slash = \"keep\"",
            &[("/a%252Fb", "/a%2Fb"), ("/a%2Fb", "/a%2Fb")],
        ),
        (
            "encoded_percent = \"keep\"\nencoded_slash = \"keep\"",
            &[("/a%252Fb%2Fc", "/a%252Fb%2Fc")],
        ),
    ] {
        let gateway = with_encodings(&origin, "/{id}", keys);
        for (target, expected) in cases {
            assert_eq!(seen(&gateway, &origin, target), *expected, "{keys}: {target}");
        }
    }
}

#[test]
fn c7_characters_that_no_target_may_have_are_encoded_or_refused_as_the_page_says() {
    let origin = Origin::saying("hello");
    let gateway = with_encodings(&origin, "/{id}", "");
    for (target, expected) in [
        ("/a\"b", "/a%22b"),
        ("/a[b]^c|d{e}", "/a%5Bb%5D%5Ec%7Cd%7Be%7D"),
        ("/a?q=`[]^|{}'", "/a?q=`[]^|{}'"),
    ] {
        assert_eq!(seen(&gateway, &origin, target), expected, "{target}");
    }
    for target in ["/a<b", "/a>b", "/a`b", "/a?q=<", "/a?q=>", "/a?q=\"", "/a\u{e9}"] {
        let mut client = RawClient::connect(gateway.addr("public"));
        client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let refused = client.read_response();
        assert_eq!(
            (refused.status, refused.error()),
            (400, Some("BAD_REQUEST")),
            "{target}"
        );
        assert!(refused.header("x-request-id").is_some(), "{target}: {refused:?}");
        assert!(client.is_closed());
    }
}
