//! What the tests of the parts share.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_config::{CacheConfig, StageKind};
use gatewright_core::{ClientIp, Exchange};
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::directives::Directives;
use super::freshness::Times;
use super::stored::{Head, Stored};

/// The stage with these keys.
pub(super) fn config(keys: &str) -> CacheConfig {
    let comma = if keys.is_empty() { "" } else { ", " };
    let text = format!(
        "[listener.a]\naddress = \"127.0.0.1:0\"\n[[route]]\nname = \"a\"\npath = \"/\"\n\
         chain = [{{ use = \"cache\"{comma}{keys} }}]\nintegration = {{ respond = 200 }}\n"
    );
    let config = gatewright_config::parse(&text, Path::new("gateway.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    match &config.routes[0].chain[0].kind {
        StageKind::Cache(config) => (**config).clone(),
        other => panic!("{other:?}"),
    }
}

/// `GET http://example.com/`
pub(super) fn exchange() -> Exchange {
    let text = "[[case]]\nname = \"a\"\nrequest = { method = \"GET\", path = \"/\", host = \"example.com\" }\n";
    let cases = gatewright_config::cases::parse_cases(text, Path::new("cases.toml"));
    let cases = cases.unwrap_or_else(|errors| panic!("{errors}"));
    let mut exchange = crate::trial::exchange(&cases.cases[0]);
    exchange.client.address = ClientIp::Known(IpAddr::V4(Ipv4Addr::LOCALHOST));
    exchange
}

/// A kept response that is fresh for a minute.
pub(super) fn stored(fields: &[(&'static str, &'static str)], body: &str) -> Stored {
    stored_for(fields, body, &HeaderMap::new())
}

/// The same, to a request with these fields.
pub(super) fn stored_for(fields: &[(&'static str, &'static str)], body: &str, asked: &HeaderMap) -> Stored {
    let fields = fields
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let headers: HeaderMap = fields.collect();
    let times = Times {
        fresh: Duration::from_secs(60),
        ..Times::default()
    };
    let head = Head::new(
        StatusCode::OK,
        headers,
        &Directives::default(),
        asked,
        times,
        Instant::now(),
    );
    Stored::new(head, Bytes::copy_from_slice(body.as_bytes()))
}

#[test]
fn references_lead_to_paths_of_the_same_authority_only() {
    let path = |value: &'static str| {
        let authority = HeaderValue::from_static("a.test:81");
        super::path_on(&HeaderValue::from_static(value), &authority, "/b/c")
    };
    for (reference, found) in [
        ("/d/../e?f#g", Some("/e")),
        ("http://A.test:81/d", Some("/d")),
        ("d", Some("/b/d")),
        ("../d", Some("/d")),
        ("http://b.test/d", None),
        ("//b.test/d", None),
    ] {
        assert_eq!(path(reference).as_deref(), found, "{reference}");
    }
}
