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
