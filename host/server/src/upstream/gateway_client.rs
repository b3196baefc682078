//! Sends the gateway's own requests, to who decides about tokens and logins: over TLS that is verified, within a time and a
//! size, without following redirects.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_config::{ByteSize, EjectionConfig, FileReference, Place, TargetConfig, UpstreamConfig, WebUrl};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response};
use rustls::ClientConfig;

use super::call::{CallError, call};
use super::connect::{SetupError, tls_config};
use super::target::Target;

/// Origins that one client has connections to: an issuer, and where its metadata lead.
const ORIGINS: usize = 8;
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const HEADER_BYTES: ByteSize = ByteSize(32 << 10);
const HEADER_COUNT: usize = 100;

/// Asks one issuer, wherever its metadata lead.
pub struct GatewayClient {
    tls: Option<Arc<ClientConfig>>,
    upstream: UpstreamConfig,
    workers: usize,
    via: HeaderValue,
    targets: Mutex<Vec<(Origin, Arc<Target>)>>,
}

#[derive(PartialEq)]
struct Origin {
    tls: bool,
    host: String,
    port: u16,
}

/// What is asked.
pub struct Ask<'a> {
    /// Where.
    pub url: &'a WebUrl,
    /// How.
    pub method: Method,
    /// Header fields besides `Host`, `Accept` and what says who asks.
    pub headers: HeaderMap,
    /// A body, or none.
    pub body: Bytes,
    /// When the response must have come to its end.
    pub deadline: Instant,
    /// Bytes of its body.
    pub limit: usize,
}

impl<'a> Ask<'a> {
    /// Asks for what is there.
    pub fn get(url: &'a WebUrl, deadline: Instant, limit: usize) -> Self {
        Self {
            url,
            method: Method::GET,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            deadline,
            limit,
        }
    }
}

impl GatewayClient {
    /// A client without connections, which begins at `url` and keeps so many unused connections for each worker. `via` is
    /// what this process calls itself.
    ///
    /// # Errors
    /// When there are no certificate authorities to verify the other side with.
    pub fn new(
        url: &WebUrl,
        ca: Option<&FileReference>,
        place: &Place,
        workers: usize,
        idle_connections: usize,
        via: HeaderValue,
    ) -> Result<Self, SetupError> {
        // On this machine itself nothing needs to be verified, and there may be nothing to do it with.
        let tls = match url.tls || ca.is_some() {
            true => Some(tls_config(ca.into(), None, place)?),
            false => None,
        };
        Ok(Self {
            tls,
            upstream: UpstreamConfig {
                targets: Vec::new(),
                connect_timeout: Duration::from_secs(3600),
                response_timeout: Duration::MAX,
                body_timeout: Duration::MAX,
                idle_timeout: IDLE_TIMEOUT,
                idle_connections,
                header_bytes: HEADER_BYTES,
                header_count: HEADER_COUNT,
                ca: None,
                server_name: None,
                identity: None,
                accepts_any_certificate: false,
                ejection: EjectionConfig::default(),
                place: place.clone(),
            },
            workers,
            via,
            targets: Mutex::default(),
        })
    }

    /// Asks, and waits for the whole response.
    ///
    /// # Errors
    /// When there is none within the limits.
    pub async fn ask(&self, ask: Ask<'_>) -> Result<Response<Bytes>, CallError> {
        let target = self.target(ask.url)?;
        let mut request = Request::new(ask.body);
        *request.method_mut() = ask.method;
        *request.uri_mut() = ask
            .url
            .target
            .parse()
            .map_err(|_| CallError::Protocol("the URL has an impossible path".to_owned()))?;
        let headers = request.headers_mut();
        *headers = ask.headers;
        headers.insert(header::HOST, target.authority.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("gatewright"));
        headers.insert(header::VIA, self.via.clone());
        // The name is resolved, TCP and TLS are connected within this too.
        let called = tokio::time::timeout_at(ask.deadline.into(), call(&target, &request, ask.deadline, ask.limit));
        called.await.unwrap_or(Err(CallError::Timeout))
    }

    /// Closes connections that nobody has used for too long.
    pub fn close_idle(&self) {
        let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.iter().for_each(|(_, target)| target.pool.close_idle());
    }

    fn target(&self, url: &WebUrl) -> Result<Arc<Target>, CallError> {
        if url.tls && self.tls.is_none() {
            let reason = "it speaks TLS, and who names it does not: there is nothing to verify it with";
            return Err(CallError::Tls(reason.to_owned()));
        }
        let origin = Origin {
            tls: url.tls,
            host: url.host.clone(),
            port: url.port,
        };
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, target)) = targets.iter().find(|(known, _)| *known == origin) {
            return Ok(Arc::clone(target));
        }
        let config = TargetConfig {
            tls: url.tls,
            host: url.host.clone(),
            port: url.port,
            base_path: String::new(),
            weight: 1,
            place: self.upstream.place.clone(),
        };
        let target = Target::new(&config, &self.upstream, &self.tls, self.workers);
        let target = Arc::new(target.map_err(|error| CallError::Connect(error.to_string()))?);
        if targets.len() >= ORIGINS {
            targets.remove(0);
        }
        targets.push((origin, Arc::clone(&target)));
        Ok(target)
    }
}
