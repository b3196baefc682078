//! C31: who the client is, as far as it can be believed, and requests that go in a circle.

use gatewright_tests::{H2Client, Origin, RawClient, TestGateway, http};
use http::Request;

use crate::setup::{hello, hello_with, listening, passing_with};

const FORGED: [(&str, &str); 11] = [
    ("X-Forwarded-For", "203.0.113.9"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("Forwarded", "for=203.0.113.9;proto=https;host=evil.example"),
    ("X-Forwarded-For", "203.0.113.10"),
    ("X-Forwarded-Port", "443"),
    ("X-Forwarded-Prefix", "/admin"),
    ("X-Forwarded-Ssl", "on"),
    ("X-Real-IP", "203.0.113.9"),
    ("Front-End-Https", "on"),
    ("X-Url-Scheme", "https"),
];

#[test]
fn c31_what_a_stranger_says_of_its_way_is_replaced() {
    let (gateway, origin) = hello();
    let fields = [&FORGED[..], &[("Host", "api.example")]].concat();
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &fields, b"").status, 200);
    let headers = origin.only_request().headers;
    let addresses: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    assert_eq!(addresses, ["127.0.0.1"]);
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-forwarded-host"], "api.example");
    let gone = ["forwarded", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-ssl"];
    for name in gone.into_iter().chain(["x-real-ip", "front-end-https", "x-url-scheme"]) {
        assert!(!headers.contains_key(name), "{name}: {headers:?}");
    }
    assert_eq!(gateway.wait_for_records(1)[0]["client"], "127.0.0.1");
}

#[test]
fn c31_a_trusted_proxy_is_believed_and_added_to() {
    let (gateway, origin) = hello_with("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]");
    let fields = [
        ("X-Forwarded-For", "198.51.100.1, 203.0.113.9"),
        ("X-Forwarded-For", "10.1.2.3"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "api.example"),
    ];
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &fields, b"").status, 200);
    let headers = origin.only_request().headers;
    assert_eq!(
        headers["x-forwarded-for"],
        "198.51.100.1, 203.0.113.9, 10.1.2.3, 127.0.0.1"
    );
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(headers["x-forwarded-host"], "api.example");
    // The nearest that is not a trusted proxy; what that one said about others proves nothing.
    assert_eq!(gateway.wait_for_records(1)[0]["client"], "203.0.113.9");
}

/// A gateway behind a proxy on this machine, with one route for each thing that asks who sent a request, and how.
fn behind_a_proxy(origin: &Origin, listener: &str) -> TestGateway {
    TestGateway::start(&listening(&format!(
        r#"
        trusted_proxies = ["127.0.0.0/8", "10.0.0.0/8"]
        {listener}

        [upstream.app]
        targets = [{{ url = "{url}" }}]

        [[route]]
        name = "allowed"
        path = "/allowed"
        chain = [{{ use = "ip", allow = ["127.0.0.0/8", "10.0.0.0/8", "198.51.100.0/24", "2001:db8::/32"] }}]
        integration = {{ respond = 200 }}

        [[route]]
        name = "not-denied"
        path = "/not-denied"
        chain = [{{ use = "ip", deny = ["203.0.113.0/24"] }}]
        integration = {{ respond = 200 }}

        [[route]]
        name = "policy"
        path = "/policy/{{what}}"
        chain = [{{ use = "policy", statements = [
            {{ effect = "allow", paths = ["*/not-inside"], conditions = {{ NotIpAddress = {{ "aws:SourceIp" = ["10.0.0.0/8"] }} }} }},
            {{ effect = "allow", paths = ["*/not-denied"] }},
            {{ effect = "deny", paths = ["*/not-denied"], conditions = {{ IpAddress = {{ "aws:SourceIp" = ["203.0.113.0/24"] }} }} }},
            {{ effect = "allow", paths = ["*/secure"], conditions = {{ Bool = {{ "aws:SecureTransport" = ["true"] }} }} }},
        ] }}]
        integration = {{ respond = 200 }}

        [[route]]
        name = "secure"
        path = "/secure"
        chain = [{{ use = "redirect", scheme = "https" }}]
        integration = {{ respond = 200 }}

        [[route]]
        name = "by-host"
        path = "/host"
        hosts = ["api.example"]
        integration = {{ respond = 204 }}

        [[route]]
        name = "asked"
        path = "/asked"
        chain = [{{ use = "forward-auth", upstream = "app" }}]
        integration = {{ http = "app", preserve_host = true }}

        [[route]]
        name = "counted"
        path = "/counted"
        chain = [{{ use = "throttle", rate = "1/h", burst = 2, by = "client" }}]
        integration = {{ respond = 200 }}
        "#,
        url = origin.url()
    )))
}

fn status(gateway: &TestGateway, path: &str, fields: &[(&str, &str)]) -> u16 {
    http(gateway.addr("public"), "GET", path, fields, b"").status
}

#[test]
fn an_address_with_port_or_brackets_is_the_clients_and_never_the_proxys() {
    let gateway = behind_a_proxy(&Origin::saying("hello"), "");
    for (said, passes) in [
        ("198.51.100.7:49152", true),
        ("[2001:db8::7]:51008", true),
        ("[2001:db8::7]", true),
        ("203.0.113.7:49152", false),
        ("[2001:db9::7]:51008", false),
        ("[2001:db9::7]", false),
    ] {
        let expected = if passes { 200 } else { 403 };
        assert_eq!(
            status(&gateway, "/allowed", &[("X-Forwarded-For", said)]),
            expected,
            "{said}"
        );
        let quoted = format!("for=\"{said}\"");
        assert_eq!(
            status(&gateway, "/allowed", &[("Forwarded", &quoted)]),
            expected,
            "{quoted}"
        );
    }
}

#[test]
fn a_client_that_cannot_be_read_is_in_no_list_of_the_allowed_and_in_each_of_the_denied() {
    let gateway = behind_a_proxy(&Origin::saying("hello"), "");
    for field in [
        ("X-Forwarded-For", "unknown"),
        ("X-Forwarded-For", ""),
        ("X-Forwarded-For", "198.51.100.7, a.example"),
        ("X-Forwarded-For", "198.51.100.7, _hidden, 10.0.0.2"),
        ("Forwarded", "for=_hidden"),
        ("Forwarded", "for=\"198.51.100.7"),
    ] {
        for path in ["/allowed", "/not-denied", "/policy/not-inside", "/policy/not-denied"] {
            assert_eq!(status(&gateway, path, &[field]), 403, "{path} {field:?}");
        }
    }
    let known = [("X-Forwarded-For", "198.51.100.7")];
    for path in ["/allowed", "/not-denied", "/policy/not-inside", "/policy/not-denied"] {
        assert_eq!(status(&gateway, path, &known), 200, "{path}");
    }
    assert_eq!(gateway.wait_for_records(1)[0]["client"], "unknown");
}

#[test]
fn clients_that_cannot_be_read_share_one_bucket() {
    let gateway = behind_a_proxy(&Origin::saying("hello"), "");
    let counted = |said| status(&gateway, "/counted", &[("X-Forwarded-For", said)]);
    assert_eq!(
        [counted("unknown"), counted("_a"), counted("_b"), counted("x:y")],
        [200, 200, 429, 429]
    );
    assert_eq!(counted("198.51.100.7"), 200);
}

#[test]
fn an_ipv6_client_is_counted_by_its_network_and_a_mapped_one_as_ipv4() {
    let gateway = behind_a_proxy(&Origin::saying("hello"), "");
    let counted = |said| status(&gateway, "/counted", &[("X-Forwarded-For", said)]);
    let one_network = [
        counted("2001:db8:0:1::1"),
        counted("[2001:db8:0:1:ffff::2]:1"),
        counted("2001:db8:0:1::3"),
    ];
    assert_eq!(one_network, [200, 200, 429]);
    assert_eq!(counted("2001:db8:0:2::1"), 200);
    assert_eq!(
        [
            counted("192.0.2.1"),
            counted("::ffff:192.0.2.1"),
            counted("192.0.2.1:80")
        ],
        [200, 200, 429]
    );
    assert_eq!(counted("192.0.2.2"), 200);

    let narrow = behind_a_proxy(&Origin::saying("hello"), "limits = { ipv6_prefix = 128 }");
    let addresses = ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1::3"];
    assert_eq!(
        addresses.map(|said| status(&narrow, "/counted", &[("X-Forwarded-For", said)])),
        [200; 3]
    );
}

#[test]
fn the_clients_scheme_is_what_was_said_of_its_hop_however_it_was_said() {
    let gateway = behind_a_proxy(&Origin::saying("hello"), "");
    let way = ("X-Forwarded-For", "203.0.113.9, 10.0.0.2");
    for fields in [
        &[("X-Forwarded-Proto", "https")][..],
        &[("X-Forwarded-Proto", "https, https")],
        &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "https")],
        &[("X-Forwarded-Proto", "http, https")],
        &[way, ("X-Forwarded-Proto", "https, http")],
        &[("Forwarded", "for=203.0.113.9;proto=https;host=api.example")],
        &[("Forwarded", "for=203.0.113.9;proto=https, for=10.0.0.2;proto=http")],
    ] {
        assert_eq!(status(&gateway, "/secure", fields), 200, "{fields:?}");
        assert_eq!(status(&gateway, "/policy/secure", fields), 200, "{fields:?}");
    }
    for fields in [
        &[][..],
        &[("X-Forwarded-Proto", "http")],
        &[way, ("X-Forwarded-Proto", "https, http, https")],
        // No hop is named: what the connected proxy has said is the last one.
        &[("X-Forwarded-Proto", "https, http")],
        &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")],
        &[
            ("Forwarded", "for=203.0.113.9;proto=https"),
            ("X-Forwarded-Proto", "http"),
        ],
    ] {
        assert_eq!(status(&gateway, "/secure", fields), 308, "{fields:?}");
        assert_eq!(status(&gateway, "/policy/secure", fields), 403, "{fields:?}");
    }
}

#[test]
fn the_host_that_a_trusted_proxy_names_is_the_one_for_routes_links_authorizers_and_upstreams() {
    for fields in [
        &[
            ("X-Forwarded-Host", "api.example"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Port", "8443"),
        ][..],
        &[("Forwarded", "for=203.0.113.9;proto=https;host=\"api.example:8443\"")],
    ] {
        let origin = Origin::saying("hello");
        let gateway = behind_a_proxy(&origin, "");
        let fields = [&[("Host", "inside:8080")], fields].concat();
        assert_eq!(status(&gateway, "/host", &fields), 204, "{fields:?}");
        assert_eq!(status(&gateway, "/asked", &fields), 200);
        let requests = origin.requests();
        assert_eq!(requests.len(), 2, "the question, and the request");
        for request in &requests {
            assert_eq!(request.headers["x-forwarded-host"], "api.example:8443", "{request:?}");
            assert_eq!(request.headers["x-forwarded-proto"], "https", "{request:?}");
        }
        assert_eq!(requests[1].headers["host"], "api.example:8443");
        assert_eq!(gateway.wait_for_records(2)[1]["host"], "api.example:8443");
    }
    let gateway = behind_a_proxy(&Origin::saying("hello"), "");
    let fields = [("Host", "inside:8080"), ("X-Forwarded-Host", "api.example")];
    let away = http(gateway.addr("public"), "GET", "/secure", &fields, b"");
    assert_eq!(away.header("location"), Some("https://api.example/secure"));
    for field in [
        ("X-Forwarded-Host", "a/b"),
        ("X-Forwarded-Port", "x"),
        ("Forwarded", "host=\"a b\""),
    ] {
        assert_eq!(status(&gateway, "/allowed", &[field]), 400, "{field:?}");
    }
}

#[test]
fn a_field_that_the_listener_does_not_trust_is_a_strangers() {
    let listener = "trusted_fields = [\"x-forwarded-for\", \"x-forwarded-proto\"]";
    let gateway = behind_a_proxy(&Origin::saying("hello"), listener);
    let way = ("X-Forwarded-For", "203.0.113.9");
    let other = ("Forwarded", "for=198.51.100.7;host=api.example");
    assert_eq!(status(&gateway, "/allowed", &[way, other]), 403);
    assert_eq!(
        status(&gateway, "/host", &[way, other, ("X-Forwarded-Host", "api.example")]),
        404
    );
}

#[test]
fn a_client_cannot_have_its_address_taken_away_by_naming_the_field_in_connection() {
    let gateway = behind_a_proxy(&Origin::saying("hello"), "");
    let way = ("X-Forwarded-For", "203.0.113.9");
    assert_eq!(
        status(&gateway, "/allowed", &[way, ("Connection", "X-Forwarded-For")]),
        403
    );
}

#[test]
fn a_proxy_on_a_unix_socket_can_be_trusted() {
    for (trusted, allowed, addresses) in [("\"unix\"", 200, "198.51.100.7"), ("\"127.0.0.1\"", 403, "")] {
        let origin = Origin::saying("hello");
        let config = format!(
            r#"
            [listener.public]
            address = "unix:{{dir}}/gateway.sock"
            trusted_proxies = [{trusted}]

            [upstream.app]
            targets = [{{ url = "{}" }}]

            [[route]]
            name = "allowed"
            path = "/allowed"
            chain = [{{ use = "ip", allow = ["198.51.100.0/24"] }}]
            integration = {{ respond = 200 }}

            [[route]]
            name = "all"
            path = "/passed"
            integration = {{ http = "app" }}
            "#,
            origin.url()
        );
        let gateway = TestGateway::start(&config);
        let mut client = RawClient::connect_unix(&gateway.dir().join("gateway.sock"));
        let fields = [("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-Proto", "https")];
        assert_eq!(client.request("GET", "/allowed", &fields, b"").status, allowed);
        assert_eq!(client.request("GET", "/passed", &fields, b"").status, 200);
        let headers = origin.only_request().headers;
        let told = headers
            .get("x-forwarded-for")
            .map_or("", |value| value.to_str().unwrap());
        assert_eq!(told, addresses);
        assert_eq!(
            headers["x-forwarded-proto"],
            if allowed == 200 { "https" } else { "http" }
        );
    }
}

#[test]
fn a_reload_changes_whom_open_connections_may_speak_for() {
    let origin = Origin::saying("hello");
    let config = |trusted: &str| passing_with(&origin.url(), trusted, "");
    let gateway = TestGateway::start(&config("trusted_proxies = [\"127.0.0.1\"]"));
    let mut client = RawClient::connect(gateway.addr("public"));
    let fields = [("X-Forwarded-For", "203.0.113.9")];
    assert_eq!(client.request("GET", "/x", &fields, b"").status, 200);
    gateway.rewrite_config(&config(""));
    gateway.reload().unwrap();
    assert_eq!(client.request("GET", "/x", &fields, b"").status, 200);
    let told: Vec<_> = origin
        .requests()
        .iter()
        .map(|request| request.headers["x-forwarded-for"].clone())
        .collect();
    assert_eq!(told, ["203.0.113.9, 127.0.0.1", "127.0.0.1"]);
}

#[test]
fn c31_other_proxies_in_via_are_kept_and_this_one_is_added() {
    let (gateway, origin) = hello();
    let fields = [("Via", "1.0 fred"), ("Via", "1.1 gatewright-other")];
    assert_eq!(http(gateway.addr("public"), "GET", "/x", &fields, b"").status, 200);
    let headers = origin.only_request().headers;
    let via: Vec<_> = headers
        .get_all("via")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert_eq!(via[..2], ["1.0 fred", "1.1 gatewright-other"]);
    assert!(via[2].starts_with("1.1 gatewright-"), "{via:?}");
    assert_eq!(via.len(), 3);
}

/// A gateway that is its own upstream.
fn circle() -> TestGateway {
    let config = |integration: &str| {
        format!(
            "[listener.public]\naddress = \"127.0.0.1:0\"\n{integration}\n[[route]]\nname = \"all\"\npath = \"/{{rest+}}\"\n"
        )
    };
    let gateway = TestGateway::start(&(config("") + "integration = { respond = 200 }\n"));
    let upstream = format!(
        "[upstream.itself]\ntargets = [{{ url = \"{}\" }}]",
        gateway.url("public")
    );
    gateway.rewrite_config(&(config(&upstream) + "integration = { http = \"itself\" }\n"));
    gateway.reload().unwrap();
    gateway
}

#[test]
fn c31_a_request_that_goes_in_a_circle_is_508_after_a_few_rounds() {
    let gateway = circle();
    let response = http(gateway.addr("public"), "GET", "/x", &[], b"");
    assert_eq!((response.status, response.error()), (508, Some("LOOP_DETECTED")));
    // The one that noticed, and those whose upstream it was.
    let records = gateway.wait_for_records(2);
    assert!(records.len() <= 6, "{} rounds", records.len());
}

#[test]
fn c31_a_circle_is_noticed_over_http_2_too() {
    let gateway = circle();
    let request = Request::get("http://localhost/x")
        .body(gatewright_tests::empty())
        .unwrap();
    let response = H2Client::connect(gateway.addr("public")).send(request).unwrap();
    assert_eq!(
        (response.status.as_u16(), response.error()),
        (508, Some("LOOP_DETECTED"))
    );
}
