//! Built-in stages, and the path's normal form.

#![expect(clippy::panic, reason = "a benchmark that cannot be set up has nothing to say")]

use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box};
use gatewright::cache::{Cached, store::Store};
use gatewright::chain::Chain;
use gatewright::integrations::respond::Respond;
use gatewright::passwords::Passwords;
use gatewright::stages::{
    api_key::ApiKey, basic::Basic, concurrency::Concurrency, correlation_id::CorrelationId, cors::Cors,
    headers::Headers, ip::Ip, jwt::Jwt, mtls::Mtls, policy::Policy, quota::Quota, request_size::RequestSize,
    rewrite::Rewrite, sigv4::SigV4, throttle::Throttle, waf::Waf,
};
use gatewright::state::embedded::Embedded;
use gatewright::telemetry::{Metrics, WafMetrics};
use gatewright::token::issuers::Keys;
use gatewright::token::jws::Jws;
use gatewright::token::key_set::{KeySet, sha256};
use gatewright_bench::exchange;
use gatewright_config::condition::Condition;
use gatewright_config::{
    Algorithm, ApiKeyConfig, ApiKeyEntry, ApiKeySource, BasicConfig, ByteSize, CertificateRule, CredentialEntry,
    GatewayConfig, IntegrationConfig, LimitKey, MtlsConfig, PasswordHash, PolicyConfig, PrincipalField, Rate, Scope,
    SecretReference, SigV4Config, StageKind, StatementConfig, ThrottleConfig, UserEntry, WafConfig, WafLarger, WafMode,
    WafRules,
};
use gatewright_core::{Body, ClientCertificate, Flow, Integration, Response, Stage, Step};
use http::header::{self, HeaderValue};
use http::uri::PathAndQuery;

fn main() {
    divan::main();
}

/// A token of 2100 with ten claims, and the RSA key of 2048 bits that it is signed with.
const TOKEN: &str = include_str!("../data/token.jwt");
const KEYS: &str = include_str!("../data/jwks.json");

fn run(bencher: Bencher<'_, '_>, stage: &dyn Stage) {
    let mut exchange = exchange(10);
    let name = http::header::AUTHORIZATION;
    if stage.name() == "jwt" {
        let bearer = format!("Bearer {TOKEN}").try_into();
        exchange
            .request
            .headers
            .insert(name, bearer.unwrap_or_else(|_| panic!("a field")));
    }
    bencher.bench_local(|| match stage.on_request(black_box(&mut exchange)) {
        Step::Ready(Some(Ok(Flow::Proceed))) => {}
        _ => panic!("the stage lets the request pass, and at once"),
    });
}

#[divan::bench]
fn throttle(bencher: Bencher<'_, '_>) {
    let rate: Rate = "1000000000/s".parse().unwrap_or_else(|_| panic!("a rate"));
    let config = ThrottleConfig {
        rate,
        burst: 1_000_000_000,
        by: LimitKey::Client,
        scope: Scope::Instance,
    };
    run(
        bencher,
        &Throttle::new(&config, &Arc::from("route"), 0, Arc::new(Embedded::default())),
    );
}

#[divan::bench]
fn api_key(bencher: Bencher<'_, '_>) {
    let source = ApiKeySource::Header {
        name: "authorization".to_owned(),
        scheme: Some("Bearer".to_owned()),
    };
    let config = ApiKeyConfig {
        keys: "keys.toml".into(),
        sources: vec![source],
        forward: false,
    };
    // SHA-256 of `secret`.
    let digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let keys = format!("[[key]]\nname = \"bench\"\nsha256 = \"{digest}\"\n");
    let keys: Vec<ApiKeyEntry> =
        gatewright_config::parse_keys(&keys, "keys.toml".as_ref()).unwrap_or_else(|errors| panic!("{errors}"));
    run(bencher, &ApiKey::new(&config, &keys));
}

/// A hit: a response of 1 KiB with ten fields.
#[divan::bench]
fn cache(bencher: Bencher<'_, '_>) {
    let fields: Vec<_> = (0..9)
        .map(|number| format!("x-field-{number} = \"a value of ordinary length\""))
        .collect();
    let text = format!(
        "[listener.a]\naddress = \"127.0.0.1:0\"\n[[route]]\nname = \"a\"\npath = \"/\"\nchain = [{{ use = \"cache\" }}]\n\
         integration = {{ respond = 200, body = \"{}\", headers = {{ cache-control = \"public, max-age=86400\", {} }} }}\n",
        "x".repeat(1024),
        fields.join(", ")
    );
    let config = gatewright_config::parse(&text, "a.toml".as_ref()).unwrap_or_else(|errors| panic!("{errors}"));
    let Some(route) = config.routes.first() else {
        panic!("there is one")
    };
    let (Some(StageKind::Cache(config)), IntegrationConfig::Respond(respond)) =
        (route.chain.first().map(|stage| &stage.kind), &route.integration)
    else {
        panic!("they are there")
    };
    let store = Store::new(1 << 20, None, Metrics::default().cache());
    let inner = Chain::new(Vec::new(), Arc::new(Respond::new(respond)));
    let cached = Cached::new(config, &Arc::from("a"), route.timeout, inner, &store);
    let mut exchange = exchange(10);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("{error}"));
    runtime.block_on(async {
        let response = cached
            .call(&mut exchange)
            .await
            .unwrap_or_else(|problem| panic!("{problem}"));
        let body = response.into_body().collect(1 << 20).await;
        assert_eq!(body.map_or(0, |body| body.len()), 1024);
    });
    bencher.bench_local(|| match cached.call(black_box(&mut exchange)) {
        Step::Ready(Some(Ok(response))) => response,
        _ => panic!("it is there"),
    });
}

/// A password that was right a moment ago.
#[divan::bench]
fn basic(bencher: Bencher<'_, '_>) {
    // Of `myPassword`.
    let hash = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";
    let hash = PasswordHash::Bcrypt(hash.to_owned());
    let passwords = Arc::new(Passwords::default());
    passwords.remember(passwords.digest("alice", b"myPassword", &hash));
    let config = BasicConfig {
        users: "users".into(),
        realm: "bench".to_owned(),
        remember: Duration::from_secs(3600),
        attempts: "1/s".parse().unwrap_or_else(|_| panic!("a rate")),
        forward: true,
    };
    let alice = UserEntry {
        name: "alice".to_owned(),
        hash,
    };
    let stage = Basic::new(&config, vec![alice], passwords, Arc::new(Embedded::default()));
    let stage = stage.unwrap_or_else(|user| panic!("{user}"));
    let mut exchange = exchange(10);
    let credentials = HeaderValue::from_static("Basic YWxpY2U6bXlQYXNzd29yZA==");
    exchange.request.headers.insert(header::AUTHORIZATION, credentials);
    bencher.bench_local(|| match stage.on_request(black_box(&mut exchange)) {
        Step::Ready(Some(Ok(Flow::Proceed))) => {}
        _ => panic!("the stage lets the request pass, and at once"),
    });
}

#[divan::bench]
fn mtls(bencher: Bencher<'_, '_>) {
    let rule = CertificateRule {
        uri: Some("spiffe://example.com/*".to_owned()),
        ..CertificateRule::default()
    };
    let config = MtlsConfig {
        principal: PrincipalField::Uri,
        allow: Some(vec![rule]),
    };
    let text = |name| (name, "something that a certificate says".to_owned());
    let certificate = ClientCertificate {
        uris: vec!["spiffe://example.com/orders".to_owned()],
        not_after: u64::MAX,
        attributes: vec![text("auth.certificate.subject"), text("auth.certificate.san")],
        ..ClientCertificate::default()
    };
    let stage = Mtls::new(&config);
    let mut exchange = exchange(10);
    exchange.client.certificate = Some(Arc::new(certificate));
    bencher.bench_local(|| match stage.on_request(black_box(&mut exchange)) {
        Step::Ready(Some(Ok(Flow::Proceed))) => {}
        _ => panic!("the stage lets the request pass, and at once"),
    });
}

#[divan::bench]
fn policy(bencher: Bencher<'_, '_>) {
    let network = Condition::parse("NotIpAddress", "aws:SourceIp", &["203.0.113.0/24".to_owned()]);
    let statement = StatementConfig {
        allow: true,
        principals: None,
        methods: Some(vec!["GET".to_owned(), "POST".to_owned()]),
        paths: Some(vec!["/*".to_owned()]),
        conditions: vec![network.unwrap_or_else(|reason| panic!("{reason}"))],
    };
    let config = PolicyConfig {
        statements: vec![statement],
        otherwise: false,
    };
    run(bencher, &Policy::new(&config));
}

/// The request `get-vanilla` of AWS's test suite.
#[divan::bench]
fn sigv4(bencher: Bencher<'_, '_>) {
    let secret = std::env::temp_dir().join("gatewright-bench-secret");
    std::fs::write(&secret, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY").unwrap_or_else(|error| panic!("{error}"));
    let credential = CredentialEntry {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        principal: "bench".to_owned(),
        secret: SecretReference::File(secret),
        session_token: None,
        enabled: true,
    };
    let config = SigV4Config {
        credentials: "credentials.toml".into(),
        service: "service".to_owned(),
        region: None,
        clock_skew: Duration::from_secs(100 * 366 * 24 * 3600),
        presigned: Duration::ZERO,
        unsigned_payload: false,
        signed_headers: Vec::new(),
        body_bytes: ByteSize(0),
    };
    let stage = SigV4::new(&config, vec![credential]).unwrap_or_else(|(id, error)| panic!("{id}: {error}"));
    let signed = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                  SignedHeaders=host;x-amz-date, \
                  Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let mut exchange = exchange(10);
    exchange.request.authority = HeaderValue::from_static("example.amazonaws.com");
    exchange.request.target = PathAndQuery::from_static("/");
    exchange.record.target = Some(PathAndQuery::from_static("/"));
    bencher.bench_local(|| {
        let headers = &mut exchange.request.headers;
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static(signed));
        headers.insert("x-amz-date", HeaderValue::from_static("20150830T123600Z"));
        match stage.on_request(black_box(&mut exchange)) {
            Step::Ready(Some(Ok(Flow::Proceed))) => {}
            _ => panic!("the stage lets the request pass, and at once"),
        }
    });
}

#[divan::bench]
fn waf(bencher: Bencher<'_, '_>) {
    let config = waf_config(Vec::new());
    run(bencher, &Waf::new(&config, None, WafMetrics::default()));
}

#[divan::bench]
fn waf_builtin(bencher: Bencher<'_, '_>) {
    waf_with(bencher, vec![WafRules::Builtin]);
}

/// The OWASP Core Rule Set, as Debian's package has it.
#[divan::bench]
fn waf_core_rule_set(bencher: Bencher<'_, '_>) {
    let files = [
        "/etc/modsecurity/crs/crs-setup.conf",
        "/usr/share/modsecurity-crs/rules",
    ];
    if files.iter().all(|file| std::path::Path::new(file).exists()) {
        waf_with(bencher, files.map(|file| WafRules::Path(file.into())).to_vec());
    }
}

fn waf_with(bencher: Bencher<'_, '_>, rules: Vec<WafRules>) {
    let config = waf_config(rules);
    let rules = gatewright::stages::waf::rules::load(&config).unwrap_or_else(|error| panic!("{error}"));
    run(
        bencher,
        &Waf::new(&config, Some(Arc::new(rules)), WafMetrics::default()),
    );
}

fn waf_config(rules: Vec<WafRules>) -> WafConfig {
    WafConfig {
        mode: WafMode::Block,
        headers: vec!["referer".to_owned(), "user-agent".to_owned()],
        body_bytes: ByteSize(64 << 10),
        larger: WafLarger::Refuse,
        parameters: 256,
        value_bytes: ByteSize(64 << 10),
        depth: 64,
        rules,
        paranoia: None,
        threshold: None,
        exclude: Vec::new(),
    }
}

fn keys() -> Arc<KeySet> {
    Arc::new(KeySet::parse(KEYS.as_bytes()).unwrap_or_else(|reason| panic!("{reason}")))
}

fn routed_by_token() -> GatewayConfig {
    let text = r#"
        [listener.a]
        address = "127.0.0.1:0"
        [[route]]
        name = "a"
        path = "/a"
        chain = [{ use = "jwt", issuer = "https://idp.example.com", audiences = ["https://api.example.com"], scopes = ["orders.read"] }]
        integration = { respond = 200 }
    "#;
    gatewright_config::parse(text, "gateway.toml".as_ref()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A token that has been verified before.
#[divan::bench]
fn jwt(bencher: Bencher<'_, '_>) {
    let config = routed_by_token();
    let Some(StageKind::Jwt(stage)) = config
        .routes
        .first()
        .and_then(|route| route.chain.first())
        .map(|stage| &stage.kind)
    else {
        panic!("the route has the stage");
    };
    let keys = keys();
    let _ = keys.verify(TOKEN.as_bytes(), sha256(TOKEN.as_bytes()), &Algorithm::ALL);
    run(bencher, &Jwt::new(stage, Keys::Fixed(keys)));
}

/// A token that is seen for the first time.
#[divan::bench]
fn jwt_new(bencher: Bencher<'_, '_>) {
    let keys = keys();
    bencher.bench_local(|| {
        let digest = sha256(black_box(TOKEN.as_bytes()));
        keys.known(&[0; 32]).is_none() && keys.verify(TOKEN.as_bytes(), digest, &Algorithm::ALL).is_ok()
    });
}

/// Stages that need no more than their settings, with what they do to the response of 1 KiB.
#[divan::bench(args = [
    r#"{ use = "concurrency", limit = 1000, by = "client" }"#,
    r#"{ use = "correlation-id" }"#,
    r#"{ use = "cors", origins = ["https://app.example.com"], credentials = true }"#,
    r#"{ use = "headers", request = { set = { x-tenant = "a", x-client = "{client.address}" }, remove = ["x-field-1"] }, response = { set = { x-frame-options = "DENY" } } }"#,
    r#"{ use = "ip", allow = ["192.0.2.0/24", "10.0.0.0/8", "127.0.0.0/8"], deny = ["203.0.113.0/24"] }"#,
    r#"{ use = "quota", limit = 1000000000, period = "day", by = "client" }"#,
    r#"{ use = "request-size", body = "1MiB", headers = "16KiB", query = "2KiB" }"#,
    r#"{ use = "rewrite", strip_prefix = "/service" }"#,
])]
fn stage(bencher: Bencher<'_, '_>, settings: &str) {
    let stage = made(settings);
    let fresh = || {
        let mut exchange = exchange(10);
        let origin = HeaderValue::from_static("https://app.example.com");
        exchange.request.headers.insert(header::ORIGIN, origin);
        let mut response = Response::new(Body::full("x".repeat(1024)));
        let html = HeaderValue::from_static("text/html");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
        (exchange, response)
    };
    bencher
        .with_inputs(fresh)
        .bench_local_values(|(mut exchange, mut response)| {
            match stage.on_request(black_box(&mut exchange)) {
                Step::Ready(Some(Ok(Flow::Proceed))) => {}
                _ => panic!("the stage lets the request pass, and at once"),
            }
            if stage.sees_responses() {
                match stage.on_response(&mut exchange, black_box(&mut response)) {
                    Step::Ready(Some(Ok(()))) => {}
                    _ => panic!("the stage lets the response pass, and at once"),
                }
            }
            (exchange, response)
        });
}

fn made(settings: &str) -> Box<dyn Stage> {
    let text = format!(
        "[listener.a]\naddress = \"127.0.0.1:0\"\n[[route]]\nname = \"a\"\npath = \"/service/users/{{id}}\"\nchain = [{settings}]\n\
         integration = {{ respond = 200 }}\n"
    );
    let config = gatewright_config::parse(&text, "a.toml".as_ref()).unwrap_or_else(|errors| panic!("{errors}"));
    let stage = config.routes.first().and_then(|route| route.chain.first());
    let (route, state) = (Arc::from("a"), Arc::new(Embedded::default()));
    match stage.map(|stage| &stage.kind) {
        Some(StageKind::Concurrency(config)) => Box::new(Concurrency::new(config, &route, 0, state)),
        Some(StageKind::CorrelationId(config)) => Box::new(CorrelationId::new(config)),
        Some(StageKind::Cors(config)) => Box::new(Cors::new(config, &[])),
        Some(StageKind::Headers(config)) => Box::new(Headers::new(config)),
        Some(StageKind::Ip(config)) => Box::new(Ip::new(config)),
        Some(StageKind::Quota(config)) => Box::new(Quota::new(config, &route, 0, state)),
        Some(StageKind::RequestSize(config)) => Box::new(RequestSize::new(config)),
        Some(StageKind::Rewrite(config)) => Box::new(Rewrite::new(config)),
        other => panic!("{other:?}"),
    }
}

/// What of a new token the signature is.
#[divan::bench]
fn jwt_signature(bencher: Bencher<'_, '_>) {
    let jwk = serde_json::from_str::<serde_json::Value>(KEYS).unwrap_or_default();
    let jwk = jwk
        .pointer("/keys/0")
        .and_then(|jwk| jwk.as_object())
        .unwrap_or_else(|| panic!("a key"));
    let key = gatewright::token::jwk::Key::from_jwk(jwk).unwrap_or_else(|reason| panic!("{reason}"));
    let key = key.verifier(Algorithm::RS256).unwrap_or_else(|| panic!("a verifier"));
    let jws = Jws::parse(TOKEN.as_bytes()).unwrap_or_else(|reason| panic!("{reason}"));
    bencher.bench_local(|| black_box(&jws).verify(key).is_ok());
}

#[divan::bench(args = ["/service/users/42", "/a/%41/./b//c"])]
fn normalise_path(path: &str) -> usize {
    gatewright_core::path::normalise(black_box(path)).map_or(0, |path| path.len())
}
