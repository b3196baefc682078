//! What is settled of requests behind proxies, and what is not.

use http::uri::PathAndQuery;
use http::{Method, Version};

use super::*;

/// What has been settled of a request.
struct Settled {
    client: String,
    url: String,
    headers: HeaderMap,
}

impl Settled {
    fn is(&self) -> (&str, &str) {
        (&self.client, &self.url)
    }
}

fn trust() -> Trust {
    Trust {
        networks: vec!["10.0.0.0/8".parse().unwrap()],
        unix: true,
        fields: ForwardingField::ALL.to_vec(),
    }
}

fn settle_with(trust: &Trust, peer: &str, fields: &[(&'static str, &'static str)]) -> Result<Settled, Problem> {
    let mut request = Request {
        method: Method::GET,
        secure: false,
        authority: HeaderValue::from_static("inside:8080"),
        host: "inside".to_owned(),
        target: PathAndQuery::from_static("/"),
        version: Version::HTTP_11,
        encodings: gatewright_core::path::Encodings::default(),
        headers: HeaderMap::new(),
    };
    for (name, value) in fields {
        request.headers.append(*name, HeaderValue::from_static(value));
    }
    let address = match peer {
        "unix" => ClientAddress::Unix,
        address => ClientAddress::Tcp(format!("{address}:5000").parse().unwrap()),
    };
    let peer = Peer::new(address, None, None, 64);
    let mut client = peer.client.clone();
    peer.settle(&mut client, &mut request, trust)?;
    let parsed = parse_authority(request.authority.as_bytes()).unwrap();
    assert_eq!(parsed.host, request.host);
    Ok(Settled {
        client: client.to_string(),
        url: format!("{}://{}", request.scheme(), request.authority.to_str().unwrap()),
        headers: request.headers,
    })
}

fn settle(peer: &str, fields: &[(&'static str, &'static str)]) -> Settled {
    settle_with(&trust(), peer, fields).unwrap_or_else(|problem| panic!("{problem:?}"))
}

fn client(fields: &[(&'static str, &'static str)]) -> String {
    settle("10.0.0.1", fields).client
}

fn url(fields: &[(&'static str, &'static str)]) -> String {
    settle("10.0.0.1", fields).url
}

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";

#[test]
fn a_stranger_cannot_say_where_it_comes_from() {
    let settled = settle(
        "192.0.2.7",
        &[
            (FOR, "203.0.113.9"),
            ("forwarded", "for=203.0.113.9;proto=https;host=evil.example"),
            (PROTO, "https"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-prefix", "/admin"),
            ("x-forwarded-ssl", "on"),
            ("x-real-ip", "203.0.113.9"),
            ("front-end-https", "on"),
            ("x-url-scheme", "https"),
        ],
    );
    assert_eq!(settled.is(), ("192.0.2.7", "http://inside:8080"));
    assert_eq!(settled.headers.len(), 3, "{:?}", settled.headers);
    assert_eq!(settled.headers[FOR], "192.0.2.7");
    assert_eq!(settled.headers[PROTO], "http");
    assert_eq!(settled.headers["x-forwarded-host"], "inside:8080");
}

#[test]
fn the_client_is_the_nearest_hop_that_is_no_trusted_proxy() {
    let settled = settle("10.0.0.1", &[(FOR, "198.51.100.1, 203.0.113.9"), (FOR, "10.0.0.2")]);
    assert_eq!(settled.client, "203.0.113.9");
    assert_eq!(settled.headers[FOR], "198.51.100.1, 203.0.113.9, 10.0.0.2, 10.0.0.1");
    assert_eq!(
        client(&[(FOR, "10.0.0.3, 10.0.0.2")]),
        "10.0.0.3",
        "all of them are trusted"
    );
    assert_eq!(client(&[(PROTO, "https")]), "10.0.0.1", "a proxy that names nobody");
}

#[test]
fn ports_and_brackets_are_read() {
    for (said, address) in [
        ("198.51.100.7:49152", "198.51.100.7"),
        ("[2001:db8::7]:51008", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("203.0.113.9, 10.0.0.2:80", "203.0.113.9"),
    ] {
        assert_eq!(client(&[(FOR, said)]), address, "{said}");
    }
}

#[test]
fn a_hop_that_cannot_be_read_is_an_unknown_client_and_never_the_proxy() {
    for said in [
        "unknown",
        "_hidden",
        "",
        "a.example",
        "203.0.113.9, ",
        "203.0.113.9, unknown, 10.0.0.2",
        "203.0.113.9 ",
    ] {
        let expected = if said == "203.0.113.9 " {
            "203.0.113.9"
        } else {
            "unknown"
        };
        assert_eq!(client(&[(FOR, said)]), expected, "{said}");
    }
    for said in [
        "for=unknown",
        "for=_hidden;proto=https",
        "for=\"_hidden:80\"",
        "proto=https",
        "for=203.0.113.9, by=10.0.0.2",
        "for=203.0.113.9, for=\"10.0.0.2",
        "",
    ] {
        assert_eq!(client(&[("forwarded", said)]), "unknown", "{said}");
    }
    let settled = settle("10.0.0.1", &[("forwarded", "for=\"203.0.113.9"), (PROTO, "http")]);
    assert_eq!(settled.headers[FOR], "unknown, 10.0.0.1");
    assert_eq!(
        settled.headers["forwarded"],
        "for=unknown;host=\"inside:8080\";proto=http, for=10.0.0.1"
    );
}

#[test]
fn the_standard_field_alone_says_all() {
    let said = "for=198.51.100.1;proto=http;host=evil.example, \
                For=\"[2001:db8::9]:4711\";Proto=HTTPS;host=\"api.example\", for=10.0.0.2:80;proto=http";
    let settled = settle("10.0.0.1", &[("forwarded", said)]);
    assert_eq!(settled.is(), ("2001:db8::9", "https://api.example"));
    assert_eq!(settled.headers[FOR], "2001:db8::9, 10.0.0.2, 10.0.0.1");
    assert_eq!(settled.headers[PROTO], "https");
    assert_eq!(settled.headers["x-forwarded-host"], "api.example");
    assert_eq!(
        settled.headers["forwarded"],
        "for=\"[2001:db8::9]\";host=\"api.example\";proto=https, for=10.0.0.2, for=10.0.0.1",
        "what nobody vouches for is not passed on"
    );
}

#[test]
fn scheme_host_and_port_are_read_at_the_clients_hop_too() {
    let way = (FOR, "203.0.113.9, 10.0.0.2");
    for (fields, expected) in [
        (&[(PROTO, "https, http")][..], "https://inside:8080"),
        (&[(PROTO, "https"), (PROTO, "http")], "https://inside:8080"),
        (&[(PROTO, "http, https, http")], "https://inside:8080"),
        (&[(PROTO, "https, http, https")], "http://inside:8080"),
        (
            &[("x-forwarded-host", "evil.example, api.example, inside")],
            "http://api.example",
        ),
        (
            &[("x-forwarded-port", "1, 8443, 8080"), (PROTO, "https")],
            "https://inside:8443",
        ),
    ] {
        assert_eq!(url(&[&[way], fields].concat()), expected, "{fields:?}");
    }
    assert_eq!(
        url(&[(FOR, "203.0.113.9"), (PROTO, "https, http")]),
        "http://inside:8080",
        "appended to what a client said"
    );
}

#[test]
fn where_no_hop_is_named_only_what_the_connected_proxy_said_counts() {
    for (fields, expected) in [
        (&[(PROTO, "https, http")][..], "http://inside:8080"),
        (&[(PROTO, "https"), (PROTO, "http")], "http://inside:8080"),
        (&[(PROTO, "http, https")], "https://inside:8080"),
        (
            &[("x-forwarded-host", "evil.example, api.example")],
            "http://api.example",
        ),
        (&[("x-forwarded-port", "1, 8443")], "http://inside:8443"),
        (&[("x-forwarded-ssl", "on, off")], "http://inside:8080"),
        (
            &[(
                "forwarded",
                "proto=https;host=evil.example, proto=http;host=api.example",
            )],
            "http://api.example",
        ),
    ] {
        assert_eq!(url(fields), expected, "{fields:?}");
        assert_eq!(settle("unix", fields).url, expected, "{fields:?}");
    }
}

#[test]
fn where_all_hops_are_trusted_the_furthest_that_is_named_is_the_client_in_every_list() {
    let way = (FOR, "10.0.0.3, 10.0.0.2");
    for (fields, expected) in [
        (&[(PROTO, "https, http")][..], "https://inside:8080"),
        (&[(PROTO, "https, http, http")], "http://inside:8080"),
        (
            &[("x-forwarded-host", "evil.example, api.example, inside")],
            "http://api.example",
        ),
        (&[(PROTO, "https")], "https://inside:8080"),
    ] {
        assert_eq!(url(&[&[way], fields].concat()), expected, "{fields:?}");
    }
}

#[test]
fn one_scheme_is_told_however_often_it_was_said() {
    for fields in [
        &[(PROTO, "https")][..],
        &[(PROTO, "HTTPS")],
        &[(PROTO, "wss")],
        &[(PROTO, "https, https")],
        &[(PROTO, "http, https")],
        &[(PROTO, "https"), (PROTO, "https")],
        &[("x-forwarded-scheme", "https")],
        &[("x-forwarded-ssl", "on")],
        &[("forwarded", "proto=https")],
        &[("forwarded", "proto=https"), (PROTO, "https")],
    ] {
        let settled = settle("10.0.0.1", fields);
        assert_eq!(settled.url, "https://inside:8080", "{fields:?}");
        let told: Vec<_> = settled.headers.get_all(PROTO).iter().collect();
        assert_eq!(told, ["https"], "{fields:?}");
    }
    for fields in [
        &[(PROTO, "http")][..],
        &[(PROTO, "")],
        &[(PROTO, "https;")],
        &[(PROTO, "https, http")],
        &[("x-forwarded-ssl", "off")],
        &[("forwarded", "proto=https"), (PROTO, "http")],
        &[("forwarded", "proto=http"), (PROTO, "https")],
        &[("x-forwarded-ssl", "on"), (PROTO, "http")],
    ] {
        let settled = settle("10.0.0.1", fields);
        assert_eq!(settled.url, "http://inside:8080", "{fields:?}");
        for (name, told) in [("x-forwarded-ssl", "off"), ("x-forwarded-scheme", "http")] {
            assert!(
                settled.headers.get(name).is_none_or(|value| value == told),
                "{fields:?}"
            );
        }
    }
}

#[test]
fn a_port_is_part_of_the_authority_where_it_is_not_the_schemes_own() {
    for (fields, expected, port) in [
        (
            &[("x-forwarded-port", "443"), (PROTO, "https")][..],
            "https://inside",
            "443",
        ),
        (&[("x-forwarded-port", "80")], "http://inside", "80"),
        (&[("x-forwarded-port", "8080")], "http://inside:8080", "8080"),
        (
            &[("x-forwarded-port", "8443"), ("x-forwarded-host", "API.example")],
            "http://api.example:8443",
            "8443",
        ),
        (
            &[("x-forwarded-port", ""), ("x-forwarded-host", "API.example")],
            "http://API.example",
            "80",
        ),
    ] {
        let settled = settle("10.0.0.1", fields);
        assert_eq!(
            (&*settled.url, &settled.headers["x-forwarded-port"]),
            (expected, &HeaderValue::from_static(port))
        );
    }
}

#[test]
fn a_host_or_port_that_is_none_is_refused_where_it_is_believed() {
    for field in [
        ("x-forwarded-host", "a/b"),
        ("x-forwarded-host", "user@api.example"),
        ("x-forwarded-host", "api.example:99999"),
        ("x-forwarded-port", "+443"),
        ("x-forwarded-port", "0"),
        ("x-forwarded-port", "65536"),
        ("forwarded", "host=\"a b\""),
    ] {
        assert!(settle_with(&trust(), "10.0.0.1", &[field]).is_err(), "{field:?}");
        let way = (FOR, "203.0.113.9, 10.0.0.2");
        assert!(settle_with(&trust(), "192.0.2.7", &[field, way]).is_ok(), "{field:?}");
    }
    assert!(
        settle_with(
            &trust(),
            "10.0.0.1",
            &[("x-forwarded-host", "a.example"), ("forwarded", "host=b.example")]
        )
        .is_err()
    );
}

#[test]
fn two_fields_that_name_different_clients_name_none() {
    let both = |one, other| client(&[(FOR, one), ("forwarded", other)]);
    assert_eq!(both("203.0.113.9", "for=203.0.113.9"), "203.0.113.9");
    assert_eq!(both("203.0.113.9, 10.0.0.2", "for=203.0.113.9"), "203.0.113.9");
    assert_eq!(
        both("203.0.113.9", "proto=https"),
        "203.0.113.9",
        "one that names nobody"
    );
    for (one, other) in [
        ("203.0.113.9", "for=198.51.100.1"),
        ("203.0.113.9", "for=\"203.0.113.9"),
        ("unknown", "for=203.0.113.9"),
        ("203.0.113.9", "for=203.0.113.9, for=_hidden"),
    ] {
        assert_eq!(both(one, other), "unknown", "{one} {other}");
    }
    let settled = settle(
        "10.0.0.1",
        &[
            (FOR, "203.0.113.9"),
            ("forwarded", "for=198.51.100.1"),
            ("x-real-ip", "10.0.0.7"),
        ],
    );
    assert_eq!(settled.headers[FOR], "unknown, 10.0.0.1");
    assert!(!settled.headers.contains_key("x-real-ip"));
}

#[test]
fn a_field_that_is_not_believed_is_a_strangers() {
    let trust = Trust {
        fields: vec![ForwardingField::XForwardedFor],
        ..trust()
    };
    let fields = [
        (FOR, "203.0.113.9"),
        ("forwarded", "for=198.51.100.1;proto=https;host=evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-port", "1"),
        (PROTO, "https"),
        ("x-forwarded-ssl", "on"),
        ("x-real-ip", "198.51.100.1"),
    ];
    let settled = settle_with(&trust, "10.0.0.1", &fields).unwrap();
    assert_eq!(settled.is(), ("203.0.113.9", "http://inside:8080"));
    for (name, told) in [
        (FOR, "203.0.113.9, 10.0.0.1"),
        (
            "forwarded",
            "for=203.0.113.9;host=\"inside:8080\";proto=http, for=10.0.0.1",
        ),
        ("x-forwarded-host", "inside:8080"),
        ("x-forwarded-port", "8080"),
        (PROTO, "http"),
        ("x-forwarded-ssl", "off"),
        ("x-real-ip", "203.0.113.9"),
    ] {
        assert_eq!(settled.headers[name], told, "{name}");
    }
    let standard = Trust {
        fields: vec![ForwardingField::Forwarded],
        ..trust
    };
    let settled = settle_with(&standard, "10.0.0.1", &fields).unwrap();
    assert_eq!(settled.is(), ("198.51.100.1", "https://evil.example"));
    assert_eq!(settled.headers[FOR], "198.51.100.1, 10.0.0.1");
}

#[test]
fn a_proxy_on_a_unix_socket_is_believed_where_the_configuration_says_so() {
    let fields = [(FOR, "203.0.113.9"), (PROTO, "https"), ("forwarded", "for=203.0.113.9")];
    let settled = settle("unix", &fields);
    assert_eq!(settled.is(), ("203.0.113.9", "https://inside:8080"));
    assert_eq!(settled.headers[FOR], "203.0.113.9");
    assert_eq!(
        settled.headers["forwarded"],
        "for=203.0.113.9;host=\"inside:8080\";proto=https"
    );
    let strict = Trust { unix: false, ..trust() };
    let settled = settle_with(&strict, "unix", &fields).unwrap();
    assert_eq!(settled.is(), ("unix", "http://inside:8080"));
    assert!(!settled.headers.contains_key(FOR) && !settled.headers.contains_key("forwarded"));
    let unnamed = settle("unix", &[("x-forwarded-host", "api.example")]);
    assert_eq!(unnamed.is(), ("unix", "http://api.example"));
    assert!(!unnamed.headers.contains_key(FOR));
}
