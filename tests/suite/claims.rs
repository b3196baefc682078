//! What a token says of its client, and everything that reads it: no reader has to be known to anybody beforehand.

mod vouched;

use gatewright_tests::tokens::{jwks, seconds_from_now};
use gatewright_tests::{Origin, RawResponse, Recorded, Signer, TestFiles, TestGateway, full, http};
use http::Response;
use serde_json::{Value, json};

/// A gateway with this chain after a token, and somebody who signs tokens.
struct Setup {
    signer: Signer,
    origin: Origin,
    gateway: TestGateway,
}

impl Setup {
    fn new(chain: &str, integration: &str) -> Self {
        Self::with(Origin::saying("hello"), chain, integration)
    }

    fn with(origin: Origin, chain: &str, integration: &str) -> Self {
        let signer = Signer::new("ES256", "key-1");
        let config = format!(
            r#"
            [listener.public]
            address = "127.0.0.1:0"

            [upstream.app]
            targets = [{{ url = "{}" }}]

            [[route]]
            name = "protected"
            path = "/{{rest+}}"
            chain = [
                {{ use = "jwt", jwks = "file:keys.json", audiences = ["api"] }},
                {chain}
            ]
            integration = {integration}
            "#,
            origin.url()
        );
        let gateway = TestFiles::default()
            .with("keys.json", jwks(std::iter::once(&signer)))
            .start(&config);
        Self {
            signer,
            origin,
            gateway,
        }
    }

    fn token(&self, claims: &Value) -> String {
        let mut all = json!({ "aud": "api", "sub": "user-7", "exp": seconds_from_now(3600) });
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        self.signer.token(&all)
    }

    fn get(&self, claims: &Value) -> RawResponse {
        self.get_at("/a", claims)
    }

    fn get_at(&self, target: &str, claims: &Value) -> RawResponse {
        let bearer = format!("Bearer {}", self.token(claims));
        http(
            self.gateway.addr("public"),
            "GET",
            target,
            &[("authorization", &bearer)],
            b"",
        )
    }

    /// What the upstream has got last.
    fn sent(&self) -> Recorded {
        self.origin.requests().pop().unwrap()
    }
}

fn policy(statement: &str, otherwise: &str) -> Setup {
    let policy = format!("{{ use = \"policy\", otherwise = \"{otherwise}\", statements = [{statement}] }}");
    Setup::new(&policy, "{ respond = 200 }")
}

#[test]
fn a_policy_denies_by_a_claim_that_nothing_else_of_the_route_names() {
    let statement = r#"{ effect = "deny", conditions = { StringEquals = { "auth:claims.tenant" = ["blocked"] } } }"#;
    let setup = policy(statement, "allow");
    let status = |claims: Value| setup.get(&claims).status;
    assert_eq!(status(json!({ "tenant": "blocked" })), 403);
    assert_eq!(status(json!({ "tenant": "acme" })), 200);
    assert_eq!(status(json!({ "tenant": ["acme", "blocked"] })), 403);
    // What a deny asks for and cannot have is no reason to let anybody pass.
    assert_eq!(status(json!({})), 403);
    assert_eq!(status(json!({ "tenant": null })), 403);
    let records = setup.gateway.wait_for_records(5);
    let cause = records[3]["cause"].as_str().unwrap();
    assert!(
        cause.contains("auth:claims.tenant") && cause.contains("not known"),
        "{cause}"
    );
}

#[test]
fn an_allow_by_what_a_claim_is_not_lets_nobody_pass_who_has_it() {
    let statement =
        r#"{ effect = "allow", conditions = { StringNotEquals = { "auth:claims.tenant" = ["blocked"] } } }"#;
    let setup = policy(statement, "deny");
    let status = |claims: Value| setup.get(&claims).status;
    assert_eq!(status(json!({ "tenant": "blocked" })), 403);
    assert_eq!(status(json!({ "tenant": "acme" })), 200);
    assert_eq!(status(json!({})), 403);
    let setup = policy(&statement.replace("NotEquals", "NotEqualsIfExists"), "deny");
    assert_eq!(setup.get(&json!({})).status, 200);
    assert_eq!(setup.get(&json!({ "tenant": "blocked" })).status, 403);
}

#[test]
fn a_list_claim_is_a_list() {
    let status = |operator: &str, groups: Value| {
        let statement = format!(
            r#"{{ effect = "allow", conditions = {{ "{operator}" = {{ "auth:claims.cognito:groups" = ["staff", "admin"] }} }} }}"#
        );
        policy(&statement, "deny")
            .get(&json!({ "cognito:groups": groups }))
            .status
    };
    for (operator, groups, expected) in [
        ("ForAnyValue:StringEquals", json!(["guest", "admin"]), 200),
        ("ForAnyValue:StringEquals", json!(["guest"]), 403),
        ("ForAnyValue:StringEquals", json!([]), 403),
        ("ForAnyValue:StringEquals", json!("admin"), 200),
        ("ForAllValues:StringEquals", json!(["staff", "admin"]), 200),
        ("ForAllValues:StringEquals", json!(["staff", "guest"]), 403),
        ("ForAllValues:StringEquals", json!("[\"staff\",\"admin\"]"), 403),
    ] {
        assert_eq!(status(operator, groups.clone()), expected, "{operator} {groups}");
    }
}

#[test]
fn every_template_sees_every_claim() {
    let chain = r#"
        { use = "headers", request = { set = { x-tenant = "{auth.claims.tenant}", x-groups = "{auth.claims.cognito:groups}", x-roles = "{auth.claims.https://example.com/app.roles}" } } },
        { use = "rewrite", query = { set = { tenant = "{auth.claims.tenant}" } } },
        { use = "body", request = { template = '{"t": {{ attributes.auth.claims.tenant }}, "g": {{ attributes.auth.claims["cognito:groups"] }}, "r": {{ attributes.auth.claims["https://example.com/app"].roles }}, "n": {{ attributes.auth.claims.big }}}', content_type = "application/json" } },"#;
    let integration = r#"{ http = "app", headers = { x-level = "{auth.claims.level}" } }"#;
    let setup = Setup::new(chain, integration);
    let claims = json!({
        "tenant": "acme", "level": 3, "cognito:groups": ["a", "b"], "https://example.com/app": { "roles": ["r"] },
        "big": 18_446_744_073_709_551_615_u64,
    });
    assert_eq!(setup.get_at("/a", &claims).status, 200);
    let sent = setup.sent();
    for (name, value) in [
        ("x-tenant", "acme"),
        ("x-groups", "[\"a\",\"b\"]"),
        ("x-roles", "[\"r\"]"),
        ("x-level", "3"),
    ] {
        assert_eq!(sent.headers[name], value);
    }
    assert_eq!(sent.target, "/a?tenant=acme");
    let body = std::str::from_utf8(&sent.body).unwrap();
    assert_eq!(
        body,
        r#"{"t": "acme", "g": ["a","b"], "r": ["r"], "n": 18446744073709551615}"#
    );
}

#[test]
fn limits_and_cache_keys_see_every_claim() {
    let by_claim = r#"{ use = "throttle", rate = "1/h", burst = 1, by = "attribute:auth.claims.tenant" },"#;
    let setup = Setup::new(by_claim, "{ respond = 200 }");
    for (tenant, expected) in [("a", 200), ("a", 429), ("b", 200), ("b", 429)] {
        assert_eq!(setup.get(&json!({ "tenant": tenant })).status, expected, "{tenant}");
    }
    let answering = Origin::start(|request| {
        let tenant = request.headers()["x-tenant"].clone();
        async move {
            let mut response = Response::new(full(tenant.as_bytes().to_vec()));
            response
                .headers_mut()
                .insert("cache-control", "public, max-age=60".parse().unwrap());
            response
        }
    });
    let key =
        r#"{ use = "cache", mode = "aws", ttl = "60s", by = "everybody", key = ["attribute:auth.claims.tenant"] },"#;
    let integration = r#"{ http = "app", headers = { x-tenant = "{auth.claims.tenant}" } }"#;
    let setup = Setup::with(answering, key, integration);
    for tenant in ["a", "b", "a", "b"] {
        assert_eq!(setup.get(&json!({ "tenant": tenant })).text(), tenant);
    }
    assert_eq!(setup.origin.hits(), 2);
}

#[test]
fn a_second_token_leaves_nothing_of_the_first_ones_claims() {
    let statement = r#"{ effect = "deny", conditions = { StringEqualsIfExists = { "auth:claims.tenant" = ["blocked"] }, Null = { "auth:claims.tenant" = ["false"] } } }"#;
    let chain = format!(
        r#"{{ use = "jwt", jwks = "file:keys.json", audiences = ["api"], header = "x-user" }},
        {{ use = "policy", otherwise = "allow", statements = [{statement}] }}"#
    );
    let setup = Setup::new(&chain, r#"{ http = "app", headers = { x-scopes = "{auth.scopes}" } }"#);
    let first = format!(
        "Bearer {}",
        setup.token(&json!({ "tenant": "blocked", "scope": "admin" }))
    );
    let second = setup.token(&json!({}));
    let fields = [("authorization", &*first), ("x-user", &*second)];
    let response = http(setup.gateway.addr("public"), "GET", "/a", &fields, b"");
    assert_eq!(response.status, 200);
    assert!(!setup.sent().headers.contains_key("x-scopes"));
}
