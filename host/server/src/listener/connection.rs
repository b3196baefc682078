//! One client's connection: handshake, protocol, requests, end.

use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use gatewright_core::{AccessRecord, ClientAddress, ClientCertificate, ExchangeId, Outcome, Problem, ProblemKind};
use http::{Method, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use crate::answer::{self, AnswerBody};
use crate::drain::Drain;
use crate::forwarded::Peer;
use crate::gateway::{Answer, next_id};
use crate::listener::Settings;
use crate::listener::certificate;
use crate::listener::guard::{Guard, Watch};
use crate::listener::socket::{Socket, Transport};
use crate::live::Live;

/// hyper's own default; with another number it allocates for every request.
const DEFAULT_HEADER_COUNT: usize = 100;
/// Room for reading large bodies in few pieces, whatever the limit of header sections is.
const READ_BUFFER: usize = 128 * 1024;

/// What every request of a connection shares.
pub struct Connection {
    /// The listener it came in by.
    pub listener: Arc<str>,
    /// The other end.
    pub peer: Peer,
    /// What is known of its bytes.
    pub watch: Arc<Watch>,
    live: Live,
    drain: Drain,
}

impl Connection {
    /// Whether the connection must not be used for another request.
    pub fn must_close(&self) -> bool {
        self.drain.is_leaving()
    }

    /// Serves one request with the current generation. A defect of ours costs this one request.
    async fn handle(self: Arc<Self>, request: http::Request<Incoming>) -> Result<Answer, Infallible> {
        let gateway = self.live.current();
        let id = next_id();
        let method = request.method().clone();
        let version = request.version();
        Ok(
            match AssertUnwindSafe(gateway.handle(&self, id, request))
                .catch_unwind()
                .await
            {
                Ok(answer) => answer,
                Err(_panic) => {
                    tracing::error!(listener = %self.listener, "a request handler panicked; this is a defect of the gateway");
                    self.after_panic(id, &method, version)
                }
            },
        )
    }

    /// What the client is told. The exchange's own record has been written when the panic dropped it.
    fn after_panic(&self, id: ExchangeId, method: &Method, version: Version) -> Answer {
        let in_flight = self.watch.go_on();
        let mut record = self.record(id, method.clone(), version);
        record.leave_to_another();
        let response = answer::problem(&mut record, &ProblemKind::InternalError.into());
        response.map(|body| AnswerBody::new(body, record, in_flight, *method != Method::HEAD))
    }

    /// No service saw it: what hyper took for no request still has its record, with the id that the client was told, if it
    /// was told anything.
    fn record_unparsed(&self, error: &hyper::Error) {
        let kind = match (self.watch.refused(), error) {
            (Some(refused), _) => refused.kind,
            (None, error) if error.is_parse_too_large() => ProblemKind::HeadersTooLarge,
            (None, error) if error.is_parse() => ProblemKind::BadRequest,
            _ => return,
        };
        let id = self.watch.refused().map_or_else(next_id, |refused| refused.id);
        let mut record = self.record(id, Method::default(), Version::default());
        record.note(&Problem::new(kind).with_cause(crate::upstream::causes(error)));
        record.status = record.problem.map(|kind| kind.status().as_u16());
        record.outcome = Outcome::Refused;
    }

    fn record(&self, id: ExchangeId, method: Method, version: Version) -> AccessRecord {
        let recorder = Arc::clone(&self.live.current().recorder);
        AccessRecord::new(
            id,
            Arc::clone(&self.listener),
            self.peer.client.clone(),
            method,
            version,
            recorder,
        )
    }
}

/// Serves a client until one side has had enough. Runs in a task of its own, with its own limits on everything that
/// waits for the client.
pub async fn serve(
    socket: Socket,
    address: ClientAddress,
    settings: Arc<Settings>,
    live: Live,
    mut drain: Drain,
    watch: Arc<Watch>,
) {
    let opened = tokio::select! {
        biased;
        opened = open(socket, &settings) => opened,
        // Who has asked for nothing yet has nothing to lose, and must not hold up the end.
        () = drain.closing() => None,
        () = watch.dismissed() => None,
    };
    let Some((transport, http2)) = opened else {
        return;
    };
    let tls = matches!(transport, Transport::Tls(_));
    let client_certificate = client_certificate(&transport);
    // A line longer than the header limit is refused by hyper, so the guard need not keep more of it.
    let line_limit = settings.header_bytes.max(8192);
    let watching = Arc::clone(&watch);
    let guard = Guard::new(
        transport,
        settings.patience,
        !http2,
        line_limit,
        watching,
        Transport::reset,
    );
    let connection = Arc::new(Connection {
        listener: Arc::clone(&settings.name),
        peer: Peer::new(address, tls, client_certificate, settings.ipv6_prefix),
        watch,
        live,
        drain: drain.clone(),
    });
    let result = if http2 {
        serve_http2(TokioIo::new(guard), &connection, &settings, drain).await
    } else {
        serve_http1(TokioIo::new(guard), &connection, &settings, drain).await
    };
    if let Err(error) = result {
        tracing::debug!(listener = %settings.name, client = %connection.peer.client, error = crate::upstream::causes(&error), "connection ended");
        connection.record_unparsed(&error);
    }
}

/// What the client's certificate says, which has been verified.
fn client_certificate(transport: &Transport) -> Option<Arc<ClientCertificate>> {
    let Transport::Tls(stream) = transport else { return None };
    let leaf = stream.get_ref().1.peer_certificates()?.first()?;
    certificate::read(leaf).map(Arc::new)
}

/// Handshake and choice of the protocol; whether it is HTTP/2. None when the client does not get that far.
async fn open(socket: Socket, settings: &Settings) -> Option<(Transport, bool)> {
    if let Some(acceptor) = &settings.tls {
        let handshake = tokio::time::timeout(settings.handshake_timeout, acceptor.accept(socket));
        let stream = match handshake.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return refused_handshake(settings, &error),
            Err(_elapsed) => return refused_handshake(settings, &io::ErrorKind::TimedOut.into()),
        };
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        return Some((Transport::Tls(Box::new(stream)), http2));
    }
    let http2 = match (settings.http1, settings.http2) {
        (false, _) => true,
        (true, false) => false,
        (true, true) => {
            let patience = settings.patience.idle;
            tokio::time::timeout(patience, has_http2_preface(&socket))
                .await
                .ok()?
                .ok()?
        }
    };
    Some((Transport::Plain(socket), http2))
}

fn refused_handshake<T>(settings: &Settings, error: &io::Error) -> Option<T> {
    // Anybody can cause these at any rate, so they are no news.
    tracing::debug!(listener = %settings.name, %error, "TLS handshake failed");
    None
}

/// Whether the client begins with HTTP/2's preface, whose first four bytes are those of no HTTP/1 request.
async fn has_http2_preface(socket: &Socket) -> io::Result<bool> {
    const PREFACE: &[u8] = b"PRI ";
    let mut buffer = [0; 4];
    loop {
        let bytes = socket.peek(&mut buffer).await?;
        if bytes.len() == PREFACE.len() || bytes.is_empty() || !PREFACE.starts_with(bytes) {
            return Ok(bytes == PREFACE);
        }
        // A preface cut within its first word: the socket stays readable, so look again a little later.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn serve_http1(
    io: TokioIo<Guard<Transport>>,
    connection: &Arc<Connection>,
    settings: &Settings,
    mut drain: Drain,
) -> hyper::Result<()> {
    let service = service_fn(|request| Arc::clone(connection).handle(request));
    let mut builder = http1::Builder::new();
    // Whether a client that closes its side has left is for the guard to judge.
    builder
        .half_close(false)
        .timer(TokioTimer::new())
        .header_read_timeout(None);
    builder
        .max_header_size(settings.header_bytes)
        .max_buf_size(settings.header_bytes.max(READ_BUFFER));
    if settings.header_count != DEFAULT_HEADER_COUNT {
        builder.max_headers(settings.header_count);
    }
    let mut serving = std::pin::pin!(builder.serve_connection(io, service));
    tokio::select! {
        biased;
        result = serving.as_mut() => return result,
        () = drain.closing() => {}
    }
    serving.as_mut().graceful_shutdown();
    serving.await
}

async fn serve_http2(
    io: TokioIo<Guard<Transport>>,
    connection: &Arc<Connection>,
    settings: &Settings,
    mut drain: Drain,
) -> hyper::Result<()> {
    let service = service_fn(|request| Arc::clone(connection).handle(request));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.streams);
    builder.max_header_list_size(u32::try_from(settings.header_bytes).unwrap_or(u32::MAX));
    let mut serving = std::pin::pin!(builder.serve_connection(io, service));
    tokio::select! {
        biased;
        result = serving.as_mut() => return result,
        // What HTTP/1 says with `Connection: close`, HTTP/2 says with GOAWAY.
        () = drain.parting() => {}
    }
    if !connection.watch.has_heard() {
        // hyper would wait for the preface before it says goodbye.
        return Ok(());
    }
    serving.as_mut().graceful_shutdown();
    serving.await
}
