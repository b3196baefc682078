//! The `oidc-login` stage end to end: people who log in at a real provider, and providers and browsers that lie.

mod browser;
mod discovery;
pub(crate) mod provider;
mod sessions;

use gatewright_tests::{Certificates, OidcProvider, Origin, RawResponse, TestFiles, TestGateway, eventually, http};
use serde_json::json;

use self::browser::Browser;
use self::provider::{Login, Provider};

pub(crate) const COOKIE_SECRET: &str = "a secret of the tests, which is long enough";
pub(crate) const CLIENT_SECRET: &str = "client-secret-of-the-tests";

/// A gateway; `listener` and `settings` are more of both.
fn gateway(listener: &str, issuer: &str, settings: &str, origin: &str) -> TestGateway {
    files().start(&config(listener, issuer, settings, origin))
}

fn files() -> TestFiles {
    TestFiles::default()
        .with("secret", CLIENT_SECRET)
        .with("cookie-secret", COOKIE_SECRET)
}

fn config(listener: &str, issuer: &str, settings: &str, origin: &str) -> String {
    format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        {listener}

        [upstream.app]
        targets = [{{ url = "{origin}" }}]

        [[route]]
        name = "pages"
        path = "/{{rest+}}"
        chain = [
            {{ use = "oidc-login", issuer = "{issuer}", client_id = "pages", client_secret = "file:secret", cookie_secrets = ["file:cookie-secret"], {settings} }},
        ]
        integration = {{ http = "app", headers = {{ x-principal = "{{auth.principal}}", x-name = "{{auth.claims.name}}" }} }}
        "#
    )
}

/// A real provider that knows the gateway at this URL; it has been somewhere already.
fn know(provider: &mut OidcProvider, gateway: &str) {
    let clients = json!([{
        "client_id": "pages",
        "client_secret": CLIENT_SECRET,
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [format!("{gateway}/oauth2/callback")],
        "post_logout_redirect_uris": [format!("{gateway}/bye")],
        "scope": "openid offline_access",
    }]);
    provider.start_with(&clients.to_string());
}

#[test]
fn a_person_logs_in_with_a_real_provider_goes_on_and_logs_out() {
    let certificates = Certificates::new();
    let origin = Origin::saying("the page");
    let mut provider = OidcProvider::start("key-1");
    let issuer = provider.issuer();
    provider.stop();
    let settings = "logout = \"/logout\", after_logout = \"/bye\"";
    let tls = format!(
        "tls = {{ certificate = \"{}\", key = \"{}\" }}",
        certificates.path("server.pem"),
        certificates.path("server.key")
    );
    let gateway = gateway(&tls, &issuer, settings, &origin.url());
    let base = format!("https://localhost:{}", gateway.addr("public").port());
    let browser = Browser::believing(&certificates.file("ca.pem"));
    // While the provider is away nobody can log in.
    assert_eq!(browser.open(&format!("{base}/page")).status, 503);
    know(&mut provider, &base);
    let wanted = format!("{base}/page?a=b%20c");
    let other = Browser::believing(&certificates.file("ca.pem"));
    eventually("the provider is found", || {
        (other.open(&wanted).status == 200).then_some(())
    });
    let login = browser.open(&wanted);
    assert!(login.url.starts_with(&issuer), "{login:?}");
    let consent = browser.send(&login, &[("login", "alice"), ("password", "x")]);
    let arrived = browser.send(&consent, &[]);
    assert_eq!(
        (arrived.status, &*arrived.url, &*arrived.body),
        (200, &*wanted, "the page")
    );
    let seen = origin.only_request();
    assert_eq!(seen.target, "/page?a=b%20c");
    assert_eq!(seen.headers["x-principal"], "alice");
    assert!(!seen.headers.contains_key("cookie"), "{seen:?}");
    assert!(!seen.headers.contains_key("authorization"), "{seen:?}");
    let cookies = browser.cookies();
    assert!(cookies.contains("#HttpOnly_localhost\tFALSE\t/\tTRUE"), "{cookies}");
    assert!(cookies.contains("__Host-gatewright-session\t1."), "{cookies}");
    let again = browser.open_only(&format!("{base}/other"));
    assert_eq!((again.status, &*again.body), (200, "the page"));
    // The provider asks whether that is meant, as it should.
    let out = browser.open_only(&format!("{base}/logout"));
    assert_eq!(out.status, 302);
    assert!(
        !browser.cookies().contains("__Host-gatewright-session\t"),
        "{}",
        browser.cookies()
    );
    let asked = browser.open(&out.url);
    assert!(asked.url.starts_with(&format!("{issuer}/session/end")), "{asked:?}");
    let gone = browser.send(&asked, &[("logout", "yes")]);
    // Where it leads to is a page too, so that it asks for the next login.
    assert!(gone.url.starts_with(&issuer), "{gone:?}");
    assert!(gone.body.contains("name=\"login\""), "{gone:?}");
}

#[test]
fn scripts_and_forms_are_refused_and_not_sent_away() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "");
    let page = [("accept", "text/html,application/xhtml+xml;q=0.9")];
    assert_eq!(setup.get("/a", &page).status, 302);
    assert_eq!(setup.get("/a", &[("sec-fetch-mode", "navigate")]).status, 302);
    for (method, fields) in [
        ("GET", &[("accept", "application/json")][..]),
        ("GET", &[("accept", "*/*")]),
        ("GET", &[]),
        ("GET", &[("accept", "text/html"), ("sec-fetch-mode", "cors")]),
        ("POST", &page),
        ("OPTIONS", &page),
    ] {
        let response = http(setup.gateway.addr("public"), method, "/a", fields, b"");
        assert_eq!(
            (response.status, response.error()),
            (401, Some("UNAUTHORIZED")),
            "{method} {fields:?}"
        );
        assert!(response.header("www-authenticate").is_some());
        assert_eq!(response.header("set-cookie"), None);
    }
    let denying = Setup::new(&provider, "on_unauthenticated = \"deny\"");
    assert_eq!(denying.get("/a", &page).status, 401);
    let allowing = Setup::new(&provider, "on_unauthenticated = \"allow\"");
    assert_eq!(allowing.get("/a", &page).status, 200);
    let seen = allowing.origin.only_request();
    assert!(!seen.headers.contains_key("x-principal"), "{seen:?}");
    // Where the field is the gateway's to say, a client cannot.
    let speaking = Setup::new(&provider, "on_unauthenticated = \"allow\", forward = \"id-token\"");
    assert_eq!(speaking.get("/a", &[("authorization", "Bearer forged")]).status, 200);
    let seen = speaking.origin.only_request();
    assert!(!seen.headers.contains_key("authorization"), "{seen:?}");
}

/// A gateway in front of an origin, with a provider that a test has in its hands.
struct Setup {
    origin: Origin,
    gateway: TestGateway,
}

const PAGE: (&str, &str) = ("accept", "text/html");

impl Setup {
    fn new(provider: &Provider, settings: &str) -> Self {
        let origin = Origin::saying("the page");
        let gateway = gateway("", &provider.name(), settings, &origin.url());
        let setup = Self { origin, gateway };
        let ready = format!(
            "gatewright_issuer_requests_total{{issuer=\"{}\",request=\"keys\",result=\"done\"}}",
            provider.name()
        );
        eventually("the provider is known", || {
            (setup.gateway.metric(&ready) >= 1.0).then_some(())
        });
        setup
    }

    fn get(&self, path: &str, fields: &[(&str, &str)]) -> RawResponse {
        http(self.gateway.addr("public"), "GET", path, fields, b"")
    }

    /// Begins a login for `/wanted`: what the provider is asked, and the cookie of the login.
    fn begin(&self) -> Login {
        Login::of(&self.get("/wanted?x=1", &[PAGE]))
    }

    /// Comes back from a provider that gives out this ID token.
    fn come_back(&self, login: &Login) -> RawResponse {
        self.get(&login.answer(), &[PAGE, ("cookie", &login.cookie)])
    }

    /// The cookies of a session that a whole login gets.
    fn log_in(&self, provider: &Provider) -> String {
        let login = self.begin();
        provider.will_vouch(&login, &json!({}));
        let back = self.come_back(&login);
        assert_eq!(back.status, 302, "{back:?} {:?}", self.gateway.access_log().last());
        assert_eq!(back.header("location"), Some("/wanted?x=1"));
        assert_eq!(back.header("cache-control"), Some("no-store"));
        let (name, _) = login.cookie.split_once('=').unwrap();
        let over = format!("{name}=; Path=/; Max-Age=0");
        assert!(
            back.header_values("set-cookie")
                .iter()
                .any(|field| field.starts_with(&over)),
            "{back:?}"
        );
        session(&back)
    }
}

/// The cookies that a response sets, as a request brings them along.
pub(crate) fn session(response: &RawResponse) -> String {
    let fields = response
        .header_values("set-cookie")
        .into_iter()
        .filter(|field| !field.contains("Max-Age=0"));
    let pairs: Vec<_> = fields
        .map(|field| field.split(';').next().unwrap().to_owned())
        .collect();
    pairs.join("; ")
}

#[test]
fn the_provider_is_asked_as_rfc_6749_and_rfc_7636_say() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "scopes = [\"email\"], parameters = { prompt = \"login\" }");
    let login = setup.begin();
    let query = &login.query;
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["client_id"], "pages");
    assert_eq!(query["scope"], "openid email");
    assert_eq!(query["prompt"], "login");
    assert_eq!(query["code_challenge_method"], "S256");
    let callback = "http://localhost/oauth2/callback";
    assert_eq!(query["redirect_uri"], callback);
    provider.will_vouch(&login, &json!({ "name": "Alice" }));
    let back = setup.come_back(&login);
    assert_eq!(back.status, 302);
    let asked = provider.asked();
    assert_eq!(asked["grant_type"], "authorization_code");
    assert_eq!(asked["redirect_uri"], callback);
    assert_eq!(Login::challenge_of(&asked["code_verifier"]), query["code_challenge"]);
    let cookie = format!("mine=1; {}", session(&back));
    assert_eq!(setup.get("/wanted", &[("cookie", &cookie)]).status, 200);
    let seen = setup.origin.only_request();
    assert_eq!(
        (&seen.headers["x-principal"], &seen.headers["x-name"]),
        (&"alice".parse().unwrap(), &"Alice".parse().unwrap())
    );
    assert_eq!(seen.headers["cookie"], "mine=1");
    let record = &setup.gateway.wait_for_records(3)[2];
    assert_eq!(record["principal"], "alice");
}

#[test]
fn a_login_that_was_begun_elsewhere_or_comes_twice_is_refused() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "");
    let (login, other) = (setup.begin(), setup.begin());
    provider.will_vouch(&login, &json!({}));
    let refused = |path: &str, cookie: &str| {
        let response = setup.get(path, &[PAGE, ("cookie", cookie)]);
        assert_eq!(
            (response.status, response.error()),
            (400, Some("LOGIN_FAILED")),
            "{path} {cookie}"
        );
        assert_eq!(session(&response), "");
    };
    let answer = login.answer();
    refused(&answer, "a=b");
    refused(&answer, &other.cookie);
    // One login's cookie under the name of another's.
    let (name, _) = login.cookie.split_once('=').unwrap();
    let (_, sealed) = other.cookie.split_once('=').unwrap();
    refused(&answer, &format!("{name}={sealed}"));
    refused(&format!("{answer}&state={}", other.query["state"]), &login.cookie);
    refused("/oauth2/callback?code=c", &login.cookie);
    refused(&answer.replace("code=", "nothing="), &login.cookie);
    refused(&format!("{answer}&iss=https%3A%2F%2Fother.example.com"), &login.cookie);
    refused(
        &format!("{}&error=server_error", answer.replace("code=", "nothing=")),
        &login.cookie,
    );
    assert_eq!(
        provider.hits("/token"),
        0,
        "nobody has asked the provider for any of that"
    );
    let no = setup.get(
        &answer.replace("code=c", "error=access_denied"),
        &[PAGE, ("cookie", &login.cookie)],
    );
    assert_eq!((no.status, no.error()), (403, Some("ACCESS_DENIED")));
    // Two windows do not take each other's login.
    let both = format!("{}; {}", login.cookie, other.cookie);
    assert_eq!(setup.get(&answer, &[PAGE, ("cookie", &both)]).status, 302);
    provider.will_say("/token", 400, &json!({ "error": "invalid_grant" }));
    refused(&answer, &login.cookie);
}

#[test]
fn what_a_provider_says_is_not_believed_without_proof() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "");
    for (what, changes) in [
        ("issuer", json!({ "iss": "https://other.example.com" })),
        ("audience", json!({ "aud": "another client" })),
        ("party", json!({ "azp": "another client" })),
        ("expired", json!({ "exp": 1000 })),
        ("no end", json!({ "exp": null })),
        ("no subject", json!({ "sub": null })),
    ] {
        let login = setup.begin();
        provider.will_vouch(&login, &changes);
        let response = setup.come_back(&login);
        assert_eq!(
            (response.status, response.error()),
            (503, Some("ISSUER_UNAVAILABLE")),
            "{what}"
        );
        assert_eq!(session(&response), "", "{what}");
    }
    let login = setup.begin();
    provider.will_vouch(&login, &json!({ "nonce": "another login's" }));
    assert_eq!(setup.come_back(&login).status, 400);
    for (what, token) in provider.forgeries(&login) {
        let login = setup.begin();
        provider.will_give(&token);
        assert_eq!(setup.come_back(&login).status, 503, "{what}: {login:?}");
    }
    for (status, body) in [
        (200, json!({ "access_token": "a" })),
        (200, json!(["no object"])),
        (200, json!("x".repeat(100_000))),
        (401, json!({ "error": "invalid_client" })),
        (500, json!({})),
        (302, json!({})),
    ] {
        let login = setup.begin();
        provider.will_say("/token", status, &body);
        assert_eq!(setup.come_back(&login).status, 503, "{status} {body}");
    }
}

#[test]
fn cookies_that_were_changed_mixed_or_cut_are_no_session() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "");
    let cookie = setup.log_in(&provider);
    let page = |cookie: &str| setup.get("/a", &[PAGE, ("cookie", cookie)]).status;
    assert_eq!(page(&cookie), 200);
    for end in [cookie.len() - 1, cookie.len() - 40, "gatewright-session=1.".len()] {
        assert_eq!(page(&cookie[..end]), 302, "{end}");
    }
    assert_eq!(page(&cookie.replace("=1.", "=2.")), 302);
    assert_eq!(
        page(&format!("{cookie}; {cookie}")),
        302,
        "one of two could be anybody's"
    );
    let (_, login) = setup
        .begin()
        .cookie
        .split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .unwrap();
    assert_eq!(
        page(&format!("gatewright-session=1.{login}")),
        302,
        "a login is no session"
    );
    assert_eq!(page(&format!("gatewright-session=1.{}", "A".repeat(8000))), 302);
    // Another client's gateway with the same secret, and one with another secret.
    let others = [
        config("", &provider.name(), "", &setup.origin.url()).replace("client_id = \"pages\"", "client_id = \"other\""),
        config("", &provider.name(), "", &setup.origin.url()).replace("file:cookie-secret", "file:other-secret"),
    ];
    for config in others {
        let other = files()
            .with("other-secret", "another secret of the tests, long enough")
            .start(&config);
        let response = http(other.addr("public"), "GET", "/a", &[("cookie", &cookie)], b"");
        assert_eq!(response.status, 401);
    }
    // One that knows the secret from before.
    let config = config("", &provider.name(), "", &setup.origin.url()).replace(
        "[\"file:cookie-secret\"]",
        "[\"file:other-secret\", \"file:cookie-secret\"]",
    );
    let rotated = files()
        .with("other-secret", "another secret of the tests, long enough")
        .start(&config);
    assert_eq!(
        http(rotated.addr("public"), "GET", "/a", &[("cookie", &cookie)], b"").status,
        200
    );
}

#[test]
fn a_session_is_renewed_once_for_all_and_ends_when_the_provider_says_so() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "forward = \"access-token\"");
    provider.will_add(&json!({ "refresh_token": "r1", "expires_in": 0, "access_token": "a1" }));
    let old = setup.log_in(&provider);
    assert_eq!(
        setup.get("/first", &[PAGE, ("cookie", &old)]).status,
        200,
        "it is good for five seconds in any case"
    );
    provider.will_add(&json!({ "refresh_token": "r2", "expires_in": 3600, "access_token": "a2" }));
    let hits = provider.hits("/token");
    let renewed = eventually("it is renewed", || {
        let responses: Vec<_> = std::thread::scope(|scope| {
            let requests = [(); 4].map(|()| scope.spawn(|| setup.get("/later", &[PAGE, ("cookie", &old)])));
            requests.into_iter().map(|request| request.join().unwrap()).collect()
        });
        assert!(responses.iter().all(|response| response.status == 200), "{responses:?}");
        let response = responses.into_iter().find(|response| !session(response).is_empty());
        let response = response.inspect(|response| {
            assert_eq!(response.header("cache-control"), Some("private, no-store"));
        });
        response.map(|response| session(&response))
    });
    assert_eq!(provider.asked()["refresh_token"], "r1");
    assert_eq!(setup.get("/last", &[PAGE, ("cookie", &renewed)]).status, 200);
    assert_eq!(
        setup.get("/last", &[PAGE, ("cookie", &old)]).status,
        200,
        "requests that were on their way"
    );
    assert_eq!(provider.hits("/token"), hits + 1, "asked once");
    let seen = setup.origin.requests();
    let sent = |path: &str| {
        let request = seen.iter().rfind(|request| request.target == path).unwrap();
        request.headers["authorization"].to_str().unwrap().to_owned()
    };
    assert_eq!(
        (sent("/first"), sent("/last")),
        ("Bearer a1".to_owned(), "Bearer a2".to_owned())
    );
    // The next one is over, after a time in which nobody could say.
    provider.will_add(&json!({ "refresh_token": "r3", "expires_in": 0 }));
    let over = setup.log_in(&provider);
    provider.will_say("/token", 500, &json!({}));
    let page = || setup.get("/a", &[PAGE, ("cookie", &over)]);
    eventually("nobody can say", || (page().status == 503).then_some(()));
    provider.will_say("/token", 400, &json!({ "error": "invalid_grant" }));
    eventually("it is over", || (page().status == 302).then_some(()));
}

#[test]
fn claims_and_userinfo_decide_who_may_pass() {
    let provider = Provider::start();
    let settings = "claims = { email_verified = true }, userinfo = true, principal = \"email\"";
    let setup = Setup::new(&provider, settings);
    let outcome = |userinfo: &serde_json::Value| {
        let login = setup.begin();
        provider.will_vouch(&login, &json!({}));
        provider.will_say("/userinfo", 200, userinfo);
        setup.come_back(&login)
    };
    let good = outcome(&json!({ "sub": "alice", "email": "alice@example.com", "email_verified": true }));
    assert_eq!(good.status, 302);
    let page = setup.get("/a", &[PAGE, ("cookie", &session(&good))]);
    assert_eq!(page.status, 200);
    assert_eq!(setup.origin.only_request().headers["x-principal"], "alice@example.com");
    let unverified = outcome(&json!({ "sub": "alice", "email": "alice@example.com", "email_verified": false }));
    assert_eq!((unverified.status, unverified.error()), (403, Some("ACCESS_DENIED")));
    assert_eq!(session(&unverified), "");
    let somebody_else = outcome(&json!({ "sub": "bob", "email": "bob@example.com", "email_verified": true }));
    assert_eq!(somebody_else.status, 503);
    // The session is asked again when the rules change: it is the same for all who share it.
    let stricter =
        format!("{settings}, cookie = \"gatewright-session\"").replace("email_verified = true", "groups = \"admins\"");
    let stricter = gateway("", &provider.name(), &stricter, &setup.origin.url());
    let denied = http(
        stricter.addr("public"),
        "GET",
        "/a",
        &[("cookie", &session(&good))],
        b"",
    );
    assert_eq!((denied.status, denied.error()), (403, Some("ACCESS_DENIED")));
}

#[test]
fn a_session_that_no_browser_would_keep_is_refused_with_a_reason() {
    let provider = Provider::start();
    let setup = Setup::new(&provider, "");
    let login = setup.begin();
    provider.will_vouch(&login, &json!({ "groups": sessions::groups(300) }));
    let back = setup.come_back(&login);
    assert_eq!(back.status, 302);
    let cookies = session(&back);
    assert_eq!(cookies.split("; ").count(), 3, "{cookies}");
    assert_eq!(setup.get("/a", &[PAGE, ("cookie", &cookies)]).status, 200);
    let login = setup.begin();
    provider.will_vouch(&login, &json!({ "groups": sessions::groups(1000) }));
    let refused = setup.come_back(&login);
    assert_eq!(
        (refused.status, refused.error()),
        (500, Some("API_CONFIGURATION_ERROR"))
    );
    let record = setup.gateway.wait_for_records(5).pop().unwrap();
    assert!(
        record["cause"].as_str().unwrap().contains("longer than browsers keep"),
        "{record}"
    );
}

#[test]
fn what_cannot_work_is_said_before_it_serves() {
    let start = |config: &str, secret: &str| {
        let files = TestFiles::default().with("secret", "x").with("cookie-secret", secret);
        files.try_start(config).err().expect("it does not start")
    };
    let config = config("", "http://127.0.0.1:9", "", "http://127.0.0.1:9");
    let short = start(&config, "too short");
    assert!(
        short.contains("shorter than 32 bytes") && short.contains("openssl rand"),
        "{short}"
    );
    let nowhere = start(&config.replace("/{rest+}", "/app/{rest+}"), COOKIE_SECRET);
    assert!(
        nowhere.contains("`/oauth2/callback`, and no route with the same stage has that path"),
        "{nowhere}"
    );
}
