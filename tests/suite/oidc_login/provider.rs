//! An OpenID provider that a test has in its hands: what it gives out, and what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use gatewright_tests::tokens::{encode, jwks, seconds_from_now};
use gatewright_tests::{Origin, RawResponse, Signer, full};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A provider.
pub(crate) struct Provider {
    origin: Origin,
    signer: Arc<Signer>,
    says: Arc<Mutex<Says>>,
}

#[derive(Default)]
struct Says {
    answers: BTreeMap<String, (u16, Value)>,
    /// What every answer of the token endpoint has besides.
    more: Value,
    /// What its metadata say besides or instead.
    metadata: Value,
    /// What the last request of the token endpoint had in its form.
    asked: BTreeMap<String, String>,
}

/// A login that has been begun.
#[derive(Debug)]
pub(crate) struct Login {
    /// What the browser would ask the provider.
    pub(crate) query: BTreeMap<String, String>,
    /// What it brings along when it comes back.
    pub(crate) cookie: String,
}

impl Provider {
    pub(crate) fn start() -> Self {
        let signer = Arc::new(Signer::new("ES256", "a"));
        let says = Arc::<Mutex<Says>>::default();
        let (keys, answering) = (jwks([&*signer]), Arc::clone(&says));
        let origin = Origin::start(move |request| {
            let (keys, says) = (keys.clone(), Arc::clone(&answering));
            async move {
                let path = request.uri().path().to_owned();
                let name = format!("http://{}", request.headers()["host"].to_str().unwrap());
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let mut says = says.lock().unwrap();
                let (status, body) = match &*path {
                    "/.well-known/openid-configuration" => (200, metadata(&name, &says.metadata).to_string()),
                    "/jwks" => (200, keys),
                    _ => {
                        if path == "/token" {
                            says.asked = pairs(std::str::from_utf8(&body).unwrap());
                        }
                        let (status, mut body) = says.answers.get(&path).cloned().unwrap_or((404, json!({})));
                        if let (Some(body), Some(more), 200) = (body.as_object_mut(), says.more.as_object(), status) {
                            body.extend(more.clone());
                        }
                        (status, body.to_string())
                    }
                };
                let mut response = Response::new(full(body));
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                response
            }
        });
        Self { origin, signer, says }
    }

    /// Its name, which is its URL.
    pub(crate) fn name(&self) -> String {
        self.origin.url()
    }

    /// From now on its metadata say this besides or instead.
    pub(crate) fn will_describe(&self, changes: &Value) {
        self.says.lock().unwrap().metadata = changes.clone();
    }

    /// From now on it answers this there.
    pub(crate) fn will_say(&self, path: &str, status: u16, body: &Value) {
        let mut says = self.says.lock().unwrap();
        says.answers.insert(path.to_owned(), (status, body.clone()));
    }

    /// From now on its tokens come with this.
    pub(crate) fn will_add(&self, more: &Value) {
        self.says.lock().unwrap().more = more.clone();
    }

    /// From now on it gives out this ID token.
    pub(crate) fn will_give(&self, id_token: &str) {
        self.will_say(
            "/token",
            200,
            &json!({ "id_token": id_token, "access_token": "a", "token_type": "Bearer" }),
        );
    }

    /// From now on it says that this login was alice's, with these claims besides or instead; null takes one away.
    pub(crate) fn will_vouch(&self, login: &Login, changes: &Value) {
        self.will_give(&self.signer.token(&self.claims(login, changes)));
    }

    fn claims(&self, login: &Login, changes: &Value) -> Value {
        let mut claims = json!({
            "iss": self.name(), "aud": "pages", "sub": "alice", "nonce": login.query["nonce"],
            "iat": seconds_from_now(0), "exp": seconds_from_now(60),
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    }

    /// ID tokens that it has not made.
    pub(crate) fn forgeries(&self, login: &Login) -> Vec<(&'static str, String)> {
        let claims = self.claims(login, &json!({}));
        let good = self.signer.token(&claims);
        let (signed, _) = good.rsplit_once('.').unwrap();
        let none = format!(
            "{}.{}.",
            encode(b"{\"alg\":\"none\"}"),
            encode(claims.to_string().as_bytes())
        );
        vec![
            ("signed by another", Signer::new("ES256", "a").token(&claims)),
            ("signed with an unknown key", Signer::new("ES256", "b").token(&claims)),
            ("not signed", none),
            ("without its signature", format!("{signed}.")),
            ("not a token", "x".to_owned()),
        ]
    }

    /// The form that the token endpoint was asked with last.
    pub(crate) fn asked(&self) -> BTreeMap<String, String> {
        self.says.lock().unwrap().asked.clone()
    }

    /// How often it was asked there.
    pub(crate) fn hits(&self, path: &str) -> usize {
        self.origin
            .requests()
            .iter()
            .filter(|request| request.target == path)
            .count()
    }
}

impl Login {
    /// The login that a response begins.
    pub(crate) fn of(response: &RawResponse) -> Self {
        assert_eq!(response.status, 302, "{response:?}");
        let location = response.header("location").unwrap();
        let (_, query) = location.split_once('?').unwrap();
        Self {
            query: pairs(query),
            cookie: super::session(response),
        }
    }

    /// Where the provider sends the browser back to.
    pub(crate) fn answer(&self) -> String {
        format!("/oauth2/callback?code=c&state={}", self.query["state"])
    }

    /// The challenge that a verifier stands for (RFC 7636, section 4.2).
    pub(crate) fn challenge_of(verifier: &str) -> String {
        encode(&Sha256::digest(verifier))
    }
}

fn metadata(name: &str, changes: &Value) -> Value {
    let mut metadata = json!({
        "issuer": name,
        "jwks_uri": format!("{name}/jwks"),
        "authorization_endpoint": format!("{name}/authorize"),
        "token_endpoint": format!("{name}/token"),
        "userinfo_endpoint": format!("{name}/userinfo"),
    });
    let changes = changes.as_object().cloned().unwrap_or_default();
    metadata.as_object_mut().unwrap().extend(changes);
    metadata
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}
