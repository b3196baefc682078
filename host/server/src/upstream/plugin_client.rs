//! Sends the requests of a plugin, over connections that are kept as those of upstreams are: each by its worker, with the
//! same strict look at responses. What may be asked for has been checked by whoever hands a request over.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_config::{ByteSize, EjectionConfig, OriginGrant, Place, PluginConfig, TargetConfig, UpstreamConfig};
use gatewright_wasm::{HttpClient, Outbound, OutboundError, Sending};
use http::header::{self, HeaderValue};

use super::call::{CallError, call};
use super::connect::{SetupError, client_config};
use super::screen::{Resolve, Screen};
use super::target::Target;
use crate::via;

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
        let request = settled(request, target, via::onward(&came_by, &self.via));
        Ok(call(target, &request, deadline, max_response_bytes).await?)
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
        server_name: None,
        identity: None,
        accepts_any_certificate: false,
        ejection: EjectionConfig::default(),
        place: config
            .grants
            .http
            .first()
            .map_or_else(Place::nowhere, |origin| origin.place.clone()),
    }
}

/// With what is not a plugin's to say.
fn settled(mut request: http::Request<Bytes>, target: &Target, via: HeaderValue) -> http::Request<Bytes> {
    request.headers_mut().insert(header::HOST, target.authority.clone());
    request.headers_mut().insert(header::VIA, via);
    request
}

impl From<CallError> for OutboundError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Timeout => Self::Timeout,
            CallError::Dns(reason) => Self::Dns(reason),
            CallError::Private(address) => Self::Private(address.to_string()),
            CallError::Connect(reason) => Self::Connect(reason),
            CallError::Tls(reason) => Self::Tls(reason),
            CallError::Protocol(reason) => Self::Protocol(reason),
            CallError::TooLarge => Self::TooLarge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::screen::Resolving;
    use std::net::SocketAddr;
    use std::sync::Mutex;
    use std::time::Instant;
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
            place: Place::nowhere(),
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
