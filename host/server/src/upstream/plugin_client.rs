//! Sends the requests of a plugin, over connections that are kept as those of upstreams are: each by its worker, with the
//! same strict look at responses. What may be asked for has been checked by whoever hands a request over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use gatewright_config::{ByteSize, OriginGrant, Place, PluginConfig, TargetConfig, UpstreamConfig};
use gatewright_core::Body;
use gatewright_wasm::{HttpClient, Outbound, OutboundError, Sending};
use http::header::{self, HeaderValue};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::connect::{ConnectError, SetupError, client_config};
use super::pool::Lease;
use super::screen::{Resolve, Screen};
use super::target::Target;
use super::{Failure, causes};
use crate::{fields, via};

/// How often a request goes out on connections that turn out to be closed.
const MAX_ATTEMPTS: usize = 4;
/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Unused connections kept for each origin and worker.
const IDLE_CONNECTIONS: usize = 32;
const HEADER_BYTES: ByteSize = ByteSize(64 << 10);
const HEADER_COUNT: usize = 100;

/// Sends the requests of one plugin. Lives across reloads as long as what it is made of stays the same.
pub struct PluginClient {
    upstream: UpstreamConfig,
    allow_private: bool,
    authorities: Option<Vec<u8>>,
    /// What this process calls itself in `Via`.
    via: HeaderValue,
    /// In the order of the grants.
    targets: Vec<Target>,
}

impl HttpClient for PluginClient {
    fn send(&self, outbound: Outbound) -> Sending<'_> {
        Box::pin(self.ask(outbound))
    }
}

impl PluginClient {
    /// A client without connections, for the origins that are granted. `via` is what this process calls itself.
    ///
    /// # Errors
    /// When its certificate authorities cannot be read, or an origin's host makes no sense.
    pub fn new(
        config: &PluginConfig,
        workers: usize,
        resolver: &Arc<dyn Resolve>,
        via: HeaderValue,
    ) -> Result<Self, SetupError> {
        let upstream = upstream(config);
        // Read before it is used: if it changes in between, it differs the next time.
        let authorities = super::authorities(&upstream);
        let tls = client_config(&upstream)?;
        let allow_private = config.http.allow_private;
        let target = |target: &TargetConfig| {
            let screen = Screen::new(Arc::clone(resolver), allow_private);
            Ok(Target::new(target, &upstream, &tls, workers)?.screened(screen))
        };
        let targets = upstream.targets.iter().map(target).collect::<Result<_, SetupError>>()?;
        Ok(Self {
            upstream,
            allow_private,
            authorities,
            via,
            targets,
        })
    }

    /// Whether a new client of that configuration would be the same as this one.
    pub fn is_still(&self, config: &PluginConfig) -> bool {
        let upstream = upstream(config);
        self.authorities == super::authorities(&upstream)
            && self.upstream == upstream
            && self.allow_private == config.http.allow_private
    }

    /// What the file of certificate authorities held.
    pub fn authorities(&self) -> &[u8] {
        self.authorities.as_deref().unwrap_or_default()
    }

    /// Closes connections that nobody has used for too long, whichever worker keeps them.
    pub fn close_idle(&self) {
        self.targets.iter().for_each(|target| target.pool.close_idle());
    }

    async fn ask(&self, outbound: Outbound) -> Result<http::Response<Bytes>, OutboundError> {
        let Outbound {
            origin,
            request,
            deadline,
            max_response_bytes,
            came_by,
        } = outbound;
        let target = self.targets.get(origin);
        let target = target.ok_or_else(|| OutboundError::Connect("there is no such origin".to_owned()))?;
        let replayable = request.body().is_empty() && request.method().is_safe();
        let via = via::onward(&came_by, &self.via);
        let mut fresh_only = false;
        for _ in 0..MAX_ATTEMPTS {
            let mut lease = match target.pool.take(Instant::now()).filter(|_| !fresh_only) {
                Some(lease) => lease,
                None => target
                    .connect(deadline)
                    .await
                    .map_err(|error| unreachable(&error, deadline))?,
            };
            match lease.send(settled(&request, target, &via), deadline).await {
                Ok(response) => return receive(response, lease, deadline, max_response_bytes).await,
                Err(Failure::Unsent(_)) => {}
                Err(Failure::Broken { reused: true, .. }) if replayable => {}
                Err(Failure::Broken { error, .. }) => return Err(OutboundError::Protocol(causes(&error))),
                Err(Failure::Late) => return Err(OutboundError::Timeout),
            }
            // One kept connection was closed; the others probably are too.
            fresh_only = true;
        }
        Err(OutboundError::Connect("it closes every connection".to_owned()))
    }
}

/// The origins as an upstream's targets. None of them is ever chosen by weight.
fn upstream(config: &PluginConfig) -> UpstreamConfig {
    let target = |origin: &OriginGrant| TargetConfig {
        tls: origin.tls,
        host: origin.host.clone(),
        port: origin.port,
        base_path: String::new(),
        weight: 1,
        place: origin.place.clone(),
    };
    let nowhere = || Place {
        line: 1,
        column: 1,
        key: String::new(),
    };
    UpstreamConfig {
        targets: config.grants.http.iter().map(target).collect(),
        connect_timeout: config.http.connect_timeout,
        response_timeout: Duration::MAX,
        body_timeout: Duration::MAX,
        idle_timeout: IDLE_TIMEOUT,
        idle_connections: IDLE_CONNECTIONS,
        header_bytes: HEADER_BYTES,
        header_count: HEADER_COUNT,
        ca: config.http.ca.clone(),
        place: config
            .grants
            .http
            .first()
            .map_or_else(nowhere, |origin| origin.place.clone()),
    }
}

/// With what is not a plugin's to say.
fn settled(request: &http::Request<Bytes>, target: &Target, via: &HeaderValue) -> http::Request<Body> {
    let mut sent = http::Request::new(Body::full(request.body().clone()));
    *sent.method_mut() = request.method().clone();
    *sent.uri_mut() = request.uri().clone();
    *sent.headers_mut() = request.headers().clone();
    sent.headers_mut().insert(header::HOST, target.authority.clone());
    sent.headers_mut().insert(header::VIA, via.clone());
    sent
}

fn unreachable(error: &ConnectError, deadline: Instant) -> OutboundError {
    match error {
        ConnectError::TimedOut if Instant::now() >= deadline => OutboundError::Timeout,
        ConnectError::Private(address) => OutboundError::Private(address.to_string()),
        ConnectError::Resolve(_) => OutboundError::Dns(error.to_string()),
        ConnectError::TimedOut | ConnectError::Connect(_) | ConnectError::Http(_) => {
            OutboundError::Connect(error.to_string())
        }
        ConnectError::Tls(_) => OutboundError::Tls(error.to_string()),
    }
}

/// Reads the whole response, and keeps the connection when there is nothing left of it.
async fn receive(
    response: http::Response<Incoming>,
    lease: Lease,
    deadline: Instant,
    limit: usize,
) -> Result<http::Response<Bytes>, OutboundError> {
    let (parts, mut incoming) = response.into_parts();
    if parts.status.is_informational() {
        return Err(OutboundError::Protocol("it switches to another protocol".to_owned()));
    }
    if incoming.size_hint().lower() > limit as u64 {
        return Err(OutboundError::TooLarge);
    }
    let mut body = BytesMut::new();
    loop {
        let frame = tokio::time::timeout_at(deadline.into(), incoming.frame()).await;
        let Some(frame) = frame.map_err(|_elapsed| OutboundError::Timeout)? else {
            break;
        };
        let frame = frame.map_err(|error| OutboundError::Protocol(causes(&error)))?;
        // Trailers have no place in what a plugin is given.
        if let Some(data) = frame.data_ref() {
            if data.len() > limit - body.len() {
                return Err(OutboundError::TooLarge);
            }
            body.extend_from_slice(data);
        }
    }
    lease.give_back(Instant::now());
    let mut headers = parts.headers;
    fields::clean_response(&mut headers);
    let mut response = http::Response::new(body.freeze());
    *response.status_mut() = parts.status;
    *response.headers_mut() = headers;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::screen::Resolving;
    use std::net::SocketAddr;
    use std::sync::Mutex;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// Answers each question with the next of its answers, and counts.
    struct Script(Mutex<Vec<Vec<SocketAddr>>>);

    impl Resolve for Script {
        fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Resolving<'a> {
            let answer = self.0.lock().unwrap().pop();
            Box::pin(async move { answer.ok_or_else(|| std::io::Error::other("asked once more")) })
        }
    }

    fn client(host: &str, port: u16, allow_private: bool, answers: Vec<Vec<SocketAddr>>) -> PluginClient {
        let mut config = PluginConfig::default();
        config.http.allow_private = allow_private;
        config.grants.http.push(OriginGrant {
            tls: false,
            host: host.to_owned(),
            port,
            path: String::new(),
            place: Place {
                line: 1,
                column: 1,
                key: String::new(),
            },
        });
        let resolver: Arc<dyn Resolve> = Arc::new(Script(Mutex::new(answers)));
        PluginClient::new(
            &config,
            1,
            &resolver,
            HeaderValue::from_static("1.1 gatewright-00000000"),
        )
        .unwrap()
    }

    fn outbound() -> Outbound {
        Outbound {
            origin: 0,
            request: http::Request::get("/path").body(Bytes::new()).unwrap(),
            deadline: Instant::now() + Duration::from_secs(10),
            max_response_bytes: 1 << 10,
            came_by: Vec::new(),
        }
    }

    /// Answers one connection after the other, once each, and says how many there were.
    async fn origin(answer: &'static str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let seeing = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap_or(0);
                seeing
                    .lock()
                    .unwrap()
                    .push(String::from_utf8_lossy(&request[..length]).into_owned());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (address, seen)
    }

    const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

    #[tokio::test]
    async fn a_name_that_stands_for_a_private_address_is_not_connected_to() {
        let (address, seen) = origin(OK).await;
        let client = client("idp.example.com", address.port(), false, vec![vec![address]]);
        let refused = client.send(outbound()).await.unwrap_err();
        assert_eq!(refused, OutboundError::Private("127.0.0.1".to_owned()));
        assert!(seen.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_address_that_was_looked_at_is_the_one_that_is_connected_to() {
        let (address, seen) = origin(OK).await;
        // Whoever answers for the name would say something else if he were asked again.
        let elsewhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let client = client(
            "idp.example.com",
            address.port(),
            true,
            vec![vec![elsewhere], vec![address]],
        );
        assert_eq!(client.send(outbound()).await.unwrap().into_body(), "ok");
        let request = seen.lock().unwrap().pop().unwrap();
        assert!(request.starts_with("GET /path HTTP/1.1\r\n"), "{request}");
        let host = format!("host: idp.example.com:{}\r\n", address.port());
        assert!(request.to_ascii_lowercase().contains(&host), "{request}");
        // A new connection is another question: the answer has changed, and is looked at.
        assert!(matches!(client.send(outbound()).await, Err(OutboundError::Connect(_))));
    }

    #[tokio::test]
    async fn an_address_that_is_granted_is_connected_to_though_it_is_private() {
        let (address, _) = origin(OK).await;
        let client = client("127.0.0.1", address.port(), false, vec![vec![address]]);
        assert_eq!(client.send(outbound()).await.unwrap().status(), 200);
    }

    #[tokio::test]
    async fn a_response_that_is_too_long_or_none_is_an_error() {
        let long = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4096\r\n\r\n";
        for (answer, expected) in [(long, "TooLarge"), ("hello\r\n\r\n", "Protocol")] {
            let (address, _) = origin(answer).await;
            let client = client("127.0.0.1", address.port(), false, vec![vec![address]]);
            let error = client.send(outbound()).await.unwrap_err();
            assert!(format!("{error:?}").starts_with(expected), "{error:?}");
        }
    }
}
