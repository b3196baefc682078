//! Built-in stages, and the path's normal form.

#![expect(clippy::panic, reason = "a benchmark that cannot be set up has nothing to say")]

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
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
    FileReference, GatewayConfig, IntegrationConfig, LimitKey, MtlsConfig, PasswordHash, Place, PolicyConfig,
    PrincipalField, Rate, Scope, SecretReference, SigV4Config, StageKind, StatementConfig, ThrottleConfig, UserEntry,
    WafConfig, WafLarger, WafMode, WafRules,
};
use gatewright_core::{Body, ClientCertificate, Exchange, Flow, Integration, Response, Stage, Step};
use http::header::{self, HeaderValue};
use http::uri::PathAndQuery;

/// A file that a configuration would name.
fn named(path: &str) -> FileReference {
    FileReference {
        path: path.into(),
        place: Place::nowhere(),
    }
}

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
        keys: named("keys.toml"),
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
        users: named("users"),
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
        credentials: named("credentials.toml"),
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

/// With no rules, those of the gateway, and the OWASP Core Rule Set as Debian's package has it.
const RULES: [&str; 3] = ["none", "builtin", "core-rule-set"];

/// A request that a program sends, with ten fields.
#[divan::bench(args = RULES)]
fn waf(bencher: Bencher<'_, '_>, rules: &str) {
    waf_lets_pass(bencher, rules, exchange(10));
}

/// One that a browser sends, with a query and cookies.
#[divan::bench(args = RULES)]
fn waf_browser(bencher: Bencher<'_, '_>, rules: &str) {
    waf_lets_pass(bencher, rules, browsing());
}

fn waf_lets_pass(bencher: Bencher<'_, '_>, rules: &str, mut exchange: Exchange) {
    let Some(waf) = waf_with(rules) else { return };
    bencher.bench_local(|| match waf.on_request(black_box(&mut exchange)) {
        Step::Ready(Some(Ok(Flow::Proceed))) => {}
        _ => panic!("the stage lets the request pass, and at once"),
    });
}

/// The browser's with 1 KiB of JSON.
#[divan::bench(args = RULES)]
fn waf_json(bencher: Bencher<'_, '_>, rules: &str) {
    let Some(waf) = waf_with(rules) else { return };
    let mut exchange = browsing();
    let json = HeaderValue::from_static("application/json");
    exchange.request.headers.insert(header::CONTENT_TYPE, json);
    exchange.request.method = http::Method::POST;
    let bytes = bytes::Bytes::from_static(JSON.as_bytes());
    bencher.bench_local(|| {
        exchange.body = Body::full(bytes.clone());
        let mut step = pin!(waf.on_request(black_box(&mut exchange)));
        match step.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(Flow::Proceed)) => {}
            _ => panic!("the stage lets the request pass, and at once"),
        }
    });
}

/// What libinjection alone takes for the names and values of that document.
#[divan::bench]
fn libinjection_json(bencher: Bencher<'_, '_>) {
    let document = serde_json::from_str(JSON).unwrap_or_else(|error| panic!("{error}"));
    let mut texts = Vec::new();
    texts_of(&document, &mut texts);
    bencher.bench_local(|| {
        let found = texts.iter().filter(|text| {
            let text = black_box(text.as_bytes());
            libinjectionrs::detect_sqli(text).is_injection() || libinjectionrs::detect_xss(text).is_injection()
        });
        assert_eq!(found.count(), 0);
    });
}

fn texts_of(value: &serde_json::Value, texts: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                texts.push(name.clone());
                texts_of(value, texts);
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| texts_of(value, texts)),
        serde_json::Value::String(text) => texts.push(text.clone()),
        other => texts.push(other.to_string()),
    }
}

/// An order of a shop.
const JSON: &str = include_str!("../data/order.json");

fn browsing() -> Exchange {
    let mut exchange = exchange(0);
    let fields = [
        ("host", "api.example.com"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ),
        (
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        ),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("referer", "https://shop.example.com/catalogue/lamps?page=2"),
        ("cookie", "session=h3Lk29vQ0aZxT7mB; theme=dark; consent=2026-01-14"),
        ("sec-fetch-site", "same-site"),
    ];
    for (name, value) in fields {
        exchange.request.headers.insert(name, HeaderValue::from_static(value));
    }
    exchange.request.target = PathAndQuery::from_static("/v1/lamps/42?sort=price&colour=dark+blue&page=3");
    exchange
}

fn waf_with(rules: &str) -> Option<Waf> {
    let files = [
        "/etc/modsecurity/crs/crs-setup.conf",
        "/usr/share/modsecurity-crs/rules",
    ];
    let config = waf_config(match rules {
        "none" => Vec::new(),
        "builtin" => vec![WafRules::Builtin],
        _ if files.iter().any(|file| !std::path::Path::new(file).exists()) => return None,
        _ => files.map(|file| WafRules::Path(file.into())).to_vec(),
    });
    let rules = (!config.rules.is_empty())
        .then(|| gatewright::stages::waf::rules::load(&config).unwrap_or_else(|error| panic!("{error}")));
    Some(Waf::new(&config, rules.map(Arc::new), WafMetrics::default()))
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
