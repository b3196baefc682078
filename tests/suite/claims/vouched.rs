//! Claims decide alike, whoever vouches for them: an authorization server that is asked, a person's login, an authorizer in a plugin.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_tests::tokens::encode;
use gatewright_tests::{Origin, RawResponse, TestFiles, TestGateway, eventually, full, guests, http};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::oidc_login::provider::{Login, Provider};
use crate::oidc_login::{CLIENT_SECRET, COOKIE_SECRET, session};
use crate::plugins::teaching::{now, token};

const SECRET: &str = "a secret of the tests, which is long enough";

/// Routes that read what an authority says, each with a stage of that authority before it.
struct Readers<'s> {
    /// The stage that finds out who the client is.
    stage: &'s str,
    /// What stands before the names of claims in `auth:…`: what a plugin says is no token's claim.
    prefix: &'s str,
    more: &'s str,
}

impl Readers<'_> {
    fn config(&self, origin: &Origin) -> String {
        let Self { stage, prefix, more } = self;
        let route = |name: &str, path: &str, chain: &str, integration: &str| {
            format!(
                "[[route]]\nname = \"{name}\"\npath = \"{path}\"\nchain = [{stage}, {chain}]\nintegration = {integration}\n"
            )
        };
        let policy = |name: &str, otherwise: &str, effect: &str, operator: &str, claim: &str, values: &str| {
            let conditions = format!("{{ \"{operator}\" = {{ \"auth:{prefix}{claim}\" = {values} }} }}");
            let statement = format!("{{ effect = \"{effect}\", conditions = {conditions} }}");
            let policy = format!("{{ use = \"policy\", otherwise = \"{otherwise}\", statements = [{statement}] }}");
            route(name, &format!("/{name}"), &policy, "{ respond = 200 }")
        };
        let groups = r#"["staff", "admin"]"#;
        let set = format!(
            "request = {{ set = {{ x-tenant = \"{{auth.{prefix}tenant}}\", x-groups = \"{{auth.{prefix}groups}}\" }} }}"
        );
        let template = format!(
            "'{{\"t\": {{{{ attributes.auth.{prefix}tenant }}}}, \"g\": {{{{ attributes.auth.{prefix}groups }}}}}}'"
        );
        let seen = format!(
            "{{ use = \"headers\", {set} }}, {{ use = \"body\", request = {{ template = {template}, content_type = \"application/json\" }} }}"
        );
        let limit =
            format!("{{ use = \"throttle\", rate = \"1/h\", burst = 1, by = \"attribute:auth.{prefix}tenant\" }}");
        [
            "[listener.public]\naddress = \"127.0.0.1:0\"\n".to_owned(),
            format!("[upstream.app]\ntargets = [{{ url = \"{}\" }}]\n", origin.url()),
            (*more).to_owned(),
            policy("deny", "allow", "deny", "StringEquals", "tenant", r#"["blocked"]"#),
            policy(
                "deny-any",
                "allow",
                "deny",
                "ForAnyValue:StringEquals",
                "groups",
                groups,
            ),
            policy(
                "deny-all",
                "allow",
                "deny",
                "ForAllValues:StringEquals",
                "groups",
                groups,
            ),
            policy(
                "deny-unless",
                "allow",
                "deny",
                "StringNotEquals",
                "tenant",
                r#"["acme"]"#,
            ),
            policy("not", "deny", "allow", "StringNotEquals", "tenant", r#"["blocked"]"#),
            policy("any", "deny", "allow", "ForAnyValue:StringEquals", "groups", groups),
            policy("all", "deny", "allow", "ForAllValues:StringEquals", "groups", groups),
            route("limited", "/limited", &limit, "{ respond = 200 }"),
            route("seen", "/seen", &seen, "{ http = \"app\" }"),
            route("others", "/{rest+}", "", "{ respond = 200 }").replace(", ]", "]"),
        ]
        .concat()
    }
}

/// Asks for each path with each set of claims, and compares.
fn assert_alike(origin: &Origin, get: impl Fn(&str, &Value) -> RawResponse) {
    let tenant = |value: Value| json!({ "tenant": value });
    let groups = |value: Value| json!({ "groups": value });
    for (path, claims, expected) in [
        ("/deny", tenant(json!("blocked")), 403),
        ("/deny", tenant(json!("acme")), 200),
        ("/deny", tenant(json!(["acme", "blocked"])), 403),
        // What a deny asks for and cannot have is no reason to let anybody pass.
        ("/deny", json!({}), 403),
        ("/deny", tenant(Value::Null), 403),
        ("/deny-any", groups(json!(["guest", "admin"])), 403),
        ("/deny-any", groups(json!(["guest"])), 200),
        ("/deny-any", groups(json!([])), 200),
        ("/deny-any", json!({}), 403),
        ("/deny-all", groups(json!(["staff", "admin"])), 403),
        ("/deny-all", groups(json!(["staff", "guest"])), 200),
        ("/deny-all", groups(json!([])), 403),
        ("/deny-all", json!({}), 403),
        ("/deny-unless", tenant(json!("acme")), 200),
        ("/deny-unless", tenant(json!("blocked")), 403),
        ("/deny-unless", json!({}), 403),
        ("/not", tenant(json!("blocked")), 403),
        ("/not", tenant(json!("acme")), 200),
        ("/not", json!({}), 403),
        ("/any", groups(json!(["guest", "admin"])), 200),
        ("/any", groups(json!(["guest"])), 403),
        ("/any", groups(json!([])), 403),
        ("/any", groups(json!("admin")), 200),
        ("/any", json!({}), 403),
        ("/all", groups(json!(["staff", "admin"])), 200),
        ("/all", groups(json!(["staff", "guest"])), 403),
        ("/all", groups(json!("[\"staff\",\"admin\"]")), 403),
        ("/all", json!({}), 403),
        ("/limited", tenant(json!("a")), 200),
        ("/limited", tenant(json!("a")), 429),
        ("/limited", tenant(json!("b")), 200),
    ] {
        let answer = get(path, &claims);
        assert_eq!(answer.status, expected, "{path} {claims}: {answer:?}");
    }
    let claims = json!({ "tenant": "acme", "groups": ["a", "b"] });
    assert_eq!(get("/seen", &claims).status, 200);
    let sent = origin.requests().pop().unwrap();
    assert_eq!(sent.headers["x-tenant"], "acme");
    assert_eq!(sent.headers["x-groups"], r#"["a","b"]"#);
    assert_eq!(
        std::str::from_utf8(&sent.body).unwrap(),
        r#"{"t": "acme", "g": ["a","b"]}"#
    );
}

#[test]
fn claims_that_an_authorization_server_tells_decide_as_a_tokens_do() {
    // Its tokens are names for what it says of them.
    let server = Origin::start(|request: Request<_>| async move {
        let form = request.into_body().collect().await.unwrap().to_bytes();
        let form = std::str::from_utf8(&form).unwrap();
        let token = form.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(token).unwrap();
        let mut answer: Value = serde_json::from_slice(&claims).unwrap();
        answer["active"] = json!(true);
        answer["sub"] = json!("alice");
        Response::new(full(answer.to_string()))
    });
    let stage = format!(
        "{{ use = \"oauth2-introspection\", endpoint = \"{}/introspect\", client_id = \"service\", client_secret = \"file:secret\" }}",
        server.url()
    );
    let origin = Origin::saying("the page");
    let readers = Readers {
        stage: &stage,
        prefix: "claims.",
        more: "",
    };
    let gateway = TestFiles::default()
        .with("secret", "service-secret")
        .start(&readers.config(&origin));
    assert_alike(&origin, |path, claims| {
        let bearer = format!("Bearer {}", encode(claims.to_string().as_bytes()));
        http(gateway.addr("public"), "GET", path, &[("authorization", &bearer)], b"")
    });
}

#[test]
fn claims_of_a_person_who_has_logged_in_decide_as_a_tokens_do() {
    let provider = Provider::start();
    let stage = format!(
        "{{ use = \"oidc-login\", issuer = \"{}\", client_id = \"pages\", client_secret = \"file:secret\", cookie_secrets = [\"file:cookie-secret\"] }}",
        provider.name()
    );
    let origin = Origin::saying("the page");
    let readers = Readers {
        stage: &stage,
        prefix: "claims.",
        more: "",
    };
    let gateway = TestFiles::default()
        .with("secret", CLIENT_SECRET)
        .with("cookie-secret", COOKIE_SECRET)
        .start(&readers.config(&origin));
    let page = ("accept", "text/html");
    let open = |path: &str, fields: &[(&str, &str)]| http(gateway.addr("public"), "GET", path, fields, b"");
    eventually("the provider is known", || {
        (open("/others", &[page]).status == 302).then_some(())
    });
    assert_alike(&origin, |path, claims| {
        let login = Login::of(&open(path, &[page]));
        provider.will_vouch(&login, claims);
        let back = open(&login.answer(), &[page, ("cookie", &login.cookie)]);
        assert_eq!(back.status, 302, "{back:?}");
        open(path, &[page, ("cookie", &session(&back))])
    });
}

#[test]
fn what_an_authorizer_in_a_plugin_says_decides_as_a_tokens_claims_do() {
    let stage = format!(
        "{{ plugin = \"token-authorizer\", config = {{ secret = \"{SECRET}\", issuer = \"idp\", context = [\"tenant\", \"groups\"] }} }}"
    );
    let origin = Origin::saying("the page");
    let readers = Readers {
        stage: &stage,
        prefix: "",
        more: "[plugins]\ndirectory = \"plugins\"\n[plugin.token-authorizer]\ntime = \"10s\"\ncpu = \"5s\"\n",
    };
    let gateway: TestGateway = TestFiles::default()
        .with("plugins/token-authorizer.wasm", guests::plugin("token-authorizer"))
        .start(&readers.config(&origin));
    assert_alike(&origin, |path, claims| {
        let mut claims = claims.clone();
        claims["iss"] = json!("idp");
        claims["sub"] = json!("alice");
        claims["exp"] = json!(now() + 600);
        let bearer = token(SECRET, &json!({ "alg": "HS256", "typ": "JWT" }), &claims);
        http(gateway.addr("public"), "GET", path, &[("authorization", &bearer)], b"")
    });
}
