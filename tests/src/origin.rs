//! An upstream that a test programs, and that remembers what reached it.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::body::{BoxBody, full};

/// An upstream. It answers until it is dropped.
pub struct Origin {
    addr: SocketAddr,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

/// A request that reached an origin.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Method.
    pub method: String,
    /// Request target, as sent.
    pub target: String,
    /// Header fields.
    pub headers: HeaderMap,
    /// What has been read of the body.
    pub body: Vec<u8>,
    /// Trailer section.
    pub trailers: HeaderMap,
    /// The body has come to its end.
    pub complete: bool,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<Recorded>>,
}

impl Origin {
    /// Answers each request by `handler`. It runs on the harness's threads, at once for requests at once.
    pub fn start<H, F>(handler: H) -> Self
    where
        H: Fn(Request<OriginBody>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<BoxBody>> + Send + 'static,
    {
        Self::start_with(handler, None)
    }

    /// The same over TLS.
    pub fn start_tls<H, F>(config: Arc<ServerConfig>, handler: H) -> Self
    where
        H: Fn(Request<OriginBody>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<BoxBody>> + Send + 'static,
    {
        Self::start_with(handler, Some(TlsAcceptor::from(config)))
    }

    /// Reads every body to its end, and answers 200 with this text.
    pub fn saying(text: &'static str) -> Self {
        Self::start(move |request| async move {
            let _ = request.into_body().collect().await;
            Response::new(full(text))
        })
    }

    fn start_with<H, F>(handler: H, tls: Option<TlsAcceptor>) -> Self
    where
        H: Fn(Request<OriginBody>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<BoxBody>> + Send + 'static,
    {
        let (listener, addr) = listen();
        let seen = Arc::<Seen>::default();
        let (handler, recording) = (Arc::new(handler), Arc::clone(&seen));
        let accepting = crate::runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                recording.connections.fetch_add(1, Ordering::SeqCst);
                let (handler, seen, tls) = (Arc::clone(&handler), Arc::clone(&recording), tls.clone());
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    match tls {
                        None => serve(stream, seen, handler).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, seen, handler).await;
                            }
                        }
                    }
                });
            }
        });
        Self { addr, seen, accepting }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://ADDRESS`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The requests that have reached it, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// The only request that has reached it.
    pub fn only_request(&self) -> Recorded {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// How many requests have reached it.
    pub fn hits(&self) -> usize {
        self.seen.requests.lock().unwrap().len()
    }

    /// How many connections have been made to it.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A socket that listens on loopback, on the harness's runtime.
pub(crate) fn listen() -> (TcpListener, SocketAddr) {
    let _context = crate::runtime().enter();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
    listener.set_nonblocking(true).unwrap();
    let addr = listener.local_addr().unwrap();
    (TcpListener::from_std(listener).unwrap(), addr)
}

async fn serve<S, H, F>(stream: S, seen: Arc<Seen>, handler: Arc<H>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request<OriginBody>) -> F,
    F: Future<Output = Response<BoxBody>>,
{
    let service = service_fn(|request: Request<Incoming>| {
        let request = seen.record(request);
        let response = handler(request);
        async move { Ok::<_, Infallible>(response.await) }
    });
    let _ = http1::Builder::new()
        .max_headers(4096)
        .max_buf_size(4 << 20)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Seen {
    fn record(self: &Arc<Self>, request: Request<Incoming>) -> Request<OriginBody> {
        let mut requests = self.requests.lock().unwrap();
        requests.push(Recorded {
            method: request.method().to_string(),
            target: request.uri().to_string(),
            headers: request.headers().clone(),
            body: Vec::new(),
            trailers: HeaderMap::new(),
            complete: request.body().is_end_stream(),
        });
        let index = requests.len() - 1;
        request.map(|inner| OriginBody {
            inner,
            seen: Arc::clone(self),
            index,
        })
    }
}

/// A request's body; what is read of it is recorded.
pub struct OriginBody {
    inner: Incoming,
    seen: Arc<Seen>,
    index: usize,
}

impl Body for OriginBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        let complete = self.inner.is_end_stream();
        let mut requests = self.seen.requests.lock().unwrap();
        let recorded = &mut requests[self.index];
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                recorded.body.extend(frame.data_ref().into_iter().flatten());
                recorded
                    .trailers
                    .extend(frame.trailers_ref().cloned().unwrap_or_default());
                recorded.complete |= complete;
            }
            Poll::Ready(None) => recorded.complete = true,
            _ => {}
        }
        drop(requests);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
