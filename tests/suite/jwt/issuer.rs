//! An issuer that a test has in its hands: what it says of itself, which keys it has, and whether it answers at all.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gatewright_tests::{BoxBody, Origin, full};
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// An issuer.
pub(super) struct Issuer {
    origin: Origin,
    says: Arc<Mutex<Says>>,
}

/// What an issuer answers.
#[derive(Clone)]
pub(super) struct Says {
    pub(super) status: StatusCode,
    pub(super) metadata: Option<String>,
    pub(super) keys: Bytes,
    /// It answers when it gets a permit, and not before.
    pub(super) gate: Option<Arc<Semaphore>>,
}

impl Issuer {
    /// One that has these keys.
    pub(super) fn with_keys(keys: impl Into<Bytes>) -> Self {
        let says = Arc::new(Mutex::new(Says {
            status: StatusCode::OK,
            metadata: None,
            keys: keys.into(),
            gate: None,
        }));
        let answering = Arc::clone(&says);
        let origin = Origin::start(move |request| {
            let says = answering.lock().unwrap().clone();
            async move { answer(&request, says).await }
        });
        Self { origin, says }
    }

    /// Changes what it answers from now on.
    pub(super) fn now_says(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.says.lock().unwrap());
    }

    /// Its name, which is its URL.
    pub(super) fn name(&self) -> String {
        self.origin.url()
    }

    /// What the stage is told of it, and more settings.
    pub(super) fn settings(&self, more: &str) -> String {
        format!("issuer = \"{}\", audiences = [\"api\"]{more}", self.name())
    }

    /// Good claims of its tokens.
    pub(super) fn claims(&self, changes: &Value) -> Value {
        let mut claims = super::claims(&json!({ "iss": self.name() }));
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    /// How often it was asked for its keys.
    pub(super) fn hits(&self) -> usize {
        let requests = self.origin.requests();
        requests.iter().filter(|request| request.target == "/keys").count()
    }

    /// How often it was asked for anything.
    pub(super) fn asked(&self) -> usize {
        self.origin.hits()
    }
}

async fn answer(request: &http::Request<gatewright_tests::OriginBody>, says: Says) -> Response<BoxBody> {
    if let Some(gate) = says.gate {
        gate.acquire().await.unwrap().forget();
    }
    let host = request.headers()["host"].to_str().unwrap();
    let usual = || json!({ "issuer": format!("http://{host}"), "jwks_uri": format!("http://{host}/keys") }).to_string();
    let body = match request.uri().path() {
        "/.well-known/openid-configuration" => says.metadata.unwrap_or_else(usual).into(),
        "/keys" => says.keys,
        other => panic!("nobody asks an issuer for {other}"),
    };
    let mut response = Response::new(full(body));
    *response.status_mut() = says.status;
    response
}
