//! An upstream that answers with bytes as they are, good or bad.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::origin::listen;

/// An upstream that speaks TCP.
pub struct RawOrigin {
    addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    accepting: JoinHandle<()>,
}

impl RawOrigin {
    /// Leaves each connection to `handler`.
    pub fn start<H, F>(handler: H) -> Self
    where
        H: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::start_with(Arc::default(), handler)
    }

    /// Reads a request's header section, writes these bytes, and closes.
    pub fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let (bytes, received) = (Arc::new(bytes.into()), Arc::<Mutex<Vec<Vec<u8>>>>::default());
        let recording = Arc::clone(&received);
        Self::start_with(received, move |mut socket| {
            let (bytes, recording) = (Arc::clone(&bytes), Arc::clone(&recording));
            async move {
                let head = read_head(&mut socket).await;
                recording.lock().unwrap().push(head);
                let _ = socket.write_all(&bytes).await;
                let _ = socket.shutdown().await;
                // Closing with unread bytes would reset the connection and take the answer away.
                let mut rest = [0; 1024];
                while matches!(socket.read(&mut rest).await, Ok(1..)) {}
            }
        })
    }

    fn start_with<H, F>(received: Arc<Mutex<Vec<Vec<u8>>>>, handler: H) -> Self
    where
        H: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (listener, addr) = listen();
        let connections = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&connections);
        let accepting = crate::runtime().spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(handler(socket));
            }
        });
        Self {
            addr,
            connections,
            received,
            accepting,
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://ADDRESS`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// How many connections have been made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What [`RawOrigin::answering`] has read: a header section (and what came with it) for each connection.
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for RawOrigin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Reads until a header section is complete, and gives everything read.
pub async fn read_head(socket: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match socket.read(&mut piece).await {
            Ok(count @ 1..) => head.extend_from_slice(&piece[..count]),
            _ => break,
        }
    }
    head
}
