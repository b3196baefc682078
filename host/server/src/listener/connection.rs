//! One client's connection: handshake, protocol, requests, end.

use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use gatewright_core::{
    AccessRecord, ClientAddress, ClientCertificate, ExchangeId, Interim, Outcome, Problem, ProblemKind,
};
use http::{Method, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::Instant;

use crate::answer::{self, AnswerBody};
use crate::drain::Drain;
use crate::forwarded::Peer;
use crate::gateway::{Answer, next_id};
use crate::listener::Settings;
use crate::listener::certificate;
use crate::listener::guard::{Guard, Patience, QUIET, Watch};
use crate::listener::handshake;
use crate::listener::http2;
use crate::listener::socket::{Socket, Transport};
use crate::live::Live;
use crate::received::Received;

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
    /// How long its client may take.
    pub patience: Patience,
    live: Live,
    drain: Drain,
}

impl Connection {
    /// Whether the connection must not be used for another request.
    pub fn must_close(&self) -> bool {
        self.drain.is_leaving()
    }

    /// Serves one request with the current generation. A defect of ours costs this one request. `interims` takes interim
    /// responses, where the client may have some.
    pub(super) async fn handle(
        self: Arc<Self>,
        request: http::Request<Received>,
        interims: Option<Arc<dyn Interim>>,
    ) -> Answer {
        let gateway = self.live.current();
        let id = next_id();
        let method = request.method().clone();
        let version = request.version();
        let handling = gateway.handle(&self, id, request, interims);
        let answer = match AssertUnwindSafe(handling).catch_unwind().await {
            Ok(answer) => answer,
            Err(_panic) => {
                tracing::error!(listener = %self.listener, "a request handler panicked; this is a defect of the gateway");
                self.after_panic(id, &method, version)
            }
        };
        // Once hyper has an answer of HTTP/1, nothing can be written before it any more.
        if self.watch.interims().any() {
            self.watch.interims().delivered().await;
        }
        answer
    }

    /// Serves one request of HTTP/1.
    fn handle_http1(
        self: Arc<Self>,
        request: http::Request<Incoming>,
    ) -> impl Future<Output = Result<Answer, Infallible>> {
        // Clients of HTTP/1.0 do not know interim responses (RFC 9110, section 15.2).
        let takes_interims = request.version() == Version::HTTP_11;
        let taker = takes_interims.then(|| Arc::clone(self.watch.interims()) as Arc<dyn Interim>);
        self.handle(request.map(Received::from), taker).map(Ok)
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
    drain: Drain,
    watch: Arc<Watch>,
) {
    let opened = tokio::select! {
        biased;
        opened = open(socket, &address, &settings) => opened,
        // A client that has not asked for anything by now does not hold up the end.
        () = last_call(drain.clone()) => None,
        () = watch.dismissed() => None,
    };
    let Some((transport, http2)) = opened else {
        return;
    };
    let tls = tls_version(&transport);
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
        patience: settings.patience,
        live,
        drain: drain.clone(),
    });
    let ended = |error: &dyn std::error::Error| {
        let (listener, client) = (&settings.name, &connection.peer.client);
        tracing::debug!(%listener, %client, error = crate::upstream::causes(error), "connection ended");
    };
    if http2 {
        let serving = http2::serve(guard, &connection, &settings, drain.clone());
        tokio::select! {
            biased;
            result = serving => result.unwrap_or_else(|error| ended(&error)),
            () = says_nothing(&connection.watch, drain) => {}
        }
    } else if let Err(error) = serve_http1(TokioIo::new(guard), &connection, &settings, drain).await {
        ended(&error);
        connection.record_unparsed(&error);
    }
}

/// Waits for the moment after which a client that has asked for nothing is not waited for any more.
async fn last_call(mut drain: Drain) {
    drain.closing().await;
    tokio::time::sleep(QUIET).await;
}

/// Waits until the client of HTTP/2 has had its last call, and has not even said that it speaks it: the library would wait
/// for that before it says goodbye.
async fn says_nothing(watch: &Watch, drain: Drain) {
    last_call(drain).await;
    if watch.has_heard() {
        std::future::pending::<()>().await;
    }
}

/// The version of TLS that has been agreed on.
fn tls_version(transport: &Transport) -> Option<&'static str> {
    let Transport::Tls(stream) = transport else { return None };
    Some(match stream.get_ref().1.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        // No other one is offered.
        _ => "TLS",
    })
}

/// What the client's certificate says, which has been verified.
fn client_certificate(transport: &Transport) -> Option<Arc<ClientCertificate>> {
    let Transport::Tls(stream) = transport else { return None };
    let leaf = stream.get_ref().1.peer_certificates()?.first()?;
    certificate::read(leaf).map(Arc::new)
}

/// Handshake and choice of the protocol; whether it is HTTP/2. None when the client does not get that far.
async fn open(socket: Socket, client: &ClientAddress, settings: &Settings) -> Option<(Transport, bool)> {
    if let Some(acceptor) = &settings.tls {
        let opening = tokio::time::timeout(settings.handshake_timeout, acceptor.accept(socket));
        let stream = match opening.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                handshake::failed(settings, client, &error);
                return None;
            }
            Err(_elapsed) => {
                handshake::failed(settings, client, &io::ErrorKind::TimedOut.into());
                return None;
            }
        };
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        return Some((Transport::Tls(Box::new(stream)), http2));
    }
    let http2 = match (settings.http1, settings.http2) {
        (false, _) => true,
        (true, false) => false,
        (true, true) => {
            let Patience { idle, header, .. } = settings.patience;
            tokio::time::timeout(idle, has_http2_preface(&socket, header))
                .await
                .ok()?
                .ok()?
        }
    };
    Some((Transport::Plain(socket), http2))
}

/// Whether the client begins with HTTP/2's preface, whose first four bytes are those of no HTTP/1 request. Once it has
/// begun, they come within `patience`.
async fn has_http2_preface(socket: &Socket, patience: Duration) -> io::Result<bool> {
    const PREFACE: &[u8] = b"PRI ";
    let mut buffer = [0; 4];
    let mut begun = None;
    loop {
        let bytes = socket.peek(&mut buffer).await?;
        if bytes.len() == PREFACE.len() || bytes.is_empty() || !PREFACE.starts_with(bytes) {
            return Ok(bytes == PREFACE);
        }
        if begun.get_or_insert_with(Instant::now).elapsed() >= patience {
            return Err(io::ErrorKind::TimedOut.into());
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
    let service = service_fn(|request| Arc::clone(connection).handle_http1(request));
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
    let interims = connection.watch.interims();
    let mut serving = std::pin::pin!(builder.serve_connection(io, service));
    let mut serving = std::future::poll_fn(|context| {
        interims.register(context.waker());
        serving.as_mut().poll(context)
    });
    tokio::select! {
        biased;
        result = &mut serving => return result,
        () = drain.closing() => {}
    }
    // hyper would close a connection that is idle at once, and one that is in use when its response is complete, though
    // nothing has told the client not to send another request. Responses say `Connection: close` from now on.
    connection.watch.part();
    serving.await
}
