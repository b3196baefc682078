//! The `jwt` stage end to end: who passes with a token, who does not, and what becomes of it while the issuer is away.

mod attacks;
mod issuer;
mod keys;

use gatewright_tests::tokens::{jwks, seconds_from_now};
use gatewright_tests::{Origin, RawResponse, Signer, TestFiles, TestGateway, http};
use serde_json::{Value, json};

use self::issuer::Issuer;

/// A gateway whose only route asks for a token, and leads to an origin.
struct Setup {
    gateway: TestGateway,
    origin: Origin,
}

impl Setup {
    /// `settings` are those of the stage.
    fn new(settings: &str) -> Self {
        Self::with(TestFiles::default(), settings, "")
    }

    fn with(files: TestFiles, settings: &str, integration: &str) -> Self {
        let origin = Origin::saying("hello");
        let gateway = files.start(&config(&origin, settings, integration));
        Self { gateway, origin }
    }

    fn get(&self, token: &str) -> RawResponse {
        self.get_with("/", &[("authorization", &format!("Bearer {token}"))])
    }

    fn get_with(&self, target: &str, fields: &[(&str, &str)]) -> RawResponse {
        http(self.gateway.addr("public"), "GET", target, fields, b"")
    }
}

fn config(origin: &Origin, settings: &str, integration: &str) -> String {
    format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [upstream.app]
        targets = [{{ url = "{}" }}]

        [[route]]
        name = "protected"
        path = "/"
        chain = [{{ use = "jwt", {settings} }}]
        integration = {{ http = "app"{integration} }}
        "#,
        origin.url()
    )
}

/// Claims of a token that is good for an hour; null takes one away.
fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://idp.example.com", "aud": "api", "sub": "user-7", "scope": "orders.read profile",
        "iat": seconds_from_now(0), "nbf": seconds_from_now(0), "exp": seconds_from_now(3600),
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn good() -> Value {
    claims(&json!({}))
}

/// What the stage is told of an issuer whose keys are in a file.
const FROM_FILE: &str = r#"issuer = "https://idp.example.com", jwks = "file:keys.json", audiences = ["api"]"#;

fn with_file(signers: &[&Signer], settings: &str, integration: &str) -> Setup {
    let files = TestFiles::default().with("keys.json", jwks(signers.iter().copied()));
    Setup::with(files, &format!("{FROM_FILE}{settings}"), integration)
}

fn challenge(response: &RawResponse) -> (u16, Option<&str>, &str) {
    (
        response.status,
        response.error(),
        response.header("www-authenticate").unwrap_or(""),
    )
}

#[test]
fn a_token_of_the_issuer_lets_its_client_pass_and_says_who_that_is() {
    let signers = ["RS256", "PS256", "ES256", "EdDSA"].map(|algorithm| Signer::new(algorithm, algorithm));
    let headers = r#", headers = { x-user = "{auth.principal}", x-by = "{auth.authorizer}", x-scopes = "{auth.scopes}",
        x-tenant = "{auth.claims.tenant}", x-level = "{auth.claims.level}", x-roles = "{auth.claims.realm.roles}", x-none = "{auth.claims.none}" }"#;
    let headers = headers.replace('\n', " ");
    let setup = with_file(
        &signers.each_ref(),
        r#", scopes = ["orders.read"], claims = { tenant = ["acme"] }"#,
        &headers,
    );
    let claims = claims(&json!({ "tenant": "acme", "level": 3, "realm": { "roles": ["a"] } }));
    for signer in &signers {
        let token = signer.token(&claims);
        // The second time the token is known.
        for _ in 0..2 {
            let response = setup.get_with(
                "/",
                &[("authorization", &format!("Bearer {token}")), ("x-none", "forged")],
            );
            assert_eq!(response.status, 200, "{}: {response:?}", signer.algorithm());
        }
    }
    let requests = setup.origin.requests();
    let request = requests.last().unwrap();
    for (name, value) in [
        ("x-user", "user-7"),
        ("x-by", "jwt"),
        ("x-scopes", "orders.read profile"),
        ("x-tenant", "acme"),
        ("x-level", "3"),
        ("x-roles", "[\"a\"]"),
    ] {
        assert_eq!(request.headers[name], value);
    }
    assert!(!request.headers.contains_key("x-none"));
    assert!(
        request.headers.contains_key("authorization"),
        "it is forwarded unless somebody says otherwise"
    );
    let record = &setup.gateway.wait_for_records(1)[0];
    assert_eq!(record["principal"], "user-7");
}

#[test]
fn a_token_is_found_where_the_configuration_says_and_goes_no_further_if_it_should_not() {
    let signer = Signer::new("ES256", "a");
    let settings = r#", header = "x-token", query = "token", cookie = "token""#;
    let setup = with_file(&[&signer], settings, "");
    let token = signer.token(&good());
    let cookie = format!("a=b; token={token}");
    let query = format!("/?x=1&token={token}&y");
    let header = [("x-token", token.as_str())];
    let cookies = [("cookie", cookie.as_str())];
    for (target, fields) in [("/", &header[..]), (query.as_str(), &[]), ("/", &cookies)] {
        assert_eq!(setup.get_with(target, fields).status, 200, "{target}");
    }
    assert_eq!(setup.get(&token).status, 401, "the usual field is none of them");
    for request in setup.origin.requests() {
        assert!(!format!("{request:?}").contains(&token), "{request:?}");
    }
    let targets: Vec<_> = setup
        .origin
        .requests()
        .into_iter()
        .map(|request| request.target)
        .collect();
    assert_eq!(targets, ["/", "/?x=1&y", "/"]);
    assert_eq!(setup.origin.requests()[2].headers["cookie"], "a=b");
}

#[test]
fn a_token_in_a_place_that_was_chosen_for_the_gateway_ends_there_unless_the_configuration_says_otherwise() {
    let signer = Signer::new("ES256", "a");
    let places = r#", header = "authorization", scheme = "Bearer", query = "token", cookie = "token""#;
    let token = signer.token(&good());
    let (bearer, cookie) = (format!("Bearer {token}"), format!("token={token}; a=b"));
    let fields = [("authorization", &*bearer), ("cookie", &*cookie)];
    let target = format!("/?token={token}&x=1");
    // Field, parameter, cookie.
    for (forward, passes) in [
        ("", [true, false, false]),
        (", forward = true", [true; 3]),
        (", forward = false", [false; 3]),
    ] {
        let setup = with_file(&[&signer], &format!("{places}{forward}"), "");
        assert_eq!(setup.get_with(&target, &fields).status, 200);
        let sent = setup.origin.only_request();
        let has = |name: &str| {
            sent.headers
                .get(name)
                .is_some_and(|value| value.to_str().unwrap().contains(&token))
        };
        let passed = [has("authorization"), sent.target.contains(&token), has("cookie")];
        assert_eq!(passed, passes, "{forward}: {sent:?}");
        assert!(sent.target.contains("x=1") && sent.headers["cookie"].to_str().unwrap().contains("a=b"));
    }
}

#[test]
fn who_may_not_is_told_why_as_rfc_6750_says() {
    let signer = Signer::new("ES256", "a");
    let setup = with_file(
        &[&signer],
        r#", scopes = ["orders.write", "admin"], claims = { tenant = "acme" }"#,
        "",
    );
    let invalid = (401, Some("UNAUTHORIZED"), "Bearer error=\"invalid_token\"");
    let missing = (401, Some("UNAUTHORIZED"), "Bearer realm=\"api\"");
    assert_eq!(challenge(&setup.get_with("/", &[])), missing);
    assert_eq!(
        challenge(&setup.get_with("/", &[("authorization", "Basic dTpw")])),
        missing
    );
    let get = |changes: Value| setup.get(&signer.token(&claims(&changes)));
    for changes in [
        json!({ "iss": "https://other" }),
        json!({ "aud": "other" }),
        json!({ "sub": null }),
        json!({ "exp": null }),
    ] {
        assert_eq!(challenge(&get(changes.clone())), invalid, "{changes}");
    }
    let scope = "Bearer error=\"insufficient_scope\", scope=\"orders.write admin\"";
    assert_eq!(challenge(&get(json!({}))), (403, Some("ACCESS_DENIED"), scope));
    assert_eq!(
        challenge(&get(json!({ "scope": "admin", "tenant": "other" }))),
        (403, Some("ACCESS_DENIED"), "")
    );
    assert_eq!(get(json!({ "scope": "admin", "tenant": "acme" })).status, 200);
    assert_eq!(setup.origin.hits(), 1);
    let records = setup.gateway.wait_for_records(9);
    let causes: Vec<_> = records.iter().filter_map(|record| record["cause"].as_str()).collect();
    assert!(
        causes.contains(&"the token is refused: its issuer (`iss`) is another"),
        "{causes:?}"
    );
    assert!(
        causes.contains(&"the claim `tenant` of the token is not as it should be"),
        "{causes:?}"
    );
}

#[test]
fn a_token_that_is_known_is_asked_again_whether_it_is_good_for_this_route() {
    let signer = Signer::new("RS256", "a");
    let files = TestFiles::default().with("keys.json", jwks([&signer]));
    let route = |name: &str, settings: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\npath = \"/{name}\"\nchain = [{{ use = \"jwt\", {FROM_FILE}{settings} }}]\n\
             integration = {{ respond = 200 }}\n"
        )
    };
    let gateway = files.start(&format!(
        "[listener.public]\naddress = \"127.0.0.1:0\"\n{}{}{}",
        route("open", ""),
        route("scope", ", scopes = [\"admin\"]"),
        route("algorithm", ", algorithms = [\"ES256\"]")
    ));
    let bearer = format!("Bearer {}", signer.token(&good()));
    let get = |path: &str| http(gateway.addr("public"), "GET", path, &[("authorization", &bearer)], b"").status;
    assert_eq!(
        (get("/open"), get("/scope"), get("/algorithm"), get("/open")),
        (200, 403, 401, 200)
    );
}

#[test]
fn nothing_of_a_token_is_in_an_explanation_and_nobody_is_asked_for_one() {
    let signer = Signer::new("ES256", "a");
    let issuer = Issuer::with_keys(jwks([&signer]));
    let setup = Setup::new(&issuer.settings(""));
    setup
        .gateway
        .write("explained.toml", config(&setup.origin, &issuer.settings(""), ""));
    let token = signer.token(&issuer.claims(&json!({})));
    let explain = |more: &[&str]| {
        let output = std::process::Command::new(gatewright_tests::guests::root().join("target/debug/gatewright"))
            .args(["explain", "GET", "/", "--format", "json", "--config"])
            .arg(setup.gateway.dir().join("explained.toml"))
            .args(["-H", &format!("authorization: Bearer {token}")])
            .args(more)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(setup.get(&token).status, 200);
    let asked = issuer.hits();
    let offline = explain(&[]);
    assert!(
        offline.contains("ISSUER_UNAVAILABLE") && !offline.contains(&token),
        "{offline}"
    );
    assert_eq!(issuer.hits(), asked);
    let online = explain(&["--online"]);
    assert!(online.contains("user-7") && !online.contains(&token), "{online}");
}
