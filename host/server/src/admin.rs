//! The admin address: health, numbers and facts for operators. On a thread of its own, so that it answers while the
//! workers are busy.

mod exposition;
mod reserve;
mod usage;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_config::{AdminConfig, ConfigError, ListenAddress};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};

use self::exposition::Format;
use self::reserve::Reserve;
use crate::cache::purge::Purge;
use crate::cache::store::Store;
use crate::explain::signature::SHORTEST_KEY;
use crate::listener::bind;
use crate::process::Event;
use crate::secret::{self, SecretError};
use crate::status::Status;

/// Operators and scrapers are few.
const MAX_CONNECTIONS: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Of the body of a request.
const MOST_BYTES: usize = 64 * 1024;

/// Before the id of an explanation.
const EXPLANATIONS: &str = "/explanations/";

/// Why the admin address is not served.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", gatewright_config::reason(source))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The token cannot be read.
    #[error("{0}")]
    Token(#[from] SecretError),
    /// The key of explanations cannot be read.
    #[error("{0}")]
    ExplainKey(#[source] SecretError),
    /// The key of explanations could be guessed.
    #[error("the key is shorter than {SHORTEST_KEY} bytes")]
    ShortExplainKey,
}

impl AdminError {
    /// What is wrong, where the configuration says it.
    pub fn mistake(&self, config: &AdminConfig) -> ConfigError {
        let (secret, hint) = match self {
            Self::Bind { address, source } => {
                return bind::mistake(&config.place, "the admin", &ListenAddress::Tcp(*address), source);
            }
            Self::Token(error) => (&config.token, error.hint()),
            Self::ExplainKey(error) => (&config.explain_key, error.hint()),
            Self::ShortExplainKey => (&config.explain_key, "`openssl rand -hex 32` makes a good one"),
        };
        let place = secret.as_ref().map_or(&config.place, |secret| &secret.place);
        place.mistake(self).with_hint(hint)
    }
}

/// The admin address while it is served; closed when dropped.
pub struct Admin {
    /// Where it listens.
    pub address: SocketAddr,
    _stop: oneshot::Sender<Infallible>,
}

/// What its handlers need.
struct Desk {
    registry: Registry,
    status: Arc<Status>,
    responses: Arc<Store>,
    events: mpsc::UnboundedSender<Event>,
    token: Option<String>,
}

/// What is wrong with the admin address, as far as can be told without listening.
pub fn probe(config: &AdminConfig) -> Option<ConfigError> {
    let address = config.address;
    let source = bind::probe(&ListenAddress::Tcp(address)).err()?;
    Some(AdminError::Bind { address, source }.mistake(config))
}

/// Serves the admin address.
///
/// # Errors
/// When it cannot be listened on, or its token cannot be read.
pub fn start(
    config: &AdminConfig,
    registry: Registry,
    status: Arc<Status>,
    responses: Arc<Store>,
    events: mpsc::UnboundedSender<Event>,
) -> Result<Admin, AdminError> {
    let token = config
        .token
        .as_ref()
        .map(|token| secret::read(&token.reference))
        .transpose()?;
    let bind = |source| AdminError::Bind {
        address: config.address,
        source,
    };
    let socket = std::net::TcpListener::bind(config.address).map_err(bind)?;
    socket.set_nonblocking(true).map_err(bind)?;
    let address = socket.local_addr().map_err(bind)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(bind)?;
    let (stop, stopped) = oneshot::channel();
    let desk = Arc::new(Desk {
        registry,
        status,
        responses,
        events,
        token,
    });
    let serve = move || {
        runtime.block_on(async {
            tokio::select! {
                () = accept(socket, &desk) => {}
                _ = stopped => {}
            }
        });
    };
    std::thread::Builder::new()
        .name("admin".to_owned())
        .spawn(serve)
        .map_err(bind)?;
    Ok(Admin { address, _stop: stop })
}

async fn accept(socket: std::net::TcpListener, desk: &Arc<Desk>) {
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot serve the admin address"),
    };
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let reserve = Arc::<Reserve>::default();
    reserve.fill();
    while let Ok(permit) = Arc::clone(&connections).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (desk, reserve) = (Arc::clone(desk), Arc::clone(&reserve));
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(Arc::clone(&desk), request));
                    let mut builder = http1::Builder::new();
                    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                    reserve.fill();
                    drop(permit);
                });
            }
            Err(error) if reserve.make_room(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept on the admin address; trying again");
                tokio::time::sleep(Duration::from_millis(100)).await;
                reserve.fill();
            }
        }
    }
}

async fn answer(desk: Arc<Desk>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let open = matches!(path, "/healthz" | "/readyz");
    // A browser says where a page comes from that makes it send a request. No page has business here.
    if request.method() != Method::GET && request.headers().contains_key(header::ORIGIN) {
        return Ok(message(StatusCode::FORBIDDEN, "requests of web pages are not served"));
    }
    if !open && !desk.is_authorized(&request) {
        let mut response = message(StatusCode::UNAUTHORIZED, "a bearer token is needed");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return Ok(response);
    }
    if path == "/usage" || path.starts_with("/usage/") {
        return Ok(usage::answer(&desk.status, request).await);
    }
    Ok(match (request.method(), path) {
        (&Method::GET, "/healthz") => text(StatusCode::OK, "ok\n".to_owned()),
        (&Method::GET, "/readyz") => desk.ready(),
        (&Method::GET, "/metrics") => desk.metrics(request.headers()),
        (&Method::GET, "/routes") => json_of(StatusCode::OK, &desk.status.routes()),
        (&Method::GET, "/plugins") => json_of(StatusCode::OK, &desk.status.plugins()),
        (&Method::POST, "/reload") => desk.reload().await,
        (&Method::POST, "/cache/purge") => desk.purge(request).await,
        (&Method::GET, path) if path.starts_with(EXPLANATIONS) => desk.explanation(path),
        (_, "/healthz" | "/readyz" | "/metrics" | "/routes" | "/plugins" | "/reload" | "/cache/purge") => message(
            StatusCode::METHOD_NOT_ALLOWED,
            "another method is needed: GET, or POST for /reload and /cache/purge",
        ),
        _ => message(
            StatusCode::NOT_FOUND,
            "there are /healthz, /readyz, /metrics, /routes, /plugins, /usage, /explanations/ID, /reload and /cache/purge",
        ),
    })
}

impl Desk {
    fn is_authorized(&self, request: &Request<Incoming>) -> bool {
        let Some(token) = &self.token else { return true };
        let sent = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let sent = sent
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        sent.is_some_and(|(_, sent)| sent.trim().as_bytes().ct_eq(token.as_bytes()).into())
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        match self.status.not_ready() {
            None => {
                let warnings = self.status.warnings();
                let warnings = warnings.iter().map(|warning| format!("warning: {warning}\n"));
                text(StatusCode::OK, format!("ready\n{}", warnings.collect::<String>()))
            }
            Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
        }
    }

    fn metrics(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let format = Format::wanted(headers);
        let Ok(page) = format.page(&self.registry) else {
            return message(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written");
        };
        let mut response = text(StatusCode::OK, page);
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
        fields.insert(header::VARY, HeaderValue::from_static("accept"));
        response
    }

    fn explanation(&self, path: &str) -> Response<Full<Bytes>> {
        let id = path.strip_prefix(EXPLANATIONS).unwrap_or_default();
        match self.status.explanations.find(id) {
            Some(explanation) => json_text(StatusCode::OK, explanation),
            None => message(
                StatusCode::NOT_FOUND,
                "there is no such explanation; the last 100 are kept for ten minutes",
            ),
        }
    }

    /// Forgets kept responses: `{"url": …}`, `{"prefix": …}`, `{"tag": …}`, `{"route": …}` or `{"all": true}`.
    async fn purge(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let body = Limited::new(request.into_body(), MOST_BYTES).collect();
        let Ok(Ok(body)) = tokio::time::timeout(HEADER_TIMEOUT, body).await else {
            return message(StatusCode::BAD_REQUEST, "the body is too long, or does not come");
        };
        let purge: Purge = match serde_json::from_slice(&body.to_bytes()) {
            Ok(purge) => purge,
            Err(error) => {
                return message(
                    StatusCode::BAD_REQUEST,
                    &format!("the body is not what to purge: {error}"),
                );
            }
        };
        if let Some(route) = purge.route.as_deref()
            && let Err(reason) = self.status.knows_route(route)
        {
            return message(StatusCode::NOT_FOUND, &reason);
        }
        match purge.run(&self.responses) {
            Ok(purged) => {
                tracing::info!(?purge, purged, "kept responses purged");
                json_of(StatusCode::OK, &json!({ "purged": purged }))
            }
            Err(error) => message(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }

    async fn reload(&self) -> Response<Full<Bytes>> {
        let (sender, receiver) = oneshot::channel();
        let _ = self.events.send(Event::Reload(sender));
        match receiver.await {
            Ok(Ok(generation)) => json_of(StatusCode::OK, &json!({ "generation": generation })),
            Ok(Err(reason)) => message(StatusCode::UNPROCESSABLE_ENTITY, &reason),
            Err(_) => message(StatusCode::SERVICE_UNAVAILABLE, "the gateway is stopping"),
        }
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

fn json_of(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    json_text(status, format!("{value:#}\n"))
}

fn json_text(status: StatusCode, json: String) -> Response<Full<Bytes>> {
    let mut response = text(status, json);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn message(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    json_of(status, &json!({ "message": message }))
}
