//! The `oauth2-introspection` stage end to end: tokens that an authorization server vouches for, and what becomes of them while it
//! does not answer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gatewright_tests::tokens::seconds_from_now;
use gatewright_tests::{OidcProvider, Origin, RawResponse, TestFiles, TestGateway, eventually, full, http};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

const SECRET: &str = "service-secret-of-the-tests";

/// An authorization server that a test has in its hands.
struct Server {
    origin: Origin,
    says: Arc<Mutex<Says>>,
}

#[derive(Clone)]
struct Says {
    status: StatusCode,
    body: String,
    /// It answers when it gets a permit, and not before.
    gate: Option<Arc<Semaphore>>,
}

impl Server {
    fn saying(body: &Value) -> Self {
        let says = Says {
            status: StatusCode::OK,
            body: body.to_string(),
            gate: None,
        };
        let says = Arc::new(Mutex::new(says));
        let answering = Arc::clone(&says);
        let origin = Origin::start(move |request| {
            let says = answering.lock().unwrap().clone();
            async move {
                let _ = request.into_body().collect().await;
                if let Some(gate) = says.gate {
                    gate.acquire().await.unwrap().forget();
                }
                let mut response = Response::new(full(says.body));
                *response.status_mut() = says.status;
                response
            }
        });
        Self { origin, says }
    }

    fn now_says(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.says.lock().unwrap());
    }

    /// A gateway that asks it.
    fn gateway(&self, settings: &str) -> TestGateway {
        gateway(&format!("endpoint = \"{}/introspect\"{settings}", self.origin.url()))
    }
}

/// `settings` are those of the stage besides who the client is.
fn gateway(settings: &str) -> TestGateway {
    TestFiles::default().with("secret", SECRET).start(&config(settings))
}

fn config(settings: &str) -> String {
    format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"

        [[route]]
        name = "protected"
        path = "/"
        chain = [{{ use = "oauth2-introspection", client_id = "service", client_secret = "file:secret", {settings} }}]
        integration = {{ respond = 200 }}
        "#
    )
}

fn get(gateway: &TestGateway, token: &str) -> RawResponse {
    let bearer = format!("Bearer {token}");
    http(gateway.addr("public"), "GET", "/", &[("authorization", &bearer)], b"")
}

fn refusal(response: &RawResponse) -> (u16, Option<&str>, &str) {
    (
        response.status,
        response.error(),
        response.header("www-authenticate").unwrap_or(""),
    )
}

const INVALID: (u16, Option<&str>, &str) = (401, Some("UNAUTHORIZED"), "Bearer error=\"invalid_token\"");
const AWAY: (u16, Option<&str>, &str) = (503, Some("ISSUER_UNAVAILABLE"), "");

#[test]
fn a_real_authorization_server_vouches_for_tokens_until_they_are_revoked() {
    let mut provider = OidcProvider::start("key-1");
    let settings = format!(
        "issuer = \"{}\", scopes = [\"orders.read\"], audiences = [\"urn:orders:opaque\"]",
        provider.issuer()
    );
    let at_once = gateway(&format!("{settings}, cache = \"0s\""));
    let later = gateway(&settings);
    let token = provider.token("urn:orders:opaque", "orders.read");
    assert!(!token.contains('.'), "it says nothing by itself");
    for gateway in [&at_once, &later] {
        assert_eq!(get(gateway, &token).status, 200);
        let record = &gateway.wait_for_records(1)[0];
        assert_eq!(record["principal"], "service");
    }
    let scope = "Bearer error=\"insufficient_scope\", scope=\"orders.read\"";
    let writer = provider.token("urn:orders:opaque", "orders.write");
    assert_eq!(refusal(&get(&later, &writer)), (403, Some("ACCESS_DENIED"), scope));
    assert_eq!(
        refusal(&get(&later, &provider.token("urn:others:opaque", "orders.read"))),
        INVALID
    );
    assert_eq!(refusal(&get(&later, "unknown")), INVALID);
    provider.post("/token/revocation", &format!("token={token}"));
    assert_eq!(refusal(&get(&at_once, &token)), INVALID);
    assert_eq!(get(&later, &token).status, 200, "what it has said is good for a while");
    provider.stop();
    assert_eq!(get(&later, &token).status, 200);
    assert_eq!(refusal(&get(&later, "another")), AWAY);
    assert_eq!(refusal(&get(&at_once, &token)), AWAY);
    provider.start_again("key-2");
    eventually("it is asked again", || {
        (refusal(&get(&at_once, &token)) == INVALID).then_some(())
    });
}

#[test]
fn the_gateway_says_who_it_is_as_the_server_wants_to_hear_it() {
    let server = Server::saying(&json!({ "active": true, "sub": "user-7", "exp": seconds_from_now(60) }));
    for (settings, header, form) in [
        (
            "",
            Some("Basic c2VydmljZTpzZXJ2aWNlLXNlY3JldC1vZi10aGUtdGVzdHM="),
            "token=a%2Bb%26c%3D&token_type_hint=access_token",
        ),
        (
            ", authentication = \"post\"",
            None,
            "token=a%2Bb%26c%3D&token_type_hint=access_token&client_id=service&client_secret=service-secret-of-the-tests",
        ),
    ] {
        let gateway = server.gateway(settings);
        assert_eq!(get(&gateway, "a+b&c=").status, 200);
        let request = server.origin.requests().pop().unwrap();
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            ("POST", "/introspect")
        );
        assert_eq!(
            request
                .headers
                .get("authorization")
                .map(|value| value.to_str().unwrap()),
            header
        );
        assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
        assert_eq!(request.body, form.as_bytes());
    }
    // The name of the client stands in where no user is named.
    server.now_says(|says| says.body = json!({ "active": true, "client_id": "robot" }).to_string());
    let gateway = server.gateway("");
    assert_eq!(get(&gateway, "a").status, 200);
    assert_eq!(gateway.wait_for_records(1)[0]["principal"], "robot");
}

#[test]
fn an_answer_is_used_again_but_not_beyond_the_end_of_the_token() {
    let server = Server::saying(&json!({ "active": true, "sub": "u", "exp": seconds_from_now(3600) }));
    let gateway = server.gateway(", cache = \"1h\"");
    for _ in 0..3 {
        assert_eq!(get(&gateway, "long").status, 200);
    }
    assert_eq!(server.origin.hits(), 1);
    // One that is over, by a clock that is as far off as it may be.
    server.now_says(|says| says.body = json!({ "active": true, "sub": "u", "exp": seconds_from_now(-5) }).to_string());
    for _ in 0..3 {
        assert_eq!(get(&gateway, "short").status, 200);
    }
    assert_eq!(server.origin.hits(), 4);
    server.now_says(|says| says.body = json!({ "active": true, "sub": "u", "exp": seconds_from_now(-60) }).to_string());
    let expired = "Bearer error=\"invalid_token\", error_description=\"the token has expired\"";
    assert_eq!(refusal(&get(&gateway, "over")), (401, Some("UNAUTHORIZED"), expired));
    // That one is not good is known for a while too.
    server.now_says(|says| says.body = json!({ "active": false }).to_string());
    let before = server.origin.hits();
    for _ in 0..3 {
        assert_eq!(refusal(&get(&gateway, "revoked")), INVALID);
    }
    assert_eq!(server.origin.hits(), before + 1);
    // What is known outlives a reload that changes nothing about it.
    gateway.reload().unwrap();
    assert_eq!(get(&gateway, "long").status, 200);
    assert_eq!(server.origin.hits(), before + 1);
    // Another secret is another client, which may be told something else.
    gateway.write("secret", "another");
    gateway.reload().unwrap();
    assert_eq!(refusal(&get(&gateway, "long")), INVALID);
}

#[test]
fn a_token_is_asked_about_once_however_many_wait_for_the_answer() {
    let server = Server::saying(&json!({ "active": true, "sub": "u" }));
    let gate = Arc::new(Semaphore::new(0));
    server.now_says(|says| says.gate = Some(Arc::clone(&gate)));
    let gateway = server.gateway("");
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..16).map(|_| scope.spawn(|| get(&gateway, "same").status)).collect();
        eventually("it is asked", || (server.origin.hits() > 0).then_some(()));
        gate.add_permits(1000);
        let served = waiting
            .into_iter()
            .map(|one| one.join().unwrap())
            .filter(|status| *status == 200);
        assert!(served.count() > 0);
    });
    assert_eq!(get(&gateway, "same").status, 200);
    assert_eq!(server.origin.hits(), 1);
}

#[test]
fn s9_a_server_that_does_not_answer_as_it_should_lets_nobody_pass_and_holds_nobody_up() {
    let server = Server::saying(&json!({ "active": true, "sub": "u" }));
    let gateway = server.gateway("");
    let large = json!({ "active": true, "sub": "u", "x": "y".repeat(70_000) }).to_string();
    for (what, body) in [
        ("HTML", "<html>"),
        ("nothing", ""),
        ("a list", "[true]"),
        ("no answer", "{\"sub\":\"u\"}"),
        ("text for truth", "{\"active\":\"true\",\"sub\":\"u\"}"),
        ("two answers", "{\"active\":false,\"active\":true,\"sub\":\"u\"}"),
        (
            "a time that is none",
            "{\"active\":true,\"sub\":\"u\",\"exp\":\"never\"}",
        ),
        ("too much", &large),
    ] {
        server.now_says(|says| says.body = body.to_owned());
        let hits = server.origin.hits();
        assert_eq!(refusal(&get(&server.gateway(""), "token")), AWAY, "{what}");
        assert_eq!(server.origin.hits(), hits + 1, "{what}");
    }
    for status in [401, 403, 500, 302] {
        server.now_says(|says| {
            says.body = json!({ "active": true, "sub": "u" }).to_string();
            says.status = StatusCode::from_u16(status).unwrap();
        });
        assert_eq!(refusal(&get(&server.gateway(""), "token")), AWAY, "{status}");
    }
    // After some failures it is not asked for a while, and then again.
    let hits = server.origin.hits();
    for number in 0..20 {
        assert_eq!(refusal(&get(&gateway, &number.to_string())), AWAY);
    }
    assert!(server.origin.hits() < hits + 20);
    server.now_says(|says| says.status = StatusCode::OK);
    eventually("it is asked again", || {
        (get(&gateway, "good").status == 200).then_some(())
    });
    server.now_says(|says| says.gate = Some(Arc::new(Semaphore::new(0))));
    let began = Instant::now();
    assert_eq!(refusal(&get(&gateway, "silence")), AWAY);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(get(&gateway, "good").status, 200, "what is known is not asked about");
    assert!(gateway.metric("gatewright_issuer_requests_total{request=\"introspection\",result=\"failed\"}") >= 5.0);
}

#[test]
fn a_secret_that_is_not_there_is_said_where_it_is_named() {
    let error = TestFiles::default()
        .try_start(&config("endpoint = \"https://idp.example.com/introspect\""))
        .err()
        .unwrap();
    assert!(error.contains("secret") && error.contains("gateway.toml:"), "{error}");
}

#[test]
fn a_real_server_with_a_public_and_an_internal_url_vouches_for_tokens() {
    let mut provider = OidcProvider::start("key-1");
    let public = provider.be_public();
    provider.start_again("key-1");
    let internal = provider.internal();
    let discovery = format!("discovery = \"{internal}/.well-known/openid-configuration\"");
    let named = |issuer: &str| {
        gateway(&format!(
            "issuer = \"{issuer}\", {discovery}, audiences = [\"urn:orders:opaque\"]"
        ))
    };
    let token = provider.token("urn:orders:opaque", "orders.read");
    assert_eq!(get(&named(&public), &token).status, 200);
    // What it says of a token names its issuer, which is not the place where it was asked.
    assert_eq!(refusal(&get(&named(&internal), &token)).0, 401);
    // Without being told where, nobody believes metadata that name somebody else.
    let lost = gateway(&format!("issuer = \"{internal}\", audiences = [\"urn:orders:opaque\"]"));
    assert_eq!(refusal(&get(&lost, &token)), AWAY);
}

#[test]
fn an_answer_may_name_another_issuer_than_the_metadata_where_the_configuration_says_so() {
    let said = Arc::new(Mutex::new(json!({})));
    let answering = Arc::clone(&said);
    let server = Origin::start(move |request| {
        let said = answering.lock().unwrap().to_string();
        async move {
            let name = format!("http://{}", request.headers()["host"].to_str().unwrap());
            let body = match request.uri().path() {
                "/elsewhere" => json!({
                    "issuer": "https://login.example.com/organizations/v2.0",
                    "introspection_endpoint": format!("{name}/introspect"),
                })
                .to_string(),
                "/introspect" => said,
                other => panic!("nobody asks for {other}"),
            };
            Response::new(full(body))
        }
    });
    let told = |issuer: &str, answer: Value| {
        *said.lock().unwrap() = answer;
        let gateway = gateway(&format!(
            "issuer = \"{issuer}\", discovery = \"{}/elsewhere\"",
            server.url()
        ));
        get(&gateway, "token").status
    };
    let of = |iss: Value, tid: &str| json!({ "active": true, "sub": "u", "iss": iss, "tid": tid });
    // As Azure AD B2C does.
    let b2c = "https://login.example.com/8c1f/v2.0/";
    assert_eq!(told(b2c, of(json!(b2c), "8c1f")), 200);
    assert_eq!(
        told(b2c, of(json!("https://login.example.com/organizations/v2.0"), "8c1f")),
        401
    );
    // As Microsoft Entra does for all organizations.
    let entra = "https://login.example.com/{tenantid}/v2.0";
    let tenant = json!("https://login.example.com/8c1f/v2.0");
    assert_eq!(told(entra, of(tenant.clone(), "8c1f")), 200);
    assert_eq!(
        told(entra, of(tenant, "other")),
        401,
        "a tenant that speaks for another"
    );
    assert_eq!(told(entra, of(json!(entra), "{tenantid}")), 401);
}
