//! The `policy` stage end to end: what denies, what allows, and what nobody says anything about.

use gatewright_tests::{RawResponse, TestFiles, TestGateway, http};

/// `printf %s alpha | sha256sum`
const ALPHA: &str = "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8";

/// Routes whose clients have proved who they are, and who have not: with this policy, and with that one.
fn gateways(known: &str, open: &str) -> TestGateway {
    TestFiles::default()
        .with(
            "keys.toml",
            format!("[[key]]\nname = \"partner-a\"\nsha256 = \"{ALPHA}\"\n"),
        )
        .start(&format!(
            r#"
            [listener.public]
            address = "127.0.0.1:0"

            [[route]]
            name = "known"
            path = "/known/{{rest+}}"
            chain = [{{ use = "api-key", keys = "keys.toml" }}, {{ use = "policy", {known} }}]
            integration = {{ respond = 200 }}

            [[route]]
            name = "open"
            path = "/open/{{rest+}}"
            chain = [{{ use = "policy", {open} }}]
            integration = {{ respond = 200 }}
            "#
        ))
}

fn gateway(policy: &str) -> TestGateway {
    gateways(policy, policy)
}

/// A policy that asks for what only the first route finds out.
fn gateway_of_known(policy: &str) -> TestGateway {
    gateways(policy, "statements = [{ effect = \"allow\" }]")
}

fn ask(gateway: &TestGateway, method: &str, path: &str, fields: &[(&str, &str)]) -> RawResponse {
    let fields: Vec<_> = fields.iter().copied().chain([("x-api-key", "alpha")]).collect();
    http(gateway.addr("public"), method, path, &fields, b"")
}

#[test]
fn a_deny_wins_then_an_allow_and_silence_is_no() {
    let gateway = gateway(
        "statements = [
            { effect = \"allow\", methods = [\"GET\", \"POST\"] },
            { effect = \"deny\", paths = [\"*/admin/*\"] },
            { effect = \"deny\", methods = [\"POST\"], paths = [\"*/orders\"] },
        ]",
    );
    let status = |method: &str, path: &str| ask(&gateway, method, path, &[]).status;
    assert_eq!(status("GET", "/open/orders"), 200);
    assert_eq!(status("POST", "/open/orders/1"), 200);
    assert_eq!(status("POST", "/open/orders"), 403);
    assert_eq!(status("DELETE", "/open/orders"), 403);
    assert_eq!(status("GET", "/open/admin/x"), 403);
    assert_eq!(status("GET", "/open/x/../admin/%78"), 403, "by the normal form");
    let refused = ask(&gateway, "DELETE", "/open/orders", &[]);
    assert_eq!(refused.error(), Some("ACCESS_DENIED"));
    let records = gateway.wait_for_records(7);
    assert!(
        records[2]["cause"].as_str().unwrap().contains("denies"),
        "{}",
        records[2]
    );
    assert!(
        records[6]["cause"].as_str().unwrap().contains("no statement"),
        "{}",
        records[6]
    );
}

#[test]
fn a_principal_is_who_has_proved_it() {
    let policy = "statements = [{ effect = \"allow\", principals = [\"partner-*\"], paths = [\"*/orders\"] }]";
    let gateway = gateway_of_known(policy);
    assert_eq!(ask(&gateway, "GET", "/known/orders", &[]).status, 200);
    assert_eq!(ask(&gateway, "GET", "/known/other", &[]).status, 403);
    let denied =
        gateway_of_known("otherwise = \"allow\", statements = [{ effect = \"deny\", principals = [\"partner-a\"] }]");
    assert_eq!(ask(&denied, "GET", "/known/orders", &[]).status, 403);
}

#[test]
fn conditions_are_those_of_aws() {
    for (conditions, path, fields, expected) in [
        (
            "IpAddress = { \"aws:SourceIp\" = [\"127.0.0.0/8\"] }",
            "/open/a",
            &[][..],
            200,
        ),
        (
            "IpAddress = { \"aws:SourceIp\" = [\"10.0.0.0/8\", \"::1\"] }",
            "/open/a",
            &[],
            403,
        ),
        (
            "NotIpAddress = { \"aws:SourceIp\" = [\"10.0.0.0/8\"] }",
            "/open/a",
            &[],
            200,
        ),
        ("Bool = { \"aws:SecureTransport\" = [\"false\"] }", "/open/a", &[], 200),
        (
            "DateLessThan = { \"aws:CurrentTime\" = [\"2100-01-01T00:00:00Z\"] }",
            "/open/a",
            &[],
            200,
        ),
        (
            "DateGreaterThan = { \"aws:CurrentTime\" = [\"2100-01-01\"] }",
            "/open/a",
            &[],
            403,
        ),
        (
            "StringLike = { \"header:x-tenant\" = [\"blue-*\"] }",
            "/open/a",
            &[("x-tenant", "blue-1")],
            200,
        ),
        (
            "StringLike = { \"header:x-tenant\" = [\"blue-*\"] }",
            "/open/a",
            &[("x-tenant", "red")],
            403,
        ),
        (
            "StringLike = { \"header:x-tenant\" = [\"blue-*\"] }",
            "/open/a",
            &[],
            403,
        ),
        (
            "StringLikeIfExists = { \"header:x-tenant\" = [\"blue-*\"] }",
            "/open/a",
            &[],
            200,
        ),
        (
            "StringNotEquals = { \"header:x-tenant\" = [\"red\"] }",
            "/open/a",
            &[],
            200,
        ),
        (
            "StringEqualsIgnoreCase = { \"aws:UserAgent\" = [\"Test\"] }",
            "/open/a",
            &[("user-agent", "TEST")],
            200,
        ),
        (
            "NumericLessThanEquals = { \"query:page\" = [\"10\"] }",
            "/open/a?page=10",
            &[],
            200,
        ),
        (
            "NumericLessThanEquals = { \"query:page\" = [\"10\"] }",
            "/open/a?page=11",
            &[],
            403,
        ),
        (
            "NumericLessThanEquals = { \"query:page\" = [\"10\"] }",
            "/open/a?page=ten",
            &[],
            403,
        ),
        ("StringEquals = { \"path:rest\" = [\"a/b\"] }", "/open/a/b", &[], 200),
        (
            "StringEquals = { \"auth:authorizer\" = [\"api-key\"] }",
            "/known/a",
            &[],
            200,
        ),
        (
            "StringEquals = { \"path:rest\" = [\"a@b c\"] }",
            "/open/a%40b%20c",
            &[],
            200,
        ),
        (
            "StringEquals = { \"query:q\" = [\"a b\"] }",
            "/open/a?q=a%20b",
            &[],
            200,
        ),
        ("Null = { \"header:x-tenant\" = [\"true\"] }", "/open/a", &[], 200),
        (
            "Null = { \"header:x-tenant\" = [\"true\"] }",
            "/open/a",
            &[("x-tenant", "a")],
            403,
        ),
    ] {
        let policy = format!("statements = [{{ effect = \"allow\", conditions = {{ {conditions} }} }}]");
        let gateway = match conditions.contains("auth:") {
            true => gateway_of_known(&policy),
            false => gateway(&policy),
        };
        assert_eq!(
            ask(&gateway, "GET", path, fields).status,
            expected,
            "{conditions} {path} {fields:?}"
        );
    }
}

#[test]
fn a_field_that_is_there_twice_does_not_allow_by_one_value_and_act_by_the_other() {
    let twice = [("x-tenant", "blue"), ("x-tenant", "red")];
    let conditions = "conditions = { StringEquals = { \"header:x-tenant\" = [\"blue\"] } }";
    let allowed = gateway(&format!("statements = [{{ effect = \"allow\", {conditions} }}]"));
    assert_eq!(ask(&allowed, "GET", "/open/a", &twice).status, 403);
    let denied = gateway(&format!(
        "statements = [{{ effect = \"allow\" }}, {{ effect = \"deny\", {conditions} }}]"
    ));
    assert_eq!(ask(&denied, "GET", "/open/a", &twice).status, 403);
    let any = gateway(
        "statements = [{ effect = \"allow\", conditions = { \"ForAnyValue:StringEquals\" = { \"header:x-tenant\" = [\"red\"] } } }]",
    );
    assert_eq!(ask(&any, "GET", "/open/a", &twice).status, 200);
}

#[test]
fn what_is_denied_is_denied_however_its_path_is_encoded() {
    let gateway = gateway(
        "otherwise = \"allow\", statements = [{ effect = \"deny\", paths = [\"/open/@me*\", \"/open/café\", \"/open/%21*\"] }]",
    );
    for (path, expected) in [
        ("/open/@me", 403),
        ("/open/%40me", 403),
        ("/open/%40%6De/x", 403),
        ("/open/caf%C3%A9", 403),
        ("/open/!a", 403),
        ("/open/%21a", 403),
        ("/open/me", 200),
        ("/open/cafe", 200),
    ] {
        assert_eq!(ask(&gateway, "GET", path, &[]).status, expected, "{path}");
    }
}

#[test]
fn an_anonymous_visitor_is_anybody_that_a_statement_denies() {
    let files = TestFiles::default().with("secret", "a secret of the tests, which is long enough");
    let gateway = files.start(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [[route]]
        name = "pages"
        path = "/{rest+}"
        chain = [
            { use = "oidc-login", issuer = "http://127.0.0.1:1", client_id = "a", client_secret = "file:secret", cookie_secrets = ["file:secret"], on_unauthenticated = "allow" },
            { use = "policy", otherwise = "allow", statements = [{ effect = "deny", paths = ["/known/*"], principals = ["mallory"] }] },
        ]
        integration = { respond = 200 }
        "#,
    );
    assert_eq!(ask(&gateway, "GET", "/known/a", &[]).status, 403);
    assert_eq!(ask(&gateway, "GET", "/open/a", &[]).status, 200);
    let records = gateway.wait_for_records(1);
    let cause = records[0]["cause"].as_str().unwrap();
    assert!(cause.contains("has not proved"), "{cause}");
}
