//! Where keys come from: issuers that are away, slow, hostile or real, and files.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_tests::tokens::jwks;
use gatewright_tests::{Certificates, OidcProvider, Origin, Signer, TestFiles, eventually, full};
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::issuer::{Issuer, Says};
use super::{FROM_FILE, Setup, config, good, with_file};

#[test]
fn s9_a_real_issuer_rotates_its_keys_goes_away_and_comes_back() {
    let mut provider = OidcProvider::start("key-1");
    let settings = format!(
        "issuer = \"{}\", audiences = [\"urn:orders\"], scopes = [\"orders.read\"], cooldown = \"1ms\"",
        provider.issuer()
    );
    let setup = Setup::new(&settings);
    let old = provider.token("urn:orders", "orders.read");
    assert_eq!(setup.get(&old).status, 200);
    assert_eq!(setup.get(&provider.token("urn:orders", "orders.write")).status, 403);
    assert_eq!(setup.get(&provider.token("urn:other", "orders.read")).status, 401);
    let record = &setup.gateway.wait_for_records(1)[0];
    assert_eq!(record["principal"], "service");
    let new = provider.token("urn:orders", "orders.read");
    provider.stop();
    // Both are verified with the keys that are there, the second one for the first time.
    assert_eq!((setup.get(&old).status, setup.get(&new).status), (200, 200));
    provider.start_again("key-2");
    let rotated = provider.token("urn:orders", "orders.read");
    eventually("the new key is known", || {
        (setup.get(&rotated).status == 200).then_some(())
    });
    assert_eq!(
        setup.get(&old).status,
        401,
        "the key it was signed with has been withdrawn"
    );
    assert!(
        setup
            .gateway
            .metric("gatewright_issuer_requests_total{request=\"keys\",result=\"done\"}")
            >= 2.0
    );
    assert_eq!(setup.gateway.metric("gatewright_issuer_keys"), 1.0);
}

#[test]
fn s9_while_the_issuer_is_away_the_last_good_keys_are_used_until_they_are_too_old() {
    let signer = Signer::new("ES256", "a");
    let issuer = Issuer::with_keys(jwks([&signer]));
    let setup = Setup::new(&issuer.settings(", refresh = \"50ms\", max_stale = \"8s\", cooldown = \"1ms\""));
    let token = signer.token(&issuer.claims(&json!({})));
    eventually("the keys are there", || (setup.get(&token).status == 200).then_some(()));
    issuer.now_says(|says| says.status = StatusCode::SERVICE_UNAVAILABLE);
    let failed = "gatewright_issuer_requests_total{request=\"keys\",result=\"failed\"}";
    eventually("they cannot be fetched", || {
        (setup.gateway.metric(failed) >= 1.0).then_some(())
    });
    assert_eq!(setup.get(&token).status, 200);
    let refused = eventually("they are too old", || {
        Some(setup.get(&token)).filter(|response| response.status != 200)
    });
    assert_eq!((refused.status, refused.error()), (503, Some("ISSUER_UNAVAILABLE")));
    assert!(refused.header("retry-after").is_some());
    issuer.now_says(|says| says.status = StatusCode::OK);
    eventually("they are there again", || {
        (setup.get(&token).status == 200).then_some(())
    });
}

#[test]
fn s9_a_hostile_issuer_has_no_keys_and_holds_nobody_up() {
    let signer = Signer::new("ES256", "a");
    let keys = jwks([&signer]);
    let padded = format!("{}{}", keys, " ".repeat(150_000));
    let many = format!("{{\"keys\":[{}{{}}]}}", "{},".repeat(10_000));
    type Change = Box<dyn Fn(&mut Says)>;
    let hostile: [(&str, Change); 12] = [
        (
            "more than 150,000 bytes",
            Box::new(move |says| says.keys = padded.clone().into()),
        ),
        (
            "HTML",
            Box::new(|says| says.keys = "<html><body>log in</body></html>".into()),
        ),
        ("nothing", Box::new(|says| says.keys = "".into())),
        ("no keys", Box::new(|says| says.keys = "{\"keys\":[]}".into())),
        ("10,000 keys", Box::new(move |says| says.keys = many.clone().into())),
        (
            "keys for something else",
            Box::new(|says| says.keys = "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}".into()),
        ),
        (
            "a name twice",
            Box::new(move |says| says.keys = keys.replacen("\"kid\"", "\"alg\":\"ES256\",\"kid\"", 1).into()),
        ),
        ("not found", Box::new(|says| says.status = StatusCode::NOT_FOUND)),
        ("elsewhere", Box::new(|says| says.status = StatusCode::FOUND)),
        (
            "another issuer",
            Box::new(|says| says.metadata = Some(json!({ "issuer": "https://idp.example.com" }).to_string())),
        ),
        (
            "metadata that are none",
            Box::new(|says| says.metadata = Some("[]".to_owned())),
        ),
        (
            "silence",
            Box::new(|says| says.gate = Some(Arc::new(Semaphore::new(0)))),
        ),
    ];
    for (what, change) in hostile {
        let issuer = Issuer::with_keys(jwks([&signer]));
        issuer.now_says(change);
        let setup = Setup::new(&issuer.settings(""));
        let began = Instant::now();
        let response = setup.get(&signer.token(&issuer.claims(&json!({}))));
        assert_eq!(
            (response.status, response.error()),
            (503, Some("ISSUER_UNAVAILABLE")),
            "{what}"
        );
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "{what}: {:?}",
            began.elapsed()
        );
        assert_eq!(setup.origin.hits(), 0, "{what}");
    }
}

#[test]
fn s9_keys_are_fetched_once_however_many_wait_for_them() {
    let signer = Signer::new("ES256", "a");
    let issuer = Issuer::with_keys(jwks([&signer]));
    let gate = Arc::new(Semaphore::new(0));
    issuer.now_says(|says| says.gate = Some(Arc::clone(&gate)));
    let setup = Setup::new(&issuer.settings(""));
    let token = signer.token(&issuer.claims(&json!({})));
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..16).map(|_| scope.spawn(|| setup.get(&token).status)).collect();
        eventually("the issuer is asked", || (issuer.asked() > 0).then_some(()));
        gate.add_permits(1000);
        let served = waiting
            .into_iter()
            .map(|one| one.join().unwrap())
            .filter(|status| *status == 200);
        assert!(served.count() > 0);
    });
    eventually("all are served", || (setup.get(&token).status == 200).then_some(()));
    assert_eq!(issuer.hits(), 1);
}

#[test]
fn s9_keys_outlive_a_reload_and_are_shared_by_routes() {
    let signer = Signer::new("ES256", "a");
    let issuer = Issuer::with_keys(jwks([&signer]));
    let setup = Setup::new(&issuer.settings(""));
    let token = signer.token(&issuer.claims(&json!({})));
    eventually("the keys are there", || (setup.get(&token).status == 200).then_some(()));
    issuer.now_says(|says| says.status = StatusCode::SERVICE_UNAVAILABLE);
    let second = format!(
        "[[route]]\nname = \"second\"\npath = \"/second\"\nchain = [{{ use = \"jwt\", {} }}]\nintegration = {{ respond = 200 }}\n",
        issuer.settings(", scopes = [\"profile\"]")
    );
    setup
        .gateway
        .rewrite_config(&(config(&setup.origin, &issuer.settings(""), "") + &second));
    setup.gateway.reload().unwrap();
    let bearer = format!("Bearer {token}");
    for target in ["/", "/second"] {
        assert_eq!(
            setup.get_with(target, &[("authorization", &bearer)]).status,
            200,
            "{target}"
        );
    }
    assert_eq!(issuer.hits(), 1);
}

#[test]
fn keys_of_a_file_are_read_anew_when_it_changes_and_not_before_it_is_good() {
    let (old, new) = (Signer::new("ES256", "a"), Signer::new("EdDSA", "b"));
    let setup = with_file(&[&old], "", "");
    let tokens = [old.token(&good()), new.token(&good())];
    let statuses = || tokens.each_ref().map(|token| setup.get(token).status);
    assert_eq!(statuses(), [200, 401]);
    setup.gateway.write("keys.json", "{");
    let refused = setup.gateway.reload().unwrap_err();
    assert!(
        refused.contains("keys.json") && refused.contains("route `protected`"),
        "{refused}"
    );
    assert_eq!(statuses(), [200, 401]);
    setup.gateway.write("keys.json", jwks([&new]));
    eventually("the new keys are read", || (statuses() == [401, 200]).then_some(()));
    let missing = TestFiles::default().try_start(&config(&Origin::saying(""), FROM_FILE, ""));
    assert!(missing.err().unwrap().contains("keys.json"));
}

#[test]
fn an_issuer_is_believed_when_its_certificate_is_one_of_the_authorities() {
    let certificates = Certificates::new();
    let signer = Signer::new("ES256", "a");
    for (certificate, ca, status) in [("server", "ca.pem", 200), ("wrong", "ca.pem", 503), ("server", "", 503)] {
        let keys = jwks([&signer]);
        let issuer = Origin::start_tls(certificates.server(certificate), move |_| {
            let keys = keys.clone();
            async move { Response::new(full(keys)) }
        });
        let ca = match ca {
            "" => String::new(),
            name => format!(", ca = \"{}\"", certificates.path(name)),
        };
        let url = format!("https://localhost:{}/keys", issuer.addr().port());
        let settings = format!("issuer = \"https://idp.example.com\", jwks = \"{url}\", audiences = [\"api\"]{ca}");
        let setup = Setup::new(&settings);
        let token = signer.token(&good());
        assert_eq!(setup.get(&token).status, status, "{certificate} {ca}");
    }
    let error = TestFiles::default()
        .try_start(&config(
            &Origin::saying(""),
            "jwks = \"https://localhost/\", audiences = [\"api\"], ca = \"none.pem\"",
            "",
        ))
        .err()
        .unwrap();
    assert!(error.contains("none.pem"), "{error}");
}

#[test]
fn s9_a_new_key_just_after_a_fetch_is_known_at_once() {
    let (old, new) = (Signer::new("ES256", "a"), Signer::new("ES256", "b"));
    let issuer = Issuer::with_keys(jwks([&old]));
    let setup = Setup::new(&issuer.settings(", cooldown = \"1h\""));
    let token = old.token(&issuer.claims(&json!({})));
    eventually("the keys are there", || (setup.get(&token).status == 200).then_some(()));
    issuer.now_says(|says| says.keys = jwks([&old, &new]).into());
    assert_eq!(setup.get(&new.token(&issuer.claims(&json!({})))).status, 200);
    assert_eq!(issuer.hits(), 2);
}

#[test]
fn keys_that_are_written_carelessly_are_the_keys_that_they_are() {
    let (rsa, elliptic) = (Signer::new("RS256", "a"), Signer::new("ES256", "a"));
    type Change = fn(&mut Value);
    let with_zero = |text: &Value| {
        let bytes = URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap();
        URL_SAFE_NO_PAD.encode([&[0][..], &bytes].concat())
    };
    let (zero_n, zero_x) = (with_zero(&rsa.jwk()["n"]), with_zero(&elliptic.jwk()["x"]));
    let careless: [(&str, Change); 5] = [
        ("padding", |key| {
            for name in ["n", "e", "x", "y"] {
                if let Some(text) = key[name].as_str() {
                    let padding = "=".repeat((4 - text.len() % 4) % 4);
                    key[name] = format!("{text}{padding}").into();
                }
            }
        }),
        ("use is empty", |key| key["use"] = "".into()),
        ("use is null", |key| key["use"] = Value::Null),
        ("no algorithm", |key| key["alg"] = Value::Null),
        ("no operations", |key| key["key_ops"] = Value::Null),
    ];
    let passes = |signer: &Signer, key: &Value, fields: &Value| {
        let files = TestFiles::default().with("keys.json", json!({ "keys": [key] }).to_string());
        let setup = Setup::with(files, FROM_FILE, "");
        setup.get(&signer.token_with(fields, &good())).status == 200
    };
    for signer in [&rsa, &elliptic] {
        for (what, change) in careless {
            let mut key = signer.jwk();
            change(&mut key);
            assert!(passes(signer, &key, &json!({})), "{what}: {key}");
        }
    }
    let mut key = rsa.jwk();
    key["n"] = zero_n.into();
    assert!(passes(&rsa, &key, &json!({})), "a modulus with a sign");
    let mut key = elliptic.jwk();
    key["x"] = zero_x.into();
    assert!(passes(&elliptic, &key, &json!({})), "a coordinate with a sign");
    for name in [Value::Null, "".into()] {
        let mut key = elliptic.jwk();
        key["kid"] = name;
        let unnamed = Signer::new("ES256", "other");
        assert!(
            !passes(&unnamed, &key, &json!({})),
            "a token that names a key is not of one without a name"
        );
        assert!(passes(&elliptic, &key, &json!({ "kid": null })), "{key}");
    }
    // Careless is not wrong: what is for something else is not for this.
    let mut key = elliptic.jwk();
    key["use"] = "enc".into();
    let files = TestFiles::default().with("keys.json", json!({ "keys": [key] }).to_string());
    let config = config(&Origin::saying(""), FROM_FILE, "");
    let refused = files.try_start(&config).map(|_| ()).unwrap_err();
    assert!(
        refused.contains("key 1 \"a\"") && refused.contains("not for signatures"),
        "{refused}"
    );
}

#[test]
fn metadata_may_be_elsewhere_and_name_somebody_else_when_the_configuration_says_where() {
    let signer = Signer::new("ES256", "a");
    // As Keycloak does within a cluster: its own name is the public one.
    let issuer = Issuer::with_keys(jwks([&signer]));
    let inside = issuer.name();
    let metadata = json!({ "issuer": "https://login.example.com/realms/a", "jwks_uri": format!("{inside}/keys") });
    issuer.now_says(|says| says.metadata = Some(metadata.to_string()));
    let discovery = format!("{inside}/.well-known/openid-configuration");
    let settings = |name: &str| format!("issuer = \"{name}\", discovery = \"{discovery}\", audiences = [\"api\"]");
    let token = |claims: Value| signer.token(&issuer.claims(&claims));
    let public = Setup::new(&settings("https://login.example.com/realms/a"));
    let good = token(json!({ "iss": "https://login.example.com/realms/a" }));
    eventually("the keys are there", || (public.get(&good).status == 200).then_some(()));
    assert_eq!(public.get(&token(json!({ "iss": inside }))).status, 401);
    // As Azure AD B2C does: tokens say another name than the metadata.
    let other = Setup::new(&settings("https://login.example.com/8c1f/v2.0/"));
    let good = token(json!({ "iss": "https://login.example.com/8c1f/v2.0/" }));
    eventually("the keys are there", || (other.get(&good).status == 200).then_some(()));
    // As Microsoft Entra does for all organizations: each tenant is an issuer of its own.
    let tenants = Setup::new(&settings("https://login.example.com/{tenantid}/v2.0"));
    let of = |tenant: &str, said: Value| {
        let name = format!("https://login.example.com/{tenant}/v2.0");
        tenants.get(&token(json!({ "iss": name, "tid": said }))).status
    };
    eventually("the keys are there", || {
        (of("8c1f-2", json!("8c1f-2")) == 200).then_some(())
    });
    assert_eq!(of("8c1f-2", json!("other")), 401, "a tenant that speaks for another");
    assert_eq!(of("8c1f-2", json!(null)), 401);
    assert_eq!(of("a/../8c1f-2", json!("a/../8c1f-2")), 401);
    assert_eq!(of("", json!("")), 401);
    assert_eq!(
        tenants
            .get(&token(json!({ "iss": "https://login.example.com/{tenantid}/v2.0" })))
            .status,
        401
    );
}
