//! A well-behaved HTTP/2 client.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::block_on;
use crate::body::BoxBody;

/// An HTTP/2 connection. Clones share it, for requests at once.
#[derive(Clone)]
pub struct H2Client(SendRequest<BoxBody>);

/// A response, read to its end.
#[derive(Clone, Debug)]
pub struct H2Response {
    /// Status.
    pub status: StatusCode,
    /// Header fields.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// Trailer section.
    pub trailers: HeaderMap,
}

impl H2Client {
    /// Connects with prior knowledge.
    pub fn connect(addr: SocketAddr) -> Self {
        block_on(async { handshake(TcpStream::connect(addr).await.expect("the address accepts")).await })
    }

    /// Connects by TLS, as `localhost`.
    ///
    /// # Errors
    /// Why the handshake fails, also when the server does not choose HTTP/2.
    pub fn connect_tls(addr: SocketAddr, config: Arc<ClientConfig>) -> io::Result<Self> {
        block_on(async {
            let name = ServerName::try_from("localhost").unwrap();
            let stream = TcpStream::connect(addr).await?;
            let stream = TlsConnector::from(config).connect(name, stream).await?;
            if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                return Err(io::Error::other("the server does not choose h2"));
            }
            Ok(handshake(stream).await)
        })
    }

    /// Sends a request and reads its response to the end.
    ///
    /// # Errors
    /// When the stream or the connection is reset.
    pub fn send(&mut self, request: Request<BoxBody>) -> hyper::Result<H2Response> {
        block_on(self.send_async(request))
    }

    /// The same, without blocking.
    ///
    /// # Errors
    /// When the stream or the connection is reset.
    pub async fn send_async(&mut self, request: Request<BoxBody>) -> hyper::Result<H2Response> {
        self.0.ready().await?;
        let (parts, body) = self.0.send_request(request).await?.into_parts();
        let collected = body.collect().await?;
        Ok(H2Response {
            status: parts.status,
            headers: parts.headers,
            trailers: collected.trailers().cloned().unwrap_or_default(),
            body: collected.to_bytes(),
        })
    }
}

impl H2Response {
    /// The code in `x-gatewright-error`.
    pub fn error(&self) -> Option<&str> {
        self.headers.get("x-gatewright-error")?.to_str().ok()
    }
}

async fn handshake<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> H2Client {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("an HTTP/2 connection");
    tokio::spawn(connection);
    H2Client(sender)
}
