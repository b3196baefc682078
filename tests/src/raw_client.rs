//! A client that sends bytes as they are, good or bad.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::DEADLINE;
use crate::response::{self, RawResponse, Source};

/// A connection that a test writes bytes into.
pub struct RawClient {
    connection: Connection,
    buffer: Vec<u8>,
}

enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// One request on a connection of its own. `Host` and `Content-Length` are added where they are missing.
pub fn http(addr: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> RawResponse {
    RawClient::connect(addr).request(method, path, headers, body)
}

impl RawClient {
    /// Connects by TCP.
    pub fn connect(addr: SocketAddr) -> Self {
        Self::new(Connection::Tcp(tcp(addr)))
    }

    /// Connects, if somebody listens and accepts in time.
    pub fn try_connect(addr: SocketAddr, timeout: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, timeout)?;
        stream.set_nodelay(true)?;
        Ok(Self::new(Connection::Tcp(stream)))
    }

    /// Connects to a Unix domain socket.
    pub fn connect_unix(path: &Path) -> Self {
        Self::new(Connection::Unix(UnixStream::connect(path).expect("the socket accepts")))
    }

    /// Connects by TLS, as `localhost`.
    ///
    /// # Errors
    /// Why the handshake fails.
    pub fn connect_tls(addr: SocketAddr, config: Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut socket = tcp(addr);
        socket.set_read_timeout(Some(DEADLINE))?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(Self::new(Connection::Tls(Box::new(StreamOwned::new(session, socket)))))
    }

    fn new(connection: Connection) -> Self {
        let client = Self {
            connection,
            buffer: Vec::new(),
        };
        client.write_timeout();
        client
    }

    /// The protocol that TLS has agreed upon.
    pub fn alpn(&self) -> Option<String> {
        match &self.connection {
            Connection::Tls(stream) => stream
                .conn
                .alpn_protocol()
                .map(|name| String::from_utf8_lossy(name).into_owned()),
            _ => None,
        }
    }

    /// Sends bytes. A server that has closed the connection already is no failure here: reading shows it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.try_send(bytes);
        self
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the server does not take them.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let stream: &mut dyn Write = match &mut self.connection {
            Connection::Tcp(stream) => stream,
            Connection::Unix(stream) => stream,
            Connection::Tls(stream) => stream,
        };
        stream.write_all(bytes.as_ref())?;
        stream.flush()
    }

    /// Sends a request and reads its response, after any interim ones.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> RawResponse {
        self.send(request(method, path, headers, body));
        if method == "HEAD" {
            self.read_response_to_head()
        } else {
            self.read_response()
        }
    }

    /// Reads the next final response.
    pub fn read_response(&mut self) -> RawResponse {
        self.try_read_response()
            .unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// Reads the next final response, to a request that was `HEAD`.
    pub fn read_response_to_head(&mut self) -> RawResponse {
        self.try_read_response_to_head()
            .unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// Reads the next final response.
    ///
    /// # Errors
    /// When the connection ends, breaks, or what comes is no response.
    pub fn try_read_response(&mut self) -> io::Result<RawResponse> {
        loop {
            let response = self.read(false)?;
            if response.status >= 200 {
                return Ok(response);
            }
        }
    }

    /// Reads the next final response, to a request that was `HEAD`.
    ///
    /// # Errors
    /// When the connection ends, breaks, or what comes is no response.
    pub fn try_read_response_to_head(&mut self) -> io::Result<RawResponse> {
        self.read(true)
    }

    /// Reads the next response, which may be an interim one.
    pub fn read_any_response(&mut self) -> RawResponse {
        self.read(false).unwrap_or_else(|error| panic!("no response: {error}"))
    }

    fn read(&mut self, to_head: bool) -> io::Result<RawResponse> {
        let Self { connection, buffer } = self;
        let mut source = Reading::new(connection, DEADLINE);
        response::read(&mut source, buffer, to_head)
    }

    /// Everything that still comes, until the connection ends or the time is up.
    pub fn read_to_end(&mut self, timeout: Duration) -> Vec<u8> {
        let Self { connection, buffer } = self;
        let mut source = Reading::new(connection, timeout);
        while matches!(source.more(buffer), Ok(1..)) {}
        std::mem::take(buffer)
    }

    /// Reads at least so many bytes, and gives them as they came.
    pub fn read_bytes(&mut self, count: usize) -> Vec<u8> {
        let Self { connection, buffer } = self;
        let mut source = Reading::new(connection, DEADLINE);
        while buffer.len() < count {
            let more = source.more(buffer).unwrap_or_else(|error| panic!("no bytes: {error}"));
            assert!(more > 0, "the connection ended after {} of {count} bytes", buffer.len());
        }
        std::mem::take(buffer)
    }

    /// The bytes that come next; none when the connection ends.
    pub fn read_some(&mut self) -> Option<Vec<u8>> {
        let Self { connection, buffer } = self;
        match Reading::new(connection, DEADLINE).more(buffer) {
            Ok(0) => None,
            Ok(_) => Some(std::mem::take(buffer)),
            Err(error) if is_end(&error) => None,
            Err(error) => panic!("nothing comes: {error}"),
        }
    }

    /// Whether the server closes the connection, and nothing more comes over it.
    pub fn is_closed(&mut self) -> bool {
        let Self { connection, buffer } = self;
        match Reading::new(connection, DEADLINE).more(buffer) {
            Ok(0) => buffer.is_empty(),
            Ok(_) => false,
            Err(error) => is_end(&error),
        }
    }

    /// Whether the connection stays open and silent for so long.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        let Self { connection, buffer } = self;
        let result = Reading::new(connection, time).more(buffer);
        buffer.is_empty() && result.is_err_and(|error| !is_end(&error))
    }

    /// Says that no more is sent, and goes on reading.
    pub fn finish_sending(&mut self) {
        let _ = match &mut self.connection {
            Connection::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Connection::Unix(stream) => stream.shutdown(Shutdown::Write),
            Connection::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush().and_then(|()| stream.sock.shutdown(Shutdown::Write))
            }
        };
    }

    fn write_timeout(&self) {
        let result = match &self.connection {
            Connection::Tcp(stream) => stream.set_write_timeout(Some(DEADLINE)),
            Connection::Unix(stream) => stream.set_write_timeout(Some(DEADLINE)),
            Connection::Tls(stream) => stream.sock.set_write_timeout(Some(DEADLINE)),
        };
        result.expect("a write timeout");
    }
}

/// A request's bytes, with `Host` and `Content-Length` where they are missing.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let has = |name: &str| headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    if !has("host") {
        text.push_str("Host: localhost\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() && !has("content-length") && !has("transfer-encoding") {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

fn tcp(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&addr, DEADLINE).expect("the address accepts");
    stream.set_nodelay(true).unwrap();
    stream
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof
    )
}

struct Reading<'c> {
    connection: &'c mut Connection,
    until: Instant,
}

impl<'c> Reading<'c> {
    fn new(connection: &'c mut Connection, timeout: Duration) -> Self {
        Self {
            connection,
            until: Instant::now() + timeout,
        }
    }
}

impl Source for Reading<'_> {
    fn more(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        let left = Some(left.max(Duration::from_millis(1)));
        let mut piece = [0; 16 * 1024];
        let count = match &mut *self.connection {
            Connection::Tcp(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(&mut piece)),
            Connection::Unix(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(&mut piece)),
            Connection::Tls(stream) => {
                stream.sock.set_read_timeout(left)?;
                stream.read(&mut piece)
            }
        }?;
        buffer.extend_from_slice(&piece[..count]);
        Ok(count)
    }
}
