//! Tokens that somebody made who is not their issuer, or that say what no issuer would.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatewright_tests::tokens::{encode, jwks, seconds_from_now};
use gatewright_tests::{Origin, Signer, eventually, http};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::issuer::Issuer;
use super::{Setup, challenge, claims, good, with_file};

const INVALID: (u16, Option<&str>, &str) = (401, Some("UNAUTHORIZED"), "Bearer error=\"invalid_token\"");

fn assert_invalid(setup: &Setup, what: &str, token: &str) {
    let response = setup.get(token);
    assert_eq!(challenge(&response), INVALID, "{what}");
}

/// A token whose "signature" was made with something that everybody knows.
fn with_mac(key: &[u8], header: &Value) -> String {
    let signed = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(good().to_string().as_bytes())
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", encode(&mac.finalize().into_bytes()))
}

#[test]
fn c24_a_token_that_is_not_signed_or_with_what_everybody_knows_is_401() {
    let signers = [Signer::new("RS256", "rsa"), Signer::new("ES256", "ec")];
    let setup = with_file(&signers.each_ref(), "", "");
    let payload = encode(good().to_string().as_bytes());
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let header = encode(json!({ "alg": algorithm, "kid": "rsa" }).to_string().as_bytes());
        assert_invalid(&setup, algorithm, &format!("{header}.{payload}."));
        assert_invalid(&setup, algorithm, &format!("{header}.{payload}.AAAA"));
    }
    // The public key, in every form in which somebody could take it for a secret.
    let jwk = signers[0].jwk();
    let keys = [
        jwks([&signers[0]]),
        jwk.to_string(),
        jwk["n"].as_str().unwrap().to_owned(),
        String::new(),
    ];
    for key in keys {
        for header in [
            json!({ "alg": "HS256", "kid": "rsa" }),
            json!({ "alg": "RS256", "kid": "rsa" }),
        ] {
            assert_invalid(&setup, &header.to_string(), &with_mac(key.as_bytes(), &header));
        }
    }
    let token = signers[0].token(&good());
    assert_eq!(setup.get(&token).status, 200);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    assert_invalid(&setup, "no signature", &format!("{signed}."));
    assert_invalid(&setup, "padding", &format!("{token}=="));
    assert_invalid(
        &setup,
        "other key",
        &signers[0].token_with(&json!({ "kid": "ec" }), &good()),
    );
    assert_invalid(
        &setup,
        "other algorithm",
        &signers[0].token_with(&json!({ "alg": "PS256" }), &good()),
    );
    let (header, _) = signed.split_once('.').unwrap();
    let other = encode(claims(&json!({ "sub": "admin" })).to_string().as_bytes());
    assert_invalid(&setup, "other claims", &format!("{header}.{other}.{signature}"));
    assert_eq!(setup.origin.hits(), 1);
}

#[test]
fn c24_keys_that_a_token_brings_along_or_names_are_not_looked_at() {
    let attacker = Signer::new("RS256", "a");
    let elsewhere = Origin::saying("{}");
    let signer = Signer::new("RS256", "a");
    let setup = with_file(&[&signer], "", "");
    let url = format!("{}/keys", elsewhere.url());
    for fields in [
        json!({ "jku": url }),
        json!({ "x5u": url }),
        json!({ "jwk": attacker.jwk() }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "jku": url, "kid": "b" }),
        json!({ "kid": url }),
        json!({ "kid": "../../etc/passwd" }),
        json!({ "kid": 7 }),
    ] {
        assert_invalid(&setup, &fields.to_string(), &attacker.token_with(&fields, &good()));
    }
    assert_eq!(elsewhere.connections(), 0);
    // Its own issuer may write them: they say nothing.
    assert_eq!(
        setup.get(&signer.token_with(&json!({ "jku": url }), &good())).status,
        200
    );
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn c24_a_token_that_could_be_read_in_two_ways_is_401() {
    let signer = Signer::new("ES256", "a");
    let setup = with_file(&[&signer], "", "");
    for fields in [
        json!({ "crit": ["exp"], "exp": 1 }),
        json!({ "crit": [] }),
        json!({ "b64": true }),
        json!({ "cty": "JWT" }),
        json!({ "typ": "logout+jwt" }),
        json!({ "typ": "dpop+jwt" }),
        json!({ "typ": 1 }),
    ] {
        assert_invalid(&setup, &fields.to_string(), &signer.token_with(&fields, &good()));
    }
    for fields in [
        json!({ "typ": null }),
        json!({ "typ": "at+jwt" }),
        json!({ "typ": "application/AT+JWT" }),
        json!({ "kid": null }),
    ] {
        assert_eq!(setup.get(&signer.token_with(&fields, &good())).status, 200, "{fields}");
    }
    let header = r#"{"alg":"ES256","kid":"a"}"#;
    let text = good().to_string();
    let twice = text.replacen('{', "{\"sub\":\"admin\",", 1);
    let deep = text.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(200), "]".repeat(200)), 1);
    for payload in [twice.as_str(), &deep, "[]", "", "\"text\"", &format!("{text}{text}")] {
        assert_invalid(&setup, payload, &signer.sign(header, payload));
    }
    assert_invalid(
        &setup,
        "header",
        &signer.sign(r#"{"alg":"none","alg":"ES256","kid":"a"}"#, &text),
    );
    // Encrypted, also around one that is good.
    let good = signer.token(&good());
    let jwe = encode(br#"{"alg":"dir","enc":"A128GCM","cty":"JWT"}"#);
    assert_invalid(
        &setup,
        "encrypted",
        &format!("{jwe}..AAAA.{}.AAAA", encode(good.as_bytes())),
    );
    assert_invalid(&setup, "five parts", &format!("{good}.AAAA.AAAA"));
}

#[test]
fn c24_a_token_of_any_size_is_refused_before_it_costs_anything() {
    let signer = Signer::new("ES256", "a");
    let setup = with_file(
        &[&signer],
        ", query = \"token\", header = \"authorization\", scheme = \"Bearer\"",
        "",
    );
    let long = signer.token(&claims(&json!({ "x": "y".repeat(8 << 10) })));
    assert_invalid(&setup, "longer than `token_bytes`", &long);
    let longest = signer.token(&claims(&json!({ "x": "y".repeat(1 << 20) })));
    assert_eq!(setup.get(&longest).status, 431);
    assert_eq!(setup.get_with(&format!("/?token={longest}"), &[]).status, 431);
    assert_eq!(setup.get_with(&format!("/?token={long}"), &[]).status, 414);
}

#[test]
fn c24_clocks_may_be_off_as_far_as_the_leeway_and_no_further() {
    let signer = Signer::new("ES256", "a");
    let setup = with_file(&[&signer], ", leeway = \"60s\"", "");
    let get = |name: &str, seconds: i64| {
        let token = signer.token(&claims(&json!({ name: seconds_from_now(seconds) })));
        let response = setup.get(&token);
        (
            response.status,
            response.header("www-authenticate").unwrap_or("").to_owned(),
        )
    };
    for (name, seconds) in [("exp", -30), ("nbf", 30), ("iat", 30)] {
        assert_eq!(get(name, seconds).0, 200, "{name}");
    }
    let description = |text: &str| {
        (
            401,
            format!("Bearer error=\"invalid_token\", error_description=\"the token {text}\""),
        )
    };
    assert_eq!(get("exp", -90), description("has expired"));
    assert_eq!(get("nbf", 90), description("is not good yet"));
    assert_eq!(get("iat", 90), description("is not good yet"));
}

#[test]
fn c24_unknown_keys_make_the_issuer_be_asked_once_in_a_cool_down() {
    let (signer, attacker) = (Signer::new("ES256", "a"), Signer::new("ES256", "x"));
    let issuer = Issuer::with_keys(jwks([&signer]));
    let setup = Setup::new(&issuer.settings(", cooldown = \"1h\""));
    let good = signer.token(&issuer.claims(&json!({})));
    eventually("the keys are there", || (setup.get(&good).status == 200).then_some(()));
    let storm = |setup: &Setup| {
        let refused = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (setup, attacker, issuer, refused) = (&setup, &attacker, &issuer, &refused);
                scope.spawn(move || {
                    for number in 0..25 {
                        let fields = json!({ "kid": format!("{thread}-{number}") });
                        let token = attacker.token_with(&fields, &issuer.claims(&json!({})));
                        let response = setup.get(&token);
                        assert_eq!(challenge(&response), INVALID);
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(refused.into_inner(), 200);
    };
    storm(&setup);
    assert_eq!(
        (issuer.hits(), issuer.asked()),
        (2, 4),
        "when the configuration was loaded, and once for all names that are made up"
    );
    assert_eq!(setup.get(&good).status, 200);

    // After a cool-down they cost one request, for all who wait for it together.
    let issuer = Issuer::with_keys(jwks([&signer]));
    let setup = Setup::new(&issuer.settings(", cooldown = \"1ms\""));
    let good = signer.token(&issuer.claims(&json!({})));
    eventually("the keys are there", || (setup.get(&good).status == 200).then_some(()));
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    issuer.now_says(|says| says.gate = Some(Arc::clone(&gate)));
    let before = issuer.asked();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..16)
            .map(|number| {
                let (setup, attacker, issuer) = (&setup, &attacker, &issuer);
                scope.spawn(move || {
                    let fields = json!({ "kid": format!("{number}") });
                    setup
                        .get(&attacker.token_with(&fields, &issuer.claims(&json!({}))))
                        .status
                })
            })
            .collect();
        eventually("the issuer is asked", || (issuer.asked() > before).then_some(()));
        // The good ones do not wait with the others.
        for _ in 0..20 {
            assert_eq!(setup.get(&good).status, 200);
        }
        assert_eq!(issuer.asked(), before + 1);
        gate.add_permits(1000);
        for one in waiting {
            assert_eq!(one.join().unwrap(), 401);
        }
    });
}

#[test]
fn c24_a_client_that_leaves_does_not_take_the_keys_along() {
    let signer = Signer::new("ES256", "a");
    let issuer = Issuer::with_keys(jwks([&signer]));
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    issuer.now_says(|says| says.gate = Some(Arc::clone(&gate)));
    let setup = Setup::new(&issuer.settings(""));
    let token = signer.token(&issuer.claims(&json!({})));
    let mut leaving = gatewright_tests::RawClient::connect(setup.gateway.addr("public"));
    leaving.send(format!(
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"
    ));
    eventually("the issuer is asked", || (issuer.asked() > 0).then_some(()));
    drop(leaving);
    gate.add_permits(1000);
    eventually("the keys are there", || (setup.get(&token).status == 200).then_some(()));
    let address = setup.gateway.addr("public");
    assert_eq!(
        http(address, "GET", "/", &[("authorization", "Bearer a.b.c")], b"").status,
        401
    );
}
