//! AWS's published test vectors (`vectors.txt`, from the "Signature Version 4 signing test suite"), and claims that make no sense.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::signature::SigningTime;
use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A request of the suite, as text and taken apart.
struct Vector<'a> {
    name: &'a str,
    rule: PathRule,
    method: &'a str,
    target: &'a str,
    headers: HeaderMap,
    body: &'a str,
}

impl<'a> Vector<'a> {
    fn parse(text: &'a str) -> Self {
        let (title, text) = text.split_once('\n').unwrap();
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let (first, fields) = head.split_once('\n').unwrap();
        let (method, target) = first.strip_suffix(" HTTP/1.1").unwrap().split_once(' ').unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in fields.lines().map(|line| line.split_once(':').unwrap()) {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
        }
        Self {
            name: title,
            rule: PathRule {
                twice: title.ends_with("twice"),
                normal: !title.ends_with("as-sent"),
            },
            method,
            target,
            headers,
            body: body.trim_end_matches('\n'),
        }
    }

    /// The signature that it should have, and the one that it has.
    fn signatures(&self) -> ([u8; 32], [u8; 32]) {
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        let claim = Claim::read(&self.headers, query).unwrap_or_else(|problem| panic!("{}: {problem}", self.name));
        claim
            .covers(&self.headers, &[])
            .unwrap_or_else(|problem| panic!("{}: {problem}", self.name));
        let canonical = CanonicalRequest {
            method: self.method,
            path,
            query,
            authority: self.headers["host"].as_bytes(),
            headers: &self.headers,
            signed: &claim.signed_headers,
            payload: &hex_of_sha256(self.body.as_bytes()),
            rule: self.rule,
        };
        let expected = SigningKey::new(SECRET).sign(&claim.scope, &claim.time, &canonical.text().unwrap());
        (expected, claim.signature)
    }
}

#[test]
fn every_published_vector_has_the_signature_that_it_should_have() {
    let vectors: Vec<_> = include_str!("vectors.txt")
        .split("=== ")
        .skip(1)
        .map(Vector::parse)
        .collect();
    assert_eq!(vectors.len(), 75);
    for vector in vectors {
        let (expected, found) = vector.signatures();
        assert_eq!(expected, found, "{}", vector.name);
    }
}

#[test]
fn a_derived_key_is_not_used_for_another_day_or_region() {
    let key = SigningKey::new(SECRET);
    let time = SigningTime::parse("20150830T123600Z", false).unwrap();
    let scope = |date: &str, region: &str| signature::Scope {
        date: date.to_owned(),
        region: region.to_owned(),
        service: "s3".to_owned(),
    };
    for scope in [
        scope("20150830", "a"),
        scope("20150831", "a"),
        scope("20150830", "b"),
        scope("20150830", "a"),
    ] {
        assert_eq!(
            key.sign(&scope, &time, b"x"),
            SigningKey::new(SECRET).sign(&scope, &time, b"x")
        );
    }
    assert_ne!(
        key.sign(&scope("20150830", "a"), &time, b"x"),
        key.sign(&scope("20150831", "a"), &time, b"x")
    );
}

#[test]
fn a_claim_that_can_be_read_in_two_ways_or_none_is_refused() {
    const GOOD: &str = "AWS4-HMAC-SHA256 Credential=AKID/20150830/eu/s3/aws4_request,SignedHeaders=host;x-amz-date,\
                        Signature=0000000000000000000000000000000000000000000000000000000000000000";
    let code = |authorization: &str, date: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(authorization).unwrap());
        headers.insert("x-amz-date", HeaderValue::from_str(date).unwrap());
        let problem = Claim::read(&headers, "").err()?;
        Some(problem.headers()[0].1.to_str().unwrap().to_owned())
    };
    const DATE: &str = "20150830T123600Z";
    assert_eq!(code(GOOD, DATE), None);
    for (from, to) in [
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        ("AWS4-HMAC-SHA256", "Bearer"),
        ("Credential=", "Credential:"),
        ("Signature=", "Signed="),
        ("Signature=0", "Signature="),
        ("Signature=00", "Signature=+f"),
        ("Signature=0", "Signature=A"),
        ("Signature=", "Signature=0,Signature="),
        ("/aws4_request", ""),
        ("/aws4_request", "/aws4_request/x"),
        ("AKID/", "/"),
        ("host;x-amz-date", "x-amz-date;host"),
        ("host;x-amz-date", "host;host"),
        ("host;x-amz-date", "Host"),
        ("host;x-amz-date", ""),
    ] {
        let wrong = GOOD.replacen(from, to, 1);
        assert_eq!(
            code(&wrong, DATE).as_deref(),
            Some("IncompleteSignatureException"),
            "{wrong}"
        );
    }
    for date in [
        "",
        "20150830",
        "2015-08-30T12:36:00Z",
        "20150830T126100Z",
        "20151330T123600Z",
    ] {
        assert_eq!(
            code(GOOD, date).as_deref(),
            Some("IncompleteSignatureException"),
            "{date:?}"
        );
    }
}

#[test]
fn what_signs_a_url_is_taken_out_of_it_and_nothing_else() {
    let without = |target: &str| {
        let target: PathAndQuery = target.parse().unwrap();
        query::without_signature(&target).map(|target| target.to_string())
    };
    assert_eq!(without("/a"), None);
    assert_eq!(without("/a?X-Amz-Date=1&X%2DAmz-Signature=2"), Some("/a".to_owned()));
    assert_eq!(
        without("/a?b=%20&X-Amz-Expires=1&c&X-Amz-Other=1"),
        Some("/a?b=%20&c&X-Amz-Other=1".to_owned())
    );
}
