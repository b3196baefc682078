//! What the authorizer lets pass, and what it does not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_sdk::testing::{self, TestRequest, host};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::*;

const SECRET: &str = "a secret of thirty-two bytes, or more";
/// What the clock of the tests says.
const NOW: u64 = 1_700_000_000;

fn plugin() -> TokenAuthorizer {
    testing::configure(&format!(
        r#"{{"secret":"{SECRET}","issuer":"idp","audience":"api","context":["tenant","level","roles"]}}"#
    ))
}

fn sign(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn token(claims: &str) -> String {
    sign(r#"{"alg":"HS256","typ":"JWT"}"#, claims)
}

fn good() -> String {
    token(&format!(
        r#"{{"iss":"idp","aud":["web","api"],"sub":"alice","exp":{},"scope":"orders:read orders:write","tenant":"blue","level":3,"roles":["a"]}}"#,
        NOW + 60
    ))
}

fn decide(token: &str) -> Decision {
    TestRequest::get("/")
        .header("authorization", format!("Bearer {token}"))
        .authorize(&plugin())
        .unwrap()
}

fn reason(token: &str) -> String {
    match decide(token) {
        Decision::Deny(denial) => {
            assert_eq!(denial.response.status, 401);
            assert!(
                denial
                    .response
                    .fields
                    .text("www-authenticate")
                    .unwrap()
                    .starts_with("Bearer")
            );
            denial.reason
        }
        decision => panic!("not denied: {decision:?}"),
    }
}

#[test]
fn a_good_token_passes_with_its_subject_context_and_scopes() {
    let Decision::Allow(grant) = decide(&good()) else {
        panic!("denied")
    };
    assert_eq!(grant.principal, "alice");
    assert_eq!(grant.scopes, ["orders:read", "orders:write"]);
    assert_eq!(grant.context[0], ("tenant".to_owned(), Value::from("blue")));
    assert_eq!(grant.context[1], ("level".to_owned(), Value::Integer(3)));
    assert_eq!(
        grant.context[2],
        ("roles".to_owned(), Value::Json(r#"["a"]"#.to_owned()))
    );
    assert_eq!(
        grant.ttl,
        Some(Duration::from_secs(60)),
        "no longer than the token lives"
    );
}

#[test]
fn the_identity_of_the_route_comes_before_the_header() {
    let request = TestRequest::get("/")
        .header("authorization", "Bearer nonsense")
        .identity(&good());
    assert!(matches!(request.authorize(&plugin()), Ok(Decision::Allow(_))));
    let request = TestRequest::get("/").identity(&format!("bearer {}", good()));
    assert!(matches!(request.authorize(&plugin()), Ok(Decision::Allow(_))));
    let request = TestRequest::get("/")
        .header("authorization", format!("Bearer {}", good()))
        .no_identity();
    assert!(matches!(request.authorize(&plugin()), Ok(Decision::Deny(_))));
}

#[test]
fn who_presents_no_token_is_asked_for_one() {
    for request in [
        TestRequest::get("/"),
        TestRequest::get("/").header("authorization", "Basic YTpi"),
        TestRequest::get("/").header("authorization", [0xff, 0xfe]),
        TestRequest::get("/").identity("Basic YTpi"),
    ] {
        let Ok(Decision::Deny(denial)) = request.authorize(&plugin()) else {
            panic!("not denied")
        };
        assert_eq!(denial.response.fields.text("www-authenticate"), Some("Bearer"));
    }
}

#[test]
fn two_authorization_headers_are_one_too_many() {
    let request = TestRequest::get("/")
        .header("authorization", format!("Bearer {}", good()))
        .header("authorization", "Bearer x");
    assert!(matches!(request.authorize(&plugin()), Ok(Decision::Deny(_))));
}

#[test]
fn the_algorithm_is_not_the_tokens_choice() {
    let claims = format!(r#"{{"iss":"idp","aud":"api","sub":"alice","exp":{}}}"#, NOW + 60);
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"hs256"}"#,
    ] {
        assert_eq!(reason(&sign(header, &claims)), "algorithm is not HS256");
    }
    assert_eq!(
        reason(&sign(r#"{"alg":"HS256","crit":["exp"]}"#, &claims)),
        "critical extensions are not supported"
    );
    assert_eq!(
        reason(&sign(r#"{"alg":"HS256","alg":"none"}"#, &claims)),
        "header is not JSON"
    );
    let unsigned = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(&claims)
    );
    assert_eq!(reason(&unsigned), "algorithm is not HS256");
}

#[test]
fn a_token_that_was_touched_does_not_pass() {
    let token = good();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(
        reason(&format!("{signed}.{}", "A".repeat(signature.len()))),
        "wrong signature"
    );
    assert_eq!(reason(&format!("{signed}.")), "wrong signature");
    assert_eq!(reason(&format!("{token}.{signature}")), "wrong signature");
    assert_eq!(reason("a.b"), "not three parts");
    assert_eq!(reason("..."), "header is not JSON");
    assert_eq!(reason("\u{e9}.b.c"), "not base64url");
    assert_eq!(reason(&format!("{token}=")), "not base64url");
    assert_eq!(reason(&"a".repeat(8 * 1024 + 1)), "longer than 8 KiB");
}

#[test]
fn every_claim_that_matters_is_checked() {
    let later = NOW + 60;
    for (claims, expected) in [
        (
            format!(r#"{{"iss":"other","aud":"api","sub":"a","exp":{later}}}"#),
            "wrong issuer",
        ),
        (format!(r#"{{"aud":"api","sub":"a","exp":{later}}}"#), "wrong issuer"),
        (
            format!(r#"{{"iss":"idp","aud":"web","sub":"a","exp":{later}}}"#),
            "wrong audience",
        ),
        (format!(r#"{{"iss":"idp","sub":"a","exp":{later}}}"#), "wrong audience"),
        (r#"{"iss":"idp","aud":"api","sub":"a"}"#.to_owned(), "no expiry"),
        (
            r#"{"iss":"idp","aud":"api","sub":"a","exp":"soon"}"#.to_owned(),
            "a time is not a number",
        ),
        (
            r#"{"iss":"idp","aud":"api","sub":"a","exp":-1}"#.to_owned(),
            "a time is out of range",
        ),
        (
            format!(r#"{{"iss":"idp","aud":"api","sub":"a","exp":{}}}"#, NOW - 30),
            "expired",
        ),
        (
            format!(
                r#"{{"iss":"idp","aud":"api","sub":"a","exp":{later},"nbf":{}}}"#,
                NOW + 31
            ),
            "not valid yet",
        ),
        (
            format!(r#"{{"iss":"idp","aud":"api","exp":{later}}}"#),
            "no usable subject",
        ),
        (
            format!(r#"{{"iss":"idp","aud":"api","sub":"","exp":{later}}}"#),
            "no usable subject",
        ),
        (
            format!(r#"{{"iss":"idp","aud":"api","sub":"a","sub":"b","exp":{later}}}"#),
            "claims are not a JSON object",
        ),
        (
            format!(r#"{{"iss":"idp","aud":"api","sub":"a\nb","exp":{later}}}"#),
            "no usable subject",
        ),
        (
            format!(
                r#"{{"iss":"idp","aud":"api","sub":"a","exp":{later},"scope":"{}"}}"#,
                "s ".repeat(101)
            ),
            "more than 100 scopes",
        ),
        ("[]".to_owned(), "claims are not a JSON object"),
    ] {
        assert_eq!(reason(&token(&claims)), expected, "{claims}");
    }
}

#[test]
fn clocks_may_be_apart_by_the_leeway() {
    let claims = |exp: u64, nbf: u64| {
        token(&format!(
            r#"{{"iss":"idp","aud":"api","sub":"a","exp":{exp},"nbf":{nbf}}}"#
        ))
    };
    assert!(matches!(decide(&claims(NOW - 29, NOW)), Decision::Allow(grant) if grant.ttl == Some(Duration::ZERO)));
    assert!(matches!(decide(&claims(NOW + 60, NOW + 30)), Decision::Allow(_)));
    host::advance(Duration::from_secs(91));
    assert_eq!(reason(&claims(NOW + 60, NOW)), "expired");
}

#[test]
fn a_bad_configuration_is_refused_with_every_reason() {
    let errors = |config: &str| match TokenAuthorizer::configure(config) {
        Ok(_) => panic!("accepted"),
        Err(errors) => errors.into_iter().map(|error| error.at).collect::<Vec<_>>(),
    };
    assert_eq!(
        errors(r#"{"secret":"short","issuer":"","leeway_seconds":301}"#),
        ["/secret", "/issuer", "/leeway_seconds"]
    );
    assert_eq!(errors(r#"{"secret":1,"issuer":"idp"}"#), ["/secret"]);
    assert_eq!(
        errors(&format!(r#"{{"secret":"{SECRET}","issuer":"idp","isuer":"x"}}"#)),
        ["/isuer"]
    );
    assert_eq!(errors("{}"), [""]);
}

#[test]
fn the_schema_is_json() {
    let schema = TokenAuthorizer::info().config_schema.unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&schema).unwrap().is_object());
}
