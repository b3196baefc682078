//! The teaching plugins, in the chains of `config/examples/demo.toml`.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, full, guests};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Request, Response};
use serde_json::{Value, json};
use sha2::Sha256;

const PLUGINS: [&str; 3] = ["mask-json", "quote", "token-authorizer"];
/// As in the demo's configuration.
const SECRET: &str = "a-demo-secret-that-is-long-enough";
const ISSUER: &str = "https://demo.example";

/// The demo's files, its plugins among them, without a configuration.
pub(super) fn files() -> TestFiles {
    let keys = std::fs::read(guests::root().join("config/examples/demo-keys.toml")).unwrap();
    let put = |files: TestFiles, name: &&str| files.with(&format!("plugins/{name}.wasm"), guests::plugin(name));
    PLUGINS
        .iter()
        .fold(TestFiles::default().with("demo-keys.toml", keys), put)
}

/// The demo's configuration, with other addresses.
pub(super) fn config(origin: &str) -> String {
    let mut text = std::fs::read_to_string(guests::root().join("config/examples/demo.toml")).unwrap();
    for (demos, ours) in [
        ("127.0.0.1:8080", "127.0.0.1:0"),
        ("127.0.0.1:9901", "127.0.0.1:0"),
        ("http://127.0.0.1:9000", origin),
        ("\"stdout\"", "\"file:{dir}/access.log\""),
        // Machines that run tests are slow.
        ("time = \"20ms\"", "time = \"5s\"\ncpu = \"5s\""),
    ] {
        assert_eq!(text.matches(demos).count(), 1, "{demos}");
        text = text.replace(demos, ours);
    }
    text
}

struct Demo {
    gateway: TestGateway,
    _origin: Origin,
}

impl Demo {
    fn start() -> Self {
        let origin = Origin::start(|request: Request<_>| async move {
            let said = request
                .headers()
                .get("x-principal")
                .map(|value| value.to_str().unwrap().to_owned());
            let user = json!({ "path": request.uri().path(), "email": "a@b.c", "phone": "1", "more": [{ "email": "d" }], "x-principal": said });
            let response = Response::builder().header("content-type", "application/json");
            response.body(full(user.to_string())).unwrap()
        });
        Self {
            gateway: files().start(&config(&origin.url())),
            _origin: origin,
        }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> RawResponse {
        gatewright_tests::http(self.gateway.addr("public"), method, path, headers, body)
    }
}

pub(crate) fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

pub(crate) fn token(secret: &str, header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!(
        "Bearer {signed}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

#[test]
fn the_token_authorizer_lets_who_has_a_good_token_pass_as_its_subject() {
    let demo = Demo::start();
    let hs256 = json!({ "alg": "HS256", "typ": "JWT" });
    let claims = json!({ "iss": ISSUER, "sub": "alice", "exp": now() + 600 });
    let ask = |token: &str| demo.ask("GET", "/private/users/42", &[("authorization", token)], b"");
    let good = token(SECRET, &hs256, &claims);
    for _ in 0..2 {
        let answer = ask(&good);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            (answer.json()["path"].as_str(), answer.json()["x-principal"].as_str()),
            (Some("/v1/users/42"), Some("alice"))
        );
    }
    let cache = |result: &str| {
        demo.gateway.metric(&format!(
            "gatewright_plugin_decision_cache_total{{result=\"{result}\"}}"
        ))
    };
    assert_eq!((cache("miss"), cache("hit")), (1.0, 1.0));
    let other = |change: Value| {
        let mut claims = claims.clone();
        claims
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        token(SECRET, &hs256, &claims)
    };
    for bad in [
        token("another-secret-that-is-long-enough", &hs256, &claims),
        token(SECRET, &json!({ "alg": "none" }), &claims),
        token(SECRET, &json!({ "alg": "HS512" }), &claims),
        other(json!({ "exp": now() - 600 })),
        other(json!({ "iss": "https://evil.example" })),
        format!("{good}x"),
        "Bearer forged".to_owned(),
    ] {
        let answer = ask(&bad);
        assert_eq!(
            (answer.status, answer.error()),
            (401, Some("UNAUTHORIZED")),
            "{bad}: {answer:?}"
        );
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer error=\"invalid_token\"")
        );
    }
    let nobody = demo.ask("GET", "/private/users/42", &[("x-principal", "root")], b"");
    assert_eq!(
        (nobody.status, nobody.header("www-authenticate")),
        (401, Some("Bearer"))
    );
}

#[test]
fn mask_json_masks_what_it_is_told_to_wherever_it_is() {
    let demo = Demo::start();
    let answer = demo.ask("GET", "/masked/users/42", &[], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    let masked = json!({ "path": "/v1/users/42", "email": "***", "phone": "***", "more": [{ "email": "***" }], "x-principal": null });
    assert_eq!(answer.json(), masked);
    assert_eq!(
        answer.header("content-length"),
        Some(answer.body.len().to_string().as_str())
    );
}

#[test]
fn quote_computes_an_answer() {
    let demo = Demo::start();
    let answer = demo.ask("GET", "/quote?quantity=12", &[], b"");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json")),
        "{answer:?}"
    );
    // Twelve at 2.50, with the discount of the first tier.
    assert!(answer.json().to_string().contains("2850"), "{}", answer.text());
    let posted = demo.ask(
        "POST",
        "/quote",
        &[("content-type", "application/json")],
        b"{\"quantity\":12}",
    );
    assert_eq!(posted.json(), answer.json());
    for (path, status) in [
        ("/quote", 400),
        ("/quote?quantity=many", 400),
        ("/quote?quantity=0", 400),
    ] {
        let refused = demo.ask("GET", path, &[], b"");
        // The plugin's own answer, not a failure of the gateway's.
        assert_eq!((refused.status, refused.error()), (status, None), "{path}: {refused:?}");
    }
}

#[test]
fn the_rest_of_the_demo_does_what_its_configuration_says() {
    let demo = Demo::start();
    assert_eq!(demo.ask("GET", "/", &[], b"").text(), "Gatewright is running.\n");
    let user = |headers: &[(&str, &str)]| demo.ask("GET", "/users/42", headers, b"");
    assert_eq!(user(&[]).status, 401);
    assert_eq!(user(&[("x-api-key", "wrong")]).status, 403);
    let answers: Vec<_> = (0..6).map(|_| user(&[("x-api-key", "demo-key")])).collect();
    assert_eq!(answers[0].json()["x-principal"], "demo-client");
    assert_eq!(answers[5].error(), Some("THROTTLED"), "{:?}", answers[5]);
    assert_eq!(demo.ask("GET", "/healthz", &[], b"").status, 404);
}
